"""Pictures and paths that must be refused, by their rows 1 to 38 in the table of bad inputs."""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from PIL import Image
from skimage import data

from deblur_demo.errors import InputError, LimitError
from deblur_demo.media.image import read_image

PHOTO = data.chelsea()[:120, :161]  # (120, 161, 3), an odd side
DEEP = np.random.default_rng(0).integers(0, 65536, (23, 31, 4), dtype=np.uint16)
DEEP[0, :2] = [[0] * 4, [65535] * 4]
GREY = PHOTO[..., 1]


def assert_rejected(path: Path, kind: type[InputError] = InputError, found: str = ".") -> None:
    """One error of exactly this type, one line with its three parts, and nothing left behind."""
    before = sorted(Path.cwd().parent.rglob("*"))
    with pytest.raises(InputError, match=found) as caught:
        read_image(path)
    error = caught.value
    assert type(error) is kind
    message = str(error)
    assert message.isprintable()  # so it is one line, without marks that turn its direction
    assert message == f"{error.found}. Accepted: {error.accepted}. {error.action}."
    assert min(map(len, (error.found, error.accepted, error.action))) > 4
    assert str(path.parent.resolve()) not in message, "folders of the server are nobody's business"
    assert sorted(Path.cwd().parent.rglob("*")) == before


def claiming(kit, samples: np.ndarray, width: int, height: int) -> bytes:
    """A PNG of some samples whose header says another size."""
    raw = kit.png(samples)
    return raw[:8] + kit.chunk(b"IHDR", struct.pack(">II", width, height) + raw[24:29]) + raw[33:]


def header(kit, width: int, height: int) -> bytes:
    """A PNG that ends behind its header, so that decoding it would be another error."""
    return claiming(kit, GREY[..., None], width, height)[:33]


def flipped(raw: bytes, position: int) -> bytes:
    return raw[:position] + bytes([raw[position] ^ 1]) + raw[position + 1 :]


def text_bomb(kit, kind: bytes) -> bytes:
    packed = zlib.compress(bytes(20 << 20))
    body = b"Comment\0\0" + packed if kind == b"zTXt" else b"Comment\0\1\0\0\0" + packed
    return kit.png(PHOTO, before=kit.chunk(kind, body))


def gif_with_frame(kit, side: int) -> bytes:
    """A GIF of 10 x 10 whose first frame claims more."""
    raw = kit.pil(Image.new("P", (10, 10)), "GIF")
    frame = raw.index(b"\x2c", 13)
    return raw[: frame + 5] + struct.pack("<HH", side, side) + raw[frame + 9 :]


def short_of_strips(kit, samples: np.ndarray) -> bytes:
    """A TIFF that claims twice the rows it has strips for."""
    height = samples.shape[0]
    raw = kit.tiff(samples, photometric="rgb", rowsperstrip=1, metadata=None, software=False)
    claim, lie = (struct.pack("<HHII", 257, 4, 1, rows) for rows in (height, 2 * height))  # the height's tag
    assert raw.count(claim) == 1
    return raw.replace(claim, lie)


def planar(kit, **options) -> bytes:
    planes = np.ascontiguousarray(np.moveaxis(DEEP[..., :3], 2, 0))
    return kit.tiff(planes, photometric="rgb", planarconfig="separate", **options)


class Bad(NamedTuple):
    """A file, and the error that must come of it."""

    found: str  # pattern in what the error says it found
    build: Callable
    kind: type[InputError] = InputError
    name: str = "a.png"


