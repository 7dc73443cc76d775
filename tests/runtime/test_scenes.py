"""Cuts between pictures of scikit-image, and all that is none: pans, zooms, flashes, fades, blur, noise."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path

import cv2
import numpy as np
import pytest
from skimage import data

from deblur_demo.media.frames import to_tensor
from deblur_demo.runtime.scenes import cut_between, is_cut, thumbnail

PICTURES = {
    "astronaut": data.astronaut(),
    "coffee": data.coffee(),
    "chelsea": data.chelsea(),
    "rocket": data.rocket(),
    "retina": data.retina(),
    "tissue": data.immunohistochemistry(),
}
CLIPS = Path(__file__).resolve().parents[3] / "shared"
CUT = ["corpus/reds/000", "corpus/reds/001", "eval/reds_003/blur", "corpus/gopro/GOPR0372_07_00/blur"]


def cut(before: np.ndarray, after: np.ndarray) -> bool:
    """In either order."""
    found = {is_cut(to_tensor(a), to_tensor(b)) for a, b in ((before, after), (after, before))}
    assert len(found) == 1
    return found.pop()


def part(picture: np.ndarray, left: float = 0.0, width: float = 0.7) -> np.ndarray:
    """A view of a share of the picture's width, from a share of it on."""
    size = picture.shape[1]
    return picture[:, round(left * size) : round(left * size) + round(width * size)]


@pytest.mark.parametrize(("one", "other"), list(combinations(PICTURES, 2)))
def test_two_pictures_are_two_scenes(one, other):
    size = (320, 180)
    assert cut(*(cv2.resize(part(PICTURES[name]), size, interpolation=cv2.INTER_AREA) for name in (one, other)))


@pytest.mark.parametrize("name", PICTURES)
@pytest.mark.parametrize("share", [0.01, 0.05, 0.14])
def test_a_pan_is_no_cut_however_hard(name, share):
    """0.14 of the picture is a fifth of the view: a frame 1280 wide moves by 256 px."""
    before, after = part(PICTURES[name]), part(PICTURES[name], share)
    assert not cut(before, after)
    blurred = cv2.blur(after, (round(share * after.shape[1]) | 1, 1))  # as such a motion would look
    assert not cut(cv2.blur(before, (round(share * before.shape[1]) | 1, 1)), blurred)


@pytest.mark.parametrize("name", PICTURES)
def test_neither_a_shake_nor_a_zoom_nor_blur_nor_noise_is_a_cut(name):
    picture = PICTURES[name]
    height, width = picture.shape[:2]
    assert not cut(picture, picture)
    assert not cut(picture[height // 8 :, : -width // 8], picture[: -height // 8, width // 8 :])
    assert not cut(picture, picture[height // 20 : -height // 20, width // 20 : -width // 20])
    assert not cut(picture, cv2.GaussianBlur(picture, (0, 0), 12))
    noise = np.random.default_rng(0).normal(0, 40, picture.shape)
    assert not cut(picture, np.clip(picture + noise, 0, 255).astype(np.uint8))


@pytest.mark.parametrize("name", PICTURES)
@pytest.mark.parametrize("gain", [0.5, 0.7, 1.4])
def test_a_flash_or_a_fade_is_no_cut(name, gain):
    picture = PICTURES[name]
    assert not cut(picture, np.clip(gain * picture.astype(np.float32), 0, 255).astype(np.uint8))


@pytest.mark.parametrize("name", PICTURES)
def test_from_black_to_a_picture_is_a_cut_but_darkness_is_none(name):
    picture = PICTURES[name]
    assert cut(np.zeros_like(picture), picture)
    assert not cut(picture // 32, np.zeros_like(picture))


@pytest.mark.parametrize("level", [0, 15, 16, 127, 255])
def test_flat_frames_that_differ_by_a_little_are_one_scene(level):
    flat = np.full((30, 40, 3), level, np.uint8)
    assert not cut(flat, np.clip(flat.astype(int) + 5, 0, 255).astype(np.uint8))


@pytest.mark.parametrize("size", [(1, 1), (1, 200), (7, 3), (36, 64), (500, 20)])
def test_frames_of_any_size(size):
    generator = np.random.default_rng(0)
    dark = generator.integers(0, 40, (*size, 3), dtype=np.uint8)
    assert not cut(dark, dark)
    assert cut(dark, 255 - dark)


def test_brightness_is_that_of_the_eye():
    red, green = np.zeros((2, 36, 64, 3), np.uint8)
    red[..., 0], green[..., 1] = 255, 255
    assert thumbnail(to_tensor(red)).mean() == pytest.approx(0.299 * 255, rel=1e-5)
    assert thumbnail(to_tensor(green)).mean() == pytest.approx(0.587 * 255, rel=1e-5)


@pytest.mark.parametrize("name", CUT)
def test_real_clips_have_no_cuts_inside_and_one_between(name):
    folder = CLIPS / name
    if not folder.is_dir():
        pytest.skip(f"there is no clip at {folder}")
    files = sorted(path for path in folder.rglob("*") if path.suffix in {".png", ".jpg"})[:20]
    thumbs = [thumbnail(to_tensor(cv2.imread(str(path), cv2.IMREAD_COLOR_RGB))) for path in files]
    for apart in (1, 2, 4):
        assert not any(cut_between(a, b) for a, b in zip(thumbs, thumbs[apart:], strict=False))
    for picture in PICTURES.values():
        assert cut_between(thumbs[0], thumbnail(to_tensor(picture)))
