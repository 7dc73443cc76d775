"""Picture files in and out: upright RGB, alpha, colour profile and EXIF, 8 or 16 bits.

The content decides what a file is, never its name, and only the formats listed in ``plain`` are
ever opened. Size is checked in the header; a picture beyond the cap is never decoded.
"""

from __future__ import annotations

import io
import math
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

import tifffile
from numpy import ndarray
from PIL import Image

from deblur_demo import settings
from deblur_demo.errors import DeblurError, InputError, LimitError, OutputError
from deblur_demo.media import deep, metadata, plain, png
from deblur_demo.media.paths import check_file, printable, shown, store

ACCEPTED_SUFFIXES = tuple(suffix for suffixes in plain.SUFFIXES.values() for suffix in suffixes)
ACCEPTED = "JPEG, PNG, WebP, TIFF, BMP, GIF" + (", AVIF" if "AVIF" in plain.SUFFIXES else "")

WRITTEN_KINDS = ("PNG", "JPEG", "WEBP", "TIFF", "BMP")
LONGEST_SIDES = {"WEBP": 16383, "JPEG": 65500}  # pixels; libjpeg stops a little before the format does
WRITTEN = "a name that ends in .png, .jpg, .webp, .tif or .bmp"

FIRST_FRAME = "It is an animation: only its first frame is used."

# A file of more bytes than 16-bit RGBA with some metadata is no picture within the cap.
BYTES_PER_PIXEL, SPARE_BYTES = 8, 64 << 20
JPEG_EXIF_BYTES = 65533
PREVIEW = 1  # TIFF page that is a reduced version of another
MAX_SAMPLES = 4
ICC_TAG = 34675
UNSIGNED = 1  # TIFF sample format


@dataclass(frozen=True, eq=False)
class Photo:
    """One picture, upright.

    Attributes:
        pixels: (H,W,3) RGB, uint8 or uint16 over their whole range.
        alpha: (H,W) of the same type, 0 transparent, or None. Colours are not multiplied by it.
        icc: RGB colour profile, byte for byte; None means sRGB.
        exif: camera and exposure, beginning with ``Exif`` and two NULs; never an orientation or a preview.
        notices: what was assumed or left out while reading, in sentences for a person.
    """

    pixels: ndarray
    alpha: ndarray | None = None
    icc: bytes | None = None
    exif: bytes | None = None
    notices: tuple[str, ...] = ()


def read_image(path: Path, max_megapixels: float | None = None, keep_metadata: bool = False) -> Photo:
    """Read one picture.

    Args:
        path: a regular file, or a link to one. It is only ever a path: a URL is not fetched.
        max_megapixels: largest picture accepted; None: ``settings.MAX_MEGAPIXELS``.
        keep_metadata: keep place (GPS), owner, serial numbers, comment and maker's note in ``exif``.

    Returns:
        The picture; of an animation or a file of several pages, the first.

    Raises:
        InputError: not a file, not an accepted format, damaged, or of samples that are not
            unsigned integers of at most 16 bits.
        LimitError: too many megapixels or bytes, or more than memory holds.
    """
    path = Path(path)
    limit = settings.MAX_MEGAPIXELS.current() if max_megapixels is None else max_megapixels
    name = shown(path)
    _check_bytes(check_file(path, "a picture file"), name, limit)
    try:
        with open(path, "rb") as stream:
            head = stream.read(64)
            kind = plain.recognise(head)
            if kind is None:
                raise InputError(f"{name} holds {plain.describe(head)}", ACCEPTED, "Convert it to one of these")
            stream.seek(0)
            read = {"PNG": _read_png, "TIFF": _read_tiff}.get(kind, _read_other)
            photo = read(stream, kind, name, limit, keep_metadata)
    except DeblurError:
        raise
    except (MemoryError, Image.DecompressionBombError) as error:
        found = f"{name} is too large for the memory at hand"
        raise LimitError(found, f"at most {limit:g} megapixels", "Scale it down first") from error
    except Exception as error:  # a decoder that is fed hostile bytes may raise anything
        reason = printable(str(error)[:100]) or type(error).__name__
        raise InputError(
            f"{name} cannot be read: {reason}", f"an intact {ACCEPTED}", "Copy or export it again"
        ) from error
    suffix = path.suffix.lower()
    if suffix in ACCEPTED_SUFFIXES and suffix not in plain.SUFFIXES[kind]:
        notice = f"The name ends in {suffix}, but the content is {kind} and was read as that."
        photo = replace(photo, notices=(*photo.notices, notice))
    return photo


