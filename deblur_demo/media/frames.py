"""Pixels to tensors and back: integers of a file, [0,1] of a network."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy import ndarray
from torch import Tensor


def to_tensor(pixels: ndarray) -> Tensor:
    """(H,W,3) uint8 or uint16 -> (1,3,H,W) fp32 in [0,1], on the CPU.

    >>> to_tensor(np.full((1, 1, 3), 51, np.uint8)).flatten().tolist()
    [0.20000000298023224, 0.20000000298023224, 0.20000000298023224]
    """
    planes = np.ascontiguousarray(pixels.transpose(2, 0, 1), dtype=np.float32)  # (3, H, W)
    return torch.from_numpy(planes).div_(np.iinfo(pixels.dtype).max)[None]  # (1, 3, H, W)


def to_pixels(image: Tensor, dtype: np.dtype | type) -> ndarray:
    """(1,3,H,W) finite, any float type and device -> (H,W,3) of ``dtype``, uint8 or uint16.

    Values are clamped to [0,1] and rounded to the nearest level, so ``to_tensor`` is undone exactly.
    """
    levels = np.iinfo(dtype).max
    pixels = np.empty((*image.shape[2:], 3), dtype)
    for channel in range(3):  # one at a time, because a large photo's float copy is large too
        plane = image[0, channel].detach().float().clamp(0, 1).mul_(levels).round_()
        pixels[..., channel] = plane.cpu().numpy()
    return pixels


def window(frames: Sequence[Tensor]) -> Tensor:
    """N frames (1,3,H,W) in the order of time -> the window (1,N,3,H,W) that a ``Restorer`` takes."""
    return torch.stack(tuple(frames), dim=1)
