"""Pictures of up to 8 bits per channel: Pillow reads and writes them, one named format at a time."""

from __future__ import annotations

import io
from typing import BinaryIO

import numpy as np
from numpy import ndarray

# Importing a plugin registers it. Those not named here (EPS, PDF, FITS, ...) are never asked.
from PIL import (
    AvifImagePlugin,  # noqa: F401
    BmpImagePlugin,  # noqa: F401
    GifImagePlugin,  # noqa: F401
    Image,
    ImageChops,
    ImageCms,
    JpegImagePlugin,  # noqa: F401
    PngImagePlugin,  # noqa: F401
    TiffImagePlugin,  # noqa: F401
    WebPImagePlugin,  # noqa: F401
    features,
)

from deblur_demo.errors import InputError
from deblur_demo.media import metadata

SUFFIXES = {
    "JPEG": (".jpg", ".jpeg", ".jpe", ".jfif", ".mpo"),
    "PNG": (".png", ".apng"),
    "WEBP": (".webp",),
    "TIFF": (".tif", ".tiff"),
    "BMP": (".bmp", ".dib"),
    "GIF": (".gif",),
    "AVIF": (".avif",),
}
if not features.check("avif"):
    del SUFFIXES["AVIF"]

OPAQUE_MODES = ("1", "L", "P", "RGB", "RGBX", "YCbCr", "CMYK")
ALPHA_MODES = ("LA", "La", "PA", "RGBA", "RGBa")

SAVE_OPTIONS = {
    "JPEG": {"quality": 95, "subsampling": 0},
    # Exact: keep colours under alpha 0. The least effort costs a tenth in size and saves nine tenths of the time.
    "WEBP": {"lossless": True, "exact": True, "method": 0, "quality": 0},
    "TIFF": {"compression": "tiff_adobe_deflate"},
    "BMP": {},
}

# What people drop by mistake, by its first bytes, so that the error can name it.
FOREIGN = {
    b"%PDF": "a PDF",
    b"%!PS": "PostScript",
    b"\xc5\xd0\xd3\xc6": "EPS",
    b"SIMPLE  =": "FITS",
    b"PK": "a ZIP archive",
    b"\x7fELF": "a program",
    b"MZ": "a program",
    b"<": "SVG, HTML or XML",
}
HEIC_BRANDS = (b"heic", b"heix", b"hevc", b"heim", b"heis", b"mif1", b"msf1")


def recognise(head: bytes) -> str | None:
    """The format whose mark a file begins with, a key of ``SUFFIXES``, or None."""
    # An accept function may also answer with a sentence about a missing decoder.
    return next((kind for kind in SUFFIXES if Image.OPEN[kind][1](head) is True), None)


def describe(head: bytes) -> str:
    """What a file is that no format here recognises, for an error."""
    if head[4:8] == b"ftyp":
        return "HEIC" if head[8:12] in HEIC_BRANDS else "a video"
    start = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    return next((what for mark, what in FOREIGN.items() if start.startswith(mark)), "no picture that is known here")


def open_header(stream: BinaryIO, kind: str) -> Image.Image:
    """Read the header only.

    ``Image.open`` would apply Pillow's own pixel limit, which is a process-wide number; the
    format's own reader leaves the decision to our cap.
    """
    return Image.OPEN[kind][0](stream, "")


def decode(image: Image.Image, icc: bytes | None, name: str) -> tuple[ndarray, ndarray | None, bytes | None, list[str]]:
    """Decode what ``open_header`` opened.

    Args:
        image: within the cap.
        icc: the profile in the file, unchecked.
        name: of the file, for errors.

    Returns:
        Pixels (H,W,3) uint8, alpha (H,W) uint8 or None, the profile that goes with the pixels or
        None, and notices.
    """
    if image.mode not in OPAQUE_MODES + ALPHA_MODES:
        raise InputError(f"{name} has samples of kind {image.mode}", metadata.SAMPLES, "Export it as 8-bit RGB")
    image.load()
    if image.mode == "CMYK" and image.format == "JPEG" and "adobe" not in image.info:
        image = ImageChops.invert(image)  # Pillow takes every CMYK JPEG for one of Adobe's, which are inverted
    image, alpha = _without_alpha(image)
    image, icc, notices = _in_rgb(image, icc)
    return np.array(image), alpha, icc, notices


def encode(pixels: ndarray, alpha: ndarray | None, icc: bytes | None, exif: bytes | None, kind: str) -> memoryview:
    """A JPEG (quality 95, 4:4:4) or a lossless WebP, TIFF or BMP; see ``SAVE_OPTIONS``.

    Args:
        pixels: (H,W,3) uint8.
        alpha: (H,W) uint8 or None; None where the format has none.
        icc, exif: as in ``Photo``, None where the format has none.
        kind: a key of ``SAVE_OPTIONS``.
    """
    image = Image.fromarray(pixels if alpha is None else np.dstack((pixels, alpha)))
    extras = {"icc_profile": icc, "exif": exif}
    options = SAVE_OPTIONS[kind] | {key: value for key, value in extras.items() if value}
    if kind == "TIFF" and exif:
        options["compression"] = "raw"  # Pillow cannot write EXIF's inner directories into a compressed TIFF
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getbuffer()


def _without_alpha(image: Image.Image) -> tuple[Image.Image, ndarray | None]:
    """Take the transparency off: an alpha channel, or a colour or palette entries marked transparent."""
    if not image.has_transparency_data:
        return image, None
    if image.mode == "LA":
        return image.getchannel("L"), np.array(image.getchannel("A"))
    image = image.convert("RGBA")
    return image.convert("RGB"), np.array(image.getchannel("A"))


def _in_rgb(image: Image.Image, icc: bytes | None) -> tuple[Image.Image, bytes | None, list[str]]:
    """RGB, with the profile that holds for it (None: sRGB)."""
    family = {"CMYK": "CMYK", "L": "GRAY", "1": "GRAY"}.get(image.mode, "RGB")
    space = metadata.profile_space(icc) if icc is not None else None
    notices = []
    if space == family != "RGB":
        try:
            # A profile of ink or of grey says nothing about RGB, so it is applied here and now.
            image = metadata.to_srgb(image.convert("L") if image.mode == "1" else image, icc)
            return image, None, [f"Converted from its {space} colour profile to sRGB."]
        except ImageCms.PyCMSError:
            space = None
    if icc is not None and (space != "RGB" or family == "CMYK"):
        icc, notices = None, [metadata.ICC_IGNORED]
    if family == "CMYK":
        notices.append("Converted from CMYK to RGB without a colour profile, so colours are approximate.")
    return image if image.mode == "RGB" else image.convert("RGB"), icc, notices
