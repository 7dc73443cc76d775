"""The blur lab: a drawn path does what it says, by lot is repeatable, and what comes out goes in again."""

from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image
from skimage import data

from deblur_demo import metrics
from deblur_demo.cli import main
from deblur_demo.errors import InputError, SettingError
from deblur_demo.lab import LEVELS, Shake, path_by_lot, read_shake, shake_photo
from deblur_demo.media.image import Photo, read_image, write_image

STRAIGHT = tuple((float(x), 0.0) for x in range(-10, 11))  # 20 pixels to the right


@pytest.fixture(scope="module")
def photo() -> Photo:
    return Photo(data.coffee()[100:228, 200:392].copy())


def test_the_first_level_is_the_photo_and_every_level_is_blurrier(photo):
    shaken = shake_photo(photo, Shake(path=STRAIGHT, level=13))
    assert np.abs(shaken.sharp.pixels.astype(int) - photo.pixels).max() <= 1
    closeness = [metrics.psnr(shaken.levels[n].pixels, photo.pixels) for n in LEVELS]
    assert closeness == sorted(closeness, reverse=True) and closeness[1] - closeness[-1] > 3
    assert np.array_equal(shaken.blurred.pixels, shaken.levels[13].pixels)


def test_a_straight_path_is_a_straight_kernel_of_its_length(photo):
    kernel = shake_photo(photo, Shake(path=STRAIGHT, level=13)).kernel
    middle = kernel.shape[0] // 2
    assert kernel.sum() == pytest.approx(1, abs=1e-5)
    assert kernel[middle].sum() == pytest.approx(1, abs=1e-3), "nothing above or below the line"
    lit = np.flatnonzero(kernel[middle] > 0.01)
    assert (lit[0] - middle, lit[-1] - middle) == (-10, 10)
    assert kernel[middle, lit[1:-1]].std() < 0.2 * kernel[middle, lit].mean(), "an even speed"


def test_the_kernel_is_what_the_lab_does_in_linear_light(photo):
    shaken = shake_photo(photo, Shake(path=((0, 0), (6, 8), (3, 12)), level=9))
    light = (photo.pixels / 255.0) ** 2.2
    reach = shaken.kernel.shape[0] // 2
    height, width = photo.pixels.shape[:2]
    expected = sum(
        weight * np.roll(light, (y - reach, x - reach), (0, 1)) for (y, x), weight in np.ndenumerate(shaken.kernel)
    )
    inside = np.s_[2 * reach : height - 2 * reach, 2 * reach : width - 2 * reach]
    seen = (shaken.blurred.pixels / 255.0) ** 2.2
    # The middle frame of an exposure is one sharp instant, a frame's share of it is all that may differ.
    assert np.abs(seen - expected)[inside].mean() < 0.006


def test_a_path_by_lot_is_repeatable_and_as_long_as_asked(photo):
    shake = Shake(seed=5, shift=30, level=13, noise=1, objects=2, saturation=3)
    first, second, other = (shake_photo(photo, s) for s in (shake, shake, Shake(seed=6, shift=30, level=13)))
    assert np.array_equal(first.blurred.pixels, second.blurred.pixels)
    assert not np.array_equal(first.blurred.pixels, other.blurred.pixels)
    assert 8 < np.ptp(other.shake.path, axis=0).max() <= 60
    again = shake_photo(photo, Shake.from_json(first.shake.to_json()))
    assert metrics.psnr(again.blurred.pixels, first.blurred.pixels) > 50, (
        "the path in the JSON is the one that was drawn"
    )


