"""The progress of a restoration as a short animation: the input, every step, the last one longer; WebP or MP4."""

from __future__ import annotations

import io
from collections.abc import Sequence
from contextlib import suppress
from fractions import Fraction
from pathlib import Path

import numpy as np
from numpy import ndarray
from PIL import Image, ImageCms, ImageDraw, ImageFont

from deblur_demo.errors import OutputError
from deblur_demo.media.clip import ClipInfo, ClipWriter, Frame
from deblur_demo.media.deep import eight_bit
from deblur_demo.media.image import Photo
from deblur_demo.media.metadata import to_srgb
from deblur_demo.media.paths import shown, store
from deblur_demo.media.shrink import shrink

SUFFIXES = (".webp", ".mp4")
MEGAPIXELS, LONGEST_SIDE = 0.5, 1280  # of a frame; seven are encoded in about a second on one core
FIRST, STEP, LAST = Fraction(1), Fraction(6, 10), Fraction(2)  # seconds that a frame is shown
WEBP_QUALITY = 80
H264_CRF = 20
LETTERS = 1 / 24, 11  # height of the label, as a share of the shorter side; at least so many pixels
PLATE = (15, 23, 42, 190)  # behind the label, so that it can be read on anything


def check_suffix(target: Path) -> None:
    """See, before the work, that an animation can be written under a name.

    Raises:
        OutputError: the name says neither WebP nor MP4.
    """
    if target.suffix.lower() not in SUFFIXES:
        raise OutputError(
            f"{shown(target)} names no format of animations",
            f"a name that ends in {' or '.join(SUFFIXES)}",
            "Choose one of these",
        )


def frame_of(photo: Photo, label: str) -> ndarray:
    """One frame of an animation: smaller, in 8-bit sRGB, on white where it is transparent, with its label.

    Args:
        photo: any size and depth.
        label: drawn small into the lower left corner; a word or a number.

    Returns:
        (h,w,3) uint8, at most half a megapixel and 1280 pixels a side.
    """
    photo = shrink(photo, MEGAPIXELS, LONGEST_SIDE)
    image = Image.fromarray(eight_bit(photo.pixels))
    if photo.icc is not None:
        with suppress(ImageCms.PyCMSError, OSError):  # without a profile that works, sRGB is assumed
            image = to_srgb(image, photo.icc)
    if photo.alpha is not None:
        image = Image.composite(image, Image.new("RGB", image.size, "white"), Image.fromarray(eight_bit(photo.alpha)))
    return np.asarray(_labelled(image, label))


def write_animation(frames: Sequence[ndarray], target: Path) -> None:
    """Write an animation; it appears whole or not at all. A WebP starts over again, an MP4 as its player likes.

    Args:
        frames: from ``frame_of``, of one size; the input first.
        target: ends in .webp (lossy) or .mp4 (H.264; an odd side gets its last row or column once more).

    Raises:
        OutputError: another suffix, no space, no permission, or a size that the codec cannot hold.
    """
    check_suffix(target)
    seconds = [FIRST, *[STEP] * (len(frames) - 2), LAST][: len(frames)]
    (_write_mp4 if target.suffix.lower() == ".mp4" else _write_webp)(frames, seconds, target)


def _write_webp(frames: Sequence[ndarray], seconds: Sequence[Fraction], target: Path) -> None:
    first, *others = map(Image.fromarray, frames)
    file = io.BytesIO()
    milliseconds = [int(1000 * duration) for duration in seconds]
    first.save(
        file, "WEBP", save_all=True, append_images=others, duration=milliseconds, loop=0, quality=WEBP_QUALITY, method=2
    )
    store(file.getbuffer(), target)


def _write_mp4(frames: Sequence[ndarray], seconds: Sequence[Fraction], target: Path) -> None:
    height, width = frames[0].shape[:2]
    total = sum(seconds)
    told = ClipInfo(target, width, height, len(frames), float(total), len(frames) / total, Fraction(1, 1000))
    with ClipWriter(told, target, crf=H264_CRF) as writer:
        time = Fraction(0)
        for index, (pixels, duration) in enumerate(zip(frames, seconds, strict=True)):
            writer.write(Frame(index, time, pixels, duration))
            time += duration
        writer.close(complete=True)


def _labelled(image: Image.Image, label: str) -> Image.Image:
    share, least = LETTERS
    font = ImageFont.load_default(max(least, round(share * min(image.size))))
    left, top, right, bottom = font.getbbox(label)
    gap = round(font.size / 2)
    width, height = right + 2 * gap, round(1.3 * font.size) + gap  # one height, whatever the letters
    plate = Image.new("RGBA", (width, height), PLATE)
    ImageDraw.Draw(plate).text((gap, height / 2), label, "white", font, anchor="lm")
    image.paste(plate, (0, image.height - height), plate)
    return image
