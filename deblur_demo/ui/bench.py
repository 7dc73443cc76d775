"""The bench: networks that are loaded stay at hand for the next job, and jobs come to it one at a time.

Torch takes longer to import than the page takes to open, so all of ``ui`` asks for the pipeline
inside the functions that need it, never on top.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import replace
from threading import Lock
from typing import TYPE_CHECKING

from deblur_demo import settings

if TYPE_CHECKING:
    from deblur_demo.pipeline import Job
    from deblur_demo.runtime.deblurrer import Deblurrer

DEVICE_QUEUE = {"concurrency_id": "device", "concurrency_limit": 1}  # one job at a time, whoever asks


class Bench:
    """Opens deblurrers on demand and keeps the last few.

    Args:
        kept: how many networks stay loaded; the least recently used one goes first.
    """

    def __init__(self, kept: int = 2):
        self._kept = kept
        self._open: OrderedDict[Job, Deblurrer] = OrderedDict()
        self._lock = Lock()

    def deblurrer(self, job: Job) -> Deblurrer:
        """The deblurrer for a job, loaded now or before.

        Raises:
            CheckpointError: its network has no weights.
            DeviceError: this machine lacks the device or precision.
        """
        from deblur_demo.pipeline import open_deblurrer

        key = replace(job, iterations=settings.ITERATIONS.default)  # a number of iterations needs no other network
        with self._lock:
            if key not in self._open:
                self._open[key] = open_deblurrer(key)
            self._open.move_to_end(key)
            while len(self._open) > self._kept:
                self._open.popitem(last=False)
            return self._open[key]


def is_fetched(row: dict) -> bool:
    """Whether a network's weights have to be fetched from the Hub first; ``row`` as in ``catalogue.models``."""
    return row["ready"] and row["checkpoint"] is None and row["parameters"] > 0
