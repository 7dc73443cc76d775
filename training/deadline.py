"""When a go ends: after its minutes, or when SIGTERM arrives."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterable, Iterator
from typing import TypeVar

Item = TypeVar("Item")


class GivenUp(Exception):
    """What was begun could not be finished in time; nothing of it counts."""


class Deadline:
    """While entered, turns SIGTERM into a flag, so that a go ends between two batches and saves.

    Args:
        minutes: of training, from now.
        overtime: seconds after that for what has been begun.
    """

    def __init__(self, minutes: float, overtime: float = float("inf")):
        self._end, self._overtime = time.monotonic() + 60 * minutes, overtime
        self.terminated = False

    def __enter__(self) -> Deadline:
        self._before = signal.signal(signal.SIGTERM, self._terminate)
        return self

    def __exit__(self, *_) -> None:
        signal.signal(signal.SIGTERM, self._before)

    def within(self, seconds: float) -> bool:
        """Whether training ends before so many seconds are over."""
        return self.terminated or time.monotonic() + seconds > self._end

    def watch(self, items: Iterable[Item]) -> Iterator[Item]:
        """Hand items on, as long as there is time for them.

        Raises:
            GivenUp: there is none left, or SIGTERM arrived: who sends it does not wait.
        """
        for item in items:
            if self.within(-self._overtime):
                raise GivenUp
            yield item

    def _terminate(self, *_) -> None:
        self.terminated = True
