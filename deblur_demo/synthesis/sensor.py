"""Noise where a camera has it: on the raw mosaic, before white balance, demosaicing and tone curve.

RSBlur (Rim 2022, section 4) measures that a small camera pipeline of this kind brings synthetic
blur nearer to real photos than noise added to the finished picture: demosaicing makes noise smooth
and coloured, white balance makes it stronger in red and blue.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F


@dataclass(frozen=True)
class RawSettings:
    """The sensor, in units of its white level.

    Attributes:
        shot: scale b1 of the Poisson part, times U(0.5, 1.5).
        read: standard deviation b2 of the Gaussian part, times U(0.5, 1.5).
        red, blue: ranges of the white balance gains.
    """

    shot: float = 1e-4
    read: float = 9.15e-4
    red: tuple[float, float] = (1.9, 2.4)
    blue: tuple[float, float] = (1.5, 1.9)


def raw_noise(image: Tensor, settings: RawSettings, generator: torch.Generator) -> Tensor:
    """Take pictures back to a raw mosaic, add Poisson-Gaussian noise, and develop them again.

    Args:
        image: (B, 3, H, W), or windows of frames from one camera each, (B, N, 3, H, W); display
            values (sRGB) in [0, 1].
        settings: the sensor.
        generator: random source on the pictures' device.

    Returns:
        The same shape, in [0, 1].
    """
    frames = image.reshape(-1, *image.shape[-3:])  # (F, 3, H, W)
    each = len(frames) // max(1, len(image))

    def drawn(low: float, high: float) -> Tensor:
        value = torch.rand(len(image), generator=generator, device=image.device)
        return (low + (high - low) * value).repeat_interleave(each).view(-1, 1, 1, 1)

    red, blue = drawn(*settings.red), drawn(*settings.blue)
    gains = torch.cat((red, torch.ones_like(red), blue), dim=1)  # (F, 3, 1, 1)
    shot, read = settings.shot * drawn(0.5, 1.5), settings.read * drawn(0.5, 1.5)
    down, right = (drawn(0, 2).long().clamp(max=1) for _ in range(2))
    sites = _bayer(frames, down, right)

    mosaic = (srgb_to_light(frames) / gains * sites).sum(dim=1, keepdim=True)  # (F, 1, H, W)
    noise = read * torch.randn(mosaic.shape, generator=generator, device=image.device)
    mosaic = torch.poisson(mosaic / shot, generator=generator) * shot + noise
    return light_to_srgb(demosaic(mosaic, sites) * gains).view_as(image)


def demosaic(mosaic: Tensor, sites: Tensor) -> Tensor:
    """Interpolate a Bayer mosaic with the linear filters of Malvar, He and Cutler (2004).

    Args:
        mosaic: (B, 1, H, W).
        sites: which colour each pixel has, (B, 3, H, W), 0 or 1.

    Returns:
        (B, 3, H, W); where the three colours change alike and linearly it is exact.
    """
    filters = mosaic.new_tensor(_MALVAR).view(4, 1, 5, 5) / 8
    green, along, across, diagonal = F.conv2d(F.pad(mosaic, (2,) * 4, mode="reflect"), filters).split(1, dim=1)
    red_site, green_site, blue_site = sites.bool().split(1, dim=1)
    red_row = red_site.any(-1, keepdim=True)

    def other(site: Tensor, row: Tensor) -> Tensor:
        beside = torch.where(row, along, across)
        return torch.where(site, mosaic, torch.where(green_site, beside, diagonal))

    return torch.cat(
        (other(red_site, red_row), torch.where(green_site, mosaic, green), other(blue_site, ~red_row)), dim=1
    )


def srgb_to_light(image: Tensor) -> Tensor:
    """IEC 61966-2-1: display values in [0, 1] -> linear light."""
    return torch.where(image <= 0.04045, image / 12.92, ((image.clamp(min=0.04045) + 0.055) / 1.055) ** 2.4)


def light_to_srgb(light: Tensor) -> Tensor:
    """Linear light -> display values, clipped to [0, 1] as a sensor does."""
    light = light.clamp(0, 1)
    return torch.where(light <= 0.0031308, light * 12.92, 1.055 * light.clamp(min=0.0031308) ** (1 / 2.4) - 0.055)


def _bayer(frames: Tensor, down: Tensor, right: Tensor) -> Tensor:
    """Masks of red, green and blue, (F, 3, H, W), of the RGGB pattern moved by (F, 1, 1, 1) of 0 or 1."""
    height, width = frames.shape[-2:]
    odd_row = (torch.arange(height, device=frames.device).view(1, 1, -1, 1) + down) % 2
    odd_column = (torch.arange(width, device=frames.device).view(1, 1, 1, -1) + right) % 2
    red, blue = (1 - odd_row) * (1 - odd_column), odd_row * odd_column
    return torch.cat((red, 1 - red - blue, blue), dim=1).to(frames.dtype)


# Green at red and blue; a colour at green with its own kind left and right; the same above and
# below; red at blue and the other way round. In eighths.
_MALVAR = (
    ((0, 0, -1, 0, 0), (0, 0, 2, 0, 0), (-1, 2, 4, 2, -1), (0, 0, 2, 0, 0), (0, 0, -1, 0, 0)),
    ((0, 0, 0.5, 0, 0), (0, -1, 0, -1, 0), (-1, 4, 5, 4, -1), (0, -1, 0, -1, 0), (0, 0, 0.5, 0, 0)),
    ((0, 0, -1, 0, 0), (0, -1, 4, -1, 0), (0.5, 0, 5, 0, 0.5), (0, -1, 4, -1, 0), (0, 0, -1, 0, 0)),
    ((0, 0, -1.5, 0, 0), (0, 2, 0, 2, 0), (-1.5, 0, 6, 0, -1.5), (0, 2, 0, 2, 0), (0, 0, -1.5, 0, 0)),
)
