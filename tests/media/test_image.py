"""Picture files there and back: every value, alpha, profile and direction compared with what was put in."""

from __future__ import annotations

import io
import os
import resource
import stat
import struct
import subprocess
import sys
import zlib

import cv2
import numpy as np
import pytest
import tifffile
from PIL import Image
from skimage import data

from deblur_demo.errors import InputError, LimitError, OutputError
from deblur_demo.media import plain
from deblur_demo.media.image import ACCEPTED_SUFFIXES, Photo, read_image, write_image

PHOTO = data.coffee()[100:221, 200:357]  # (121, 157, 3)
RANDOM = np.random.default_rng(1)
DEEP = (PHOTO * np.uint16(256) + RANDOM.integers(0, 256, PHOTO.shape)).astype(np.uint16)
ALPHA = RANDOM.integers(0, 256, PHOTO.shape[:2], dtype=np.uint8)
DEEP_ALPHA = RANDOM.integers(0, 65536, PHOTO.shape[:2], dtype=np.uint16)
LOSSLESS = [".png", ".tif", ".tiff", ".webp", ".bmp"]

# Where EXIF says the stored top row and left column lie in the scene (CIPA DC-008, table 6) decides
# which stored pixel shows at (row, column) of a scene of height h and width w.
STORED_AT = {
    1: lambda y, x, h, w: (y, x),
    2: lambda y, x, h, w: (y, w - 1 - x),
    3: lambda y, x, h, w: (h - 1 - y, w - 1 - x),
    4: lambda y, x, h, w: (h - 1 - y, x),
    5: lambda y, x, h, w: (x, y),
    6: lambda y, x, h, w: (w - 1 - x, y),
    7: lambda y, x, h, w: (w - 1 - x, h - 1 - y),
    8: lambda y, x, h, w: (x, h - 1 - y),
}


def lying(scene: np.ndarray, orientation: int) -> np.ndarray:
    """The grid as a camera stores a scene that it marks with this orientation."""
    height, width = scene.shape[:2]
    stored = np.empty_like(scene if orientation < 5 else scene.swapaxes(0, 1))
    for y in range(height):
        for x in range(width):
            stored[STORED_AT[orientation](y, x, height, width)] = scene[y, x]
    return stored


def lay(kit, kind: str, scene: np.ndarray, orientation: int) -> bytes:
    """A file of this kind whose picture shows the scene once it is turned."""
    stored, exif = lying(scene, orientation), kit.exif(orientation)
    if kind in ("png", "png16"):
        return kit.png(stored, before=kit.chunk(b"eXIf", exif[6:]))
    if kind in ("tiff", "tiff16", "planar16", "big-planar16"):
        layout = {"photometric": "rgb", "extratags": [(274, 3, 1, orientation, True)]}
        if "planar" in kind:
            planes = np.moveaxis(stored, 2, 0)
            return kit.tiff(planes, planarconfig="separate", bigtiff=kind.startswith("big"), **layout)
        return kit.tiff(stored, compression="zlib", **layout)
    if kind == "tiff-lzw":
        return kit.pil(np.ascontiguousarray(stored), "TIFF", compression="tiff_lzw", tiffinfo={274: orientation})
    options = {"JPEG": {"quality": 100, "subsampling": 0}, "WEBP": {"lossless": True}}[kind]
    return kit.pil(np.ascontiguousarray(stored), kind, exif=exif, **options)


@pytest.mark.parametrize("orientation", STORED_AT)
@pytest.mark.parametrize(
    "kind", ["JPEG", "WEBP", "png", "png16", "tiff", "tiff-lzw", "tiff16", "planar16", "big-planar16"]
)
def test_18_upright_exactly_once(tmp_path, kit, kind, orientation):
    scene = (DEEP if "16" in kind else PHOTO)[:24, :40]
    (tmp_path / "a").write_bytes(lay(kit, kind, scene, orientation))
    photo = read_image(tmp_path / "a")
    assert photo.pixels.shape == scene.shape and photo.pixels.dtype == scene.dtype
    assert np.abs(photo.pixels.astype(int) - scene).max() <= (6 if kind == "JPEG" else 0)
    write_image(photo, tmp_path / "b.png")
    again = read_image(tmp_path / "b.png")
    np.testing.assert_array_equal(again.pixels, photo.pixels)


