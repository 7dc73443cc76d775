"""High dynamic range and wide colours to those of a usual screen (BT.709 at a gamma of 2.4).

The white of paper in HDR, 203 cd/m2 (ITU-R BT.2408), becomes white; what is brighter is clipped.
Curves: ITU-R BT.2100 (PQ in table 4, HLG in table 5 with the gamma of a display of 1000 cd/m2).
"""

from __future__ import annotations

from functools import cache

import numpy as np
from av.video.reformatter import ColorPrimaries, ColorTrc
from numpy import ndarray

PAPER = 203  # cd/m2
HLG_PEAK, HLG_GAMMA = 1000, 1.2
LUMA = (0.2627, 0.6780, 0.0593)  # BT.2020
GAMMA = 2.4  # BT.1886
PEAK = 65535

HDR_CURVES = (ColorTrc.SMPTE2084, ColorTrc.ARIB_STD_B67)
# Linear RGB to linear BT.709: BT.2020 by ITU-R BT.2087, P3 with the white of daylight by SMPTE EG 432.
BT2020 = ((1.6605, -0.5876, -0.0729), (-0.1246, 1.1329, -0.0083), (-0.0182, -0.1006, 1.1188))
P3 = ((1.2249, -0.2249, 0.0), (-0.0420, 1.0420, 0.0), (-0.0197, -0.0786, 1.0983))
WIDE = {ColorPrimaries.BT2020: BT2020, ColorPrimaries.SMPTE431: P3, ColorPrimaries.SMPTE432: P3}


def to_standard(pixels: ndarray, curve: int, primaries: int) -> ndarray:
    """Convert one picture.

    Args:
        pixels: (H,W,3) uint16 RGB over its whole range, as the file codes it.
        curve: transfer characteristics by ITU-T H.273.
        primaries: colour primaries by ITU-T H.273; those not said of HDR are BT.2020.

    Returns:
        (H,W,3) uint8 RGB for BT.709.
    """
    light = _light(int(curve))[pixels]  # (H,W,3) float32, 1 is white
    if curve == ColorTrc.ARIB_STD_B67:  # so far light of the scene
        scene = np.maximum(light @ np.float32(LUMA), 1e-6)[..., None]
        light *= scene ** np.float32(HLG_GAMMA - 1) * np.float32(HLG_PEAK / PAPER)
    matrix = WIDE.get(primaries, BT2020 if curve in HDR_CURVES else np.eye(3))
    light = light @ np.float32(matrix).T
    return np.round(np.clip(light, 0, 1) ** np.float32(1 / GAMMA) * 255).astype(np.uint8)


@cache
def _light(curve: int) -> ndarray:
    """(65536,) float32: the linear light that a code stands for."""
    code = np.linspace(0, 1, PEAK + 1)
    if curve == ColorTrc.SMPTE2084:
        m1, m2, c1, c2, c3 = 2610 / 16384, 2523 / 32, 3424 / 4096, 2413 / 128, 2392 / 128
        root = code ** (1 / m2)
        light = (np.maximum(root - c1, 0) / (c2 - c3 * root)) ** (1 / m1) * 10_000 / PAPER
    elif curve == ColorTrc.ARIB_STD_B67:
        a, b, c = 0.17883277, 0.28466892, 0.55991073
        light = np.where(code <= 0.5, code**2 / 3, (np.exp((code - c) / a) + b) / 12)
    else:
        light = code**GAMMA
    return light.astype(np.float32)
