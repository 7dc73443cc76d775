"""Figures of pixels as a picture: more is brighter, from black over purple and orange to nearly white."""

from __future__ import annotations

import numpy as np
from numpy import ndarray

# Equally far apart on the scale, sRGB. Lightness rises all the way, so the order survives without colour vision.
COLOURS = (
    (0, 0, 0),
    (44, 14, 92),
    (120, 24, 116),
    (196, 46, 84),
    (238, 106, 36),
    (250, 184, 56),
    (255, 253, 206),
)


def paint(figures: ndarray, top: float) -> ndarray:
    """Colours for figures.

    Args:
        figures: (H, W), any float type.
        top: figure of the brightest colour, above 0; 0 is the darkest. What lies outside is shown like the ends.

    Returns:
        (H, W, 3) uint8, RGB.
    """
    stops = np.linspace(0, 255, len(COLOURS))
    table = np.stack([np.interp(np.arange(256), stops, channel) for channel in zip(*COLOURS, strict=True)], axis=1)
    levels = np.clip(figures * np.float32(255 / top), 0, 255).round().astype(np.uint8)
    return table.round().astype(np.uint8)[levels]
