"""Verdicts on real and on made-up pictures: whether there was blur, whether much changed, what to try."""

from __future__ import annotations

import json
import math
from pathlib import Path

import cv2
import numpy as np
import pytest
from skimage import data

from deblur_demo import metrics, reports, verdict
from deblur_demo.lab import Shake, shake_photo
from deblur_demo.media.image import Photo, read_image
from deblur_demo.pipeline import StepReport
from deblur_demo.ui.image import text as words

REDS = Path(__file__).resolve().parents[2] / "shared/eval/reds_003"


def report(pixels: np.ndarray, index: int = 0, truth: np.ndarray | None = None) -> StepReport:
    """A step as the pipeline would report it."""
    measures = {"psnr": metrics.decibel, "ssim": metrics.ssim, "mse": metrics.mse}
    scores = {name: None if truth is None else measure(pixels, truth) for name, measure in measures.items()}
    return StepReport(index, Photo(pixels), 0.1, None, metrics.sharpness(pixels), **scores)


def smeared(pixels: np.ndarray, length: int) -> np.ndarray:
    return cv2.blur(pixels, (length, 1)) if length > 1 else pixels


def softened(pixels: np.ndarray, sigma: int) -> np.ndarray:
    """Blurred alike in all directions, so not smeared straight."""
    return cv2.GaussianBlur(pixels, (0, 0), sigma) if sigma else pixels


@pytest.mark.parametrize("name", ["coffee", "chelsea", "astronaut", "rocket"])
def test_sharp_photos_are_called_sharp_and_shaken_ones_blurred(name):
    photo = getattr(data, name)()
    assert verdict.kind_of(metrics.blur(photo)) == "sharp"
    shaken = shake_photo(Photo(photo), Shake(seed=3, shift=24, level=13)).blurred.pixels
    assert verdict.kind_of(metrics.blur(shaken)) == "blurred"


@pytest.mark.skipif(not REDS.exists(), reason="the frames of REDS are not here")
@pytest.mark.parametrize("frame", [0, 5, 9])
def test_frames_of_reds_are_told_apart(frame):
    kinds = {
        which: verdict.kind_of(metrics.blur(read_image(REDS / which / f"{frame:08d}.png").pixels))
        for which in ("blur", "sharp")
    }
    assert kinds == {"blur": "blurred", "sharp": "sharp"}


def test_the_thresholds_belong_to_their_side():
    kinds = [verdict.kind_of(value) for value in (None, 0.0, verdict.SHARP, 0.45, verdict.BLURRED, 1.0)]
    assert kinds == ["plain", "sharp", "sharp", "soft", "blurred", "blurred"]


def test_a_run_that_did_nothing():
    photo = data.coffee()
    found = verdict.judge(report(photo), report(photo, 6), more=True)
    assert (found.kind, found.unchanged, found.change, found.steeper, found.gain) == ("sharp", True, 0, 1, None)
    assert found.advice == ()


def test_a_run_that_took_the_blur_away():
    photo = data.coffee()[:200, :300]
    before = smeared(photo, 15)
    found = verdict.judge(report(before, truth=photo), report(smeared(photo, 3), 6, photo), more=True)
    assert found.kind == "blurred" and found.cleared and not found.unchanged and found.advice == ()
    assert found.change == pytest.approx(metrics.change(before, smeared(photo, 3)))
    assert found.steeper > 1.3
    gain = metrics.psnr(smeared(photo, 3), photo) - metrics.psnr(before, photo)
    assert found.gain == pytest.approx(gain) and gain > 3


def test_equal_pictures_have_no_gain_and_json_takes_all_facts():
    photo = data.coffee()[:120, :160]
    found = verdict.judge(report(smeared(photo, 9), truth=photo), report(photo, 1, photo))
    assert found.gain is None
    facts = json.loads(json.dumps(found.facts(), allow_nan=False))
    figures = {"blur_before", "blur_after", "change", "steeper", "gain", "size", "smear", "best"}
    assert set(facts) == {"kind", "advice"} | figures
    assert facts["blur_before"] == metrics.blur(smeared(photo, 9)) > facts["blur_after"]


@pytest.mark.parametrize(
    ("sigma", "done", "more", "advice"),
    [
        (10, 2, True, ("more_iterations", "half_size")),
        (10, 6, True, ("half_size",)),
        (10, 2, False, ("half_size",)),
        (2, 2, True, ("more_iterations",)),
        (2, 6, True, ()),
        (0, 2, True, ()),
    ],
)
def test_advice_fits_the_blur_and_the_run(sigma, done, more, advice):
    photo = softened(data.astronaut(), sigma)
    assert verdict.judge(report(photo), report(photo, done), more).advice == advice


