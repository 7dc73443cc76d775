"""Smaller versions of photos, for screens and for what is too slow at full size."""

from __future__ import annotations

import math
from dataclasses import replace

import cv2
import numpy as np

from deblur_demo.media.image import Photo


def shrink(photo: Photo, megapixels: float, longest_side: float = math.inf) -> Photo:
    """The photo itself, or a smaller one of at most so many megapixels and pixels a side (8 and 16 bit alike)."""
    height, width = photo.pixels.shape[:2]
    scale = min((megapixels * 1e6 / (height * width)) ** 0.5, longest_side / max(height, width))
    if scale >= 1:
        return photo
    size = (max(1, int(width * scale)), max(1, int(height * scale)))

    def smaller(plane: np.ndarray) -> np.ndarray:
        return cv2.resize(plane, size, interpolation=cv2.INTER_AREA)

    alpha = None if photo.alpha is None else smaller(photo.alpha)
    return replace(photo, pixels=smaller(photo.pixels), alpha=alpha)
