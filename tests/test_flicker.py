"""Flicker that was put into clips by a known amount, and motion, cuts and occlusion, which are none."""

from __future__ import annotations

from itertools import pairwise

import cv2
import numpy as np
import pytest
from numpy import ndarray
from skimage import data

from deblur_demo.errors import InputError
from deblur_demo.flicker import Flicker

PICTURE = cv2.GaussianBlur(data.astronaut(), (0, 0), 1)
COUNT = 5


def still(height: int = 120, width: int = 160) -> list[ndarray]:
    return [PICTURE[100 : 100 + height, 150 : 150 + width]] * COUNT


def moving(across: float, down: float = 0.0, size: int = 240) -> list[ndarray]:
    """A view that moves over the picture, by parts of a pixel too."""
    shifts = [np.float32([[1, 0, -30 - i * across], [0, 1, -30 - i * down]]) for i in range(COUNT)]
    return [cv2.warpAffine(PICTURE, shift, (size, size), flags=cv2.INTER_CUBIC) for shift in shifts]


def brighter(frame: ndarray, levels: float) -> ndarray:
    return np.clip(frame.astype(np.float64) + levels, 0, 255).round().astype(np.uint8)


def measured(source: list[ndarray], restored: list[ndarray]) -> tuple[float, float]:
    flicker = Flicker()
    for pair in zip(source, restored, strict=True):
        flicker.add(*pair)
    return flicker.value


@pytest.mark.parametrize("size", [(120, 160), (12, 300), (9, 9), (1, 1)])
@pytest.mark.parametrize("levels", [0, 1, 7])
def test_brightness_that_alternates_in_a_still_clip_is_measured_exactly(levels, size):
    """No pixel of the picture is clipped by it."""
    source = [np.clip(frame[: size[0], : size[1]], 20, 200) for frame in still(*size)]
    restored = [brighter(frame, levels * (index % 2)) for index, frame in enumerate(source)]
    assert measured(source, restored) == (0, levels)


def test_a_large_clip_is_compared_reduced():
    source = [cv2.resize(frame, (1000, 500)).clip(20, 200) for frame in still()]
    before, after = measured(source, [brighter(frame, 5 * (index % 2)) for index, frame in enumerate(source)])
    assert before == 0 and after == pytest.approx(5, abs=0.01)


@pytest.mark.parametrize(("across", "down"), [(1, 0), (0, -2), (3, 1), (0.5, 0.25), (9, 4)])
def test_motion_is_no_flicker(across, down):
    source = moving(across, down)
    unmoved = np.mean([np.abs(a.astype(float) - b).mean() for a, b in pairwise(source)])
    before, after = measured(source, source)
    assert before == after < min(1.0, 0.25 * unmoved)


def test_flicker_of_something_that_moves_is_found():
    source = moving(3, 1)
    steady, _ = measured(source, source)
    restored = [brighter(frame.clip(20, 200), 10 * (index % 2)) for index, frame in enumerate(source)]
    before, after = measured(source, restored)
    assert before == steady and 9 < after < 11


def test_the_motion_is_that_of_the_source():
    """A restored clip that jumps to and fro where the source stands still flickers."""
    source = still(200, 200)
    restored = [np.roll(frame, 4 * (index % 2), axis=1) for index, frame in enumerate(source)]
    jump = np.abs(restored[0].astype(float) - restored[1]).mean()
    assert measured(source, restored) == (0, pytest.approx(jump, rel=1e-6))


def test_what_is_uncovered_does_not_count():
    """A grey square moves over the picture and uncovers 12 of its columns a frame."""
    source = []
    for index in range(COUNT):
        frame = PICTURE[100:300, 100:300].copy()
        frame[60:140, 20 + 12 * index : 100 + 12 * index] = 128
        source.append(frame)
    uncovered = np.mean([np.abs(a.astype(float) - b).mean() for a, b in pairwise(source)])
    before, _ = measured(source, source)
    assert before < 0.3 * uncovered


def test_a_cut_does_not_count():
    scenes = [cv2.resize(picture, (300, 200)) for picture in (data.coffee(), data.astronaut(), data.chelsea())]
    assert measured(scenes, scenes) == (None, None)
    flickering = [brighter(scenes[0].clip(20, 200), 4 * (index % 2)) for index in range(COUNT)]
    steady = [scenes[0].clip(20, 200)] * COUNT
    assert measured([*steady, scenes[1]], [*flickering, scenes[1]]) == (0, 4)


def test_fewer_than_two_frames_cannot_flicker():
    assert Flicker().value == (None, None)
    assert measured(still()[:1], still()[:1]) == (None, None)


@pytest.mark.parametrize(
    "sizes", [[(40, 50), (40, 51)], [(360, 640), (720, 1280)], [(40, 50), (40, 50), (41, 50), (41, 50)]]
)
def test_sizes_must_agree(sizes):
    frames = [np.zeros((*size, 3), np.uint8) for size in sizes]
    with pytest.raises(InputError, match="pixels"):
        measured(frames[::2], frames[1::2])
