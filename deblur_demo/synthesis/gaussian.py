"""Gaussian blur of a random width, as Bologna 2021 (section 2.1.1) blurs CIFAR-10."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

REACH = 4.0  # standard deviations to which a kernel extends, as in SciPy


@dataclass(frozen=True)
class GaussianSettings:
    """How wide the blur is.

    Attributes:
        low, high: the standard deviation is drawn uniformly between them, in pixels.
    """

    low: float = 0.0
    high: float = 3.0


def random_gaussian(image: Tensor, settings: GaussianSettings, generator: torch.Generator) -> Tensor:
    """Blur each picture by its own width; shapes as ``gaussian_blur``."""
    drawn = torch.rand(len(image), generator=generator, device=image.device)
    return gaussian_blur(image, settings.low + (settings.high - settings.low) * drawn)


def gaussian_blur(image: Tensor, sigma: Tensor) -> Tensor:
    """Blur in display values, mirrored at the borders.

    Args:
        image: (B, C, H, W).
        sigma: standard deviations in pixels, (B,); 0 leaves a picture as it is.

    Returns:
        The same shape.
    """
    count, channels, height, width = image.shape
    reach = min(math.ceil(REACH * float(sigma.max())), height - 1, width - 1)
    if reach < 1:
        return image
    taps = torch.arange(-reach, reach + 1, device=image.device, dtype=image.dtype)
    # The floor keeps a width of 0 a single tap instead of 0 / 0.
    kernel = torch.exp(-0.5 * (taps / sigma.to(image.dtype).clamp(min=1e-3)[:, None]) ** 2)  # (B, K)
    kernel = (kernel / kernel.sum(dim=1, keepdim=True)).repeat_interleave(channels, dim=0)[:, None]  # (B*C, 1, K)
    planes = F.pad(image, (reach,) * 4, mode="reflect").flatten(0, 1)[None]  # (1, B*C, H+2r, W+2r)
    planes = F.conv2d(planes, kernel[:, :, None], groups=count * channels)
    return F.conv2d(planes, kernel[..., None], groups=count * channels)[0].unflatten(0, (count, channels))
