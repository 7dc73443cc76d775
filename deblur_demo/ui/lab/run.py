"""The files of one shake: the pair, every temporal level, the recipe, and the ZIP of what is exported."""

from __future__ import annotations

import math
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from numpy import ndarray

from deblur_demo.media.image import Photo, write_image
from deblur_demo.media.shrink import shrink
from deblur_demo.ui.runs import Run, on_disk, safe_stem
from deblur_demo.ui.viewer.comparer import megapixels_each, shown_file

if TYPE_CHECKING:
    from deblur_demo.lab import Shake, Shaken

BLURRED, SHARP = "blurred", "sharp"  # the pair
_PICTURES = 20  # that are shown together: the pair, seven levels, ten steps and a map


class LabRun(Run):
    """A shake of one photo.

    Args:
        root: the cache folder.
        name: of the uploaded file.

    Attributes:
        blurred, sharp: the pair, PNG in the photo's depth.
        recipe, pair: the shake as JSON, and all three in a ZIP.
        shown: the PNG that is shown of ``BLURRED`` and of ``SHARP``.
        levels: the same of every temporal level, by its number.
        scale: at which part of their sides these are shown.
        shake: what was done, with the path that was taken.
        kernel: (K, K), what becomes of a point of light.
        psnr: of the blurred picture against the sharp one, dB; None where they are equal.
        notices: what was assumed about the photo, and what a PNG cannot hold.
    """

    def __init__(self, root: Path, name: str):
        super().__init__(root)
        stem = safe_stem(name)
        self.blurred, self.sharp = (self.folder / f"{stem}_{which}.png" for which in ("blurred", "sharp"))
        self.recipe, self.pair = self.folder / f"{stem}_shake.json", self.folder / f"{stem}_pair.zip"
        self.shown: dict[str, Path] = {}
        self.levels: dict[int, Path] = {}
        self.scale = 1.0
        self.shake: Shake | None = None
        self.kernel: ndarray | None = None
        self.psnr: float | None = None
        self.notices: tuple[str, ...] = ()

    def make(self, photo: Photo, shake: Shake) -> Iterator[float]:
        """Shake a photo and write all there is to see of it.

        Yields:
            The share of the work that is done, [0, 1].
        """
        from deblur_demo.lab import LEVELS

        shaken, megapixels = self.keep_pair(photo, shake), megapixels_each(_PICTURES)
        height, width = shaken.sharp.pixels.shape[:2]
        self.scale = min(1.0, math.sqrt(megapixels * 1e6 / (height * width)))
        for which in (BLURRED, SHARP):
            self.shown[which] = shown_file(getattr(shaken, which), getattr(self, which), megapixels)
        for number in LEVELS:
            yield 0.6 + 0.4 * len(self.levels) / len(LEVELS)
            self.levels[number] = self.folder / f"TL{number:02d}.png"
            write_image(shrink(shaken.levels[number], megapixels), self.levels[number])

    def keep_pair(self, photo: Photo, shake: Shake) -> Shaken:
        """Shake a photo and write what is exported of it."""
        from deblur_demo import metrics
        from deblur_demo.lab import shake_photo

        shaken = shake_photo(photo, shake)
        self.touch()
        self.shake, self.kernel = shaken.shake, shaken.kernel
        self.psnr = metrics.decibel(shaken.blurred.pixels, shaken.sharp.pixels)
        lost = [notice for picture in ("sharp", "blurred") for notice in self._export(shaken, picture)]
        self.notices = tuple(dict.fromkeys((*shaken.blurred.notices, *lost)))
        with on_disk(self.recipe):
            self.recipe.write_text(self.shake.to_json(), encoding="utf-8")
        with on_disk(self.pair), zipfile.ZipFile(self.pair, "w", zipfile.ZIP_STORED) as file:  # PNG is compressed
            for path, name in ((self.blurred, "blurred.png"), (self.sharp, "sharp.png"), (self.recipe, "shake.json")):
                file.write(path, name)
        return shaken

    def _export(self, shaken: Shaken, picture: str) -> tuple[str, ...]:
        return write_image(getattr(shaken, picture), getattr(self, picture))