def test_alpha_is_turned_with_the_picture(tmp_path, kit):
    for deep, pixels, alpha in ((False, PHOTO, ALPHA), (True, DEEP, DEEP_ALPHA)):
        stored = lying(np.dstack((pixels, alpha)), 6)
        (tmp_path / "a.png").write_bytes(kit.png(stored, before=kit.chunk(b"eXIf", kit.exif(6)[6:])))
        (tmp_path / "a.tif").write_bytes(
            kit.tiff(stored, photometric="rgb", extrasamples=["unassalpha"], extratags=[(274, 3, 1, 6, True)])
        )
        for name in ("a.png", "a.tif"):
            photo = read_image(tmp_path / name)
            np.testing.assert_array_equal(photo.pixels, pixels, err_msg=f"{name} {deep}")
            np.testing.assert_array_equal(photo.alpha, alpha, err_msg=f"{name} {deep}")


@pytest.mark.parametrize("suffix", LOSSLESS)
def test_eight_bits_there_and_back(tmp_path, suffix, display_p3):
    has_alpha, has_profile = suffix != ".bmp", suffix != ".bmp"
    photo = Photo(PHOTO, ALPHA if has_alpha else None, display_p3 if has_profile else None)
    assert write_image(photo, tmp_path / f"a{suffix}") == ()
    again = read_image(tmp_path / f"a{suffix}")
    np.testing.assert_array_equal(again.pixels, PHOTO)
    assert again.pixels.dtype == np.uint8
    if has_alpha:
        np.testing.assert_array_equal(again.alpha, ALPHA)
    assert again.icc == photo.icc and again.notices == ()


@pytest.mark.parametrize("suffix", [".png", ".tif"])
@pytest.mark.parametrize("alpha", [None, DEEP_ALPHA], ids=["opaque", "alpha"])
def test_sixteen_bits_there_and_back(tmp_path, suffix, alpha, display_p3):
    path = tmp_path / f"a{suffix}"
    assert write_image(Photo(DEEP, alpha, display_p3), path) == ()
    again = read_image(path)
    assert again.pixels.dtype == np.uint16 and again.icc == display_p3 and again.notices == ()
    np.testing.assert_array_equal(again.pixels, DEEP)
    assert (again.alpha is None) == (alpha is None)
    if alpha is not None:
        np.testing.assert_array_equal(again.alpha, alpha)
    # Another decoder sees the same file.
    seen = tifffile.imread(path) if suffix == ".tif" else cv2.imread(str(path), cv2.IMREAD_UNCHANGED)[..., [2, 1, 0]]
    np.testing.assert_array_equal(seen[..., :3], DEEP)


def test_jpeg_is_of_quality_95_with_full_colour_resolution(tmp_path, display_p3):
    write_image(Photo(PHOTO, icc=display_p3), tmp_path / "a.jpg")
    with Image.open(tmp_path / "a.jpg") as written:
        assert [layer[1:3] for layer in written.layer] == [(1, 1)] * 3  # 4:4:4
        assert written.quantization[0][0] == 2  # 16 in the standard's table at quality 50, a tenth at 95
    again = read_image(tmp_path / "a.jpg")
    assert again.icc == display_p3
    assert np.abs(again.pixels.astype(int) - PHOTO).mean() < 2


@pytest.mark.parametrize("suffix", [".jpg", ".webp", ".bmp"])
def test_sixteen_bits_are_rounded_where_there_are_eight(tmp_path, suffix):
    ramp = np.arange(65536, dtype=np.uint16).reshape(256, 256, 1).repeat(3, axis=2)
    (notice,) = write_image(Photo(ramp), tmp_path / f"a{suffix}")
    assert "rounded" in notice
    again = read_image(tmp_path / f"a{suffix}").pixels
    expected = np.rint(ramp / 257.0)
    assert np.abs(again - expected).max() <= (2 if suffix == ".jpg" else 0)


@pytest.mark.parametrize("suffix", [".jpg", ".bmp"])
def test_alpha_is_left_out_with_a_notice(tmp_path, suffix):
    (notice,) = write_image(Photo(PHOTO, ALPHA), tmp_path / f"a{suffix}")
    assert "transparency" in notice
    again = read_image(tmp_path / f"a{suffix}")
    assert again.alpha is None
    assert np.abs(again.pixels.astype(int) - PHOTO).mean() < 2


def test_bmp_and_deep_tiff_say_what_they_cannot_hold(tmp_path, kit, display_p3):
    exif = kit.exif()
    notices = write_image(Photo(PHOTO, icc=display_p3, exif=exif), tmp_path / "a.bmp")
    assert ["profile" in notices[0], "EXIF" in notices[1], len(notices)] == [True, True, 2]
    (notice,) = write_image(Photo(DEEP, icc=display_p3, exif=exif), tmp_path / "a.tif")
    assert "EXIF" in notice
    (notice,) = write_image(Photo(PHOTO, exif=exif + bytes(70000)), tmp_path / "a.jpg")
    assert "EXIF" in notice


