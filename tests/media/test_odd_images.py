"""Odd pictures that must come through whole, by their rows 8 to 34 in the table of bad inputs."""

from __future__ import annotations

import struct
import zipfile
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pytest
from PIL import Image, features
from skimage import data

from deblur_demo.media.image import read_image, write_image

PHOTO = data.chelsea()[:120, :161]  # (120, 161, 3), an odd side
DEEP = np.random.default_rng(0).integers(0, 65536, (23, 31, 4), dtype=np.uint16)
DEEP[0, :2] = [[0] * 4, [65535] * 4]
GREY = PHOTO[..., 1]
ALPHA = np.linspace(0, 255, GREY.size).reshape(GREY.shape).astype(np.uint8)


def grey(samples: np.ndarray) -> np.ndarray:
    return np.repeat(samples[..., None], 3, axis=2)


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
    (home / "a.jpg").write_bytes(kit.pil(PHOTO, "JPEG", quality=100, subsampling=0) + kit.zip())
    (home / "b.png").write_bytes(kit.png(PHOTO) + kit.zip())
    assert zipfile.is_zipfile(home / "a.jpg") and zipfile.is_zipfile(home / "b.png")
    for name in ("a.jpg", "b.png"):
        photo = read_image(home / name)
        assert np.abs(photo.pixels.astype(int) - PHOTO).mean() < 2
        write_image(photo, home / name)
        assert not zipfile.is_zipfile(home / name)


@pytest.mark.parametrize("source", ["JPEG", "PNG", "WEBP", "TIFF"])
@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp", ".tif"])
def test_33_the_place_stays_only_where_it_is_wanted(home, kit, source, suffix):
    exif = Image.Exif()
    exif.load(kit.exif(6))
    # The maker's note, comment, owner, serial numbers; exposure time, and a directory that is not kept.
    private = {0x927C: b"maker's secret", 0x9286: b"a secret word", 0xA430: "a secret name"}
    private |= {0xA431: "secret1", 0xA435: "secret2"}
    exif[0x8769] = {0x829A: 0.25, **private, 0xA005: {1: "R98"}}
    (home / "a").write_bytes(kit.pil(PHOTO, source, exif=exif.tobytes()))
    for keep in (False, True):
        photo = read_image(home / "a", keep_metadata=keep)
        assert photo.pixels.shape == (PHOTO.shape[1], PHOTO.shape[0], 3)
        write_image(photo, home / f"b{suffix}")
        with Image.open(home / f"b{suffix}") as written:
            exif = written.getexif()
            assert (exif[0x010F], exif.get(0x0112, 1)) == ("Cam", 1)
            assert exif.get_ifd(0x8769) == {0x829A: 0.25} | (private if keep else {})
            assert exif.get_ifd(0x8825) == ({1: "N", 2: (50.0, 12345 / 67, 0.0)} if keep else {})
        raw = (home / f"b{suffix}").read_bytes()
        assert any(struct.pack(f"{order}II", 12345, 67) in raw for order in "<>") is keep
        assert (b"secret" in raw) is keep


@pytest.mark.parametrize("space", ["L", "LA"])
def test_a_grey_profile_is_applied_because_rgb_cannot_carry_it(home, kit, space):
    ramp = np.arange(256, dtype=np.uint8).reshape(16, 16)
    image = Image.fromarray(ramp)
    if space == "LA":
        image.putalpha(Image.fromarray(255 - ramp))
    (home / "a.png").write_bytes(kit.pil(image, "PNG", icc_profile=kit.linear_grey))
    photo = read_image(home / "a.png")
    light = ramp / 255
    encoded = np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)  # IEC 61966-2-1
    assert np.abs(photo.pixels - grey(255 * encoded)).max() <= 1
    assert photo.icc is None and "GRAY colour profile to sRGB" in photo.notices[0]
    if space == "LA":
        np.testing.assert_array_equal(photo.alpha, 255 - ramp)


def test_a_profile_of_another_space_is_ignored(home, kit):
    (home / "rgb.png").write_bytes(kit.pil(PHOTO, "PNG", icc_profile=kit.linear_grey))
    photo = read_image(home / "rgb.png")
    assert photo.icc is None and ICC_IGNORED in photo.notices[0]
    np.testing.assert_array_equal(photo.pixels, PHOTO)
    (home / "ink.jpg").write_bytes(kit.pil(Image.fromarray(INK, "CMYK"), "JPEG", quality=100, icc_profile=kit.p3))
    photo = read_image(home / "ink.jpg")
    assert photo.icc is None and [ICC_IGNORED in photo.notices[0], "CMYK" in photo.notices[1]] == [True, True]
    assert np.abs(photo.pixels.astype(int) - FROM_INK).max() <= 4


@pytest.mark.parametrize("source", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_20_a_wide_profile_is_kept_byte_for_byte_and_pixels_untouched(home, kit, source):
    options = {"JPEG": {"quality": 100, "subsampling": 0}, "WEBP": {"lossless": True}}.get(source, {})
    (home / "a").write_bytes(kit.pil(PHOTO, source, icc_profile=kit.p3, **options))
    photo = read_image(home / "a")
    assert photo.icc == kit.p3 and photo.notices == ()
    assert np.abs(photo.pixels.astype(int) - PHOTO).max() <= (6 if source == "JPEG" else 0)
    # A grey picture may carry an RGB profile: its three equal channels mean the same there.
    (home / "g").write_bytes(kit.pil(GREY, source, icc_profile=kit.p3, **({} if source == "WEBP" else options)))
    assert read_image(home / "g").icc == kit.p3
