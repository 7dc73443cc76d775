"""The files of one run on the image screen: every step as PNG, what the browser shows of it, and the ZIP."""

from __future__ import annotations

import json
import math
import shutil
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from numpy import ndarray

from deblur_demo import maps
from deblur_demo.media.image import Photo, write_image
from deblur_demo.media.shrink import shrink
from deblur_demo.spectrum import radial_spectrum
from deblur_demo.ui.image.recipe import Recipe
from deblur_demo.ui.runs import Run, on_disk, safe_stem
from deblur_demo.ui.viewer.comparer import megapixels_each, shown_file

if TYPE_CHECKING:
    from deblur_demo.pipeline import StepReport
    from deblur_demo.verdict import Verdict

_FIGURES = ("index", "seconds", "change", "sharpness", "psnr", "ssim", "mse", "map_figures")


@dataclass(frozen=True)
class StepFile:
    """One step on disk, with its figures.

    Attributes:
        index: 0 is the input.
        full: PNG in the input's size and depth.
        shown: what the viewer shows: ``full`` itself, or a smaller PNG of a large photo.
        drawn: its maps in colours, as they are shown, by name.
        spectrum: see ``spectrum.radial_spectrum``.
        seconds, change, sharpness, psnr, ssim, mse, map_figures: as in ``StepReport``.
    """

    index: int
    full: Path
    shown: Path
    seconds: float
    change: float | None
    sharpness: float
    psnr: float | None
    ssim: float | None
    mse: float | None
    map_figures: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    drawn: Mapping[str, Path] = field(default_factory=dict)
    spectrum: tuple[float, ...] = ()


@dataclass(frozen=True)
class Result:
    """Everything about one photo of a run.

    Attributes:
        name: of the uploaded file.
        rows: steps that there will be at most, the input included.
        steps: as far as they are there.
        archive: None until the last step is there.
        notices: what was assumed while reading, what happened on the way, what the PNG cannot hold.
        scale: at which part of their sides pictures are shown.
        truth: the sharp reference as it is shown, or None.
        maps: names of the maps that each step will have.
        truth_spectrum: its power spectrum.
        blur: estimate of the input, see ``metrics.blur``.
        verdict: None until the last step is there.
        cut: whether it was cancelled before the last step that was asked for.
        recipe: what makes it; None where nobody asks.
    """

    name: str
    rows: int = 1
    steps: tuple[StepFile, ...] = ()
    archive: Path | None = None
    notices: tuple[str, ...] = ()
    scale: float = 1.0
    truth: Path | None = None
    maps: tuple[str, ...] = ()
    truth_spectrum: tuple[float, ...] = ()
    blur: float | None = None
    verdict: Verdict | None = None
    cut: bool = False
    recipe: Recipe | None = None