@pytest.mark.parametrize("kind", ["tiff16", "png16", "png"])
def test_the_camera_survives_in_every_depth(tmp_path, kit, kind):
    pixels = DEEP if "16" in kind else PHOTO
    camera = [(0x010F, 2, 0, "Cam", True), (0x0132, 2, 0, "2024:01:02 03:04:05", True)]
    if kind == "tiff16":
        raw = kit.tiff(pixels, photometric="rgb", extratags=camera)
    else:
        raw = kit.png(pixels, before=kit.chunk(b"eXIf", kit.exif(3)[6:]))
    (tmp_path / "a").write_bytes(raw)
    write_image(read_image(tmp_path / "a"), tmp_path / "b.png")
    with Image.open(tmp_path / "b.png") as written:
        exif = written.getexif()
        assert exif[0x010F] == "Cam"
        assert not set(exif) & {256, 257, 258, 259, 262, 273, 274, 277, 278, 279}, "the layout of a TIFF is no metadata"


def test_a_white_is_zero_or_premultiplied_tiff_of_16_bits(tmp_path, kit):
    (tmp_path / "a.tif").write_bytes(kit.tiff(DEEP[..., 0], photometric="miniswhite"))
    np.testing.assert_array_equal(read_image(tmp_path / "a.tif").pixels, (65535 - DEEP[..., :1]).repeat(3, axis=2))
    alpha = np.maximum(DEEP_ALPHA, 3000)
    times = np.rint(DEEP * (alpha / 65535)[..., None]).astype(np.uint16)
    (tmp_path / "b.tif").write_bytes(
        kit.tiff(np.dstack((times, alpha)), photometric="rgb", extrasamples=["assocalpha"])
    )
    photo = read_image(tmp_path / "b.tif")
    np.testing.assert_array_equal(photo.alpha, alpha)
    assert np.abs(photo.pixels.astype(int) - DEEP).max() <= np.ceil(0.5 * 65535 / 3000) + 1
    (tmp_path / "c.tif").write_bytes(
        kit.tiff(np.dstack((DEEP[..., 0], DEEP_ALPHA)), photometric="minisblack", planarconfig="contig",
                 extrasamples=["unassalpha"])
    )  # fmt: skip
    photo = read_image(tmp_path / "c.tif")
    np.testing.assert_array_equal(photo.pixels, DEEP[..., :1].repeat(3, axis=2))
    np.testing.assert_array_equal(photo.alpha, DEEP_ALPHA)


@pytest.mark.parametrize("deep", [False, True], ids=["8", "16"])
@pytest.mark.parametrize("channels", [1, 3])
def test_one_transparent_colour(tmp_path, kit, channels, deep):
    samples = (DEEP if deep else PHOTO)[..., :channels]
    key = samples[5, 7]
    chunk = kit.chunk(b"tRNS", key.astype(">u2").tobytes())
    (tmp_path / "a.png").write_bytes(kit.png(samples, before=chunk))
    photo = read_image(tmp_path / "a.png")
    peak = np.iinfo(samples.dtype).max
    np.testing.assert_array_equal(photo.alpha, np.where((samples == key).all(axis=2), 0, peak))
    np.testing.assert_array_equal(photo.pixels, samples if channels == 3 else samples.repeat(3, axis=2))