REJECTED = {
    "01-empty": Bad("0 bytes", lambda kit: b""),
    "02-truncated-jpeg": Bad("truncated", lambda kit: kit.pil(PHOTO, "JPEG")[:-2000], name="a.jpg"),
    "03-truncated-png": Bad("truncated", lambda kit: kit.png(PHOTO)[:-2000]),
    "03-truncated-png-16": Bad("truncated", lambda kit: kit.png(DEEP)[:-100]),
    "03-png-without-end": Bad("truncated", lambda kit: kit.png(PHOTO)[:-12]),
    "03-truncated-tiff": Bad("cannot be read", lambda kit: kit.tiff(PHOTO, photometric="rgb")[:-2000], name="a.tif"),
    "03-truncated-tiff-16": Bad("cannot be read", lambda kit: kit.tiff(DEEP)[:-100], name="a.tif"),
    "03-truncated-webp": Bad("cannot be read", lambda kit: kit.pil(PHOTO, "WEBP")[:-200], name="a.webp"),
    "03-truncated-bmp": Bad("truncated", lambda kit: kit.pil(PHOTO, "BMP")[:-2000], name="a.bmp"),
    "03-png-too-few-rows": Bad("rows are missing", lambda kit: claiming(kit, PHOTO, 161, 121)),
    "03-png-16-too-few-rows": Bad("rows are missing", lambda kit: claiming(kit, DEEP, 31, 24)),
    "03-tiff-without-its-last-strips": Bad("lacks parts", lambda kit: short_of_strips(kit, PHOTO)),
    "03-tiff-16-without-its-last-strips": Bad("lacks parts", lambda kit: short_of_strips(kit, DEEP)),
    "03-truncated-planar-tiff-16": Bad("cannot be read", lambda kit: planar(kit)[:-100]),
    "27-planar-zlib-tiff-16": Bad("unusual order", lambda kit: planar(kit, compression="zlib")),
    "27-tiff-of-five-samples": Bad(
        "5 samples", lambda kit: kit.tiff(np.dstack((PHOTO, PHOTO[..., :2])), planarconfig=1)
    ),
    "04-bad-crc-in-pixels": Bad("checksum in its IDAT", lambda kit: flipped(kit.png(PHOTO), -13)),
    "04-bad-crc-in-pixels-16": Bad("checksum in its IDAT", lambda kit: flipped(kit.png(DEEP), -13)),
    "04-bad-crc-in-header": Bad("checksum in its IHDR", lambda kit: flipped(kit.png(PHOTO), 32)),
    "05-huge-png": Bad("30000 x 30000 .* 900.0 megapixels", lambda kit: header(kit, 30000, 30000), LimitError),
    "05-huge-bmp": Bad(
        "30000 x 30000",
        lambda kit: kit.pil(PHOTO, "BMP")[:18] + struct.pack("<iiHH", 30000, 30000, 1, 24) + bytes(99),
        LimitError,
        name="a.bmp",
    ),
    "05-second-header": Bad("two PNG headers", lambda kit: kit.png(PHOTO[:1, :1])[:33] + kit.png(PHOTO)[8:]),
    "06-text-bomb": Bad("text chunks", lambda kit: text_bomb(kit, b"zTXt"), LimitError),
    "06-international-text-bomb": Bad("text chunks", lambda kit: text_bomb(kit, b"iTXt"), LimitError),
    "06-chunk-bomb": Bad("chunks", lambda kit: kit.png(PHOTO, before=kit.chunk(b"tEXt") * 262144), LimitError),
    "07-just-under-pillows-limit": Bad(
        "89.5 megapixels", lambda kit: kit.pil(Image.new("1", (9459, 9459)), "PNG"), LimitError
    ),
    "07-just-over-pillows-error": Bad("179.0 megapixels", lambda kit: header(kit, 13378, 13378), LimitError),
    "25-gif-frame-bomb": Bad("8000 x 8000", lambda kit: gif_with_frame(kit, 8000), LimitError, name="a.gif"),
    "25-gif-frame-beyond-pillows-limit": Bad("too large", lambda kit: gif_with_frame(kit, 65535), LimitError),
    "26-heic": Bad("HEIC", lambda kit: b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(99), name="a.heic"),
    "27-float-tiff-nan": Bad("32-bit float", lambda kit: kit.tiff(np.full((9, 9), np.nan, np.float32)), name="a.tif"),
    "27-float-tiff": Bad("32-bit float", lambda kit: kit.tiff(GREY / np.float32(255)), name="a.tif"),
    "27-signed-tiff": Bad("16-bit float or signed", lambda kit: kit.tiff(DEEP[..., 0].astype(np.int16)), name="a.tif"),
    "27-32-bit-tiff": Bad("32-bit unsigned", lambda kit: kit.tiff(DEEP[..., 0].astype(np.uint32)), name="a.tif"),
    "27-cmyk-tiff-16": Bad("SEPARATED", lambda kit: kit.tiff(DEEP, photometric="separated"), name="a.tif"),
    "28-raw-preview": Bad("preview", lambda kit: kit.tiff(PHOTO, subfiletype=1), name="a.dng"),
    "29-eps": Bad("PostScript", lambda kit: b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n"),
    "29-eps-binary": Bad("EPS", lambda kit: b"\xc5\xd0\xd3\xc6" + bytes(99), name="a.eps"),
    "29-pdf": Bad("PDF", lambda kit: b"%PDF-1.7\n", name="a.jpg"),
    "29-fits": Bad("FITS", lambda kit: b"SIMPLE  =" + bytes(2871), name="a.tif"),
    "29-svg": Bad("SVG", lambda kit: b'\xef\xbb\xbf<svg xmlns="http://www.w3.org/2000/svg"/>'),
    "31-html": Bad("HTML", lambda kit: b"<!doctype html><img src=x onerror=alert(1)>"),
    "31-zip": Bad("ZIP", lambda kit: kit.zip()),
    "31-elf": Bad("program", lambda kit: b"\x7fELF" + bytes(99)),
    "31-text": Bad("no picture", lambda kit: b"hello"),
    "31-video": Bad("video", lambda kit: b"\0\0\0\x18ftypisom" + bytes(99)),
}


@pytest.mark.parametrize("case", REJECTED.values(), ids=REJECTED)
def test_rejected(home, kit, case):
    path = home / case.name
    path.write_bytes(case.build(kit))
    assert_rejected(path, case.kind, case.found)


@pytest.mark.parametrize(
    "name", ["-i.png", "C:\\x.png", "\u202egnp.exe.png", "\U0001f4f7.png", "a b\nc.png", "http:x.png"]
)
def test_36_a_strange_name_is_a_name(home, kit, name):
    path = home / name
    path.write_bytes(kit.png(PHOTO))
    np.testing.assert_array_equal(read_image(path).pixels, PHOTO)
    np.testing.assert_array_equal(read_image(Path(name)).pixels, PHOTO)
    path.write_bytes(b"hello")
    assert_rejected(path)


@pytest.mark.parametrize("name", ["../../x", "C:\\x", "a\0b.png", "-i", "x" * 300, "\U0001f4f7", "", "//", "/"])
def test_36_a_name_without_a_file(home, name):
    with pytest.raises(InputError) as caught:
        read_image(Path(name))
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("url", ["https://example.org/a.png", "file:///etc/passwd", "s3://bucket/a.png"])
def test_37_a_url_is_not_fetched(home, url):
    assert_rejected(Path(url), found="is a URL. .*Download it first")


@pytest.mark.parametrize("target", ["/proc/self/environ", "/dev/zero", "/dev/null", "/etc/passwd", ".", "missing"])
def test_37_neither_itself_nor_a_link_to_it(home, target):
    if not os.path.exists("/proc/self/environ"):
        pytest.skip("this system has no /proc")
    assert_rejected(Path(target))
    (home / "link.png").symlink_to(target)
    assert_rejected(home / "link.png")


def test_37_a_pipe_does_not_block_and_a_loop_ends(home):
    os.mkfifo(home / "pipe.png")
    assert_rejected(home / "pipe.png", found="pipe")
    (home / "loop.png").symlink_to(home / "loop.png")
    assert_rejected(home / "loop.png")


def test_37_a_link_to_a_picture_is_a_picture(home, kit):
    (home / "a.png").write_bytes(kit.png(PHOTO))
    (home / "link.png").symlink_to("a.png")
    np.testing.assert_array_equal(read_image(home / "link.png").pixels, PHOTO)


def test_38_more_bytes_than_any_picture_within_the_cap(home, kit):
    (home / "a.png").write_bytes(kit.png(PHOTO))
    os.truncate(home / "a.png", 10 << 30)  # a hole, which takes no space
    assert_rejected(home / "a.png", LimitError, "MB")
