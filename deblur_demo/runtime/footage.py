"""The frames of a clip through a network, one after another, with nothing known of files.

A network of several stages (``Restorer.along_clip``) becomes a chain of generators: each keeps
only the window that it works on, so a frame is restored once by every stage, and a clip of any
length takes no more memory than a few of its frames.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Generic, TypeVar

import torch
from torch import Tensor

from deblur_demo.errors import InputError, SettingError
from deblur_demo.media.frames import window
from deblur_demo.models.contract import Traits
from deblur_demo.runtime.deblurrer import Deblurrer, Step, TileDone
from deblur_demo.runtime.device import free_memory
from deblur_demo.runtime.footprint import Footprint
from deblur_demo.runtime.grid import PIXEL
from deblur_demo.runtime.scenes import cut_between, thumbnail

MOST_AT_ONCE = 8  # frames in a batch; more keep no GPU busier and make each frame wait longer
SHARE = 0.5  # of a device's free memory that a batch may take; of the CPU's, where its results wait, half of that

T = TypeVar("T")


@dataclass(frozen=True)
class FrameDone:
    """One frame, restored.

    Attributes:
        index: 0 for the first.
        steps: all steps of all stages, numbered from 1; of one that ran in a batch, ``seconds`` is its share.
        cut: whether it begins a new scene; the first frame of a clip does not.
    """

    index: int
    steps: tuple[Step, ...]
    cut: bool


@dataclass(frozen=True)
class _Item:
    """A frame on its way from stage to stage: as it is now, (1, 3, H, W), and the steps that made it so."""

    index: int
    cut: bool
    image: Tensor
    steps: tuple[Step, ...] = ()


class Windows(Generic[T]):
    """Groups what comes one by one into windows of neighbours that never mix scenes; their ends are repeated.

    Args:
        count: items in a window, odd.
    """

    def __init__(self, count: int):
        self.radius = count // 2
        self._ring: deque[T] = deque(maxlen=count)

    def push(self, item: T, begins_scene: bool) -> Iterator[tuple[T, ...]]:
        """Take the next item; yields the windows, ``count`` items each, that are complete with it."""
        if begins_scene:
            yield from self.end()
        yield from self._repeat(item, 1 if self._ring else self.radius + 1)

    def end(self) -> Iterator[tuple[T, ...]]:
        """Yield the windows that still wait for a neighbour, at the end of a scene or of the clip."""
        if self._ring:
            yield from self._repeat(self._ring[-1], self.radius)
            self._ring.clear()

    def _repeat(self, item: T, times: int) -> Iterator[tuple[T, ...]]:
        for _ in range(times):
            self._ring.append(item)
            if len(self._ring) == self._ring.maxlen:
                yield tuple(self._ring)


def deblur_frames(
    deblurrer: Deblurrer,
    frames: Iterable[Tensor],
    iterations: int | str | None = None,
    batch: int | str = "auto",
) -> Iterator[TileDone | FrameDone]:
    """Restore the frames of a clip.

    Args:
        deblurrer: the network, placed on its device.
        frames: in the order of time, (1, 3, H, W) each, RGB in [0, 1], fp32, all of one size. Each is
            taken when its turn comes: a batch ahead of the frame that is yielded, and as many more as
            the network sees neighbours on one side.
        iterations: as for ``Deblurrer.events``, of every frame; with "auto" each stops by itself.
        batch: frames to restore side by side, which keeps a GPU busy; "auto": one on a CPU, elsewhere
            as many as the free memory allows, up to ``MOST_AT_ONCE``. It does not change the result.

    Yields:
        Every tile, of a batch for all its frames at once, and every frame when all its steps are done.

    Raises:
        InputError: a frame differs in size or type from the first.
        SettingError: a number of iterations that the network does not take, or no batch of frames.
        DeviceError, DeblurError: as for ``Deblurrer.events``.
    """
    if batch != "auto" and (not isinstance(batch, int) or batch < 1):
        raise SettingError(f"a batch is {batch!r}", "a whole number from 1, or auto", "Change the batch")
    events: Iterator[TileDone | _Item] = _numbered(frames)
    for stage in deblurrer.along_clip:
        events = _through(stage, events, iterations, batch)
    for event in events:
        yield event if isinstance(event, TileDone) else FrameDone(event.index, event.steps, event.cut)


def _numbered(frames: Iterable[Tensor]) -> Iterator[_Item]:
    """The frames as they come in, checked, each with whether a new scene begins."""
    shape = before = None
    for index, frame in enumerate(frames):
        shape = shape or frame.shape
        if frame.ndim != 4 or frame.shape[:2] != (1, 3) or frame.shape != shape or frame.dtype != torch.float32:
            raise InputError(
                f"frame {index} of the clip is {frame.dtype} of shape {tuple(frame.shape)}",
                f"torch.float32 of shape (1, 3, H, W), like the first one {tuple(shape)}",
                "Bring all frames to one size",
            )
        now = thumbnail(frame)
        yield _Item(index, before is not None and cut_between(before, now), frame)
        before = now


def _through(
    deblurrer: Deblurrer, events: Iterator[TileDone | _Item], iterations: int | str | None, batch: int | str
) -> Iterator[TileDone | _Item]:
    """One stage: windows of what comes in are restored a batch at a time."""
    waiting: list[tuple[_Item, ...]] = []
    size = None if batch == "auto" else batch
    for event in _grouped(events, deblurrer.model.traits.frames):
        if isinstance(event, TileDone):
            yield event
            continue
        size = size or _fitting(deblurrer, *event[0].image.shape[-2:])
        waiting.append(event)
        if len(waiting) == size:
            yield from _restore(deblurrer, waiting, iterations)
            waiting.clear()
    if waiting:
        yield from _restore(deblurrer, waiting, iterations)


def _grouped(events: Iterator[TileDone | _Item], count: int) -> Iterator[TileDone | tuple[_Item, ...]]:
    windows: Windows[_Item] = Windows(count)
    for event in events:
        if isinstance(event, TileDone):
            yield event
        else:
            yield from windows.push(event, event.cut)
    yield from windows.end()


def _restore(
    deblurrer: Deblurrer, windows: list[tuple[_Item, ...]], iterations: int | str | None
) -> Iterator[TileDone | _Item]:
    """Run a batch of windows and hand out their middle frames."""
    centres = [items[len(items) // 2] for items in windows]
    before = len(centres[0].steps)  # of earlier stages
    frames = torch.cat([window([item.image for item in items]) for items in windows])  # (B, N, 3, H, W)
    histories: list[list[Step]] = [[] for _ in centres]
    for event in deblurrer.events(frames, iterations):
        if isinstance(event, TileDone):
            yield replace(event, index=before + event.index)
            continue
        for history, step in zip(histories, event.each(), strict=True):
            history.append(replace(step, index=before + step.index))
    for centre, history in zip(centres, histories, strict=True):
        # A batch goes on until its last frame has settled, each frame only until it has itself.
        history = history[: next((count for count, step in enumerate(history, 1) if any(step.settled)), None)]
        yield replace(centre, image=history[-1].image, steps=(*centre.steps, *history))


def _fitting(deblurrer: Deblurrer, height: int, width: int) -> int:
    """How many frames of a size to restore side by side."""
    device, traits = deblurrer.placement.device, deblurrer.model.traits
    if device.type == "cpu":
        return 1
    pixels = traits.padded(height) * traits.padded(width)
    _, footprint = deblurrer.ready(deblurrer.placement)
    return at_once(traits, footprint, pixels, free_memory(device), free_memory(torch.device("cpu")))


def at_once(traits: Traits, footprint: Footprint, pixels: int, on_device: int, on_cpu: int) -> int:
    """How many frames of that many pixels fit into the free memory, in bytes, of a device and of the CPU beside it."""
    images = PIXEL * (traits.frames + 3)  # the window, and three pictures when a step is compared with the last
    at_work = pixels * (footprint.working + 2 * footprint.state + images)
    results = pixels * PIXEL * (traits.frames + traits.max_steps)  # all of them wait on the CPU
    return max(1, min(MOST_AT_ONCE, int(SHARE * min(on_device / at_work, on_cpu / 2 / results))))
