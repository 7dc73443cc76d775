"""From a decoded frame, as the file stores it, to upright 8-bit RGB in the colours of a screen."""

from __future__ import annotations

from fractions import Fraction

import av
import numpy as np
from av.sidedata.sidedata import Type
from av.video.reformatter import ColorRange, Colorspace, VideoReformatter
from numpy import ndarray

from deblur_demo.media import wide

# The scaler's bilinear filter with exact rounding and full chroma; PyAV 17 has no names for these bits.
EXACT = 0x2 | 0x40000 | 0x2000 | 0x4000
# Numbers of ITU-T H.273 for matrices that the scaler knows; others count as not said.
MATRICES = {0, 1, 4, 5, 6, 7, 9}
# Beyond these sides of an SD picture, files that do not say are in BT.709, as players assume.
SD_WIDTH, SD_HEIGHT = 1279, 576


class Upright:
    """Converts the frames of one stream, one after another."""

    def __init__(self) -> None:
        self._scaler = VideoReformatter()

    def __call__(self, frame: av.VideoFrame) -> ndarray:
        """The frame's pixels, (H,W,3) uint8 RGB, turned as the file says."""
        special = is_hdr(frame) or frame.color_primaries in wide.WIDE
        options = {
            "format": "rgb48le" if special else "rgb24",
            "dst_color_range": ColorRange.JPEG,
            "interpolation": EXACT,
        }
        if frame.colorspace not in MATRICES:
            sd = frame.width <= SD_WIDTH and frame.height <= SD_HEIGHT
            options["src_colorspace"] = Colorspace.SMPTE170M if sd else Colorspace.ITU709
        pixels = self._scaler.reformat(frame, **options).to_ndarray()
        if special:
            pixels = wide.to_standard(pixels, frame.color_trc, frame.color_primaries)
        degrees, mirrored = orientation(frame)
        if mirrored:
            pixels = pixels[:, ::-1]
        return np.ascontiguousarray(np.rot90(pixels, -degrees // 90))


def orientation(frame: av.VideoFrame) -> tuple[int, bool]:
    """How a frame must be turned to be upright: degrees clockwise, after it was mirrored left to right or not."""
    matrix = next((part for part in frame.side_data if part.type == Type.DISPLAYMATRIX), None)
    if matrix is None:
        return 0, False
    a, b, _, c, d, *_ = (int(number) for number in np.frombuffer(bytes(matrix), np.int32))
    mirrored = a * d - b * c < 0
    degrees = 180 - frame.rotation if mirrored else -frame.rotation
    return round(degrees / 90) * 90 % 360, mirrored


def is_hdr(frame: av.VideoFrame) -> bool:
    """Whether its brightness is stored by one of the two curves of high dynamic range, PQ and HLG."""
    return frame.color_trc in wide.HDR_CURVES


def notices(frame: av.VideoFrame) -> list[str]:
    """What the conversion changes beyond rounding, in sentences for a person."""
    depth = max(component.bits for component in frame.format.components)
    found = []
    if is_hdr(frame):
        found.append("It is HDR and was converted to standard brightness: what is brighter than white became white.")
    elif depth > 8:
        found.append(f"Its {depth} bits per channel were rounded to 8.")
    if frame.color_primaries in wide.WIDE:
        found.append("Its wide range of colours was converted to that of usual screens (BT.709).")
    if has_alpha(frame):
        found.append("Its transparency was left out.")
    if frame.interlaced_frame:
        found.append(INTERLACED)
    return found


INTERLACED = "It is interlaced: every frame was deinterlaced first."


def has_alpha(frame: av.VideoFrame) -> bool:
    """Whether any pixel of the frame is transparent."""
    if not any(component.is_alpha for component in frame.format.components):
        return False
    return bool(frame.reformat(format="rgba").to_ndarray()[..., 3].min() < 255)


def pixel_aspect(stored: Fraction | None, degrees: int) -> Fraction:
    """Width by height of an upright pixel; 1 where the file says nothing or nonsense."""
    if not stored or not Fraction(1, 16) <= stored <= 16:
        return Fraction(1)
    return 1 / stored if degrees % 180 else stored