@pytest.mark.parametrize(("depth", "key"), [(1, 0), (1, 1), (2, 0), (2, 2), (4, 0), (4, 7), (4, 15)])
def test_one_transparent_grey_of_a_few_bits(tmp_path, kit, depth, key):
    samples = np.arange(16).reshape(2, 8) % 2**depth
    bits = (samples[..., None] >> np.arange(depth)[::-1]) & 1  # (2, 8, depth)
    rows = np.pad(np.packbits(bits.reshape(2, -1), axis=1), ((0, 0), (1, 0))).tobytes()
    raw = b"\x89PNG\r\n\x1a\n" + kit.chunk(b"IHDR", struct.pack(">IIBBBBB", 8, 2, depth, 0, 0, 0, 0))
    raw += kit.chunk(b"tRNS", struct.pack(">H", key)) + kit.chunk(b"IDAT", zlib.compress(rows)) + kit.chunk(b"IEND")
    (tmp_path / "a.png").write_bytes(raw)
    photo = read_image(tmp_path / "a.png")
    np.testing.assert_array_equal(photo.alpha, np.where(samples == key, 0, 255))
    np.testing.assert_array_equal(photo.pixels[..., 0], samples * (255 // (2**depth - 1)))


def test_interlaced_png(tmp_path, kit):
    """Pillow writes no Adam7, so the smallest one by hand: 2 x 2, passes 1, 6 and 7."""
    rows = bytes([0, 10, 0, 20, 0, 30, 40])
    raw = b"\x89PNG\r\n\x1a\n" + kit.chunk(b"IHDR", struct.pack(">IIBBBBB", 2, 2, 8, 0, 0, 0, 1))
    (tmp_path / "a.png").write_bytes(raw + kit.chunk(b"IDAT", zlib.compress(rows)) + kit.chunk(b"IEND"))
    np.testing.assert_array_equal(read_image(tmp_path / "a.png").pixels[..., 0], [[10, 20], [30, 40]])
    (tmp_path / "a.png").write_bytes(raw + kit.chunk(b"IDAT", zlib.compress(rows[:5])) + kit.chunk(b"IEND"))
    with pytest.raises(InputError, match="rows are missing"):
        read_image(tmp_path / "a.png")


def test_the_cap_is_what_the_caller_or_the_environment_says(tmp_path, kit, monkeypatch):
    (tmp_path / "a.png").write_bytes(kit.png(PHOTO))
    megapixels = PHOTO.shape[0] * PHOTO.shape[1] / 1e6
    read_image(tmp_path / "a.png", max_megapixels=megapixels)
    with pytest.raises(LimitError, match=f"157 x 121 .* at most {megapixels * 0.99:g} megapixels"):
        read_image(tmp_path / "a.png", max_megapixels=megapixels * 0.99)
    (tmp_path / "b.bmp").write_bytes(kit.pil(Image.new("L", (1001, 1000)), "BMP"))
    read_image(tmp_path / "b.bmp")
    monkeypatch.setenv("DEBLUR_MAX_MEGAPIXELS", "1")
    with pytest.raises(LimitError, match="at most 1 megapixels"):
        read_image(tmp_path / "b.bmp")


@pytest.mark.filterwarnings("error")
def test_beyond_pillows_own_limits_our_cap_decides(kit):
    """Pillow warns at 90 megapixels and refuses at 179; here both pass on to the cap."""
    for side in (9500, 13400):
        raw = kit.pil(PHOTO, "BMP")[:18] + struct.pack("<iiHH", side, side, 1, 24) + bytes(99)
        assert plain.open_header(io.BytesIO(raw), "BMP").size == (side, side)


@pytest.mark.parametrize(
    "name", ["a", "a.gif", "a.png.exe", "a.heic", "a\0.png", "folder.png", "missing/a.png", "x" * 300 + ".png"]
)
def test_what_cannot_be_written(tmp_path, name):
    (tmp_path / "folder.png").mkdir()
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(OutputError) as caught:
        write_image(Photo(PHOTO), tmp_path / name)
    assert str(caught.value).isprintable() and str(tmp_path) not in str(caught.value)
    assert sorted(tmp_path.rglob("*")) == before


def test_a_device_is_never_replaced(tmp_path):
    os.mkfifo(tmp_path / "pipe.png")
    with pytest.raises(OutputError, match="not a file"):
        write_image(Photo(PHOTO), tmp_path / "pipe.png")
    assert stat.S_ISFIFO((tmp_path / "pipe.png").stat().st_mode)


@pytest.mark.parametrize(("name", "most"), [("a.webp", 16383), ("a.jpg", 65500)])
def test_a_picture_too_wide_for_its_format(tmp_path, name, most):
    with pytest.raises(OutputError, match=f"cannot hold {most + 1} x 1 pixels. Accepted: at most {most} pixels a side"):
        write_image(Photo(np.zeros((1, most + 1, 3), np.uint8)), tmp_path / name)
    assert list(tmp_path.iterdir()) == []
    write_image(Photo(np.zeros((1, most, 3), np.uint8)), tmp_path / name)


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp", ".tif", ".bmp"])
def test_a_full_disk_leaves_the_old_file_and_nothing_else(tmp_path, suffix):
    """A limit on the size of files gives the same short write as a full disk."""
    path = tmp_path / f"a{suffix}"
    path.write_bytes(b"old")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
    try:
        with pytest.raises(OutputError, match="cannot be written"):
            write_image(Photo(PHOTO), path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert path.read_bytes() == b"old" and list(tmp_path.iterdir()) == [path]
    write_image(Photo(PHOTO), path)
    assert read_image(path).pixels.shape == PHOTO.shape


def test_what_can_be_written_can_be_read():
    assert {".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff", ".bmp", ".gif"} <= set(ACCEPTED_SUFFIXES)


def test_reading_pictures_needs_no_torch():
    code = "import sys, deblur_demo.media.image, deblur_demo.metrics; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
