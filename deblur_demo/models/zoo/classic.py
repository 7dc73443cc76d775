"""Deconvolution without learning: Wiener's filter and Richardson-Lucy.

They undo one blur kernel for the whole picture, here a straight uniform motion, and show what a
network buys. Length and direction are given, or read off the picture's cepstrum.

Cepstrum (Rom 1975): the spectrum of a motion of L pixels has zeros at multiples of 1 / L along its
direction. So the inverse transform of the log spectrum has a sharp negative peak at distance L in
that direction. Measured on 8 Kodak photos and motions of 9 to 25 px, the peak stands 9 to 27
standard deviations deep and its length is right within 0.4 px; on the sharp photos, up to 8.3.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from deblur_demo.models.contract import Estimate, Restorer, Traits, centre_frame
from deblur_demo.models.registry import Variant

SHORTEST = 4.0  # px; nearer to its centre the cepstrum shows the photo, not the blur
CERTAIN = 8.7  # standard deviations; a shallower peak means that no such blur was found


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
    longest: float = 40.0


@dataclass(frozen=True)
class WienerSettings(KernelSettings):
    """Settings of the Wiener filter.

    Attributes:
        balance: weight of smoothness (of the squared Laplacian) against fidelity.
    """

    balance: float = 0.01


@dataclass(frozen=True)
class RichardsonLucySettings(KernelSettings):
    """Settings of Richardson-Lucy.

    Attributes:
        updates: multiplicative updates in a step.
    """

    updates: int = 5


class _Deconvolution(Restorer):
    """What both share: the kernel, the borders, and no parameters at all.

    An estimate is made of what ``forward`` gets, so of each tile for itself: give the kernel, or
    use no tiles, to have one for the whole picture. Where no motion is found, none is undone.
    All arithmetic is fp32, as Fourier transforms want it.
    """

    def __init__(self, settings: KernelSettings, **traits: int):
        super().__init__()
        self.settings = settings
        self.margin = math.ceil(settings.length or settings.longest)
        # The inverse of a kernel has no end, but fades within a few lengths.
        self.traits = Traits(halo=4 * self.margin, exact=False, **traits)
        self.register_buffer("anchor", torch.zeros(1), persistent=False)

    def _prepare(self, window: Tensor) -> tuple[Tensor, Tensor]:
        """The blurred frame with faded margins, and the transfer function for its size."""
        blurred = centre_frame(window)
        given = self.settings.length > 0
        kernel = (self.settings.length, math.radians(self.settings.angle))
        length, angle = blurred.new_tensor([kernel] * len(blurred)).T if given else self.estimate(blurred)
        padded = self._pad(blurred)  # (B, 3, H + 2m, W + 2m)
        transfer = motion_transfer(length, angle, *padded.shape[-2:])
        # Transforms wrap around. Blurring the margins towards the rim hides the jump from edge to edge.
        inside = _ramp(padded.shape[-2], self.margin, padded)[:, None] * _ramp(padded.shape[-1], self.margin, padded)
        return inside * padded + (1 - inside) * _filter(padded, transfer), transfer

    def estimate(self, blurred: Tensor) -> tuple[Tensor, Tensor]:
        """Length in px and angle in radians of a straight motion, each (B,), from the cepstrum.

        Args:
            blurred: (B, 3, H, W), fp32.

        Returns:
            Length 1 where no motion between 4 px and ``settings.longest`` is found.
        """
        grey = blurred.mean(1)  # (B, H, W)
        height, width = grey.shape[1:]
        taper = [torch.hann_window(n + 2, periodic=False, device=grey.device)[1:-1] for n in (height, width)]
        grey = (grey - grey.mean((1, 2), keepdim=True)) * taper[0][:, None] * taper[1]
        power = torch.fft.fft2(grey).abs().square()
        floor = 1e-8 * power.amax((1, 2), keepdim=True) + 1e-12
        cepstrum = torch.fft.ifft2((power + floor).log()).real  # (B, H, W)

        y, x = _offsets(height, width, grey)
        distance = torch.hypot(*torch.broadcast_tensors(y, x))
        # Each motion peaks twice, opposite its centre; the upper half holds every direction once.
        upper = (y < 0) | ((y == 0) & (x > 0))
        near = (distance >= SHORTEST) & (distance <= self.settings.longest) & upper
        count = near.sum().clamp(min=2)
        mean = (cepstrum * near).sum((1, 2)) / count
        spread = (((cepstrum - mean[:, None, None]) * near).square().sum((1, 2)) / (count - 1)).sqrt()
        deepest, index = cepstrum.masked_fill(~near, math.inf).flatten(1).min(1)  # inf in a picture of a few pixels
        found = -deepest > CERTAIN * spread
        y, x = (offset.expand(height, width).flatten()[index] for offset in (y, x))
        return torch.where(found, torch.hypot(y, x), 1.0), torch.where(found, torch.atan2(-y, x), 0.0)

    def _pad(self, image: Tensor) -> Tensor:
        return F.pad(image, (self.margin,) * 4, mode="replicate")

    def _crop(self, image: Tensor) -> Tensor:
        return image[..., self.margin : -self.margin, self.margin : -self.margin]


class Wiener(_Deconvolution):
    """Wiener's filter with a smoothness prior: one division in the frequency domain.

    Source: Hunt 1973; the formula is that of ``skimage.restoration.wiener``.
    """

    def __init__(self, settings: WienerSettings):
        super().__init__(settings)

    def forward(self, window: Tensor, previous: Tensor, state: tuple[Tensor, ...]) -> Estimate:
        blurred, transfer = self._prepare(window)
        height, width = blurred.shape[-2:]
        rows = torch.fft.fftfreq(height, device=blurred.device)[:, None]
        columns = torch.fft.rfftfreq(width, device=blurred.device)
        laplacian = 4 - 2 * torch.cos(2 * math.pi * rows) - 2 * torch.cos(2 * math.pi * columns)
        inverse = transfer / (transfer.square() + self.settings.balance * laplacian.square())
        return Estimate(self._crop(_filter(blurred, inverse)))


class RichardsonLucy(_Deconvolution):
    """Richardson-Lucy: the estimate times the correlated ratio of blurred picture and re-blurred estimate.

    Each step continues from the previous estimate. Source: Richardson 1972, Lucy 1974.
    """

    def __init__(self, settings: RichardsonLucySettings):
        super().__init__(settings, steps=6, max_steps=10)

    def forward(self, window: Tensor, previous: Tensor, state: tuple[Tensor, ...]) -> Estimate:
        blurred, transfer = self._prepare(window)
        estimate = self._pad(previous).clamp(min=1e-4)
        for _ in range(self.settings.updates):
            ratio = blurred / _filter(estimate, transfer).clamp(min=1e-4)
            # A straight motion is its own mirror image, so correlating is convolving.
            estimate = (estimate * _filter(ratio, transfer)).clamp(min=1e-4)
        return Estimate(self._crop(estimate))


def motion_transfer(length: Tensor, angle: Tensor, height: int, width: int) -> Tensor:
    """Transfer function of straight uniform motions, real because the kernel is symmetric.

    Args:
        length: in px, at least 1, (B,).
        angle: in radians, counter-clockwise from the right, (B,).
        height, width: of the picture that will be filtered.

    Returns:
        (B, 1, height, width // 2 + 1), 1 at frequency zero.
    """
    y, x = _offsets(height, width, length)
    length, cosine, sine = (value.view(-1, 1, 1, 1) for value in (length, angle.cos(), angle.sin()))
    along, across = x * cosine - y * sine, x * sine + y * cosine
    # A line one pixel thick, with both ends and both flanks anti-aliased.
    kernel = (length / 2 + 0.5 - along.abs()).clamp(0, 1) * (1 - across.abs()).clamp(min=0)
    return torch.fft.rfft2(kernel / kernel.sum((2, 3), keepdim=True)).real


def _filter(image: Tensor, transfer: Tensor) -> Tensor:
    return torch.fft.irfft2(torch.fft.rfft2(image) * transfer, s=image.shape[-2:])


def _offsets(height: int, width: int, like: Tensor) -> tuple[Tensor, Tensor]:
    """Row and column offsets from pixel (0, 0) with wrap-around: (height, 1) and (width,)."""
    y = torch.fft.fftfreq(height, 1 / height, device=like.device)
    return y[:, None], torch.fft.fftfreq(width, 1 / width, device=like.device)


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
