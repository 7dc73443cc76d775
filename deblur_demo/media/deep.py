"""Pictures of 16 bits per channel, which Pillow cannot hold: OpenCV and tifffile do them."""

from __future__ import annotations

import io

import cv2
import numpy as np
import tifffile
from numpy import ndarray
from PIL.ExifTags import Base

from deblur_demo.errors import InputError
from deblur_demo.media.metadata import upright
from deblur_demo.media.png import Png

PEAK = 65535
UNCOMPRESSED = 1
CONTIGUOUS = 1  # planar configuration: the samples of a pixel lie side by side
WHITE_IS_ZERO, BLACK_IS_ZERO, RGB = 0, 1, 2  # photometric interpretations
ASSOCIATED, UNASSOCIATED = 1, 2  # extra samples: alpha that the colours are multiplied by, or are not

# Failures come back as exceptions; the log would print each of them a second time.
cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)


def eight_bit(plane: ndarray) -> ndarray:
    """A plane or picture of uint16, or of uint8 already, as uint8."""
    return plane if plane.dtype == np.uint8 else cv2.convertScaleAbs(plane, alpha=255 / PEAK)


def decode_png(png: Png) -> tuple[ndarray, ndarray | None]:
    """Pixels (H,W,3) and alpha (H,W) or None, both uint16, of a 16-bit PNG."""
    samples = _decode(png.picture)
    pixels, alpha = _split(samples, colours=1 if samples.shape[2] == 1 else 3, has_alpha=True)
    if alpha is None and png.key:  # OpenCV knows the transparent colour of RGB only
        alpha = np.where(samples[..., 0] == png.key[0], 0, PEAK).astype(np.uint16)
    return pixels, alpha


def decode_tiff(data: bytes, page: tifffile.TiffPage, name: str) -> tuple[ndarray, ndarray | None]:
    """Pixels (H,W,3) and alpha (H,W) or None, both uint16 and upright, of a 16-bit TIFF page.

    Args:
        data: the whole file.
        page: its first page, of unsigned samples.
        name: of the file, for errors.

    Raises:
        InputError: neither grey nor RGB, or in an order of samples that no decoder here does safely.
    """
    if page.photometric not in (WHITE_IS_ZERO, BLACK_IS_ZERO, RGB):
        raise InputError(
            f"{name} has 16-bit samples of colour space {getattr(page.photometric, 'name', repr(page.photometric))}",
            "grey or RGB in 16-bit TIFF",
            "Export it as RGB",
        )
    if page.planarconfig == CONTIGUOUS and page.samplesperpixel in (1, 3, 4):
        samples = _decode(data)  # turns the picture by itself
    elif page.compression != UNCOMPRESSED:  # tifffile would unpack any strip to any size
        raise InputError(
            f"{name} has compressed 16-bit samples in an unusual order",
            "16-bit TIFF with the samples of a pixel side by side, or uncompressed",
            "Export it as PNG",
        )
    else:  # orders that OpenCV mixes up
        planes = page.asarray()
        samples = planes if page.planarconfig == CONTIGUOUS else np.moveaxis(planes, 0, 2)
        samples = upright(samples, page.tags.valueof(Base.Orientation, 1))
    colours = 3 if page.photometric == RGB else 1
    extra = page.extrasamples[0] if page.extrasamples else UNASSOCIATED
    pixels, alpha = _split(samples, colours, has_alpha=extra in (ASSOCIATED, UNASSOCIATED))
    if page.photometric == WHITE_IS_ZERO:
        np.subtract(PEAK, pixels, out=pixels)
    if alpha is not None and extra == ASSOCIATED:
        _divide(pixels, alpha)
    return pixels, alpha


def encode_tiff(pixels: ndarray, alpha: ndarray | None, icc: bytes | None) -> bytes:
    """A deflated 16-bit RGB or RGBA TIFF."""
    file = io.BytesIO()
    tifffile.imwrite(
        file,
        pixels if alpha is None else np.dstack((pixels, alpha)),
        photometric="rgb",
        extrasamples=None if alpha is None else ["unassalpha"],
        compression="zlib",
        compressionargs={"level": 1},  # higher levels cost twice the time for one per cent
        predictor=True,
        rowsperstrip=64,
        iccprofile=icc,
        metadata=None,
        software=False,
    )
    return file.getvalue()


def _decode(data: bytes) -> ndarray:
    """Samples (H, W, 1, 3 or 4) uint16, colours in the order R, G, B."""
    samples = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if samples is None or samples.dtype != np.uint16:
        raise ValueError("its pixels cannot be decoded as 16-bit samples")
    if samples.ndim == 2:
        return samples[..., None]
    return cv2.cvtColor(samples, cv2.COLOR_BGR2RGB if samples.shape[2] == 3 else cv2.COLOR_BGRA2RGBA)


def _split(samples: ndarray, colours: int, has_alpha: bool) -> tuple[ndarray, ndarray | None]:
    """(H, W, colours [+ extra]) -> pixels (H, W, 3), alpha (H, W) or None."""
    pixels = np.repeat(samples[..., :1], 3, axis=2) if colours == 1 else np.ascontiguousarray(samples[..., :3])
    alpha = samples[..., colours].copy() if has_alpha and samples.shape[2] > colours else None
    return pixels, alpha


def _divide(pixels: ndarray, alpha: ndarray) -> None:
    """Undo the multiplication by alpha, in place; where alpha is 0 the colour is lost and stays 0."""
    for channel in range(3):
        plain = pixels[..., channel] * (np.float32(PEAK) / np.maximum(alpha, 1))
        pixels[..., channel] = np.minimum(np.rint(plain), PEAK)
