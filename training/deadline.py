"""When a go ends: after its minutes, or when it is told to, by SIGTERM, Ctrl-C or a closed terminal."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterable, Iterator
from typing import TypeVar

Item = TypeVar("Item")

# Windows has no SIGHUP.
WISHES = [getattr(signal, name) for name in ("SIGTERM", "SIGINT", "SIGHUP") if hasattr(signal, name)]


class GivenUp(Exception):
    """What was begun could not be finished in time; nothing of it counts."""


class Deadline:
    """While entered, turns a signal to end into a flag, so that a go ends between two batches and saves.

    A second Ctrl-C ends at once, as it does elsewhere.

    Args:
        minutes: of training, from now.
        overtime: seconds after that for what has been begun.

    Attributes:
        terminated: whether such a signal has come.
    """

    def __init__(self, minutes: float, overtime: float = float("inf")):
        self._end, self._overtime = time.monotonic() + 60 * minutes, overtime
        self.terminated = False

    def __enter__(self) -> Deadline:
        # What is ignored stays so: nohup wants a run to outlive its terminal.
        handlers = {number: signal.getsignal(number) for number in WISHES}
        self._before = {number: handler for number, handler in handlers.items() if handler is not signal.SIG_IGN}
        for number in self._before:
            signal.signal(number, self._terminate)
        return self

    def __exit__(self, *_) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def within(self, seconds: float) -> bool:
        """Whether training ends before so many seconds are over."""
        return self.terminated or time.monotonic() + seconds > self._end

    def watch(self, items: Iterable[Item]) -> Iterator[Item]:
        """Hand items on, as long as there is time for them.

        Raises:
            GivenUp: there is none left, or a signal came: who sends it does not wait.
        """
        for item in items:
            if self.within(-self._overtime):
                raise GivenUp
            yield item

    def _terminate(self, number: int, _) -> None:
        self.terminated = True
        if number == signal.SIGINT:
            signal.signal(number, self._before[number])
