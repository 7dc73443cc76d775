"""The gallery's page says what was measured, and the one that is committed is the one that the script makes."""

from __future__ import annotations

import math
import re

import numpy as np
import pytest
from PIL import Image

from deblur_demo import metrics
from docs import gallery, gallery_inputs
from docs.gallery import HEIGHT, WIDTH, Result, Shot
from docs.gallery_inputs import CASES, Case

PAGE = gallery.PAGE.read_text(encoding="utf-8")


def spoon():
    return gallery_inputs.sample("coffee.png", (300, 190, 300 + WIDTH, 190 + HEIGHT))


def test_a_page_of_two_photos(tmp_path):
    shaken = Case("spoon", "A spoon", "Shaken.", gallery_inputs.shaken(spoon, shift=12, level=9), (0, 0))
    clock = Case("hands", "Hands", "Moved.", lambda: (gallery_inputs.sample("clock_motion.png"), None), (146, 80))
    found = gallery.write([shaken, clock], tmp_path / "page.md", tmp_path / "pictures")
    page = (tmp_path / "page.md").read_text(encoding="utf-8")
    blurred, truth = (photo.pixels for photo in shaken.make())
    figures = dict(re.findall(r"^\| (PSNR, dB|SSIM) \| (\S+) ", page, flags=re.MULTILINE))
    assert figures == {
        "PSNR, dB": f"{metrics.psnr(blurred, truth):.2f}",
        "SSIM": f"{metrics.ssim(blurred, truth):.3f}",
    }
    last = found[0].shots[3].pixels
    assert found[0].gain == pytest.approx(metrics.psnr(last, truth) - metrics.psnr(blurred, truth))
    assert gallery.gained(found[0].gain) in page
    picture = np.asarray(Image.open(tmp_path / "pictures" / "spoon.webp"))
    assert picture.shape == (HEIGHT, 6 * WIDTH + 5 * gallery.GAP, 3)
    for index, pixels in enumerate([*(shot.pixels for shot in found[0].shots), truth]):
        left = index * (WIDTH + gallery.GAP)
        assert metrics.change(picture[:, left : left + WIDTH], pixels) < 3
    assert page.count("| Sharpness |") == 2 and "Hands" in page.split("## Nobody knows the truth")[1]


def result(*curve: float, sharpness: tuple[float, float] = (5.0, 6.0)) -> Result:
    """As if PSNR had gone like this, and by the filter to 20 dB."""
    values = [curve[0], *(curve[index] for index in (1, 2, 6)), 20.0] if curve else [None] * 5
    steep = [sharpness[0], *[sharpness[1]] * 4]
    pixels = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    shots = tuple(Shot("", pixels, s, value, value) for s, value in zip(steep, values, strict=True))
    return Result(CASES[0], shots, curve, pixels if curve else None)


@pytest.mark.parametrize(
    ("curve", "section", "said"),
    [
        ((20, 20.5, 21, 21.2, 21.3, 21.4, 21.5), "It helps", "6 iterations: +1.50 dB, richardson-lucy: +0.00 dB."),
        (
            (21, 21.5, 21.1, 21, 21, 21, 20.9999),
            "It changes little",
            "richardson-lucy: -1.00 dB. The best was iteration 1: +0.50",
        ),
        ((20, 19, 18, 18, 18, 18, 18), "It does harm", "No iteration was better than the input."),
        ((math.inf, 40, 39, 38, 37, 36, 35), "It does harm", "After 6 iterations it scores 35.0 dB to itself"),
        ((), "Nobody knows the truth", "Sharpness goes from 5.00 to 6.00 in 6 iterations."),
    ],
)
def test_words_follow_the_figures(curve, section, said):
    assert list(gallery.sections([result(*curve)])) == [section]
    assert said in gallery.verdict(result(*curve)) and "-0.00" not in gallery.verdict(result(*curve))


def test_a_gain_in_noise_is_not_sold_as_one_in_sharpness():
    rising = result(20, 20.5, 21, 21.2, 21.3, 21.4, 21.5, sharpness=(9.0, 5.0))
    assert "what goes is noise, more than blur" in gallery.verdict(rising)


def test_the_committed_page_is_of_these_photos():
    assert re.findall(r"^### (.+)$", PAGE, flags=re.MULTILINE) != []
    assert set(re.findall(r"^### (.+)$", PAGE, flags=re.MULTILINE)) == {case.title for case in CASES}
    for case in CASES:
        part = PAGE.split(f"### {case.title}\n")[1].split("\n#")[0]
        assert case.about in part and f"({gallery.PICTURES.name}/{case.name}.webp)" in part and "| Sharpness |" in part
    assert gallery_inputs.LICENCES in PAGE


def test_its_pictures_are_there_and_small():
    files = {path.name: path.stat().st_size for path in gallery.PICTURES.iterdir()}
    assert set(files) == {f"{case.name}.webp" for case in CASES}
    assert sum(files.values()) < 1_000_000
    for name in files:
        with Image.open(gallery.PICTURES / name) as picture:
            assert picture.height == HEIGHT and picture.width in (
                5 * WIDTH + 4 * gallery.GAP,
                6 * WIDTH + 5 * gallery.GAP,
            )
