"""Run a network on a window of any size and yield its steps.

The weights are cast to the format that the device computes fastest. Should a result not be finite
in it, the run starts over in fp32 and goes on with the step where it was; should memory run out,
tiles become smaller, and then the CPU takes over.
"""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from statistics import fmean

import torch
from torch import Tensor

from deblur_demo.errors import DeblurError, DeviceError, InputError, SettingError
from deblur_demo.models.contract import Estimate, Restorer
from deblur_demo.runtime.device import (
    Placement,
    exact_fp32,
    free_memory,
    out_of_memory,
    place,
    release_freed_memory,
    synchronize,
)
from deblur_demo.runtime.footprint import Footprint, measure
from deblur_demo.runtime.grid import PIXEL, SMALLEST_TILE, grid_of_side, grid_within
from deblur_demo.runtime.stopping import settled
from deblur_demo.runtime.tiling import Mosaic
from deblur_demo.settings import ITERATIONS, TILE

# What a run on a CPU is planned to take in bytes, however much is free, and the least of it that tiles get to work in.
# So 12 megapixels of `mtrnn-lite` stay in one piece, and 50 megapixels stay under 4 GB with it and 8 GB with `mtrnn`
# (benchmarks/memory.py). Small tiles have nothing else for them: a pixel costs up to a fifth less in them, but at
# 1280x720 tiles of 360 px took 1.5 times as long as the whole with `mtrnn` and 3 times with `mtrnn-lite`.
PLANNED = 3_000_000_000
WORKING_SET = 900_000_000
GAPS = 1.5  # times what is planned for tiles is really taken, because freed blocks leave gaps


@dataclass(frozen=True)
class Step:
    """One finished step.

    Attributes:
        index: 1 for the first.
        image: the estimate, (B, 3, H, W), fp32 in [0, 1], on the CPU; later steps leave it alone.
        seconds: time spent computing it, the device synchronised.
        change: mean absolute difference to the step before (at first: to the input), in 8-bit levels.
        notices: what a person should know of how it was computed, for example a change of device.
        changes: the change of each picture of the batch, (B,); ``change`` is their mean.
        maps: what else is known of each pixel, see ``Estimate.maps``, (B, 1, H, W) each, fp32, on the CPU.
        settled: whether each picture of the batch has settled by now, (B,); () where nobody asked.
    """

    index: int
    image: Tensor
    seconds: float
    change: float
    notices: tuple[str, ...] = ()
    changes: tuple[float, ...] = ()
    maps: Mapping[str, Tensor] = field(default_factory=dict)
    settled: tuple[bool, ...] = ()

    def each(self) -> list[Step]:
        """A step for every picture of the batch, with its share of the time; the first has the notices, none maps."""
        seconds, untold = self.seconds / len(self.changes), [()] * (len(self.changes) - 1)
        rests = [(settled,) for settled in self.settled] or [()] * len(self.changes)
        parts = zip(self.image.split(1), self.changes, [self.notices, *untold], rests, strict=True)
        return [
            Step(self.index, image, seconds, own, notices, (own,), settled=rest) for image, own, notices, rest in parts
        ]


@dataclass(frozen=True)
class TileDone:
    """One tile of a step is finished: a place to show progress, and to cancel. Counts start at 1.

    After a restart in fp32 the indices start at 1 again, while the steps go on.
    """

    index: int
    tile: int
    tiles: int


