"""Files of a data set: which of them count, how large their pictures are, and what of them is decoded at once."""

from __future__ import annotations

import shutil
import struct
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from PIL import Image

from deblur_demo.errors import InputError
from training.data.corpus import load_corpus
from training.data.files import Files, Picture
from training.data.pack import pack
from training.scores import read_pairs

CPU = torch.device("cpu")


def write(path: Path, height: int = 40, width: int = 60) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), np.full((height, width, 3), 90, np.uint8))


@pytest.fixture
def scattered(tmp_path: Path) -> Path:
    """A photo and a pair, with what a Mac and a file manager leave beside them."""
    folder = tmp_path / "mine"
    for name in ("photos/a.png", "set/blur/1.png", "set/sharp/1.png"):
        write(folder / name)
        for debris in (Path(name).with_name(f"._{Path(name).name}"), Path("__MACOSX", name), Path(".thumbs", name)):
            (folder / debris).parent.mkdir(parents=True, exist_ok=True)
            (folder / debris).write_bytes(b"\0\5\x16\7Mac OS X")
    return folder


def test_what_a_mac_leaves_beside_pictures_is_none(scattered: Path, tmp_path: Path):
    """In a folder, in a zip of it, and in what is packed or evaluated of it."""
    names = ["photos/a.png", "set/blur/1.png", "set/sharp/1.png"]
    zipped = Path(shutil.make_archive(str(tmp_path / "mac"), "zip", scattered))
    pack(scattered, tmp_path / "pack.zip", megabytes=1)
    for source in (scattered, zipped):
        assert Files(source).names == names
    for source in (scattered, zipped, tmp_path / "pack.zip"):
        corpus = load_corpus(source, CPU)
        assert (len(corpus.photos), len(corpus.pairs)) == (2, 1)
    assert [pair.name for pair in read_pairs(scattered / "set")] == ["1.png"]


def png(width: int, height: int) -> bytes:
    """A file that claims to be of this size, without the pixels."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = (b"IHDR", header), (b"IDAT", zlib.compress(bytes(100))), (b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*each) for each in chunks)


def test_a_picture_beyond_pillows_limit_is_refused_by_name(tmp_path: Path):
    (tmp_path / "a.png").write_bytes(png(16320, 12240))
    with pytest.raises(InputError, match=r"a.png has more than 178 megapixels. Accepted: .*\.$"):
        load_corpus(tmp_path, CPU)


@pytest.mark.parametrize("exif", [b"no header of a TIFF", b"MM\0*"])
def test_what_is_no_exif_turns_nothing(tmp_path: Path, exif: bytes):
    Image.new("RGB", (60, 40)).save(tmp_path / "a.jpg", exif=b"Exif\0\0" + exif)
    assert Files(tmp_path).size("a.jpg") == tuple(Files(tmp_path).decode("a.jpg").shape[1:]) == (40, 60)


def test_memory_is_reckoned_with_every_picture(tmp_path: Path):
    """The first of a folder may be its smallest."""
    write(tmp_path / "photos/000_icon.png", 8, 8)
    for number in range(3):
        write(tmp_path / f"photos/{number + 1:03d}.png")
    needed = 3 * (8 * 8 + 3 * 40 * 60)
    for limit, kind in ((needed, torch.Tensor), (needed - 1, Picture)):
        assert {type(photo) for photo in load_corpus(tmp_path, CPU, limit=limit).photos} == {kind}
