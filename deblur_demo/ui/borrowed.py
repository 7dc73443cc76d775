"""A network whose work is done on a shared GPU (see ``zerogpu``), for whoever would otherwise hold it himself."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import torch
from numpy import ndarray
from torch import Tensor

from deblur_demo import catalogue, settings
from deblur_demo.clips import ClipJob, expected_frames
from deblur_demo.media.clip import probe
from deblur_demo.models import checkpoint, complexity, registry
from deblur_demo.models.contract import Restorer
from deblur_demo.pipeline import Job, equipped
from deblur_demo.runtime.deblurrer import Deblurrer, Step, TileDone
from deblur_demo.ui import zerogpu


class BorrowedDeblurrer:
    """Stands in for a ``Deblurrer``: the same events, from another process.

    Args:
        job: the network and how it runs.
        work: ``portable_events`` of the real one, as ``zerogpu.lend`` gives it back.
    """

    def __init__(self, job: Job, work: Callable[..., Iterator]):
        self.job, self._work = job, work
        self.model = equipped(_network(job), job.ensemble, job.size)  # to be asked for its traits and its parameters

    def events(self, window: Tensor, iterations: int | str | None = None) -> Iterator[TileDone | Step]:
        """As ``Deblurrer.events``.

        Raises:
            DeviceError: there is no GPU to be had.
            LimitError: it would be needed for too long.
        """
        *_, height, width = window.shape
        seconds = zerogpu.duration(_gmacs(self.job), height * width, steps(self.job, iterations))
        for event in self._work(seconds, self.job, window.numpy(), iterations):
            yield _mapped(event, torch.from_numpy) if isinstance(event, Step) else event


def portable_events(deblurrer: Deblurrer, window: ndarray, iterations: int | str | None) -> Iterator[TileDone | Step]:
    """Events whose images and maps are arrays: tensors travel in shared memory, which containers are short of."""
    for event in deblurrer.events(torch.from_numpy(window), iterations):
        yield _mapped(event, Tensor.numpy) if isinstance(event, Step) else event


def _mapped(step: Step, kind: Callable) -> Step:
    """The step with its pictures as another kind of array."""
    return replace(step, image=kind(step.image), maps={name: kind(x) for name, x in step.maps.items()})


def clip_seconds(clip: ClipJob, job: Job) -> int:
    """Seconds of a GPU that a clip takes; see ``zerogpu.duration``.

    Args:
        clip: the part of it to take.
        job: the network and how it runs.

    Raises:
        InputError, LimitError: the source is no clip, or would need the GPU for too long.
    """
    info = probe(clip.source, clip.start, clip.end)
    frames = expected_frames(info, clip) or settings.MAX_CLIP_FRAMES.current()
    return zerogpu.duration(_gmacs(job), info.width * info.height, steps(job, job.iterations), frames)


def steps(job: Job, iterations: int | str | None) -> int:
    """How many steps a run has at most."""
    return _network(job).traits.at_most(iterations)


def _network(job: Job) -> Restorer:
    """The network of a job, without memory behind its weights; those of a visitor may be of another size."""
    return registry.blank(job.model) if job.checkpoint is None else checkpoint.ghost(job.checkpoint)


def _gmacs(job: Job) -> float:
    counted = catalogue.gmacs(job.model) if job.checkpoint is None else complexity.gmacs(_network(job))
    return counted * job.effort