class ImageRun(Run):
    """A run over photos.

    Attributes:
        results: one a photo, in the order of the photos.
        failures: of several photos, those that could not be done: a line each, with name and reason.
        picked: index of the step that the visitor looks at; None: the newest.
    """

    def __init__(self, root: Path):
        super().__init__(root)
        self.results: list[Result] = []
        self.failures: list[str] = []
        self.picked: int | None = None
        self._photos, self._place, self._megapixels = 0, self.folder, math.inf

    def begin(
        self,
        name: str,
        rows: int = 1,
        truth: Photo | None = None,
        maps: tuple[str, ...] = (),
        recipe: Recipe | None = None,
    ) -> None:
        """Make room for the next photo.

        Args:
            name: of the uploaded file.
            rows: steps that there will be at most, the input included; many large pictures are shown smaller.
            truth: its sharp reference.
            maps: names of those that each step will have.
            recipe: what makes its result.
        """
        self.picked, self._megapixels = None, megapixels_each(rows + len(maps) + (truth is not None))
        # Photos of equal names do not collide, and a download keeps a name that says what it is.
        self._photos += 1
        self._place = self.folder / f"{self._photos:03d}"
        with on_disk(self._place):
            self._place.mkdir()
        path = None if truth is None else self._place / "truth.png"
        if path is not None:
            write_image(shrink(truth, self._megapixels), path)
        spectrum = _spectrum(truth)
        self.results.append(Result(name, rows, truth=path, maps=maps, truth_spectrum=spectrum, recipe=recipe))

    def add(self, report: StepReport) -> StepFile:
        """Write one step of the current photo."""
        result = self.results[-1]
        full = self._place / f"{safe_stem(result.name)}_step_{report.index:02d}.png"
        self.touch()
        lost = write_image(report.photo, full)
        shown = shown_file(report.photo, full, self._megapixels)
        drawn = {name: self._draw(name, layer, full) for name, layer in report.maps.items()}
        values = {name: getattr(report, name) for name in _FIGURES}
        spectrum = _spectrum(report.photo)
        step = StepFile(full=full, shown=shown, drawn=drawn, spectrum=spectrum, **values)
        notices = tuple(dict.fromkeys((*result.notices, *report.photo.notices, *lost)))
        height, width = report.photo.pixels.shape[:2]
        scale = min(1.0, math.sqrt(self._megapixels * 1e6 / (height * width)))
        blur = result.blur if result.steps else report.blur
        self.results[-1] = replace(result, steps=(*result.steps, step), notices=notices, scale=scale, blur=blur)
        return step

    def _draw(self, name: str, layer: ndarray, step: Path) -> Path:
        """Write a map of a step; gives what is shown of it."""
        photo = maps.drawn(name, layer)
        write_image(photo, _beside(step, name))
        return shown_file(photo, _beside(step, name), self._megapixels)

    def chosen(self, picked: int | None) -> Result | None:
        """The photo on the stage: the newest, and once the run has ended the one of that number; None: none yet."""
        results = tuple(self.results)  # of which the run may drop the last at any time
        there = self.ended and picked is not None and picked < len(results)
        return results[picked if there else -1] if results else None

    def pick(self, result: Result, index: int) -> bool:
        """Look at what the viewer has at that place; False, and nothing changes, if that is no step of the result."""
        step = 0 <= index < result.rows
        if step:
            self.picked = index
        return step

    def looked_at(self, result: Result) -> StepFile:
        """The step that the visitor looks at; with what is no step, the newest."""
        last = result.steps[-1].index
        return result.steps[last if self.picked is None else min(max(self.picked, 0), last)]

    def finish(self, verdict: Verdict, cut: bool = False) -> None:
        """Pack all steps of the current photo, the last one's maps and all figures into a ZIP beside them.

        Args:
            verdict: what the run did to the photo.
            cut: whether there are fewer steps than were asked for.
        """
        result = self.results[-1]
        stem = safe_stem(result.name)
        archive = result.steps[0].full.with_name(f"{stem}_steps.zip")
        report = {
            "photo": result.name,
            **(result.recipe.facts() if result.recipe else {}),
            "notices": result.notices,
            "verdict": verdict.facts(),
            "steps": [figures(step) for step in result.steps],
        }
        with on_disk(archive), zipfile.ZipFile(archive, "w", zipfile.ZIP_STORED) as file:  # PNG is compressed already
            for step in result.steps:
                file.write(step.full, f"{stem}/step_{step.index:02d}.png")
            for name in result.maps:
                last = result.steps[-1]
                file.write(_beside(last.full, name), f"{stem}/step_{last.index:02d}_{name}.png")
            file.writestr(f"{stem}/report.json", json.dumps(report, indent=2))
        self.results[-1] = replace(result, rows=len(result.steps), archive=archive, verdict=verdict, cut=cut)

    def pack(self) -> Path:
        """Put the last step of every photo into one ZIP; gives its path."""
        archive = self.folder / "deblurred.zip"
        with on_disk(archive), zipfile.ZipFile(archive, "w", zipfile.ZIP_STORED) as file:  # PNG is compressed already
            for number, result in enumerate(self.results, 1):
                file.write(result.steps[-1].full, f"deblurred/{number:03d}_{safe_stem(result.name)}.png")
        return archive

    def drop(self) -> None:
        """Forget the current photo, which failed or is not wanted; its files go once the page shows something else."""
        self.picked = None
        self.later(partial(shutil.rmtree, self._place, ignore_errors=True))
        self.results.pop()


def figures(step: StepFile | StepReport) -> dict:
    """The figures of a step as JSON knows them; of its maps the mean and the 95th percentile."""
    values = {name: getattr(step, name) for name in _FIGURES}
    values["maps"] = values.pop("map_figures")
    return values


def _spectrum(photo: Photo | None) -> tuple[float, ...]:
    return () if photo is None else tuple(radial_spectrum(photo.pixels).tolist())


def _beside(step: Path, name: str) -> Path:
    """Where a map of a step is."""
    return step.with_name(f"{step.stem}_{name}.png")
