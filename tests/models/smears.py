"""Photos smeared straight, whose truth is known."""

from __future__ import annotations

import math

import numpy as np
import torch

from deblur_demo.light import to_display, to_light
from deblur_demo.models.smear import motion_transfer


def photo_of(pixels: np.ndarray) -> torch.Tensor:
    """(H, W, 3) uint8 -> (1, 3, H, W) in [0, 1]."""
    return torch.from_numpy(pixels).permute(2, 0, 1)[None].float() / 255


def transfer(length: float, angle: float, height: int, width: int) -> torch.Tensor:
    """Of a motion of ``length`` px at ``angle`` degrees."""
    return motion_transfer(torch.tensor([length]), torch.tensor([math.radians(angle)]), height, width)


def kernel(length: float, angle: float, side: int = 25) -> np.ndarray:
    """The kernel itself, centred."""
    return np.fft.fftshift(torch.fft.irfft2(transfer(length, angle, side, side), s=(side, side))[0, 0].numpy())


def smeared(photo: torch.Tensor, length: float, angle: float, margin: int = 30) -> torch.Tensor:
    """Moved in linear light, 8 bits; the wrapped borders cut off."""
    spectrum = torch.fft.rfft2(to_light(photo)) * transfer(length, angle, *photo.shape[-2:])
    moved = to_display(torch.fft.irfft2(spectrum, s=photo.shape[-2:]))
    return (moved[..., margin:-margin, margin:-margin] * 255).round() / 255
