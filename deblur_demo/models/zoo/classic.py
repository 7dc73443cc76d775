"""Deconvolution without learning: Wiener's filter and Richardson-Lucy.

They undo one blur kernel for the whole picture, here a straight uniform motion, and show what a
network buys; where a camera really moved straight they get farther than one. Length and direction
are given, or read off the picture. Both work in linear light, where an exposure is a sum.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from copy import copy
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from deblur_demo.light import to_display, to_light
from deblur_demo.models.contract import Estimate, Restorer, Traits, centre_frame
from deblur_demo.models.registry import Variant
from deblur_demo.models.smear import LONGEST, find_smear, motion_transfer

_DARK = 1e-5  # of linear light: below 1.4 of 255 levels a ratio would be one of rounding errors


@dataclass(frozen=True)
class KernelSettings:
    """The blur that is undone.

    Attributes:
        length: of the motion in px; 0: estimate length and angle.
        angle: of the motion in degrees, counter-clockwise from the right.
        longest: longest motion in px that an estimate considers.
    """

    length: float = 0.0
    angle: float = 0.0
    longest: float = LONGEST


@dataclass(frozen=True)
class WienerSettings(KernelSettings):
    """Settings of the Wiener filter.

    Attributes:
        balance: weight of smoothness (of the squared Laplacian) against fidelity.
    """

    balance: float = 0.3


@dataclass(frozen=True)
class RichardsonLucySettings(KernelSettings):
    """Settings of Richardson-Lucy.

    Attributes:
        updates: multiplicative updates in a step.
    """

    updates: int = 5


class _Deconvolution(Restorer):
    """What both share: the kernel, the borders, and no parameters at all.

    Where no motion is found, the picture stays. All arithmetic is fp32, as Fourier transforms want it.
    """

    def __init__(self, settings: KernelSettings, reach: int, **traits: int):
        super().__init__()
        self.settings = settings
        self.margin = math.ceil(settings.length or settings.longest)
        # The inverse of a kernel has no end, but fades within some lengths.
        self.traits = Traits(halo=reach * self.margin, exact=False, **traits)
        self.register_buffer("anchor", torch.zeros(1), persistent=False)
        self._seen: tuple[Tensor, Tensor] | None = None

    def acquainted(self, whole: Callable[[], Tensor]) -> Restorer:
        """A filter that undoes the motion of the whole picture in each of its tiles."""
        network = copy(self)
        network._seen = self._motion(centre_frame(whole()))
        return network

    def forward(self, window: Tensor, previous: Tensor, state: tuple[Tensor, ...]) -> Estimate:
        frame = centre_frame(window)
        if self._seen and self._seen[0].max() == 1:
            return Estimate(frame)
        length, angle = (value.to(frame.device) for value in self._seen or self._motion(frame))
        blurred = self._pad(to_light(frame))  # (B, 3, H + 2m, W + 2m) or a little more
        transfer = motion_transfer(length, angle, *blurred.shape[-2:])
        # Transforms wrap around. Blurring the margins towards the rim hides the jump from edge to edge.
        rows, columns = (_ramp(side, self.margin, blurred) for side in blurred.shape[-2:])
        inside = rows[:, None] * columns
        blurred = inside * blurred + (1 - inside) * _filter(blurred, transfer)
        light = self.deconvolved(blurred, transfer, self._pad(to_light(previous)))
        height, width = frame.shape[-2:]
        image = to_display(light[..., self.margin :, self.margin :][..., :height, :width])
        return Estimate(torch.where((length > 1).view(-1, 1, 1, 1), image, frame))

    def deconvolved(self, blurred: Tensor, transfer: Tensor, previous: Tensor) -> Tensor:
        """The picture without the motion, (B, 3, H, W), as the others in linear light and with margins.

        Args:
            blurred: (B, 3, H, W).
            transfer: of the motion, (B, 1, H, W // 2 + 1).
            previous: estimate of the step before, (B, 3, H, W).
        """
        raise NotImplementedError

    def _motion(self, frame: Tensor) -> tuple[Tensor, Tensor]:
        """Length in px and angle in radians, each (B,)."""
        if self.settings.length > 0:
            kernel = (self.settings.length, math.radians(self.settings.angle))
            return tuple(frame.new_tensor([kernel] * len(frame)).T)
        return find_smear(frame, self.settings.longest)

    def _pad(self, image: Tensor) -> Tensor:
        # Transforms of sides with large prime factors take up to four times as long.
        bottom, right = (self.margin + -(side + 2 * self.margin) % 32 for side in image.shape[-2:])
        return F.pad(image, (self.margin, right, self.margin, bottom), mode="replicate")


class Wiener(_Deconvolution):
    """Wiener's filter with a smoothness prior: one division in the frequency domain.

    Source: Hunt 1973; the formula is that of ``skimage.restoration.wiener``.
    """

    def __init__(self, settings: WienerSettings):
        super().__init__(settings, reach=8)

    def deconvolved(self, blurred: Tensor, transfer: Tensor, previous: Tensor) -> Tensor:
        rows = torch.fft.fftfreq(blurred.shape[-2], device=blurred.device)[:, None]
        columns = torch.fft.rfftfreq(blurred.shape[-1], device=blurred.device)
        laplacian = 4 - 2 * torch.cos(2 * math.pi * rows) - 2 * torch.cos(2 * math.pi * columns)
        return _filter(blurred, transfer / (transfer.square() + self.settings.balance * laplacian.square()))


class RichardsonLucy(_Deconvolution):
    """Richardson-Lucy: the estimate times the correlated ratio of blurred picture and re-blurred estimate.

    Each step continues from the previous estimate. Source: Richardson 1972, Lucy 1974.
    """

    def __init__(self, settings: RichardsonLucySettings):
        super().__init__(settings, reach=4, steps=6, max_steps=10)

    def deconvolved(self, blurred: Tensor, transfer: Tensor, previous: Tensor) -> Tensor:
        estimate = previous
        for _ in range(self.settings.updates):
            ratio = blurred.clamp(min=_DARK) / _filter(estimate, transfer).clamp(min=_DARK)
            # A straight motion is its own mirror image, so correlating is convolving.
            estimate = (estimate * _filter(ratio, transfer)).clamp(min=0)
        return estimate


def _filter(image: Tensor, transfer: Tensor) -> Tensor:
    return torch.fft.irfft2(torch.fft.rfft2(image) * transfer, s=image.shape[-2:])


def _ramp(length: int, margin: int, like: Tensor) -> Tensor:
    """1 inside, falling linearly to 0 over a margin at both ends."""
    index = torch.arange(length, device=like.device, dtype=like.dtype)
    return (torch.minimum(index, length - 1 - index) / margin).clamp(max=1)


VARIANTS = {
    "wiener": Variant(
        Wiener,
        WienerSettings(),
        paper="Hunt, The Application of Constrained Least Squares Estimation to Image Restoration by Digital Computer, "
        "IEEE Transactions on Computers 1973",
        trained_for="motion",
    ),
    "richardson-lucy": Variant(
        RichardsonLucy,
        RichardsonLucySettings(),
        paper="Richardson, Bayesian-Based Iterative Method of Image Restoration, JOSA 1972",
        trained_for="motion",
    ),
}
