"""Short pieces of work that Ctrl-C must not cut in two, or would not be heard in."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def undisturbed() -> Iterator[None]:
    """Let signals that are handled, Ctrl-C's first of all, wait for the end of the block.

    PyAV is compiled from Python. When an error of FFmpeg's passes through it, and be it the end of a file, some
    Python runs to write the traceback, and what is raised in there is dropped: a signal came to nothing.

    Only the main thread gets signals, so in another one there is nothing to do.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    came = []
    numbers = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]
    handlers = {number: signal.getsignal(number) for number in numbers if callable(signal.getsignal(number))}
    for number in handlers:
        signal.signal(number, lambda *arrival: came.append(arrival))
    try:
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
        for number, frame in came[:1]:
            handlers[number](number, frame)
