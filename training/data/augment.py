"""Augmentation: turns, flips, colour by one affine map a sample; photos enlarged, partly out of focus, overexposed.

Brehm 2020 (section 3.3) varies brightness, hue, saturation and contrast "by small amounts" and flips and
turns; Bologna 2021 (2.2.1) brightness, flips and turns on REDS and nothing on CIFAR-10; Park 2020
flips and quarter turns; SGENet horizontal and vertical flips.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from deblur_demo.light import to_display, to_light
from deblur_demo.synthesis.lens import lens_blur
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


def defocused(squares: Tensor, settings: Augment, chance: torch.Generator, generator: torch.Generator) -> Tensor:
    """Put a part of some photos out of focus, as what lies behind or before the subject is.

    Where the part ends, something may stand before it, and the edge is crisp, or the depth changes slowly.

    Args:
        squares: (B, 3, s, s), display values in [0, 1].
        settings: the largest radius; 0 returns the squares untouched and draws nothing.
        chance: decisions, on the CPU.
        generator: where the part lies, on the squares' device.

    Returns:
        The same shape, in [0, 1].
    """
    if not settings.defocus:
        return squares
    radii = (settings.defocus * _half_of_them(len(squares), chance)).tolist()
    pairs = zip(squares, radii, strict=True)
    return torch.stack([_out_of_focus(square, radius, generator) if radius else square for square, radius in pairs])


def _out_of_focus(square: Tensor, radius: float, generator: torch.Generator) -> Tensor:
    """(3, s, s) in [0, 1] -> the same, a part of it blurred by a disc of so many pixels."""
    device, light = square.device, to_light(square)
    field = torch.randn(1, 1, 5, 5, generator=generator, device=device)
    field = F.interpolate(field, size=square.shape[-2:], mode="bicubic", align_corners=True)[0]
    level, edge = torch.rand(2, generator=generator, device=device)
    part = ((field - 2 * level + 1) * 3 * 30**edge).sigmoid()  # (1, s, s); an edge of some 60 to 2 pixels
    return to_display(torch.lerp(light, lens_blur(light, radius), part))


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