class Deblurrer:
    """A network made ready for this machine.

    Args:
        model: in fp32 on the CPU, in evaluation mode; it stays as it is, casts are copies.
        device, precision: see ``device.place``.
        tile: side of a tile in pixels, 0 for the whole picture at once, "auto" to choose by free memory.

    Raises:
        SettingError: a setting out of its range.
        DeviceError: this machine lacks the device or the precision.
    """

    def __init__(self, model: Restorer, device: str = "auto", precision: str = "auto", tile: int | str = "auto"):
        self.model = model
        self.placement = place(device, precision)
        self.tile = TILE.parse(tile)
        self._ready: dict[Placement, tuple[Restorer, Footprint]] = {}
        self.ready(self.placement)  # now, so that the first step's seconds are its own

    def steps(self, window: Tensor, iterations: int | str | None = None) -> Iterator[Step]:
        """Only the steps of ``events``."""
        return filter(lambda event: isinstance(event, Step), self.events(window, iterations))

    def events(self, window: Tensor, iterations: int | str | None = None) -> Iterator[TileDone | Step]:
        """Restore the centre frame of a window.

        Args:
            window: blurred frames, (B, N, 3, H, W), RGB in [0, 1], fp32, of any height and width;
                N is ``model.traits.frames``.
            iterations: of an iterative network: a number, "auto" to stop when the picture (of a batch:
                the last one) settles, at the latest after the network's own number, or None for that
                number. Ignored by networks whose steps are stages.

        Yields:
            A TileDone after every tile, a Step after every step.

        Raises:
            SettingError: a number that the network does not take.
            InputError: the window has another shape or type.
            DeviceError: not enough memory, whatever the tile.
            DeblurError: a result is not finite even in fp32.
        """
        self._check(window)
        auto = iterations == "auto" and self.model.traits.iterative
        work, seconds = self._work(window, self._count(iterations), auto), 0.0
        while True:
            began = time.perf_counter()
            try:
                # Entered anew each time, because a mode left on at a yield would be on in the caller's code.
                with torch.inference_mode():
                    event = next(work, None)
            except (RuntimeError, MemoryError) as error:
                if out_of_memory(error):
                    raise _no_memory("for the picture itself") from error
                raise
            synchronize(self.placement.device)
            seconds += time.perf_counter() - began
            if event is None:
                return
            if isinstance(event, Step):
                event, seconds = replace(event, seconds=seconds), 0.0
            yield event
            del event  # it may be the caller's only if its memory is to be freed in time

    def _work(self, window: Tensor, count: int, auto: bool) -> Iterator[TileDone | Step]:
        """The events, without their seconds."""
        worker = _Worker(self, window)
        mosaic, changes, shown = self._mosaic(window, worker), [], 0
        rests = (False,) * len(window)
        while shown < count:
            try:
                for tile in mosaic.step(worker):
                    yield TileDone(len(changes) + 1, tile, len(mosaic.grid.tiles))
                changes.append(mosaic.changes)
            except _NotFiniteError:
                mosaic = None
            if mosaic is None:  # out of the handler, the old picture is gone from memory
                worker.use_fp32()
                mosaic, changes = self._mosaic(window, worker), []
            elif len(changes) > shown:  # else still catching up after a restart
                shown = len(changes)
                if len(mosaic.grid.tiles) > 1:  # so the picture is large
                    release_freed_memory()
                step = _step(shown, mosaic, worker.told())
                if auto:
                    pictures = zip(rests, zip(*changes, strict=True), step.image.split(1), strict=True)
                    rests = tuple(before or settled(own, image) for before, own, image in pictures)
                    step = replace(step, settled=rests)
                yield step
                if all(rests):
                    return

    def _mosaic(self, window: Tensor, worker: _Worker) -> Mosaic:
        """Decide where the picture is kept between tiles, and how large the tiles are."""
        traits, (batch, frames, _, height, width) = self.model.traits, window.shape
        device = worker.placement.device
        pixels = batch * traits.padded(height) * traits.padded(width)
        picture = PIXEL * pixels
        kept = picture + worker.footprint.state * pixels
        store, room = torch.device("cpu"), free_memory(torch.device("cpu"))
        if device.type != "cpu":
            free = free_memory(device)
            if kept + frames * picture <= free / 2:
                store, kept = device, kept + frames * picture
        # The step before is usually still in its reader's hands when the next one is copied out.
        needed = 2 * picture + (kept if store.type == "cpu" else 0)
        if needed > room:
            raise _no_memory(f"for {height * width / 1e6:.1f} megapixels: {room / 1e9:.1f} GB of {needed / 1e9:.1f} GB")
        if self.tile != "auto":
            return Mosaic(window, grid_of_side(height, width, traits, self.tile), store)
        if device.type == "cpu":
            # Tiles of a network that pools over the whole picture are approximate: the larger the better.
            plenty = max(PLANNED - needed, WORKING_SET) if traits.exact else math.inf
            budget = min((room - needed) / GAPS, plenty)
        else:
            budget = 0.8 * (free - (kept if store == device else 0))
        return Mosaic(window, grid_within(height, width, traits, worker.footprint, budget / batch), store)

    @cached_property
    def along_clip(self) -> tuple[Deblurrer, ...]:
        """A deblurrer with these settings for each network of ``model.along_clip()``."""
        networks = self.model.along_clip()
        if len(networks) == 1:
            return (self,)
        device, precision = self.placement.device.type, self.placement.precision
        return tuple(Deblurrer(network, device, precision, self.tile) for network in networks)

    def ready(self, placement: Placement) -> tuple[Restorer, Footprint]:
        """A copy of the network in a placement, made once, and the memory it works in."""
        if placement not in self._ready:
            network = copy.deepcopy(self.model).eval().to(placement.device, placement.dtype)
            if placement.device.type != "mps":
                network = network.to(memory_format=torch.channels_last)
            self._ready[placement] = network, measure(network)
        return self._ready[placement]

    def _count(self, iterations: int | str | None) -> int:
        traits = self.model.traits
        if not traits.iterative or iterations is None:
            return traits.steps
        number = traits.at_most(ITERATIONS.parse(iterations))
        if number > traits.max_steps:
            raise SettingError(
                f"{number} iterations", f"at most {traits.max_steps} with this network", "Change iterations"
            )
        return number

    def _check(self, window: Tensor) -> None:
        frames = self.model.traits.frames
        fits = window.ndim == 5 and window.shape[1:3] == (frames, 3) and window.numel() > 0
        if not fits or window.dtype != torch.float32:
            raise InputError(
                f"the window is {window.dtype} of shape {tuple(window.shape)}",
                f"torch.float32 of shape (B, {frames}, 3, H, W)",
                "Make it with media.frames.window",
            )


