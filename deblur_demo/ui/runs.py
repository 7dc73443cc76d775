"""The files of one run: every step as PNG, what the browser shows of it, and the ZIP.

A run owns one folder in the UI library's cache. It goes when the run is cancelled or fails, when
the same visitor starts the next one, and at the latest when it is older than the cache may be.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import shutil
import time
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np

from deblur_demo import settings
from deblur_demo.errors import OutputError
from deblur_demo.media.image import Photo, write_image

if TYPE_CHECKING:
    from deblur_demo.pipeline import StepReport

_PREFIX = "deblur-run-"
_THUMBNAIL_MEGAPIXELS = 0.05


@dataclass(frozen=True)
class StepFile:
    """One step on disk, with its figures.

    Attributes:
        index: 0 is the input.
        full: PNG in the input's size and depth.
        shown: what the slider shows: ``full`` itself, or a smaller PNG of a very large photo.
        thumbnail: a small PNG for the strip of steps.
        seconds, change, sharpness, psnr, ssim, mse: as in ``StepReport``.
    """

    index: int
    full: Path
    shown: Path
    thumbnail: Path
    seconds: float
    change: float | None
    sharpness: float
    psnr: float | None
    ssim: float | None
    mse: float | None


@dataclass(frozen=True)
class Result:
    """Everything about one photo of a run; ``archive`` is None until the last step is there."""

    name: str
    steps: tuple[StepFile, ...] = ()
    archive: Path | None = None
    notices: tuple[str, ...] = ()


class Run:
    """One folder and the results in it.

    Args:
        root: the cache folder; the browser may fetch what is inside.

    Attributes:
        results: one a photo, in the order of the photos.
        done: whether it came to its end; one that did not is discarded by who runs it.

    Raises:
        OutputError: the folder cannot be created.
    """

    def __init__(self, root: Path):
        sweep(root)
        # Nobody can guess the name, so nobody can fetch another visitor's files.
        self.folder = root / (_PREFIX + secrets.token_hex(16))
        self.results: list[Result] = []
        self.done = False
        with _disk(self.folder):
            self.folder.mkdir(parents=True)

    def begin(self, name: str, notices: tuple[str, ...] = ()) -> None:
        """Make room for the next photo; ``name`` is the uploaded file's."""
        self.results.append(Result(name, notices=notices))

    def add(self, report: StepReport) -> StepFile:
        """Write one step of the current photo."""
        result = self.results[-1]
        # Photos of equal names do not collide, and a download keeps a name that says what it is.
        folder = self.folder / f"{len(self.results):03d}"
        full = folder / f"{safe_stem(result.name)}_step_{report.index:02d}.png"
        with _disk(folder):
            folder.mkdir(exist_ok=True)
            os.utime(self.folder)  # still in use, says its age
        write_image(report.photo, full)
        shown = self._smaller(report.photo, full, "preview", settings.PREVIEW_MEGAPIXELS.current())
        thumbnail = self._smaller(report.photo, full, "thumbnail", _THUMBNAIL_MEGAPIXELS)
        step = StepFile(full=full, shown=shown, thumbnail=thumbnail, **figures(report))
        self.results[-1] = replace(result, steps=(*result.steps, step))
        return step

    def finish(self) -> None:
        """Pack all steps of the current photo and their figures into a ZIP beside them."""
        result = self.results[-1]
        stem = safe_stem(result.name)
        archive = result.steps[0].full.with_name(f"{stem}_steps.zip")
        report = {"photo": result.name, "steps": [figures(step) for step in result.steps]}
        with _disk(archive), zipfile.ZipFile(archive, "w", zipfile.ZIP_STORED) as file:  # PNG is compressed already
            for step in result.steps:
                file.write(step.full, f"{stem}/step_{step.index:02d}.png")
            file.writestr(f"{stem}/report.json", json.dumps(report, indent=2))
        self.results[-1] = replace(result, archive=archive)

    def drop(self) -> None:
        """Forget the current photo, which failed, and delete its files."""
        shutil.rmtree(self.folder / f"{len(self.results):03d}", ignore_errors=True)
        self.results.pop()

    @staticmethod
    def _smaller(photo: Photo, full: Path, purpose: str, megapixels: float) -> Path:
        small = shrink(photo, megapixels)
        if small is photo:
            return full
        path = full.with_name(f"{full.stem}_{purpose}.png")
        write_image(small, path)
        return path

    def discard(self) -> None:
        """Delete the folder and all in it; doing it twice is fine."""
        shutil.rmtree(self.folder, ignore_errors=True)


def figures(step: StepFile | StepReport) -> dict:
    """The figures of a step as JSON knows them."""
    names = ("index", "seconds", "change", "sharpness", "psnr", "ssim", "mse")
    return {name: getattr(step, name) for name in names}


def sweep(root: Path) -> None:
    """Delete folders of runs that outlived the cache, left by a closed page or a killed server."""
    oldest = time.time() - settings.CACHE_HOURS.current() * 3600
    for folder in root.glob(_PREFIX + "*"):
        try:
            stale = folder.stat().st_mtime < oldest
        except FileNotFoundError:  # another visitor's run has just ended
            continue
        if stale:
            shutil.rmtree(folder, ignore_errors=True)


def safe_stem(name: str) -> str:
    """A file's stem that is safe on every system; letters, digits, dots, dashes, at most 60.

    Example:
        >>> safe_stem("../../my photo.jpg")
        'my_photo'
    """
    stem = Path(name.replace("\\", "/")).stem
    return re.sub(r"[^A-Za-z0-9.-]+", "_", stem).strip("._-")[:60] or "photo"


def shrink(photo: Photo, megapixels: float) -> Photo:
    """The photo itself, or a smaller one of at most so many megapixels (8 and 16 bit alike)."""
    height, width = photo.pixels.shape[:2]
    scale = (megapixels * 1e6 / (height * width)) ** 0.5
    if scale >= 1:
        return photo
    size = (max(1, int(width * scale)), max(1, int(height * scale)))

    def smaller(plane: np.ndarray) -> np.ndarray:
        return cv2.resize(plane, size, interpolation=cv2.INTER_AREA)

    alpha = None if photo.alpha is None else smaller(photo.alpha)
    return replace(photo, pixels=smaller(photo.pixels), alpha=alpha)


@contextmanager
def _disk(path: Path) -> Iterator[None]:
    """Turn the system's word about a full or read-only disk into ours."""
    try:
        yield
    except OSError as error:
        raise OutputError(
            f"{path.name} cannot be written: {error.strerror or error}",
            "a cache folder with free space",
            "Free some space and run again",
        ) from error