def write_image(photo: Photo, path: Path) -> tuple[str, ...]:
    """Write one picture, in the format that the suffix names; it appears whole or not at all.

    PNG and TIFF keep 8 or 16 bits and alpha. JPEG (quality 95, 4:4:4), lossless WebP and BMP hold
    8 bits, to which 16 are rounded; JPEG and BMP drop alpha; BMP drops profile and EXIF; 16-bit
    TIFF drops EXIF.

    Args:
        photo: what to write.
        path: ends in .png, .jpg, .webp, .tif or .bmp, or another usual suffix of these formats.

    Returns:
        What the format could not hold, in sentences for a person.

    Raises:
        OutputError: another suffix, a picture beyond the format's size, no space, no permission.
    """
    path = Path(path)
    name = shown(path)
    kind = written_kind(path, photo)
    photo, notices = _fit(photo, kind)
    parts = photo.pixels, photo.alpha, photo.icc
    try:
        if kind == "PNG":
            data = png.encode(*parts, photo.exif)
        elif photo.pixels.dtype.itemsize == 2:
            data = deep.encode_tiff(*parts)
        else:
            data = plain.encode(*parts, photo.exif, kind)
    except Exception as error:  # an encoder that is fed a stranger's EXIF may raise anything
        reason = printable(str(error)[:100]) or type(error).__name__
        raise OutputError(
            f"{name} cannot be encoded: {reason}", "a picture that the format holds", "Try .png"
        ) from error
    store(data, path)
    return notices


def written_kind(path: Path, photo: Photo | None = None) -> str:
    """The format that ``write_image`` would write, to know before the work whether it can.

    Raises:
        OutputError: the suffix names none, or one that holds no picture of the photo's size.
    """
    kind = next((kind for kind in WRITTEN_KINDS if path.suffix.lower() in plain.SUFFIXES[kind]), None)
    if kind is None:
        raise OutputError(f"{shown(path)} names no format that can be written", WRITTEN, "Choose one of these")
    height, width = (1, 1) if photo is None else photo.pixels.shape[:2]
    most = LONGEST_SIDES.get(kind, math.inf)
    if max(height, width) > most:
        found = f"{shown(path)} cannot hold {width} x {height} pixels"
        raise OutputError(found, f"at most {most} pixels a side in {kind}", "Try .png")
    return kind


def _check_bytes(size: int, name: str, limit: float) -> None:
    most = int(limit * 1e6 * BYTES_PER_PIXEL) + SPARE_BYTES
    if size > most:
        raise LimitError(f"{name} has {size / 1e6:.0f} MB", f"at most {most / 1e6:.0f} MB", "Scale it down first")


def _check_size(size: tuple[int, int], name: str, limit: float) -> None:
    width, height = size
    if width < 1 or height < 1:
        raise InputError(f"{name} is {width} x {height} pixels", "at least 1 x 1", "Export it again")
    if width * height > limit * 1e6:
        raise LimitError(
            f"{name} is {width} x {height} pixels, {width * height / 1e6:.1f} megapixels",
            f"at most {limit:g} megapixels",
            "Scale it down first",
        )


def _read_png(stream: BinaryIO, kind: str, name: str, limit: float, keep: bool) -> Photo:
    _check_size(png.size(stream.read(33), name), name, limit)
    stream.seek(0)
    chunks = png.parse(stream.read(), name, metadata.MAX_ICC)
    if chunks.depth == 16:
        pixels, alpha = deep.decode_png(chunks)
        icc, notices = metadata.rgb_profile(chunks.icc)
    else:
        image = plain.open_header(io.BytesIO(chunks.picture), kind)
        if chunks.key and chunks.depth < 8:  # Pillow brings the samples of grey to 8 bits, the transparent one not
            image.info["transparency"] = chunks.key[0] * 255 // (2**chunks.depth - 1)
        pixels, alpha, icc, notices = plain.decode(image, chunks.icc, name)
    if chunks.animated:
        notices.append(FIRST_FRAME)
    return _upright(pixels, alpha, icc, chunks.exif, keep, notices)