class _NotFiniteError(Exception):
    """A tile came out with a NaN or an infinity."""


class _Worker:
    """A network in its placement, which can fall back to more exact numbers and to less memory."""

    def __init__(self, deblurrer: Deblurrer, window: Tensor):
        self.deblurrer, self.window = deblurrer, window
        self.notices: list[str] = []
        self._move(deblurrer.placement)

    def _move(self, placement: Placement) -> None:
        self.placement, self.largest = placement, math.inf
        network, self.footprint = self.deblurrer.ready(placement)
        self.network = network.acquainted(lambda: self.window)

    def __call__(self, window: Tensor, previous: Tensor, state: tuple[Tensor, ...]) -> Estimate:
        device, dtype = self.placement.device, self.placement.dtype
        # Features left by another device may be in another type; what a network keeps in fp32 are images.
        features = tuple(f.to(device, f.dtype if f.dtype == torch.float32 else dtype) for f in state)
        with exact_fp32(self.placement):
            estimate = self.network(window.to(device), previous.to(device), features)
        if not torch.isfinite(estimate.image).all():
            raise _NotFiniteError
        return estimate

    def use_fp32(self) -> None:
        """Start over in the type in which a network is trained."""
        if self.placement.dtype == torch.float32:
            raise DeblurError(
                "the result is not finite, even in fp32", "an input and weights that are finite", "Check both"
            )
        self.notices.append(f"Numbers overflowed on {self.placement.name}: computed again in fp32")
        self._move(replace(self.placement, dtype=torch.float32))

    def retreat(self, side: int) -> None:
        """After running out of memory: smaller tiles, then the CPU.

        Args:
            side: of the tile that failed, in pixels.
        """
        if side // 2 >= SMALLEST_TILE:
            self.largest = side // 2
            self.notices.append(f"Out of memory on {self.placement.name}: tiles of at most {self.largest} px")
        elif self.placement.device.type != "cpu":
            exact = self.placement.dtype == torch.float32
            self.notices.append(f"Out of memory on {self.placement.name}: went on on the CPU")
            self._move(place("cpu", "fp32" if exact else "auto"))
        else:
            raise _no_memory(f"even for a tile of {side} px")

    def told(self) -> tuple[str, ...]:
        """The notices since the last call."""
        notices, self.notices = tuple(self.notices), []
        return notices


def _no_memory(what_for: str) -> DeviceError:
    return DeviceError(
        f"not enough free memory {what_for}",
        "a picture and a network that fit",
        "Close other programs, choose a smaller network, or shrink the picture",
    )


def _step(index: int, mosaic: Mosaic, notices: tuple[str, ...]) -> Step:
    """A step without its seconds, of tensors that may be changed in place, as those made in inference mode may not."""
    with torch.inference_mode(False):
        image, maps = mosaic.picture(), mosaic.maps()
    return Step(index, image, 0.0, fmean(mosaic.changes), notices, mosaic.changes, maps)
