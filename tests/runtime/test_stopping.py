"""The automatic stop: nearly as good as six iterations, in fewer, and fewer still where little is to be done."""

from __future__ import annotations

from pathlib import Path
from statistics import mean

import numpy as np
import pytest
import torch
from skimage import data, io

from deblur_demo.media.frames import to_pixels, to_tensor, window
from deblur_demo.metrics import psnr
from deblur_demo.models import checkpoint
from deblur_demo.runtime.deblurrer import Deblurrer
from deblur_demo.runtime.stopping import ABSOLUTE, RELATIVE, SMALL, settled

MOST_LOST = 0.08  # dB below a fixed six, on average
MOST_ITERATIONS = 4.9  # on average
CLIP = Path(__file__).resolve().parents[3] / "shared/eval/reds_003"
SIDE = 192
PLAIN = torch.full((1, 3, 48, 48), 0.5)  # neither sharp nor blurred


def test_it_stops_when_the_change_falls_below_a_share_of_the_first():
    assert not settled([0.5], PLAIN)
    assert not settled([0.5, 0.5 * RELATIVE + 0.01], PLAIN)
    assert settled([0.5, 0.5 * RELATIVE - 0.01], PLAIN)
    assert not settled([0.5, 1.0, 0.5 * RELATIVE + 0.01], PLAIN)


def test_a_change_that_is_still_large_goes_on_however_much_larger_the_first_was():
    assert not settled([10.0, SMALL + 0.01], PLAIN)
    assert settled([10.0, SMALL - 0.01], PLAIN)


def test_it_stops_when_the_change_is_less_than_the_eye_sees():
    assert settled([ABSOLUTE - 0.01], PLAIN)
    assert settled([1.2 * ABSOLUTE, 0.9 * ABSOLUTE], PLAIN)


def test_what_looks_sharp_after_the_first_iteration_is_settled_then_or_never():
    sharp, blurred = (to_tensor(p) for p in (data.astronaut(), smear(data.astronaut(), 14, 5)))
    assert settled([5.0], sharp) and not settled([5.0], blurred)
    assert not settled([5.0, 5.0], sharp), "iterations make what is blurred look sharp"


def smear(picture: np.ndarray, across: int, down: int) -> np.ndarray:
    """Mean in linear light over a straight motion of that many pixels."""
    linear, steps = (picture / 255.0) ** 2.2, max(across, down) + 1
    shifts = [(round(down * k / (steps - 1)), round(across * k / (steps - 1))) for k in range(steps)]
    centre = (shifts[-1][0] // 2, shifts[-1][1] // 2)
    moved = [np.roll(linear, (y - centre[0], x - centre[1]), (0, 1)) for y, x in shifts]
    return np.round(255 * np.mean(moved, 0) ** (1 / 2.2)).astype(np.uint8)


def middle(picture: np.ndarray) -> np.ndarray:
    top, left = (picture.shape[0] - SIDE) // 2, (picture.shape[1] - SIDE) // 2
    return picture[top : top + SIDE, left : left + SIDE]


def made_pairs(motions: list[tuple[int, int]]) -> list[tuple[np.ndarray, np.ndarray]]:
    """(blurred, sharp) pictures of scikit-image, which are in no training set."""
    sharp = [data.astronaut(), data.coffee(), data.immunohistochemistry()]
    return [(middle(smear(p, *motion)) if any(motion) else middle(p), middle(p)) for p in sharp for motion in motions]


def clip_pairs() -> list[tuple[np.ndarray, np.ndarray]]:
    if not CLIP.is_dir():
        return []
    frames = [f"{number:08d}.png" for number in (0, 3, 6, 9)]
    return [tuple(middle(io.imread(CLIP / kind / frame)) for kind in ("blur", "sharp")) for frame in frames]


class Outcome:
    """One picture, run for a fixed six iterations: where the criterion would have stopped, and the cost of that."""

    def __init__(self, deblurrer: Deblurrer, blurred: np.ndarray, sharp: np.ndarray):
        self.window = window([to_tensor(blurred)])
        steps = list(deblurrer.steps(self.window, 6))
        changes = [step.change for step in steps]
        self.count = next((n for n in range(1, 6) if settled(changes[:n], steps[n - 1].image)), 6)
        score = [psnr(to_pixels(step.image, np.dtype(np.uint8)), sharp) for step in steps]
        self.lost = score[-1] - score[self.count - 1]
        self.gain = score[self.count - 1] - psnr(blurred, sharp)


@pytest.fixture(scope="module")
def deblurrer() -> Deblurrer:
    weights = checkpoint.find("mtrnn-lite")
    if weights is None:
        pytest.skip("there are no weights of mtrnn-lite to stop")
    return Deblurrer(checkpoint.load(weights)[0], device="cpu")


@pytest.fixture(scope="module")
def outcomes(deblurrer) -> dict[str, list[Outcome]]:
    kinds = {"easy": made_pairs([(0, 0)]), "hard": made_pairs([(8, 3), (0, 14)]), "clip": clip_pairs()}
    return {kind: [Outcome(deblurrer, *pair) for pair in pairs] for kind, pairs in kinds.items()}


def test_auto_stops_where_the_criterion_says(deblurrer, outcomes):
    for outcome in (outcomes["easy"][0], outcomes["hard"][0]):
        assert len(list(deblurrer.steps(outcome.window, "auto"))) == outcome.count


def test_it_loses_little_and_saves_iterations(outcomes):
    everything = sum(outcomes.values(), [])
    assert mean(o.lost for o in everything) <= MOST_LOST
    assert mean(o.count for o in everything) <= MOST_ITERATIONS


@pytest.mark.parametrize("kind", ["hard", "clip"])
def test_it_loses_little_on_blurred_pictures_alone(outcomes, kind):
    """The gain on sharp ones, which six iterations harm, must not hide a loss here."""
    if not outcomes[kind]:
        pytest.skip(f"the validation clip is not at {CLIP}")
    assert mean(o.lost for o in outcomes[kind]) <= MOST_LOST


def test_sharp_pictures_with_noise_come_out_better_than_they_went_in(deblurrer):
    sharp = [middle(picture) for picture in (data.astronaut(), data.immunohistochemistry(), data.chelsea())]
    for picture in sharp + [truth for _, truth in clip_pairs()]:
        noise = np.random.default_rng(0).normal(0, 5, picture.shape)
        noisy = np.clip(np.round(picture + noise), 0, 255).astype(np.uint8)
        assert Outcome(deblurrer, noisy, picture).gain > 0.5


def test_hard_pictures_get_more_iterations_than_easy_ones(outcomes):
    assert mean(o.count for o in outcomes["hard"]) > mean(o.count for o in outcomes["easy"])
