"""The pace of a run: how much of it is done, and how long the rest takes."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from deblur_demo.runtime.deblurrer import TileDone


class Pace:
    """Counts finished tiles of a photo, or of several one after the other, against the clock.

    Of several, each counts alike: how large the later ones are is not known before they are read.

    Args:
        iterations: how many there will be of each photo, or at most may be.
        photos: how many there will be.
        clock: seconds from an arbitrary start.
    """

    def __init__(self, iterations: int, photos: int = 1, clock: Callable[[], float] = time.monotonic):
        self._iterations, self._photos = iterations, photos
        self._clock = clock
        self._start = clock()
        self._finished = 0
        self._part = 0.0  # of the photo at hand

    def tile(self, event: TileDone) -> None:
        self._part = _part(event, self._iterations)

    def photo(self) -> None:
        """The photo at hand is done."""
        self._finished, self._part = self._finished + 1, 0.0

    def failure(self) -> None:
        """The photo at hand cannot be done. It is no work: what little time it took says nothing of the others."""
        self._photos, self._part = self._photos - 1, 0.0

    @property
    def elapsed(self) -> float:
        """Seconds since the start."""
        return self._clock() - self._start

    @property
    def fraction(self) -> float:
        """Share of the work that is done, [0, 1]."""
        return (self._finished + self._part) / max(self._photos, 1)

    @property
    def remaining(self) -> float | None:
        """Seconds left of all photos if the rest goes as the part that is done; None before the first tile."""
        return self.elapsed * (1 - self.fraction) / self.fraction if self.fraction else None


class ClipPace:
    """Counts finished frames of a clip against the clock.

    Args:
        frames: how many there will be; None while unknown.
        iterations: of each frame, at most.
        clock: seconds from an arbitrary start.
    """

    def __init__(self, frames: int | None, iterations: int, clock: Callable[[], float] = time.monotonic):
        self.frames, self._iterations = frames, iterations
        self._clock, self._start = clock, clock()
        self.done = 0
        self._part = 0.0  # of the frame at hand

    def tile(self, event: TileDone) -> None:
        self._part = _part(event, self._iterations)

    def frame(self) -> None:
        self.done, self._part = self.done + 1, 0.0

    @property
    def rate(self) -> float | None:
        """Finished frames a second; None before the first."""
        return self.done / max(self._clock() - self._start, 1e-9) if self.done else None

    @property
    def fraction(self) -> float:
        """Share of the work that is done, [0, 1]."""
        return min(1.0, (self.done + self._part) / self.frames) if self.frames else 0.0

    @property
    def remaining(self) -> float | None:
        """Seconds left if the rest goes as the part that is done; None while that says nothing."""
        return (self._clock() - self._start) * (1 - self.fraction) / self.fraction if self.fraction else None


def _part(event: TileDone, iterations: int) -> float:
    """Share of a picture that is done with a tile, (0, 1], of so many iterations or of one more if it is at that."""
    return ((event.index - 1) * event.tiles + event.tile) / (max(iterations, event.index) * event.tiles)
