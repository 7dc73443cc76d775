"""Rows 1 to 37 of the table of bad inputs, as far as reading is concerned; each test id begins with its row."""

from __future__ import annotations

import io
import os
import struct
import tempfile
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from PIL import Image, features
from skimage import data

from deblur_demo.errors import InputError, LimitError
from deblur_demo.media.image import read_image, write_image

PHOTO = data.chelsea()[:120, :161]  # (120, 161, 3), an odd side
DEEP = np.random.default_rng(0).integers(0, 65536, (23, 31, 4), dtype=np.uint16)
DEEP[0, :2] = [[0] * 4, [65535] * 4]
GREY = PHOTO[..., 1]
ALPHA = np.linspace(0, 255, GREY.size).reshape(GREY.shape).astype(np.uint8)


def grey(samples: np.ndarray) -> np.ndarray:
    return np.repeat(samples[..., None], 3, axis=2)


@pytest.fixture
def home(tmp_path, monkeypatch):
    """An empty folder to work in, and an empty temporary folder that must stay so."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temp"))
    (tmp_path / "temp").mkdir()
    (tmp_path / "home").mkdir()
    monkeypatch.chdir(tmp_path / "home")
    return tmp_path / "home"


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
    packed = zlib.compress(bytes(200 << 20), 9)
    body = b"Comment\0\0" + packed if kind == b"zTXt" else b"Comment\0\1\0\0\0" + packed
    return kit.png(PHOTO, before=kit.chunk(kind, body))


def gif_with_huge_frame() -> bytes:
    """A GIF of 10 x 10 whose first frame claims 65535 x 65535."""
    raw = bytearray(pil_gif())
    frame = raw.index(b"\x2c", 13)
    raw[frame + 5 : frame + 9] = b"\xff\xff\xff\xff"
    return bytes(raw)


def pil_gif() -> bytes:
    file = io.BytesIO()
    Image.new("P", (10, 10)).save(file, "GIF")
    return file.getvalue()


def zipped() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("a.txt", "text")
    return file.getvalue()


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
    "06-text-bomb": Bad("text chunks", lambda kit: text_bomb(kit, b"zTXt"), LimitError),
    "06-international-text-bomb": Bad("text chunks", lambda kit: text_bomb(kit, b"iTXt"), LimitError),
    "06-chunk-bomb": Bad("chunks", lambda kit: kit.png(PHOTO, before=kit.chunk(b"tEXt") * 262144), LimitError),
    "07-just-under-pillows-limit": Bad(
        "89.5 megapixels", lambda kit: kit.pil(Image.new("1", (9459, 9459)), "PNG"), LimitError
    ),
    "07-just-over-pillows-error": Bad("179.0 megapixels", lambda kit: header(kit, 13378, 13378), LimitError),
    "25-gif-frame-bomb": Bad("memory|megapixels", lambda kit: gif_with_huge_frame(), LimitError, name="a.gif"),
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
    "31-zip": Bad("ZIP", lambda kit: zipped()),
    "31-elf": Bad("program", lambda kit: b"\x7fELF" + bytes(99)),
    "31-text": Bad("no picture", lambda kit: b"hello"),
    "31-video": Bad("video", lambda kit: b"\0\0\0\x18ftypisom" + bytes(99)),
}


@pytest.mark.parametrize("case", REJECTED.values(), ids=REJECTED)
def test_rejected(home, kit, case):
    path = home / case.name
    path.write_bytes(case.build(kit))
    assert_rejected(path, case.kind, case.found)


def animation(kit, kind: str) -> bytes:
    frames = [Image.fromarray(PHOTO), Image.fromarray(255 - PHOTO)]
    return kit.pil(
        frames[0], kind, save_all=True, append_images=frames[1:], **({"lossless": True} if kind == "WEBP" else {})
    )


def palette(kit) -> bytes:
    image = Image.new("P", (3, 1))
    image.putpalette([10, 20, 30, 40, 50, 60, 70, 80, 90])
    image.putdata([0, 1, 2])
    return kit.pil(image, "PNG", transparency=bytes([0, 128, 255]))


PALETTE = np.array([[[10, 20, 30], [40, 50, 60], [70, 80, 90]]], np.uint8)
ONE_BIT = GREY > 128
INK = np.dstack((PHOTO, GREY // 4))
# Ink is subtractive: a channel is what cyan, magenta or yellow and then black leave of white.
FROM_INK = np.rint((255.0 - INK[..., :3]) * (255.0 - INK[..., 3:]) / 255).astype(np.uint8)
HUGE_ICC = bytes(8 << 20)
ANIMATED, PAGES = "only its first frame", "only the first is used"
ICC_IGNORED, EXIF_IGNORED = "colour profile is damaged", "EXIF data is damaged"
APNG = b"acTL", struct.pack(">II", 2, 0)


class Good(NamedTuple):
    """A file, and the picture that must come out of it."""

    build: Callable
    pixels: np.ndarray
    alpha: np.ndarray | None = None
    notice: str | None = None  # part of the one notice; None: there must be none
    tolerance: int = 0  # levels
    name: str = "a.png"


def without_adobe(jpeg: bytes) -> bytes:
    """Cut the APP14 segment out, by which a decoder knows that ink is stored inverted."""
    start = jpeg.index(b"\xff\xee\x00\x0eAdobe")
    return jpeg[:start] + jpeg[start + 16 :]


def ink(kit, samples: np.ndarray) -> bytes:
    return kit.pil(Image.fromarray(samples, "CMYK"), "JPEG", quality=100)


PROCESSED = {
    "08-1x1": Good(lambda kit: kit.png(PHOTO[:1, :1]), PHOTO[:1, :1]),
    "09-1x10000": Good(lambda kit: kit.png(np.resize(PHOTO, (10000, 1, 3))), np.resize(PHOTO, (10000, 1, 3))),
    "10-3x2": Good(lambda kit: kit.pil(PHOTO[:2, :3], "BMP"), PHOTO[:2, :3], name="a.bmp"),
    "11-odd-sides": Good(lambda kit: kit.pil(PHOTO[:119], "WEBP", lossless=True), PHOTO[:119], name="a.webp"),
    "12-16-bit-rgb": Good(lambda kit: kit.png(DEEP[..., :3]), DEEP[..., :3]),
    "12-16-bit-grey": Good(lambda kit: kit.png(DEEP[..., :1]), grey(DEEP[..., 0])),
    "12-16-bit-rgba": Good(lambda kit: kit.png(DEEP), DEEP[..., :3], alpha=DEEP[..., 3]),
    "12-16-bit-grey-alpha": Good(lambda kit: kit.png(DEEP[..., :2]), grey(DEEP[..., 0]), alpha=DEEP[..., 1]),
    "13-1-bit": Good(lambda kit: kit.pil(ONE_BIT, "PNG"), grey(ONE_BIT * np.uint8(255))),
    "13-grey": Good(lambda kit: kit.png(GREY[..., None]), grey(GREY)),
    "14-adobe-cmyk-jpeg": Good(lambda kit: ink(kit, INK), FROM_INK, notice="CMYK", tolerance=4, name="a.jpg"),
    "14-plain-cmyk-jpeg": Good(
        lambda kit: without_adobe(ink(kit, 255 - INK)), FROM_INK, notice="CMYK", tolerance=4, name="a.jpg"
    ),
    "15-palette-transparency": Good(palette, PALETTE, alpha=np.array([[0, 128, 255]], np.uint8)),
    "16-rgba": Good(lambda kit: kit.png(np.dstack((PHOTO, ALPHA))), PHOTO, alpha=ALPHA),
    "17-grey-alpha": Good(lambda kit: kit.png(np.dstack((GREY, ALPHA))), grey(GREY), alpha=ALPHA),
    "19-corrupt-exif": Good(
        lambda kit: kit.png(PHOTO, kit.chunk(b"eXIf", b"II*\x00garbage!")), PHOTO, notice=EXIF_IGNORED
    ),
    "19-exif-cut-off": Good(
        lambda kit: kit.png(PHOTO, kit.chunk(b"eXIf", kit.exif(6)[6:30])), PHOTO, notice=EXIF_IGNORED
    ),
    "19-orientation-9": Good(
        lambda kit: kit.png(PHOTO, kit.chunk(b"eXIf", kit.exif(9)[6:])), PHOTO, notice=EXIF_IGNORED
    ),
    "19-orientation-0-tiff": Good(
        lambda kit: kit.tiff(DEEP[..., :3], extratags=[(274, 3, 1, 0, True)]),
        DEEP[..., :3],
        notice=EXIF_IGNORED,
        name="a.tif",
    ),
    "21-broken-icc": Good(lambda kit: kit.pil(PHOTO, "PNG", icc_profile=b"no profile"), PHOTO, notice=ICC_IGNORED),
    "21-broken-icc-16": Good(
        lambda kit: kit.png(DEEP, kit.chunk(b"iCCP", b"x\x00\x00broken")),
        DEEP[..., :3],
        alpha=DEEP[..., 3],
        notice=ICC_IGNORED,
    ),
    "21-huge-icc": Good(lambda kit: kit.pil(PHOTO, "PNG", icc_profile=HUGE_ICC), PHOTO, notice=ICC_IGNORED),
    "21-huge-icc-tiff": Good(
        lambda kit: kit.tiff(PHOTO, photometric="rgb", iccprofile=HUGE_ICC), PHOTO, notice=ICC_IGNORED, name="a.tif"
    ),
    "22-animated-gif": Good(
        lambda kit: kit.pil(Image.fromarray(GREY), "GIF", save_all=True, append_images=[Image.fromarray(255 - GREY)]),
        grey(GREY),
        notice=ANIMATED,
        name="a.gif",
    ),
    "23-animated-webp": Good(lambda kit: animation(kit, "WEBP"), PHOTO, notice=ANIMATED, name="a.webp"),
    "24-animated-png": Good(lambda kit: animation(kit, "PNG"), PHOTO, notice=ANIMATED),
    "28-multi-page-tiff": Good(lambda kit: animation(kit, "TIFF"), PHOTO, notice=PAGES, name="a.tif"),
    "28-multi-page-tiff-16": Good(
        lambda kit: kit.tiff(np.stack((DEEP, DEEP[::-1])), photometric="rgb"),
        DEEP[..., :3],
        alpha=DEEP[..., 3],
        notice=PAGES,
        name="a.tif",
    ),
    "30-jpg-that-is-png": Good(lambda kit: kit.png(PHOTO), PHOTO, notice="content is PNG", name="a.jpg"),
    "34-black": Good(lambda kit: kit.png(PHOTO * 0), PHOTO * 0),
}


@pytest.mark.parametrize("case", PROCESSED.values(), ids=PROCESSED)
def test_processed(home, kit, case):
    (home / case.name).write_bytes(case.build(kit))
    photo = read_image(home / case.name)
    assert photo.pixels.shape == case.pixels.shape and photo.pixels.dtype == case.pixels.dtype
    assert np.abs(photo.pixels.astype(int) - case.pixels).max() <= case.tolerance
    assert (photo.alpha is None) == (case.alpha is None)
    if case.alpha is not None:
        assert photo.alpha.dtype == case.alpha.dtype
        np.testing.assert_array_equal(photo.alpha, case.alpha)
    assert len(photo.notices) == (case.notice is not None)
    if case.notice is not None:
        assert case.notice in photo.notices[0]


@pytest.mark.skipif(not features.check("avif"), reason="this Pillow has no AVIF decoder")
def test_26_avif_is_read_where_there_is_a_decoder(home, kit):
    (home / "a.avif").write_bytes(kit.pil(PHOTO, "AVIF", quality=100, subsampling="4:4:4"))
    photo = read_image(home / "a.avif")
    assert photo.pixels.shape == PHOTO.shape
    assert np.abs(photo.pixels.astype(int) - PHOTO).mean() < 1


def test_32_a_polyglot_is_read_and_loses_its_tail(home, kit):
    (home / "a.jpg").write_bytes(kit.pil(PHOTO, "JPEG", quality=100, subsampling=0) + zipped())
    (home / "b.png").write_bytes(kit.png(PHOTO) + zipped())
    assert zipfile.is_zipfile(home / "a.jpg") and zipfile.is_zipfile(home / "b.png")
    for name in ("a.jpg", "b.png"):
        photo = read_image(home / name)
        assert np.abs(photo.pixels.astype(int) - PHOTO).mean() < 2
        write_image(photo, home / name)
        assert not zipfile.is_zipfile(home / name)


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp", ".tif"])
def test_33_the_place_stays_only_where_it_is_wanted(home, kit, suffix):
    (home / "a.jpg").write_bytes(kit.pil(PHOTO, "JPEG", exif=kit.exif(6)))
    for keep in (False, True):
        write_image(read_image(home / "a.jpg", keep_metadata=keep), home / f"b{suffix}")
        with Image.open(home / f"b{suffix}") as written:
            exif = written.getexif()
            assert exif[0x010F] == "Cam"
            assert exif.get(0x0112, 1) == 1
            assert exif.get_ifd(0x8825) == ({1: "N", 2: (50.0, 12345 / 67, 0.0)} if keep else {})
        raw = (home / f"b{suffix}").read_bytes()
        assert any(struct.pack(f"{order}II", 12345, 67) in raw for order in "<>") is keep


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
