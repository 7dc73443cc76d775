"""The files of a data set, in a folder or in a ``.zip`` of one, and pictures decoded from them."""

from __future__ import annotations

import io
import os
import re
import struct
import zipfile
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import filterfalse
from pathlib import Path, PurePosixPath
from threading import Lock
from typing import BinaryIO

import numpy as np
import torch
from PIL import Image, ImageOps
from torch import Tensor

from deblur_demo.errors import InputError
from deblur_demo.media.paths import make_folder, store
from training.shards import read_shards

try:
    import cv2
except ModuleNotFoundError:
    cv2 = None  # a rented machine may lack it, and what is in a pack Pillow decodes alike

SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff")
SOURCES = "SOURCES.txt"
PACKED = "PACKED.txt"  # in a pack: the name of the folder it was made of, which may say that it is for evaluation
_EXIF_ORIENTATION, _SIDEWAYS = 0x0112, range(5, 9)


def write_sources(folder: Path, lines: Iterable[str]) -> None:
    """Say of pictures made of others where those came from, see ``Files.sources``, below what is said there already."""
    make_folder(folder)
    path = folder / SOURCES
    said = _text(path.read_bytes()).splitlines() if path.is_file() else []
    store("".join(f"{line}\n" for line in [*said, *(line for line in lines if line not in said)]).encode(), path)


def natural(name: str) -> tuple[list[str | int], str]:
    """What sorts names as people count: frame2 before frame10."""
    return [int(part) if index % 2 else part for index, part in enumerate(re.split(r"(\d+)", name))], name


def is_debris(name: str) -> bool:
    """Whether a file lies hidden, or is what macOS leaves beside others, ``._a.png`` and ``__MACOSX/``: no picture."""
    return any(part.startswith(".") or part == "__MACOSX" for part in PurePosixPath(name).parts)


class Files:
    """Names and contents, alike for folders and zips.

    Attributes:
        source: the folder, ``.zip``, index of a sharded one, or single file.
        folder: name of the folder that the names are relative to; a pack tells that of the folder it was made of.
        names: relative names of all files but debris, in the order of their path's parts; linked folders are followed.
    """

    def __init__(self, source: Path):
        """List a data set.

        Raises:
            InputError: neither a folder nor a file, or no whole zip.
        """
        self.source = Path(source)
        self._archive = None
        self._sizes: dict[str, tuple[int, int]] = {}
        if self.source.is_dir():
            walk = os.walk(self.source, followlinks=True)
            paths = (Path(folder) / file for folder, _, files in walk for file in files)
            names = [path.relative_to(self.source).as_posix() for path in paths]
        elif self.source.suffix.lower() == ".zip" and self.source.is_file():
            self._archive = _opened(self.source, self.source)
        elif self.source.suffix.lower() == ".json" and self.source.is_file():
            self._archive = _opened(self.source, io.BytesIO(read_shards(self.source)))
        elif self.source.is_file():
            names, self.source = [self.source.name], self.source.parent
        else:
            raise InputError(
                f"{source} is neither a folder nor a file",
                "a folder of pictures, with photos/ or sharp/ and blur/ say, its .zip, or an .npz",
                "Correct the path",
            )
        if self._archive:
            names = [name for name in self._archive.namelist() if not name.endswith("/")]
        self.names = sorted(filterfalse(is_debris, names), key=lambda name: PurePosixPath(name).parts)
        self.folder = self.source.resolve().name
        if self._archive and PACKED in names:
            self.folder = self.read(PACKED).decode()

    @property
    def pictures(self) -> list[str]:
        """The names that end as pictures do."""
        return [name for name in self.names if name.lower().endswith(SUFFIXES)]

    @property
    def sources(self) -> tuple[str, ...]:
        """Where the pictures come from, and under which licence: the lines of every ``SOURCES.txt``."""
        texts = [_text(self.read(name)) for name in self.names if PurePosixPath(name).name == SOURCES]
        return tuple(line.strip() for text in texts for line in text.splitlines() if line.strip())

    def open(self, name: str) -> BinaryIO:
        """One file, to be read as bytes."""
        return self._archive.open(name) if self._archive else open(self.source / name, "rb")

    def read(self, name: str) -> bytes:
        """The content of one file."""
        with self.open(name) as file:
            return file.read()

    def byte_count(self, name: str) -> int:
        """How large one file is."""
        return self._archive.getinfo(name).file_size if self._archive else (self.source / name).stat().st_size

    def size(self, name: str) -> tuple[int, int]:
        """Height and width of a picture, upright, read once and from its header alone; from any thread.

        Raises:
            InputError: not a picture, or one of more pixels than Pillow takes for honest.
        """
        if name not in self._sizes:
            try:
                with self.open(name) as file, Image.open(file) as image:
                    width, height = image.size
                    # A TIFF is turned already. getexif() would decode pictures, and look where OpenCV does not.
                    sideways = _is_sideways(image.info.get("exif", b""))
            except (OSError, ValueError) as error:
                raise _undecodable(name) from error
            except Image.DecompressionBombError as error:
                most = 2 * Image.MAX_IMAGE_PIXELS // 10**6
                raise InputError(f"{name} has more than {most} megapixels", "smaller ones", "Scale it down") from error
            self._sizes[name] = (width, height) if sideways else (height, width)
        return self._sizes[name]

    def decode(self, name: str) -> Tensor:
        """One picture, upright: (3, H, W) uint8 RGB.

        Raises:
            InputError: the file cannot be decoded.
        """
        image = (_by_pillow if cv2 is None else _by_opencv)(self.read(name))
        if image is None:
            raise _undecodable(name)
        return torch.from_numpy(image).permute(2, 0, 1)