def _read_tiff(stream: BinaryIO, kind: str, name: str, limit: float, keep: bool) -> Photo:
    with tifffile.TiffFile(stream) as file:
        page = file.pages.first
        _check_size((page.imagewidth, page.imagelength), name, limit)
        if page.subfiletype & PREVIEW:
            raise InputError(f"{name} begins with a preview, as camera raw files do", ACCEPTED, "Develop it first")
        if page.sampleformat != UNSIGNED or page.bitspersample not in (1, 2, 4, 8, 16):
            found = f"{page.bitspersample}-bit {'unsigned' if page.sampleformat == UNSIGNED else 'float or signed'}"
            raise InputError(f"{name} has {found} samples", metadata.SAMPLES, "Export it with 8 or 16 bits")
        if page.samplesperpixel > MAX_SAMPLES:
            found = f"{name} has {page.samplesperpixel} samples per pixel"
            raise InputError(found, f"at most {MAX_SAMPLES}", "Export it as RGB")
        if len(page.dataoffsets) < math.prod(page.chunked):  # decoders would fill the gaps with black
            raise InputError(f"{name} lacks parts of its pixel data", "an intact TIFF", "Copy or export it again")
        stream.seek(0)
        image = plain.open_header(stream, kind) if page.bitspersample < 16 else None
        _, exif, notices = metadata.understand(None if file.is_bigtiff else stream, keep)
        icc = page.tags.valueof(ICC_TAG)
        # Both decoders turn a TIFF by themselves.
        if image is not None:
            pixels, alpha, icc, more = plain.decode(image, icc, name)
        else:
            stream.seek(0)
            pixels, alpha = deep.decode_tiff(stream.read(), page, name)
            icc, more = metadata.rgb_profile(icc)
        with suppress(Exception):  # a second page that cannot be read is none
            file.pages[1]
            notices.append("It has several pages: only the first is used.")
    return Photo(pixels, alpha, icc, exif, (*notices, *more))


def _read_other(stream: BinaryIO, kind: str, name: str, limit: float, keep: bool) -> Photo:
    image = plain.open_header(stream, kind)
    _check_size(image.size, name, limit)
    pixels, alpha, icc, notices = plain.decode(image, image.info.get("icc_profile"), name)
    if getattr(image, "is_animated", False):
        notices.append(FIRST_FRAME if kind != "JPEG" else "It holds several pictures: only the first is used.")
    return _upright(pixels, alpha, icc, image.info.get("exif"), keep, notices)


def _upright(
    pixels: ndarray, alpha: ndarray | None, icc: bytes | None, raw_exif: bytes | None, keep: bool, notices: list[str]
) -> Photo:
    turn, exif, more = metadata.understand(raw_exif, keep)
    alpha = None if alpha is None else metadata.upright(alpha, turn)
    return Photo(metadata.upright(pixels, turn), alpha, icc, exif, (*notices, *more))


def _fit(photo: Photo, kind: str) -> tuple[Photo, tuple[str, ...]]:
    """Take away what a format cannot hold, and say so."""
    notices = []
    if photo.pixels.dtype.itemsize == 2 and kind not in ("PNG", "TIFF"):
        alpha = None if photo.alpha is None else deep.eight_bit(photo.alpha)
        photo = replace(photo, pixels=deep.eight_bit(photo.pixels), alpha=alpha)
        notices.append(f"{kind} holds 8 bits per channel: the 16-bit picture was rounded.")
    if photo.alpha is not None and kind in ("JPEG", "BMP"):
        photo = replace(photo, alpha=None)
        notices.append(f"{kind} holds no transparency: it was left out.")
    if photo.icc is not None and kind == "BMP":
        photo = replace(photo, icc=None)
        notices.append("BMP holds no colour profile: it was left out, and colours may shift.")
    deep_tiff = kind == "TIFF" and photo.pixels.dtype.itemsize == 2
    long = kind == "JPEG" and len(photo.exif or b"") > JPEG_EXIF_BYTES
    if photo.exif is not None and (kind == "BMP" or deep_tiff or long):
        photo = replace(photo, exif=None)
        notices.append(f"This {kind} cannot hold the EXIF data: it was left out.")
    return photo, tuple(notices)