@pytest.mark.parametrize(
    ("done", "more", "truth", "advice"),
    [
        (6, True, None, ("first_step",)),
        (1, True, None, ()),
        (6, False, None, ()),
        (6, True, "input", ("first_step",)),
        (6, True, "output", ()),
    ],
)
def test_where_little_was_to_be_done_the_first_step_is_pointed_to(done, more, truth, advice):
    photo = data.astronaut()
    harder, nearly = (cv2.addWeighted(photo, 1 + by, softened(photo, 2), -by, 0) for by in (1, 0.9))
    noisy = np.clip(photo + np.random.default_rng(3).normal(0, 2, photo.shape), 0, 255).astype(np.uint8)
    known = {"input": softened(photo, 1), "output": nearly, None: None}[truth]
    found = verdict.judge(report(noisy, truth=known), report(harder, done, known), more)
    assert (found.kind, found.unchanged, found.advice) == ("sharp", False, advice)


@pytest.mark.parametrize(
    ("scores", "best"),
    [
        ((25.0, 26.4, 26.1, 24.5), 1),
        ((25.0, 26.0, 27.0, 26.9), 2),
        ((25.0, 26.0, 27.0, 26.91), None),
        ((25.0, 24.0, 23.0), 1),
        ((25.0, 24.0), None),
        ((25.0, None, 24.0), None),
        ((), None),
    ],
)
def test_the_step_that_is_clearly_nearest_to_the_truth_is_pointed_to(scores, best):
    photo = softened(data.astronaut(), 2)
    found = verdict.judge(report(photo), report(photo, len(scores) - 1), learned=False, scores=scores)
    assert found.best == best and ("best_step" in found.advice) is (best is not None)
    if best is not None:
        assert f"Look at step {best}: it is closest" in words.verdict(found)
        assert f"--iterations {best}, which comes closest" in reports.verdict(found.facts())


@pytest.mark.parametrize("length", [12, 27, 41])
def test_a_network_that_left_a_straight_smear_is_followed_by_deconvolution(length):
    photo = smeared(data.astronaut(), length)
    found = verdict.judge(report(photo), report(photo, 6))
    assert found.advice == ("deconvolution",) and found.smear == pytest.approx(length, abs=0.6)
    deep = verdict.judge(report(photo.astype(np.uint16) * 257), report(photo.astype(np.uint16) * 257, 6))
    assert deep.smear == pytest.approx(found.smear, abs=0.01)
    for last, learned in ((photo, False), (data.astronaut(), True)):
        assert verdict.judge(report(photo), report(last, 6), learned=learned).smear is None


def test_a_filter_that_found_no_smear_is_followed_by_a_network():
    photo = softened(data.astronaut(), 2)
    assert verdict.judge(report(photo), report(photo, 6), learned=False).advice == ("network",)


@pytest.mark.parametrize(("length", "fitting"), [(1, "full"), (9, "full"), (20, "full"), (41, "half"), (90, "quarter")])
def test_the_fitting_size_follows_the_length_of_the_smear(length, fitting):
    pixels = smeared(data.astronaut(), length)
    assert verdict.fitting_size(pixels) == fitting
    if fitting == "half":
        double = cv2.resize(pixels, None, fx=2, fy=2, interpolation=cv2.INTER_CUBIC)
        assert verdict.fitting_size(double) == "quarter"


@pytest.mark.parametrize("times", [1, 6, 12])
def test_large_photos_are_judged_by_their_pixels(times):
    """At 12 x 12 it has 37 megapixels, and a copy of a quarter more than is usually looked at."""
    mosaic = np.tile(smeared(data.astronaut(), 41), (times, times, 1))
    assert verdict.fitting_size(mosaic) == "half"


@pytest.mark.parametrize("side", [31, 120, 250])
def test_small_photos_get_no_advice_on_size(side):
    photo = softened(data.astronaut(), 10)[:side, 100 : 100 + side]
    assert verdict.fitting_size(photo) is None
    assert verdict.judge(report(photo), report(photo, 6), size="quarter").advice == ()


@pytest.mark.parametrize(
    ("sigma", "after", "size", "advice"),
    [
        (10, 10, "half", ()),
        (10, 10, "quarter", ("half_size",)),
        (2, 0, "half", ("full_size",)),  # cleared, but at the price of detail
        (2, 2, "half", ("full_size",)),
        (0, 0, "quarter", ("full_size",)),
        (10, 4, "quarter", ()),
    ],
)
def test_another_size_is_advised_where_it_fits_better(sigma, after, size, advice):
    before, after = (report(softened(data.astronaut(), pixels)) for pixels in (sigma, after))
    found = verdict.judge(before, after, size=size)
    assert (found.size, found.advice) == (size, advice)


def test_more_of_what_does_harm_is_not_advised():
    photo = data.astronaut()
    before, after = softened(photo, 10), softened(photo, 11)
    assert metrics.psnr(after, photo) < metrics.psnr(before, photo)
    assert verdict.judge(report(before, truth=photo), report(after, 1, photo), True).advice == ("half_size",)


@pytest.mark.parametrize("size", [(8, 8), (31, 400)])
def test_small_and_flat_pictures_tell_nothing(size):
    small = data.astronaut()[: size[0], : size[1]]
    flat = np.full((200, 300, 3), 90, np.uint8)
    for pixels in (small, flat):
        found = verdict.judge(report(pixels), report(pixels, 1), True)
        assert (found.kind, found.blur_before, found.advice) == ("plain", None, ())
    assert math.isfinite(verdict.judge(report(flat), report(flat, 1)).steeper)
