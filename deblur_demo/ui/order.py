"""What a visitor or a program asked for, checked by the server before anything runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from deblur_demo import settings
from deblur_demo.errors import CheckpointError, InputError, LimitError, SettingError
from deblur_demo.media.image import Photo, read_image
from deblur_demo.media.paths import shown
from deblur_demo.ui import shelf, text
from deblur_demo.ui.bench import is_fetched
from deblur_demo.ui.runs import Run

if TYPE_CHECKING:
    from deblur_demo.clips import ClipJob
    from deblur_demo.pipeline import Job
    from deblur_demo.runtime.deblurrer import Deblurrer


@dataclass(frozen=True)
class Order:
    """A checked order, whatever is to be restored.

    Attributes:
        job: which network, how it runs, and how often.
        fetched: whether its weights have to be fetched from the Hub first.
    """

    job: Job
    fetched: bool

    def iterations(self, deblurrer: Deblurrer) -> tuple[int, int | None]:
        """How many iterations there will be at most, and exactly (None while it decides itself)."""
        traits = deblurrer.model.traits
        most = traits.at_most(self.job.iterations)
        return most, None if traits.iterative and self.job.iterations == "auto" else most


@dataclass(frozen=True)
class ImageOrder(Order):
    """Photos to restore.

    Attributes:
        photos: uploaded files, in order.
        truth: uploaded file of the same picture, sharp, or None.
        keep_metadata: whether place and owner stay in the result's EXIF.
    """

    photos: tuple[Path, ...]
    truth: Path | None
    keep_metadata: bool

    @classmethod
    def of(
        cls, photos: Sequence[str], truth: str | None = None, keep_metadata: bool = False, **knobs: object
    ) -> ImageOrder:
        """Check every value, wherever it came from.

        Args:
            photos: paths of uploaded files.
            truth, keep_metadata: as in the class.
            knobs: as in ``checked``.

        Raises:
            SettingError, CheckpointError: see ``checked``.
            InputError: no photo, one that is gone, or one sharp reference for several.
            LimitError: too many photos.
        """
        limit = settings.MAX_FILES.current()
        if not photos:
            raise InputError(*text.NO_PHOTO)
        if len(photos) > limit:
            raise LimitError(*text.fill(text.TOO_MANY, count=len(photos), limit=limit))
        if truth and len(photos) > 1:
            raise InputError(*text.fill(text.ONE_TRUTH, count=len(photos)))
        if not isinstance(keep_metadata, bool):  # the text "false" would keep what is to go
            raise SettingError(f"keep metadata is {keep_metadata!r}", "true or false", "Send one of the two")
        job, fetched = checked(**knobs)
        return cls(job, fetched, tuple(map(uploaded, photos)), uploaded(truth) if truth else None, keep_metadata)

    def kept_by(self, run: Run) -> ImageOrder:
        """The same order for uploads that last as long as a run, under their names."""
        photos = (run.keep(photo, f"photos/{number:03d}/{photo.name}") for number, photo in enumerate(self.photos, 1))
        truth = self.truth and run.keep(self.truth, f"truth/{self.truth.name}")
        return replace(self, photos=tuple(photos), truth=truth)

    def read(self, path: Path) -> tuple[Photo, Photo | None]:
        """One of the photos, and the sharp reference if there is one."""
        return read_image(path, keep_metadata=self.keep_metadata), self.truth and read_image(self.truth)


@dataclass(frozen=True)
class ClipOrder(Order):
    """A clip to restore.

    Attributes:
        clip: the uploaded file, the part of it to take, and how the result is written.
    """

    clip: ClipJob

    @classmethod
    def of(cls, clip: str | None, start: object, end: object, codec: object, crf: object, **knobs: object) -> ClipOrder:
        """Check every value, wherever it came from; what the file holds, the pipeline checks.

        Args:
            clip: path of an uploaded file.
            start, end: seconds; 0, None or "" for the clip's own.
            codec, crf: as in ``settings``.
            knobs: as in ``checked``.

        Raises:
            SettingError, CheckpointError: see ``checked``; or the part is empty.
            InputError: no clip, or it is gone.
        """
        from deblur_demo.clips import ClipJob

        if not clip:
            raise InputError(*text.NO_CLIP)
        job, fetched = checked(**knobs)
        part = start or settings.START.default, end or settings.END.default
        return cls(job, fetched, ClipJob(uploaded(clip), Path(), *part, codec, crf))

    def to(self, source: Path, target: Path) -> ClipJob:
        """The work: ``source`` is another name of the upload, ``target`` becomes the result."""
        from deblur_demo import clips, pipeline

        return replace(self.clip, source=source, target=target, maker=clips.maker(pipeline.resolve(self.job)))


def uploaded(path: str) -> Path:
    """Where an upload is.

    Raises:
        InputError: it has been deleted since, while the page was open.
    """
    if not Path(path).is_file():
        raise InputError(*text.fill(text.UPLOAD_GONE, name=shown(Path(path))))
    return Path(path)


def checked(model: str | None, iterations: object, **knobs: object) -> tuple[Job, bool]:
    """The job that these knobs describe, and whether its weights have to be fetched first.

    Args:
        model: a variant, or weights of the visitor's own (see ``shelf``).
        iterations: as in ``settings``.
        knobs: precision, tile, ensemble and size as there; what is left out has its default.

    Raises:
        SettingError: a knob out of range, or a model that does not exist.
        CheckpointError: a model without weights, or own weights that are gone.
    """
    from deblur_demo import catalogue, pipeline
    from deblur_demo.runtime.grid import SMALLEST_TILE

    model = str(model or pipeline.default_model())
    knobs["iterations"] = iterations
    tile = settings.TILE.parse(knobs.get("tile", settings.TILE.default))
    if isinstance(tile, int) and 0 < tile < SMALLEST_TILE:  # one of 1 px takes forty times as long, and others wait
        raise SettingError(f"tile is {tile}", f"auto, 0, or at least {SMALLEST_TILE}", "Change tile")
    if shelf.is_own(model):
        return pipeline.Job(model=shelf.model_of(model), checkpoint=shelf.find(model), **knobs), False
    job = pipeline.Job(model=model, **knobs)
    row = next(row for row in catalogue.models() if row["id"] == job.model)
    if not row["ready"]:
        raise CheckpointError(*text.fill(text.NO_WEIGHTS, model=job.model))
    return job, is_fetched(row)
