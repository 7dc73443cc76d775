"""Files that the tests of media make themselves, byte by byte where a library would refuse to."""

from __future__ import annotations

import io
import struct
import tempfile
import zipfile
import zlib
from types import SimpleNamespace

import numpy as np
import pytest
import tifffile
from numpy import ndarray
from PIL import Image

COLOUR_TYPES = {1: 0, 2: 4, 3: 2, 4: 6}  # samples per pixel -> PNG colour type


def png_chunk(kind: bytes, body: bytes = b"") -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png_bytes(samples: ndarray, before: bytes = b"", after: bytes = b"") -> bytes:
    """An unfiltered PNG of (H,W,1..4) uint8 or uint16 samples, with chunks before and after its pixels."""
    height, width, channels = samples.shape
    depth = samples.dtype.itemsize * 8
    rows = samples.astype(samples.dtype.newbyteorder(">")).reshape(height, -1).view(np.uint8)
    scanlines = np.pad(rows, ((0, 0), (1, 0))).tobytes()  # filter type 0 opens every row
    header = struct.pack(">IIBBBBB", width, height, depth, COLOUR_TYPES[channels], 0, 0, 0)
    pixels = png_chunk(b"IDAT", zlib.compress(scanlines))
    return b"\x89PNG\r\n\x1a\n" + png_chunk(b"IHDR", header) + before + pixels + after + png_chunk(b"IEND")


def pil_bytes(image: Image.Image | ndarray, kind: str, **options) -> bytes:
    """A file as Pillow writes it."""
    file = io.BytesIO()
    (image if isinstance(image, Image.Image) else Image.fromarray(image)).save(file, kind, **options)
    return file.getvalue()


def tiff_bytes(samples: ndarray, **options) -> bytes:
    """A file as tifffile writes it."""
    file = io.BytesIO()
    tifffile.imwrite(file, samples, **options)
    return file.getvalue()


def exif_bytes(orientation: int = 1) -> bytes:
    """A little-endian EXIF block by hand: orientation, a camera's name, and a place (GPS 50 deg N)."""
    place_at = 8 + 2 + 3 * 12 + 4
    north_at = place_at + 2 + 2 * 12 + 4
    first = struct.pack("<H", 3)
    first += struct.pack("<HHI4s", 0x010F, 2, 4, b"Cam\0")
    first += struct.pack("<HHIHH", 0x0112, 3, 1, orientation, 0)
    first += struct.pack("<HHII", 0x8825, 4, 1, place_at) + struct.pack("<I", 0)
    place = struct.pack("<H", 2) + struct.pack("<HHI4s", 1, 2, 2, b"N\0\0\0")
    place += struct.pack("<HHII", 2, 5, 3, north_at) + struct.pack("<I", 0)
    return b"Exif\0\0II*\0\x08\0\0\0" + first + place + struct.pack("<6I", 50, 1, 12345, 67, 0, 1)


def zip_bytes() -> bytes:
    """An archive of one text."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("a.txt", "text")
    return file.getvalue()


@pytest.fixture
def home(tmp_path, monkeypatch):
    """An empty folder to work in, and an empty temporary folder that must stay so."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temp"))
    (tmp_path / "temp").mkdir()
    (tmp_path / "home").mkdir()
    monkeypatch.chdir(tmp_path / "home")
    return tmp_path / "home"


def fixed(*numbers: float) -> bytes:
    return struct.pack(f">{len(numbers)}i", *(round(number * 65536) for number in numbers))


def icc_bytes(space: bytes, tags: dict[bytes, bytes]) -> bytes:
    """A display profile of version 4.3 (ICC.1:2022, 7.2 and 7.3) with the tags that all have, and some more."""
    words = "Made here".encode("utf-16-be")
    text = b"mluc\0\0\0\0" + struct.pack(">II2s2sII", 1, 12, b"en", b"US", len(words), 28) + words
    tags = {b"desc": text, b"cprt": text, b"wtpt": b"XYZ \0\0\0\0" + fixed(0.9642, 1.0, 0.8249), **tags}
    table, body, start = struct.pack(">I", len(tags)), b"", 128 + 4 + 12 * len(tags)
    for name, data in tags.items():
        table += struct.pack(">4sII", name, start + len(body), len(data))
        body += data + b"\0" * (-len(data) % 4)
    header = struct.pack(">I4xI4s4s4s", start + len(body), 0x04300000, b"mntr", space, b"XYZ ")
    header += struct.pack(">6H4s28x", 2026, 1, 1, 0, 0, 0, b"acsp") + fixed(0.9642, 1.0, 0.8249)
    return header.ljust(128, b"\0") + table + body


@pytest.fixture(scope="session")
def display_p3() -> bytes:
    """The primaries of Display-P3, adapted to D50, with gamma 2.2."""
    primaries = {
        b"r": (0.51512, 0.24120, -0.00105),
        b"g": (0.29198, 0.69225, 0.04189),
        b"b": (0.15710, 0.06657, 0.78407),
    }
    tags = {name + b"XYZ": b"XYZ \0\0\0\0" + fixed(*xyz) for name, xyz in primaries.items()}
    return icc_bytes(b"RGB ", tags | {name + b"TRC": b"para\0\0\0\0\0\0\0\0" + fixed(2.2) for name in primaries})


@pytest.fixture(scope="session")
def linear_grey() -> bytes:
    """A grey profile of gamma 1: twice the number is twice the light."""
    return icc_bytes(b"GRAY", {b"kTRC": b"para\0\0\0\0\0\0\0\0" + fixed(1.0)})


@pytest.fixture(scope="session")
def kit(display_p3, linear_grey) -> SimpleNamespace:
    """Everything that builds a file."""
    return SimpleNamespace(
        chunk=png_chunk,
        png=png_bytes,
        pil=pil_bytes,
        tiff=tiff_bytes,
        exif=exif_bytes,
        zip=zip_bytes,
        p3=display_p3,
        linear_grey=linear_grey,
    )
