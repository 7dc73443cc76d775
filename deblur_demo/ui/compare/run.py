"""The files of one comparison: every result as PNG, what the browser shows of it, and the ZIP."""

from __future__ import annotations

import json
import math
import zipfile
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from deblur_demo.media.image import Photo, write_image
from deblur_demo.ui.compare import text as compare_text
from deblur_demo.ui.runs import Run, on_disk, safe_stem
from deblur_demo.ui.viewer.comparer import megapixels_each, shown_file

if TYPE_CHECKING:
    from deblur_demo.pipeline import StepReport


@dataclass(frozen=True)
class Figures:
    """What a result cost and what it is worth.

    Attributes:
        name: as on screen.
        model: identifier of the variant; None for the input.
        steps: iterations or stages.
        seconds: computing time of all of them.
        parameters: trained ones.
        gmacs: of all steps at 256 x 256 pixels.
        change: mean absolute difference to the input, in 8-bit levels.
        psnr, ssim, mse: against the truth; None where none was given, and PSNR where it equals the truth.
    """

    name: str
    model: str | None = None
    steps: int | None = None
    seconds: float | None = None
    parameters: int | None = None
    gmacs: float | None = None
    change: float | None = None
    psnr: float | None = None
    ssim: float | None = None
    mse: float | None = None


@dataclass(frozen=True)
class Picture:
    """One picture of a comparison on disk.

    Attributes:
        figures: what is known of it.
        full: PNG in the input's size and depth.
        shown: the same, or a smaller one where all together would be too much for a browser.
    """

    figures: Figures
    full: Path
    shown: Path


class CompareRun(Run):
    """A comparison.

    Args:
        root: the cache folder.
        photo: the upload.
        expected: names of the results that will come.

    Attributes:
        pictures: the input, then the results as far as they are there.
        truth: the sharp reference, or None.
        archive: the ZIP, None before ``pack``, and where there was no room for it.
        notices: what was assumed while reading, and what happened on the way.
        scale: at which part of their sides pictures are shown.
        elapsed: seconds of the whole comparison.
        complete: whether nothing more was to come; False after a cancellation.
    """

    def __init__(self, root: Path, photo: Path, expected: list[str]):
        super().__init__(root)
        self.photo, self.expected = photo, expected
        self.pictures: list[Picture] = []
        self.truth: Picture | None = None
        self.archive: Path | None = None
        self.notices: tuple[str, ...] = ()
        self.scale, self.elapsed, self.complete, self._megapixels = 1.0, 0.0, False, math.inf
        self._stem = safe_stem(photo.name)

    @property
    def results(self) -> list[Picture]:
        """Without the input."""
        return self.pictures[1:]

    @property
    def best(self) -> Picture | None:
        """The result closest to the truth; None without one."""
        scored = [picture for picture in self.results if picture.figures.psnr is not None]
        return max(scored, key=lambda picture: picture.figures.psnr, default=None)

    def begin(self, report: StepReport, truth: Photo | None) -> Picture:
        """Write what is given, the input (as step 0) and the truth; gives the input."""
        height, width = report.photo.pixels.shape[:2]
        count = len(self.expected) + 1 + (truth is not None)
        self._megapixels = megapixels_each(count)
        self.scale = min(1.0, math.sqrt(self._megapixels * 1e6 / (height * width)))
        scores = {name: getattr(report, name) for name in ("psnr", "ssim", "mse")}
        self.pictures.append(self._write(Figures(compare_text.INPUT, **scores), report.photo, "input"))
        if truth is not None:
            self.truth = self._write(Figures(compare_text.TRUTH), truth, "truth")
        return self.pictures[0]

    def expect(self, names: Iterable[str]) -> None:
        """Say which results are still to come, when it is others than before."""
        self.expected = [*(picture.figures.name for picture in self.results), *names]

    def add(self, figures: Figures, photo: Photo) -> Picture:
        """Write a result."""
        self.notices = tuple(dict.fromkeys((*self.notices, *photo.notices)))
        name = f"{len(self.pictures):02d}_{safe_stem(figures.model, 'model')}"
        self.pictures.append(self._write(figures, photo, f"{name}_{figures.steps}"))
        return self.pictures[-1]

    def pack(self) -> None:
        """Put input and results into a ZIP, with a report; what is there is kept from now on."""
        archive, self.done = self.folder / f"{self._stem}_compared.zip", True
        report = {
            "photo": self.photo.name,
            "notices": self.notices,
            "pictures": [{"file": picture.full.name, **asdict(picture.figures)} for picture in self.pictures],
        }
        with on_disk(archive), zipfile.ZipFile(archive, "w", zipfile.ZIP_STORED) as file:  # PNG is compressed already
            for picture in self.pictures:
                file.write(picture.full, f"{self._stem}/{picture.full.name}")
            file.writestr(f"{self._stem}/report.json", json.dumps(report, indent=2))
        self.archive = archive

    def _write(self, figures: Figures, photo: Photo, name: str) -> Picture:
        self.touch()
        full = self.folder / f"{self._stem}_{name}.png"
        lost = write_image(photo, full)
        self.notices = tuple(dict.fromkeys((*self.notices, *lost)))
        return Picture(figures, full, shown_file(photo, full, self._megapixels))
