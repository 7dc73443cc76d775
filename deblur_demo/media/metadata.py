"""What travels beside the pixels: the colour profile (ICC.1:2022) and EXIF (CIPA DC-008)."""

from __future__ import annotations

import io
from typing import BinaryIO

import numpy as np
from numpy import ndarray
from PIL import Image, ImageCms
from PIL.ExifTags import IFD, Base

from deblur_demo.media.png import EXIF_MARK

MAX_ICC = 4 << 20  # bytes; printers' profiles have two or three megabytes, cameras' a few kilobytes

SAMPLES = "8 or 16 bits per channel, unsigned"
ICC_IGNORED = "Its colour profile is damaged, too large or of another colour space, and was ignored: sRGB is assumed."
EXIF_IGNORED = "Its EXIF data is damaged and was left out."

# The directory of a TIFF lists strips and sizes beside the camera, so the words to keep are named.
DESCRIPTIVE = (
    Base.ImageDescription,
    Base.Make,
    Base.Model,
    Base.XResolution,
    Base.YResolution,
    Base.ResolutionUnit,
    Base.Software,
    Base.DateTime,
    Base.Artist,
    Base.Copyright,
)
# True of the stored grid, which may be turned by now; and the place of a directory that is not copied.
UNWANTED = (Base.ExifImageWidth, Base.ExifImageHeight, IFD.Interop)
# What tells of the person behind the camera, or ties photos to one another. Artist and Copyright are meant to be read.
PRIVATE = (
    IFD.MakerNote,
    Base.UserComment,
    Base.CameraOwnerName,
    Base.BodySerialNumber,
    Base.LensSerialNumber,
    Base.ImageUniqueID,
)


def profile_space(icc: bytes) -> str | None:
    """The colour space a profile describes: "RGB", "GRAY", "CMYK", ...; None if it cannot be used."""
    if len(icc) > MAX_ICC:
        return None
    try:
        return ImageCms.ImageCmsProfile(io.BytesIO(icc)).profile.xcolor_space.strip()
    except (OSError, ValueError):
        return None


def to_srgb(image: Image.Image, icc: bytes) -> Image.Image:
    """A picture of grey, RGB or CMYK in sRGB, by its own profile, with perceptual intent.

    Raises:
        ImageCms.PyCMSError: the profile has no such transform.
    """
    source, target = ImageCms.ImageCmsProfile(io.BytesIO(icc)), ImageCms.createProfile("sRGB")
    if image.mode == "L":
        # There are 256 greys, so each is done exactly; by itself, the library interpolates coarsely in the shadows.
        ramp = Image.fromarray(np.arange(256, dtype=np.uint8)[None])
        exact = ImageCms.Flags.NOOPTIMIZE
        table = np.array(ImageCms.profileToProfile(ramp, source, target, outputMode="RGB", flags=exact))[0]  # (256, 3)
        return Image.fromarray(table[np.asarray(image)])
    fine = ImageCms.Flags.HIGHRESPRECALC
    return ImageCms.profileToProfile(image, source, target, outputMode="RGB", flags=fine)


def rgb_profile(icc: bytes | None) -> tuple[bytes | None, list[str]]:
    """The profile if it can stay with RGB pixels, else None and a notice."""
    if icc is None or profile_space(icc) == "RGB":
        return icc, []
    return None, [ICC_IGNORED]


def understand(source: bytes | BinaryIO | None, keep_private: bool) -> tuple[int, bytes | None, list[str]]:
    """What EXIF says and what of it may be written.

    Args:
        source: a TIFF structure, with or without the mark that JPEG puts before it; or a TIFF
            file, open; or None.
        keep_private: as in ``kept_exif``.

    Returns:
        Orientation 1 to 8, EXIF to write or None, and notices.
    """
    turn = 1
    if source is None:
        return turn, None, []
    try:
        exif = _parse(source) if isinstance(source, bytes) else Image.Exif()
        if not isinstance(source, bytes):
            source.seek(0)
            exif.load_from_fp(source)
        turn = _orientation(exif)
        return turn, kept_exif(exif, keep_private), []
    except Exception:  # Pillow raises whatever the damage leads to, from struct.error to KeyError
        return turn, None, [EXIF_IGNORED]


def upright(grid: ndarray, orientation: int) -> ndarray:
    """Turn a stored grid (H,W,...) the way its EXIF orientation asks (CIPA DC-008, 4.6.4): 2 to 8, others do not."""
    if orientation in (5, 6, 7, 8):
        grid = grid.swapaxes(0, 1)  # (W, H, ...)
    if orientation in (3, 4, 7, 8):
        grid = grid[::-1]
    if orientation in (2, 3, 6, 7):
        grid = grid[:, ::-1]
    return np.ascontiguousarray(grid)


def kept_exif(exif: Image.Exif, keep_private: bool) -> bytes | None:
    """EXIF to write: the camera and the exposure, without orientation and preview.

    Args:
        exif: as read.
        keep_private: keep GPS, the maker's note, which may hold a place as well, owner, serial numbers and comment.

    Returns:
        Bytes with the leading ``Exif`` mark, or None if nothing is left.
    """
    kept = Image.Exif()
    for tag in DESCRIPTIVE:
        if tag in exif:
            kept[tag] = exif[tag]
    unwanted = UNWANTED if keep_private else (*UNWANTED, *PRIVATE)
    if camera := {tag: value for tag, value in exif.get_ifd(IFD.Exif).items() if tag not in unwanted}:
        kept[IFD.Exif] = camera
    if keep_private and (place := exif.get_ifd(IFD.GPSInfo)):
        kept[IFD.GPSInfo] = dict(place)
    return kept.tobytes() if len(kept) else None


def _parse(raw: bytes) -> Image.Exif:
    """Like ``Image.Exif.load``, which forgives a directory that ends early and calls it empty."""
    body = raw.removeprefix(EXIF_MARK)
    order = {b"II*\0": "little", b"MM\0*": "big"}[body[:4]]
    start = int.from_bytes(body[4:8], order)
    entries = int.from_bytes(body[start : start + 2], order)
    if entries == 0 or len(body) < start + 2 + 12 * entries:
        raise ValueError("the first directory is cut off")
    exif = Image.Exif()
    exif.load(body)
    return exif


def _orientation(exif: Image.Exif) -> int:
    value = exif.get(Base.Orientation, 1) or 1  # 0: the camera does not know
    if value not in range(1, 9):
        raise ValueError(f"orientation {value!r}")
    return value
