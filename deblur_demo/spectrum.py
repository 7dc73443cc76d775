"""Radial power spectrum of a picture: how much detail it has at each frequency (Park 2020, figure 5).

Blur takes the high frequencies away; a restoration that works brings their power back towards the
sharp picture's, and one that overdoes it goes past it.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy import ndarray

BINS = 48  # rings of equal width between frequency 0 and 1/2
SIDE = 1024  # the middle of larger pictures is read


def radial_spectrum(pixels: ndarray) -> ndarray:
    """Mean power of the luma in rings of equal frequency.

    A Hann window keeps the borders, which do not meet, from looking like detail.

    Args:
        pixels: (H, W, 3) uint8 or uint16, RGB; of larger pictures the middle 1024 a side are read.

    Returns:
        (48,) decibels; ring k spans k/96 to (k+1)/96 cycles a pixel. 0 dB is the power of white
        noise whose standard deviation is one 8-bit level. NaN where a small picture has no
        frequency in a ring.
    """
    height, width = pixels.shape[:2]
    top, left = max(0, height - SIDE) // 2, max(0, width - SIDE) // 2
    middle = pixels[top : top + SIDE, left : left + SIDE].astype(np.float32)
    luma = cv2.cvtColor(middle, cv2.COLOR_RGB2GRAY) * (255 / np.iinfo(pixels.dtype).max)
    window = np.outer(np.hanning(luma.shape[0] + 2)[1:-1], np.hanning(luma.shape[1] + 2)[1:-1])
    light = (luma - np.average(luma, weights=window)) * window
    power = np.abs(np.fft.fft2(light)) ** 2 / np.square(window).sum()

    frequency = np.hypot(np.fft.fftfreq(luma.shape[0])[:, None], np.fft.fftfreq(luma.shape[1]))
    ring = (frequency * 2 * BINS).astype(int)  # the corners, beyond 1/2, are left out
    inside = ring < BINS
    total = np.bincount(ring[inside], power[inside], BINS)
    count = np.bincount(ring[inside], minlength=BINS)
    with np.errstate(divide="ignore", invalid="ignore"):
        return 10 * np.log10(np.maximum(total / count, 1e-6))


def frequencies() -> ndarray:
    """Middles of the rings in cycles a pixel, (48,)."""
    return (np.arange(BINS) + 0.5) / (2 * BINS)
