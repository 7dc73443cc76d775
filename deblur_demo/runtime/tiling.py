"""Iterations outside, tiles inside: one step of any network on a picture of any size.

A tile is restored together with a halo as wide as the network's receptive field, so the stitched
picture equals the one restored whole, and so do the stitched recurrent features, from which the
next step starts. That makes a halo for one step exact for any number of them.

New values overwrite the old ones in place, because the features of a large photo are the
largest thing in memory. A finished tile therefore waits until no later tile looks at the old
values under it: a band of tiles waits, never a second picture.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from itertools import zip_longest
from typing import Protocol

import torch
from torch import Tensor

from deblur_demo.models.contract import Estimate, centre_frame
from deblur_demo.runtime.device import out_of_memory
from deblur_demo.runtime.grid import Box, Grid, Tile

_ROWS_AT_ONCE = 256  # when pictures are compared, so that their difference never exists as a whole


class Worker(Protocol):
    """What restores a patch: a network on its device, and what it does when memory runs out.

    Attributes:
        largest: longest side of a tile, without its halo, that it has memory for.
    """

    largest: float

    def __call__(self, window: Tensor, previous: Tensor, state: tuple[Tensor, ...]) -> Estimate: ...

    def retreat(self, side: int) -> None:
        """Make sure that the next try needs less memory than a tile of this side did, or raise."""


class Mosaic:
    """A picture with its recurrent features, taken one step further at a time, tile by tile.

    Args:
        window: blurred frames, (B, N, 3, h, w), fp32 in [0, 1]; only read.
        grid: tiles of a picture of these sides.
        device: where the picture and the features are kept between tiles.

    Attributes:
        image: the estimate, unclamped, (B, 3, H, W) with the padded sides; None before the first step.
        state: recurrent features, (B, C, H / stride, W / stride) each.
        changes: of each picture of the batch, the mean absolute difference between the last step's
            estimate and the one before, both clamped to [0, 1], in 8-bit levels.
    """

    def __init__(self, window: Tensor, grid: Grid, device: torch.device):
        self.grid, self.device, self.names = grid, device, grid.traits.maps
        self.strides = (1, *(1 for _ in self.names), *grid.traits.state_strides)
        self.window = window.to(device)
        self.height, self.width = window.shape[-2:]
        # Padding is looked up where a tile reaches into it: a padded copy would be one more picture in memory.
        self.row_of = reflection(self.height, grid.height).to(device)
        self.column_of = reflection(self.width, grid.width).to(device)
        self.image: Tensor | None = None
        self.state: tuple[Tensor, ...] = ()
        self.changes: tuple[float, ...] = ()
        self._maps: dict[str, Tensor] = {}

    def step(self, worker: Worker) -> Iterator[int]:
        """Take every tile one step further; yields the number of tiles done, after each."""
        waiting: deque[tuple[int, list[Tensor]]] = deque()
        canvases, difference = [], torch.zeros(len(self.window), dtype=torch.float64)
        for index, tile in enumerate(self.grid.tiles):
            parts = self._restore(tile, worker)
            canvases = canvases or self._canvases(parts)
            difference += self._difference(tile.inner, parts[0])
            waiting.append((index, parts))
            while waiting and self.grid.last_look[waiting[0][0]] <= index:
                self._put(canvases, *waiting.popleft())
            yield index + 1
        self.image, *layers = canvases
        self._maps = dict(zip(self.names, layers, strict=False))
        self.state = tuple(layers[len(self.names) :])
        self.changes = tuple((255 * difference / self.window[0, 0].numel()).tolist())

    def picture(self) -> Tensor:
        """A clamped copy of the picture without its padding, (B, 3, h, w), fp32, on the CPU."""
        return self.image[..., : self.height, : self.width].clamp(0, 1).cpu()

    def maps(self) -> dict[str, Tensor]:
        """Copies of what else the step told of each pixel, by name, (B, 1, h, w) each, on the CPU."""
        return {name: x[..., : self.height, : self.width].to("cpu", copy=True) for name, x in self._maps.items()}

    def _restore(self, tile: Tile, worker: Worker) -> list[Tensor]:
        """Image, maps and features of one tile without its halo, in as many pieces as memory demands."""
        if tile.side > worker.largest:
            pieces = zip(*(self._restore(half, worker) for half in self.grid.halves(tile)), strict=True)
            axis = -2 if tile.inner.height >= tile.inner.width else -1
            return [torch.cat(halves, axis) for halves in pieces]
        try:
            estimate = worker(*self._patch(tile.outer))
            maps = (estimate.maps[name] for name in self.names)
            return self._without_halo(tile, (estimate.image, *maps, *estimate.state))
        except (RuntimeError, MemoryError) as error:
            if not out_of_memory(error):
                raise
        # Only here, past the handler, has the failed try let go of its tensors.
        worker.retreat(tile.side)
        return self._restore(tile, worker)

    def _patch(self, box: Box) -> tuple[Tensor, Tensor, tuple[Tensor, ...]]:
        """What the network sees in a box: blurred frames, the estimate and the features of the step before."""
        window = self._frames(box)
        previous = centre_frame(window) if self.image is None else box.of(self.image)
        layers = zip(self.state, self.grid.traits.state_strides, strict=False)
        return window, previous, tuple(box.of(*layer) for layer in layers)

    def _frames(self, box: Box) -> Tensor:
        """The blurred frames in a box, which may reach into the padding."""
        if box.bottom <= self.height and box.right <= self.width:
            return box.of(self.window)
        return self.window[..., self.row_of[box.top : box.bottom], :][..., self.column_of[box.left : box.right]]

    def _without_halo(self, tile: Tile, layers: tuple[Tensor, ...]) -> list[Tensor]:
        """Cut off the halo and bring the rest to where the picture is kept."""
        box, parts = tile.inner.seen_from(tile.outer), []
        for layer, stride in zip(layers, self.strides[: len(layers)], strict=True):
            part = box.of(layer, stride)
            # A mere view would keep the halo in memory for as long as the tile waits.
            parts.append(part.to(self.device, copy=part.shape != layer.shape))
        return parts

    def _canvases(self, parts: list[Tensor]) -> list[Tensor]:
        """Where a step's results go: over the old ones, or into new memory where they differ in kind."""
        if len(self.grid.tiles) == 1:
            return parts
        olds = [] if self.image is None else [self.image, *self._maps.values(), *self.state]
        canvases = []
        for part, stride, old in zip_longest(parts, self.strides[: len(parts)], olds[: len(parts)]):
            shape = (*part.shape[:2], self.grid.height // stride, self.grid.width // stride)
            if old is None or old.shape != shape or old.dtype != part.dtype:
                dense = part.is_contiguous()  # else channels last, as convolutions left it
                layout = torch.contiguous_format if dense else torch.channels_last
                old = torch.empty(shape, dtype=part.dtype, device=self.device, memory_format=layout)
            canvases.append(old)
        return canvases

    def _put(self, canvases: list[Tensor], index: int, parts: list[Tensor]) -> None:
        for canvas, part, stride in zip(canvases, parts, self.strides, strict=False):
            self.grid.tiles[index].inner.of(canvas, stride).copy_(part)

    def _difference(self, box: Box, new: Tensor) -> Tensor:
        """Sum of |new - old| over a box without padding, both clamped to [0, 1]: (B,), fp64, on the CPU."""
        box = Box(box.top, min(box.bottom, self.height), box.left, min(box.right, self.width))
        total = torch.zeros(len(new), dtype=torch.float64)
        if box.height <= 0 or box.width <= 0:
            return total
        old = box.of(centre_frame(self.window) if self.image is None else self.image)
        new = new[..., : box.height, : box.width]
        for a, b in zip(new.split(_ROWS_AT_ONCE, -2), old.split(_ROWS_AT_ONCE, -2), strict=True):
            total += (a.clamp(0, 1) - b.clamp(0, 1)).abs().sum((1, 2, 3)).cpu()
        return total


def reflection(side: int, padded: int) -> Tensor:
    """For each index of a padded axis the index it shows, mirrored at the last pixel as often as needed: (padded,)."""
    period = max(1, 2 * side - 2)  # a single pixel has no mirror image and is repeated
    index = torch.arange(padded) % period
    return torch.minimum(index, period - index)