@pytest.mark.parametrize("seed", [0, 4])
def test_a_path_by_lot_is_known_before_any_photo_is(photo, seed):
    path = path_by_lot(seed, 30)
    taken = shake_photo(photo, Shake(seed=seed, shift=30)).shake.path
    assert np.allclose(path, taken, atol=1e-3) and path[len(path) // 2] == (0, 0)
    assert not np.allclose(path, path_by_lot(seed + 1, 30), atol=1)


def test_noise_and_objects_only_touch_what_they_should(photo):
    calm = shake_photo(photo, Shake(path=STRAIGHT))
    noisy = shake_photo(photo, Shake(path=STRAIGHT, noise=2))
    assert np.array_equal(calm.sharp.pixels, noisy.sharp.pixels)
    assert 3 < metrics.change(calm.blurred.pixels, noisy.blurred.pixels) < 12
    crowded = shake_photo(photo, Shake(path=STRAIGHT, objects=1))
    assert metrics.change(crowded.sharp.pixels, photo.pixels) > 1, "an object is part of the truth"


@pytest.mark.parametrize(("axis", "seed"), [(0, 2), (1, 1)])
def test_an_object_appears_in_the_middle_of_a_long_photo(photo, axis, seed):
    long = np.moveaxis(photo.pixels[:48], axis, 1)
    shaken = shake_photo(Photo(np.ascontiguousarray(long)), Shake(path=((0, 0),), objects=1, seed=seed))
    change = np.abs(shaken.sharp.pixels.astype(int) - long).max(axis=2)
    third = change.shape[axis] // 3
    assert np.take(change, range(third, 2 * third), axis).max() > 20


@pytest.mark.parametrize("shape", [(1, 1), (3, 200), (120, 7)])
def test_every_shape_comes_back(shape):
    shaken = shake_photo(Photo(np.full((*shape, 3), 90, np.uint8)), Shake(shift=20, seed=1))
    assert shaken.blurred.pixels.shape == (*shape, 3)
    assert np.abs(shaken.blurred.pixels.astype(int) - 90).max() <= 1


def test_large_photos_are_reduced_and_deep_ones_stay_deep():
    deep = Photo(np.tile(np.arange(2000, dtype=np.uint16) * 30, (1200, 1))[..., None].repeat(3, 2))
    shaken = shake_photo(deep, Shake(path=((0, 0),), level=3))
    assert shaken.sharp.pixels.dtype == np.uint16 and shaken.sharp.pixels.shape[:2] == (1095, 1825)
    assert any("reduced" in notice for notice in shaken.blurred.notices)


def test_long_photos_are_reduced_however_few_pixels_they_have():
    long = Photo(np.full((3, 12288, 3), 90, np.uint8))
    shaken = shake_photo(long, Shake(path=((0, 0),), level=3))
    assert shaken.blurred.pixels.shape == (1, 4096, 3)
    assert shaken.blurred.notices == ("The photo was reduced to 4096x1 pixels for the blur lab",)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        '[1, "a"]',
        "null",
        '{"colour": 1}',
        '{"path": [[1]]}',
        '{"path": [[NaN, 0]]}',
        '{"path": [[1, 0], [0, NaN]]}',
        '{"path": [[0, 0], [501, 0]]}',
        '{"path": [[20000, 0]]}',
        '{"path": [[1' + "0" * 400 + ", 0]]}",
        '{"level": 4}',
        '{"seed": -1}',
        '{"path": 3}',
    ],
)
def test_a_shake_that_makes_no_sense_is_refused(text):
    with pytest.raises(SettingError):
        Shake.from_json(text)


def test_a_shake_comes_back_from_its_file(tmp_path):
    shake = Shake(path=STRAIGHT, noise=0.5, level=7)
    (tmp_path / "shake.json").write_text(shake.to_json())
    assert read_shake(tmp_path / "shake.json") == shake
    assert json.loads(shake.to_json())["level"] == 7
    with pytest.raises(InputError):
        read_shake(tmp_path / "none.json")


def test_the_command_line_blurs_and_repeats(photo, tmp_path, capsys):
    write_image(photo, tmp_path / "sharp.png")
    words = ["blur", tmp_path / "sharp.png", "-o", tmp_path / "a.png", "--seed", 3, "--level", 13]
    files = ["--json", tmp_path / "s.json", "--sharp", tmp_path / "truth.png", "--levels-dir", tmp_path / "levels"]
    assert main([*map(str, words + files)]) == 0
    expected = shake_photo(photo, Shake(seed=3, level=13))
    assert np.array_equal(read_image(tmp_path / "a.png").pixels, expected.blurred.pixels)
    assert np.array_equal(read_image(tmp_path / "truth.png").pixels, expected.sharp.pixels)
    assert len(list((tmp_path / "levels").iterdir())) == len(LEVELS)
    repeat = ["blur", tmp_path / "sharp.png", "-o", tmp_path / "b.png", "--path", tmp_path / "s.json"]
    assert main([*map(str, repeat)]) == 0
    assert metrics.psnr(read_image(tmp_path / "b.png").pixels, expected.blurred.pixels) > 50
    assert main(["blur", str(tmp_path / "sharp.png"), "-o", str(tmp_path / "sharp.png")]) == 1
    assert "is one of the files given" in capsys.readouterr().err


def test_the_command_line_says_once_what_was_assumed(photo, tmp_path, capsys):
    pages = [Image.fromarray(photo.pixels), Image.fromarray(255 - photo.pixels)]
    pages[0].save(tmp_path / "moving.webp", save_all=True, append_images=pages[1:], lossless=True)
    words = ["blur", tmp_path / "moving.webp", "-o", tmp_path / "a.png", "--sharp", tmp_path / "truth.png"]
    assert main([*map(str, words)]) == 0
    said = f"{tmp_path / 'a.png'}\n  It is an animation: only its first frame is used.\n{tmp_path / 'truth.png'}\n"
    assert capsys.readouterr().out == said


@pytest.mark.parametrize("flag", ["-o", "--sharp"])
def test_a_result_of_no_format_is_refused_before_any_is_written(photo, tmp_path, capsys, flag):
    write_image(photo, tmp_path / "sharp.png")
    names = {"-o": "new/a.png", "--sharp": "new/truth.png"} | {flag: "new/t.gif"}
    words = [word for key, name in names.items() for word in (key, str(tmp_path / name))]
    assert main(["blur", str(tmp_path / "sharp.png"), *words]) == 1
    assert "t.gif names no format that can be written" in capsys.readouterr().err
    assert not (tmp_path / "new").exists()
