"""Out of focus: a lens makes a disc of every point."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F


def lens_blur(light: Tensor, radius: float) -> Tensor:
    """Blur by a disc with an antialiased rim, mirrored at the borders.

    Args:
        light: (C, s, s), linear light.
        radius: of the disc in pixels; it ends where the picture does.

    Returns:
        The same shape.
    """
    reach = min(math.ceil(radius), light.shape[-1] - 1)
    across = torch.arange(-reach, reach + 1.0, device=light.device)
    disc = (radius + 0.5 - torch.hypot(across[:, None], across[None])).clamp(0, 1)
    return F.conv2d(F.pad(light[:, None], (reach,) * 4, mode="reflect"), (disc / disc.sum())[None, None])[:, 0]
