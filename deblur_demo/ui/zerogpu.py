"""ZeroGPU: a Space without a GPU of its own borrows one, for as many seconds as a job asks for beforehand.

There CUDA exists only in a process that ``spaces.GPU`` forks for a generator. What goes in and what
comes out is pickled, so jobs, arrays and reports cross over, while the page, its runs and their
files stay in the server. Of an exception only the name would arrive: ours cross over as values.
Networks that were put on "cuda" in the main thread before the launch are there in every such
process. Everywhere else nothing of this happens, and the package ``spaces`` is not needed.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator
from contextlib import closing

import gradio as gr

from deblur_demo import settings
from deblur_demo.errors import DeblurError, DeviceError, LimitError
from deblur_demo.ui import server_text, text

try:
    import spaces  # before anything initialises CUDA: it puts itself in between
except ImportError:
    spaces = None

# What a job takes on the GPU of ZeroGPU, half an H200. None of it was measured there:
STARTING = 15  # s until the first step: a process, a CUDA context, weights on their way, cuDNN's first convolutions
# FLOP/s: 2 % of what 60 of 132 multiprocessors have at 989 TFLOP/s in dense bf16, since layers of 32 to 128 channels
# wait for memory. Park et al. (2020) say 0.07 s for 4.07 TFLOP on a Titan V, which is more than it has.
RATE = 10e12
# On one core while the GPU is held: pixels to tensors and back, 0.03 s; figures, flicker and H.264 of a frame, 0.22 s.
# These were measured, at 1280x720.
HANDLING, FILMING = 0.05, 0.3  # s a megapixel, for each step and for each frame of a clip


def shared() -> bool:
    """Whether this process runs on ZeroGPU."""
    return spaces is not None and os.environ.get("SPACES_ZERO_GPU", "").lower() in ("1", "t", "true")


def duration(gmacs: float, pixels: int, steps: int, frames: int | None = None) -> int:
    """Seconds of a GPU to ask for.

    ``STARTING + frames * megapixels * (steps * (gmacs of a megapixel * 2 / RATE + HANDLING) + FILMING)``

    Args:
        gmacs: of one step at 256 x 256, see ``catalogue.gmacs``; times ``Job.effort``.
        pixels: height times width.
        steps: of a photo, or of each frame.
        frames: of a clip; None for a photo, for which nothing is filmed.

    Raises:
        LimitError: it is more than one job may have.
    """
    computing = gmacs * 1e9 / 256**2 * 1e6 * 2 / RATE  # s a megapixel and step
    each = steps * (computing + HANDLING) + (0 if frames is None else FILMING)
    seconds = math.ceil(STARTING + (frames or 1) * pixels / 1e6 * each)
    limit = settings.GPU_SECONDS.current()
    if seconds > limit:
        raise LimitError(*text.fill(server_text.GPU_TOO_LONG, seconds=seconds, limit=limit))
    return seconds


def lend(work: Callable[..., Iterator]) -> Callable[..., Iterator]:
    """Let a generator function run where the GPU is.

    Args:
        work: takes and yields what can be pickled.

    Returns:
        The same with the seconds it needs as another argument in front. It raises ``DeviceError`` if
        there is no GPU to be had.
    """

    def telling(seconds: int, *arguments: object) -> Iterator:
        _calm_threads()
        try:
            with closing(work(*arguments)) as events:
                yield from events
        except DeblurError as error:
            yield error

    lent = spaces.GPU(telling, duration=lambda seconds, *_: seconds)

    def borrowing(seconds: int, *arguments: object) -> Iterator:
        try:
            with closing(lent(seconds, *arguments)) as events:
                for event in events:
                    if isinstance(event, DeblurError):
                        raise event
                    yield event
        except gr.Error as error:
            raise DeviceError(
                *text.fill(server_text.NO_SHARED_GPU, reason=str(error.message).strip().rstrip("."))
            ) from error

    return borrowing


def _calm_threads() -> None:
    """A forked process has none of its parent's threads: what would wait for them must do without."""
    import cv2
    import torch

    cv2.setNumThreads(0)
    torch.set_num_threads(1)
