"""The files of one run on the video screen: source and result, and a look at the newest frame."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from deblur_demo.errors import OutputError
from deblur_demo.media.image import Photo, write_image
from deblur_demo.media.shrink import shrink
from deblur_demo.ui.runs import Run, safe_stem

if TYPE_CHECKING:
    from deblur_demo.clips import Begun, ClipReport, FrameReport
    from deblur_demo.runtime.deblurrer import TileDone

_PREVIEW_MEGAPIXELS = 0.6
_PREVIEWS_KEPT = 3  # the browser may still be fetching the one before


@dataclass(frozen=True)
class FrameFigures:
    """What is kept of a frame when its pixels have gone; as in ``FrameReport``."""

    time: Fraction
    seconds: float
    sharpness_before: float
    sharpness: float
    change: float
    cut: bool


class VideoRun(Run):
    """A run over one clip.

    Args:
        root: the cache folder.
        upload: the clip. It gets a second name in the run's folder, so that it lasts as long as the run.
        trimmed: whether the result begins later than the clip, and so at 0 in its own file.

    Attributes:
        source, target: the clip and what becomes of it.
        offset: seconds of the source at which the result begins.
        begun, report: what the pipeline says of the clip at the beginning and at the end, None before.
        frames: what is kept of every finished frame.
        elapsed: seconds since the run began; stands still when it has ended.

    Raises:
        OutputError: the folder cannot be created, or there is no room in it for the clip.
    """

    def __init__(self, root: Path, upload: Path, trimmed: bool = False):
        super().__init__(root)
        self.trimmed = trimmed
        stem = safe_stem(upload.name, "clip")
        self.target = self.folder / f"{stem}_deblurred.mp4"
        self.begun: Begun | None = None
        self.report: ClipReport | None = None
        self.frames: list[FrameFigures] = []
        self._previews: list[tuple[Path, Path]] = []
        self.offset = Fraction(0)
        self._started, self._stopped_at = time.monotonic(), None
        try:
            self.source = self.keep(upload, f"{stem}{upload.suffix.lower()}")
        except OutputError:
            self.end()
            raise

    @property
    def elapsed(self) -> float:
        return (self._stopped_at or time.monotonic()) - self._started

    @property
    def partial(self) -> bool:
        """Whether the result lacks frames that were asked for."""
        return self.report is None

    @property
    def times(self) -> list[Fraction]:
        """When the frames of the result begin, in its own seconds."""
        return [frame.time - self.offset for frame in self.frames]

    def note(self, event: Begun | TileDone | FrameReport | ClipReport) -> None:
        """Keep what an event of the pipeline says."""
        from deblur_demo import clips

        match event:
            case clips.Begun():
                self.begun = event
            case clips.FrameReport():
                if not self.frames and self.trimmed:
                    self.offset = event.time
                names = FrameFigures.__dataclass_fields__
                self.frames.append(FrameFigures(**{name: getattr(event, name) for name in names}))
            case clips.ClipReport():
                self.report = event

    def figures(self) -> dict:
        """All figures as JSON knows them."""
        flicker = None if self.report is None else (self.report.flicker_before, self.report.flicker)
        return {
            "frames": [{**asdict(frame), "time": float(frame.time)} for frame in self.frames],
            "flicker": flicker,
            "notices": self.notices,
        }

    @property
    def notices(self) -> tuple[str, ...]:
        """What was assumed while reading, and what the result cannot hold."""
        return self.begun.info.notices if self.report is None else self.report.notices

    def preview(self, report: FrameReport) -> tuple[Path, Path]:
        """Write a frame before and after as JPEG, small if it is large; older ones go."""
        self.touch()
        pair = tuple(self.folder / f"frame_{report.index:06d}_{name}.jpg" for name in ("before", "after"))
        for pixels, path in zip((report.blurred, report.restored), pair, strict=True):
            write_image(shrink(Photo(pixels), _PREVIEW_MEGAPIXELS), path)
        self._previews.append(pair)
        self._forget_previews(_PREVIEWS_KEPT)
        return pair

    def settle(self) -> bool:
        """Keep the result, if only of a part; whether there is one. Without this, ``end`` deletes it."""
        self._stopped_at = self._stopped_at or time.monotonic()
        self.done = bool(self.frames) and self.target.is_file()
        return self.done

    def end(self) -> None:
        self.later(partial(self._forget_previews, 0))
        super().end()

    def _forget_previews(self, kept: int) -> None:
        while len(self._previews) > kept:
            for path in self._previews.pop(0):
                path.unlink(missing_ok=True)
