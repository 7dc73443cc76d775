"""The bench: networks that are loaded stay at hand for the next job, and jobs come to it one at a time.

Torch takes longer to import than the page takes to open, so all of ``ui`` asks for the pipeline
inside the functions that need it, never on top.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

from deblur_demo import settings
from deblur_demo.ui import zerogpu

if TYPE_CHECKING:
    from numpy import ndarray

    from deblur_demo.clips import Begun, ClipJob, ClipReport, FrameReport
    from deblur_demo.pipeline import Job
    from deblur_demo.runtime.deblurrer import Deblurrer, Step, TileDone
    from deblur_demo.ui.borrowed import BorrowedDeblurrer

DEVICE_QUEUE = {"concurrency_id": "device", "concurrency_limit": 1}  # one job at a time, whoever asks


class Bench:
    """Opens deblurrers on demand and keeps the last few.

    Args:
        kept: how many networks stay loaded; the least recently used one goes first.
    """

    def __init__(self, kept: int = 2):
        self._kept = kept
        self._open: OrderedDict[Job, Deblurrer] = OrderedDict()
        self._opening, self._lock = Lock(), Lock()  # whoever looks does not wait for weights that are on their way
        self._borrowing = zerogpu.shared()
        if self._borrowing:
            self._lent_events, self._lent_clip = zerogpu.lend(self._events), zerogpu.lend(self._clip)
            self._make_ready()

    def deblurrer(self, job: Job) -> Deblurrer | BorrowedDeblurrer:
        """The deblurrer for a job, loaded now or before.

        Raises:
            CheckpointError: its network has no weights.
            DeviceError: this machine lacks the device or precision.
        """
        if self._borrowing:
            from deblur_demo.ui.borrowed import BorrowedDeblurrer

            return BorrowedDeblurrer(job, self._lent_events)
        return self._opened(job)

    def loaded(self) -> list[tuple[Job, int]]:
        """Networks at hand, the one used last at the end, each with the bytes of its weights."""
        with self._lock:
            self._put_away_deleted()
            return [
                (job, sum(value.nbytes for value in deblurrer.model.state_dict().values()))
                for job, deblurrer in self._open.items()
            ]

    def forget(self, checkpoint: Path) -> None:
        """Put away networks with these weights; a run that has one keeps it until it ends."""
        with self._lock:
            for job in [job for job in self._open if job.checkpoint == checkpoint]:
                del self._open[job]

    def deblur_clip(self, clip: ClipJob, job: Job) -> Iterator[Begun | TileDone | FrameReport | ClipReport]:
        """As ``clips.deblur_clip``, as a whole on a GPU that has to be borrowed.

        Raises:
            DeviceError, LimitError: there is no such GPU to be had, or it would be needed for too long.
        """
        if self._borrowing:
            from deblur_demo.ui.borrowed import clip_seconds

            return self._lent_clip(clip_seconds(clip, job), clip, job)
        return self._clip(clip, job)

    def _opened(self, job: Job) -> Deblurrer:
        from deblur_demo.pipeline import open_deblurrer

        key = replace(job, iterations=settings.ITERATIONS.default)  # a number of iterations needs no other network
        with self._opening:
            deblurrer = self._open.get(key) or open_deblurrer(key)
        with self._lock:
            self._put_away_deleted()
            self._open[key] = deblurrer
            self._open.move_to_end(key)
            while len(self._open) > self._kept:
                self._open.popitem(last=False)
        return deblurrer

    def _put_away_deleted(self) -> None:
        """Forget what came from files that are gone: a visitor's own weights are kept for a while only."""
        for job in [job for job in self._open if isinstance(job.checkpoint, Path) and not job.checkpoint.is_file()]:
            del self._open[job]

    def _events(self, job: Job, window: ndarray, iterations: int | str | None) -> Iterator[TileDone | Step]:
        from deblur_demo.ui.borrowed import portable_events

        yield from portable_events(self._opened(job), window, iterations)

    def _clip(self, clip: ClipJob, job: Job) -> Iterator[Begun | TileDone | FrameReport | ClipReport]:
        from deblur_demo import clips

        yield from clips.deblur_clip(clip, self._opened(job), job.iterations)

    def _make_ready(self) -> None:
        """Import everything and put the networks that most visitors use on the GPU to be borrowed.

        Now and in the main thread: what another thread imports while a process is forked, that
        process would wait for, and only this thread may speak of CUDA where there is none.
        """
        import_module("deblur_demo.ui.borrowed")
        from deblur_demo import catalogue, pipeline

        rows = catalogue.by_use(catalogue.models(), pipeline.default_model())
        here = [row["id"] for row in rows if row["ready"] and row["checkpoint"]]
        for name in reversed(here[: self._kept]):  # the default last, since what was used last stays longest
            self._opened(pipeline.Job(model=name))


def is_fetched(row: dict) -> bool:
    """Whether a network's weights have to be fetched from the Hub first; ``row`` as in ``catalogue.models``."""
    return row["ready"] and row["checkpoint"] is None and row["parameters"] > 0
