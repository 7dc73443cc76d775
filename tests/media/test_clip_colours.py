"""Clips in: what becomes of their colours and bits, in files that this module makes itself."""

from __future__ import annotations

import av
import numpy as np
import pytest
from av.video.reformatter import ColorPrimaries, Colorspace, ColorTrc

from deblur_demo.media import wide
from deblur_demo.media.clip import probe, read_frames


@pytest.mark.parametrize("size", [(64, 48), (1280, 64)])
def test_files_that_do_not_name_their_colours(home, clips, size):
    """Small pictures are in BT.601 then, large ones in BT.709, as in players."""
    matrix = Colorspace.ITU601 if size == (64, 48) else Colorspace.ITU709

    def untagged(index: int, width: int, height: int) -> av.VideoFrame:
        frame = av.VideoFrame.from_ndarray(clips.flat((30, 160, 60))(index, width, height), format="rgb24")
        frame = frame.reformat(format="yuv420p", dst_colorspace=matrix, dst_color_range=1)
        frame.colorspace = 2
        return frame

    path = clips.make(home / "a.mp4", times=(0, 40), size=size, draw=untagged)
    assert np.abs(next(read_frames(path)).pixels.astype(int) - (30, 160, 60)).max() <= 3


def test_ten_bits_become_eight(home, clips):
    path = clips.make(home / "a.mp4", pix_fmt="yuv420p10le")
    assert probe(path).notices == ("Its 10 bits per channel were rounded to 8.",)
    frame = next(read_frames(path))
    assert frame.pixels.dtype == np.uint8
    assert np.abs(frame.pixels.astype(int) - clips.picture(0, 64, 48)).mean() < 6


def test_hdr_becomes_standard(home, clips):
    """The white of paper, 203 cd/m2, is at 58 % of the PQ curve (BT.2408) and white on a screen; 26 cd/m2 is grey."""

    def grey(index: int, width: int, height: int) -> av.VideoFrame:
        frame = av.VideoFrame(width, height, "yuv420p10le")
        for plane, sample in zip(frame.planes, (64 + round(876 * (0.5807, 0.3788)[index]), 512, 512), strict=True):
            plane.update(np.full(plane.buffer_size // 2, sample, np.uint16))
        return frame

    path = clips.make(
        home / "a.mp4",
        times=(0, 40),
        pix_fmt="yuv420p10le",
        draw=grey,
        colorspace=9,
        color_range=1,
        color_trc=ColorTrc.SMPTE2084,
        color_primaries=ColorPrimaries.BT2020,
    )
    hdr, wide = probe(path).notices
    assert "HDR" in hdr and "BT.709" in wide
    white, grey = (frame.pixels[20, 30].astype(int) for frame in read_frames(path))
    assert white.min() >= 250
    assert np.abs(grey - 255 * (26 / 203) ** (1 / 2.4)).max() <= 2


@pytest.mark.parametrize(
    ("curve", "primaries", "code", "expected"),
    [
        (ColorTrc.SMPTE2084, ColorPrimaries.BT2020, (0.5807,) * 3, (255, 255, 255)),  # 203 cd/m2
        (ColorTrc.SMPTE2084, ColorPrimaries.UNSPECIFIED, (0.5081,) * 3, (190, 190, 190)),  # 100 cd/m2
        (ColorTrc.SMPTE2084, ColorPrimaries.BT2020, (1.0, 0.0, 0.0), (255, 0, 0)),
        (ColorTrc.ARIB_STD_B67, ColorPrimaries.BT2020, (0.75,) * 3, (255, 255, 255)),  # 203 cd/m2 as well
        (ColorTrc.ARIB_STD_B67, ColorPrimaries.BT2020, (0.5,) * 3, (143, 143, 143)),  # 50.6 cd/m2
        (ColorTrc.BT709, ColorPrimaries.SMPTE432, (0.5,) * 3, (128, 128, 128)),
        (ColorTrc.BT709, ColorPrimaries.SMPTE432, (0.9, 0.5, 0.5), (244, 121, 124)),
    ],
)
def test_wide_colours_on_a_usual_screen(curve, primaries, code, expected):
    """Levels by hand from the formulas of BT.2100 and the matrices, at a gamma of 2.4."""
    pixels = np.full((2, 3, 3), np.round(np.multiply(code, 65535)), np.uint16)
    result = wide.to_standard(pixels, curve, primaries)
    assert result.dtype == np.uint8
    assert np.abs(result.astype(int) - expected).max() <= 2
