"""What a visitor or a program asked for, checked by the server before anything runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from deblur_demo import settings
from deblur_demo.errors import CheckpointError, InputError, LimitError
from deblur_demo.media.image import Photo, read_image
from deblur_demo.ui import text

if TYPE_CHECKING:
    from deblur_demo.pipeline import Job
    from deblur_demo.runtime.deblurrer import Deblurrer


@dataclass(frozen=True)
class Order:
    """A checked order.

    Attributes:
        job: which network, how it runs, and how often.
        photos: uploaded files, in order.
        truth: uploaded file of the same picture, sharp, or None.
        keep_metadata: whether the place stays in the result's EXIF.
    """

    job: Job
    photos: tuple[Path, ...]
    truth: Path | None
    keep_metadata: bool

    @classmethod
    def of(
        cls,
        photos: Sequence[str],
        model: str | None,
        iterations: object,
        precision: object = "auto",
        tile: object = "auto",
        truth: str | None = None,
        keep_metadata: bool = False,
    ) -> Order:
        """Check every value, wherever it came from.

        Raises:
            SettingError: a knob out of range, or a model that does not exist.
            CheckpointError: a model without weights.
            InputError: no photo, or one sharp reference for several.
            LimitError: too many photos.
        """
        from deblur_demo import catalogue, pipeline

        limit = settings.MAX_FILES.current()
        if not photos:
            raise InputError(*text.NO_PHOTO)
        if len(photos) > limit:
            raise LimitError(*text.fill(text.TOO_MANY, count=len(photos), limit=limit))
        if truth and len(photos) > 1:
            raise InputError(*text.fill(text.ONE_TRUTH, count=len(photos)))
        model = model or pipeline.default_model()
        job = pipeline.Job(model=str(model), iterations=iterations, precision=precision, tile=tile)
        if not next(row["ready"] for row in catalogue.models() if row["id"] == job.model):
            raise CheckpointError(*text.fill(text.NO_WEIGHTS, model=job.model))
        return cls(job, tuple(map(Path, photos)), Path(truth) if truth else None, bool(keep_metadata))

    def read(self, path: Path) -> tuple[Photo, Photo | None]:
        """One of the photos, and the sharp reference if there is one."""
        return read_image(path, keep_metadata=self.keep_metadata), self.truth and read_image(self.truth)

    def iterations(self, deblurrer: Deblurrer) -> tuple[int, int | None]:
        """How many iterations there will be at most, and exactly (None while it decides itself)."""
        traits = deblurrer.model.traits
        if not traits.iterative:
            return traits.steps, traits.steps
        if self.job.iterations == "auto":
            return int(settings.ITERATIONS.high), None
        return self.job.iterations, self.job.iterations
