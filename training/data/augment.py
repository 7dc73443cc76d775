"""Augmentation: orientation by turns and flips, colour by one affine map a sample, photos enlarged or overexposed.

Brehm 2020 (section 3.3) varies brightness, hue, saturation and contrast "by small amounts" and flips and
turns; Bologna 2021 (2.2.1) brightness, flips and turns on REDS and nothing on CIFAR-10; Park 2020
flips and quarter turns; SGENet horizontal and vertical flips.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from training.config import Augment


def jitter_colours(samples: Tensor, settings: Augment, generator: torch.Generator) -> Tensor:
    """Change the colours of each sample, all its pictures alike.

    Brightness, contrast (about middle grey, so that blurred and sharp pictures change alike),
    saturation and a turn of the hue in the YIQ plane make one affine map of RGB.

    Args:
        samples: (B, ..., 3, H, W), display values in [0, 1].
        settings: extents; all zero returns the samples untouched and draws nothing.
        generator: random source on the samples' device.

    Returns:
        The same shape, in [0, 1].
    """
    extents = (settings.brightness, settings.contrast, settings.saturation, settings.hue)
    if not any(extents):
        return samples
    count, device = len(samples), samples.device
    drawn = 2 * torch.rand(count, 4, generator=generator, device=device) - 1
    brightness, contrast, saturation, hue = (drawn * torch.tensor(extents, device=device)).unbind(1)

    angle, chroma = 2 * math.pi * hue, 1 + saturation
    zero, one = torch.zeros(count, device=device), torch.ones(count, device=device)
    rows = [one, zero, zero, zero, chroma * angle.cos(), -chroma * angle.sin()]
    rows += [zero, chroma * angle.sin(), chroma * angle.cos()]
    turned = torch.stack(rows, dim=1).view(count, 3, 3)  # acts on YIQ
    to_yiq = torch.tensor(_YIQ, device=device)
    matrix = (1 + contrast).view(-1, 1, 1) * (torch.linalg.inv(to_yiq) @ turned @ to_yiq)  # (B, 3, 3)
    offset = brightness - 0.5 * contrast  # 0.5 stays where it is under contrast

    flat = samples.reshape(count, -1, 3, *samples.shape[-2:])
    changed = torch.einsum("bij,bnjhw->bnihw", matrix, flat) + offset.view(-1, 1, 1, 1, 1)
    return changed.clamp(0, 1).view_as(samples)


def side_to_enlarge(side: int, settings: Augment, chance: torch.Generator) -> int:
    """How large a square to cut that is enlarged to ``side`` pixels; 1 as a setting draws nothing."""
    if settings.enlarge <= 1:
        return side
    share = _half_of_them(1, chance).item()
    return math.ceil(side / (1 + share * (settings.enlarge - 1)))


def overexposed(light: Tensor, settings: Augment, chance: torch.Generator) -> Tensor:
    """Frames in linear light, (B, ...), some of them brighter; 1 as a setting draws nothing."""
    if settings.expose <= 1:
        return light
    share = _half_of_them(len(light), chance).to(light.device)
    return light * (settings.expose**share).view(-1, *[1] * (light.ndim - 1))


def _half_of_them(count: int, chance: torch.Generator) -> Tensor:
    """How much of an extent each of ``count`` samples gets, from 0 to 1; half of them get nothing."""
    return (2 * torch.rand(count, generator=chance) - 1).clamp(min=0)


def enlarged(squares: Tensor, side: int) -> Tensor:
    """Squares (B, 3, s, s) as (B, 3, side, side), in [0, 1] both."""
    if squares.shape[-1] == side:
        return squares
    return F.interpolate(squares, size=side, mode="bicubic", align_corners=False).clamp(0, 1)


_YIQ = ((0.299, 0.587, 0.114), (0.595716, -0.274453, -0.321263), (0.211456, -0.522591, 0.311135))  # fmt: skip
