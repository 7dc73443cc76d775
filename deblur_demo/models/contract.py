"""The contract of every network: a window of frames goes in, one estimate a step comes out.

A multi-temporal network yields one step per iteration, a two-stage network one per stage, a
one-stage network a single one. So one loop, one scrubber and one table serve all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain
from types import MappingProxyType
from typing import ClassVar, NamedTuple

import torch
from torch import Tensor, nn


class Estimate(NamedTuple):
    """What a network hands back after one step.

    Attributes:
        image: the restored centre frame, (B, 3, H, W), fp32, nominally [0, 1] but unclamped.
        state: recurrent features for the next step, each (B, C, H / stride, W / stride).
        maps: what else it can tell of each pixel, by name, (B, 1, H, W), fp32; no step depends on it.
            "guidance" is in [0, 1]; "doubt", of a self-ensemble, a standard deviation in 8-bit levels.
    """

    image: Tensor
    state: tuple[Tensor, ...] = ()
    maps: Mapping[str, Tensor] = MappingProxyType({})


@dataclass(frozen=True)
class Traits:
    """What the runtime must know of a network to run it on any picture.

    Attributes:
        halo: context in pixels that a tile needs on each side so that its inside is right.
        align: sides and tile origins are multiples of this.
        exact: whether tiles with this halo equal the whole picture up to rounding.
        frames: frames in a window, 1 or 3.
        steps: steps of a run when nobody says otherwise.
        max_steps: most steps that make sense; equal to ``steps`` where they are stages.
        state_strides: down-sampling of each recurrent feature, in the order of ``Estimate.state``.
        minimum: shortest side that the network takes.
        maps: names of ``Estimate.maps``, the same after every step.
    """

    halo: int
    align: int = 1
    exact: bool = True
    frames: int = 1
    steps: int = 1
    max_steps: int = 1
    state_strides: tuple[int, ...] = ()
    minimum: int = 1
    maps: tuple[str, ...] = ()

    @property
    def iterative(self) -> bool:
        """Whether the number of steps is the user's choice."""
        return self.max_steps > self.steps

    def padded(self, side: int) -> int:
        """A side that the network takes, at least as long as this one, in pixels."""
        return -(-max(side, self.minimum) // self.align) * self.align

    def at_most(self, iterations: int | str | None) -> int:
        """Steps of a run at most, for a number of iterations, "auto", or None for the network's own."""
        return iterations if self.iterative and isinstance(iterations, int) else self.steps

    def adjustable(self, iterations: int | str | None) -> bool:
        """Whether a run told so many could have been told to go on, or to stop before; arguments as above."""
        return self.iterative and iterations != "auto"


class Restorer(nn.Module):
    """Base class of all networks.

    A subclass keeps its frozen settings in ``self.settings``, states its ``traits`` and
    implements ``forward``. Weights may be in any floating type: ``forward`` takes fp32 images,
    computes in the type of its weights and adds its residual in fp32, because bf16 resolves
    only 8 bits.
    """

    settings: object
    traits: Traits

    # What the multi-temporal conversion (zoo/multitemporal.py) asks of a one-stage, one-frame
    # network that reads its window as ``window.flatten(1, 2)``:
    # - attribute paths of the convolutions that see the frame and must see two instead; None: not converted;
    # - its output when the last layer is silent: None for the frame itself, else this level;
    # - settings that the conversion changes.
    first_convolutions: ClassVar[tuple[str, ...] | None] = None
    silent_output: ClassVar[float | None] = None
    converted_settings: ClassVar[Mapping[str, object]] = MappingProxyType({})

    def forward(self, window: Tensor, previous: Tensor, state: tuple[Tensor, ...]) -> Estimate:
        """Run one step.

        Args:
            window: blurred frames, (B, N, 3, H, W), RGB in [0, 1], fp32; N is ``traits.frames``,
                H and W are multiples of ``traits.align`` and at least ``traits.minimum``.
            previous: estimate of the step before, (B, 3, H, W), fp32; at the first step the
                blurred centre frame itself.
            state: recurrent features of the step before; () at the first step.
        """
        raise NotImplementedError

    def run(self, window: Tensor, steps: int | None = None) -> Iterator[Estimate]:
        """Yield ``steps`` estimates of a whole window held in memory (shapes as ``forward``)."""
        estimate = Estimate(centre_frame(window))
        for _ in range(self.traits.steps if steps is None else steps):
            estimate = self(window, estimate.image, estimate.state)
            yield estimate

    def acquainted(self, whole: Callable[[], Tensor]) -> Restorer:
        """What to call on the tiles of a picture: this, unless a subclass must have seen all of it.

        Args:
            whole: makes the window that the tiles are cut from, (B, N, 3, H, W), for who wants to see it.
        """
        return self

    def along_clip(self) -> tuple[Restorer, ...]:
        """Networks that do along a clip what this one does in a window, one after another.

        The first sees the blurred frames, each other one windows of what the one before it made of
        them, so that no frame is restored as often as there are windows that it is in. They share
        this network's weights; unless a subclass says otherwise, there is only this one.
        """
        return (self,)

    @property
    def dtype(self) -> torch.dtype:
        """Type of the weights, hence of the features."""
        return self._anchor.dtype

    @property
    def device(self) -> torch.device:
        return self._anchor.device

    @property
    def _anchor(self) -> Tensor:
        # A filter without parameters keeps a buffer, which ``to`` moves along.
        return next(chain(self.parameters(), self.buffers()))

    @property
    def parameter_count(self) -> int:
        """Trained parameters."""
        return sum(p.numel() for p in self.parameters() if p.requires_grad)

    @property
    def learned(self) -> bool:
        """Whether it restores by what it was trained on; a classic filter does not."""
        return self.parameter_count > 0


def centre_frame(window: Tensor) -> Tensor:
    """The frame to restore: (B, N, 3, H, W) -> (B, 3, H, W)."""
    return window[:, window.shape[1] // 2]
