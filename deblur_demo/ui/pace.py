"""The pace of a run: how much of it is done, and how long the rest takes."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from deblur_demo.runtime.deblurrer import TileDone


class Pace:
    """Counts finished tiles of one photo against the clock.

    Args:
        iterations: how many there will be, or at most may be.
        clock: seconds from an arbitrary start.
    """

    def __init__(self, iterations: int, clock: Callable[[], float] = time.monotonic):
        self._iterations = iterations
        self._clock = clock
        self._start = clock()
        self._done = 0
        self._total = 0

    def tile(self, event: TileDone) -> None:
        self._done = (event.index - 1) * event.tiles + event.tile
        self._total = max(self._iterations, event.index) * event.tiles

    @property
    def elapsed(self) -> float:
        """Seconds since the start."""
        return self._clock() - self._start

    @property
    def fraction(self) -> float:
        """Share of the work that is done, [0, 1]."""
        return self._done / self._total if self._total else 0.0

    @property
    def remaining(self) -> float | None:
        """Seconds left if the rest goes as the part that is done; None before the first tile."""
        return self.elapsed * (1 - self.fraction) / self.fraction if self._done else None


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
        self._part = ((event.index - 1) * event.tiles + event.tile) / (max(self._iterations, event.index) * event.tiles)

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