def _opened(source: Path, content: Path | io.BytesIO) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(content)
    except zipfile.BadZipFile as error:
        raise InputError(f"{source} is not a whole zip: {error}", "a .zip of a folder", "Copy it again") from error


class Shelf:
    """Decodes pictures when they are asked for and keeps the latest ones, up to a number of bytes."""

    def __init__(self, files: Files, capacity: int):
        self.files, self.capacity = files, capacity
        self._kept: OrderedDict[str, Tensor] = OrderedDict()
        self._bytes, self._lock = 0, Lock()

    def pixels(self, name: str) -> Tensor:
        """One picture, (3, H, W) uint8; may be called from several threads."""
        with self._lock:
            if name in self._kept:
                self._kept.move_to_end(name)
                return self._kept[name]
        picture = self.files.decode(name)
        with self._lock:
            if name not in self._kept:
                self._kept[name] = picture
                self._bytes += picture.numel()
            while self._bytes > self.capacity:
                self._bytes -= self._kept.popitem(last=False)[1].numel()
        return picture


@dataclass(frozen=True)
class Picture:
    """A picture on a shelf. Its shape is known and it can be sliced, like the tensor that it stands for.

    Attributes:
        shelf: where it is decoded.
        name: its file.
    """

    shelf: Shelf
    name: str

    @property
    def shape(self) -> tuple[int, int, int]:
        """(3, H, W)."""
        return (3, *self.shelf.files.size(self.name))

    def __getitem__(self, index) -> Tensor:
        return self.shelf.pixels(self.name)[index]


def _is_sideways(exif: bytes) -> bool:
    tags = Image.Exif()
    try:
        tags.load(exif)
    except (SyntaxError, struct.error):  # a decoder ignores what is no EXIF
        return False
    return tags.get(_EXIF_ORIENTATION) in _SIDEWAYS


def _by_opencv(data: bytes) -> np.ndarray | None:
    try:
        return cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR_RGB)
    except cv2.error:  # nothing in it, or more pixels than it takes
        return None


def _by_pillow(data: bytes) -> np.ndarray | None:
    try:
        with Image.open(io.BytesIO(data)) as image:
            return np.array(ImageOps.exif_transpose(image).convert("RGB"))
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):
        return None


def _text(data: bytes) -> str:
    """What somebody wrote, in UTF-8 or else as Windows used to write it."""
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("cp1252", "replace")


def _undecodable(name: str) -> InputError:
    return InputError(f"{name} cannot be decoded", ", ".join(SUFFIXES), "Remove or replace the file")
