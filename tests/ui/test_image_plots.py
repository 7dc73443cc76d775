"""Plots of a photo's steps: points where the figures say, room for steps to come, words for who does not see them."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from deblur_demo.spectrum import BINS, frequencies
from deblur_demo.ui.image.plots import plots, quality, spectra
from deblur_demo.ui.image.run import Result, StepFile

STEP = StepFile(0, Path("f"), Path("f"), 1.0, 1.5, 0.4, 24.0, 0.8, 99.0)


def lines(html: str) -> dict[str, list[tuple[float, float]]]:
    """Points of every line by its class."""
    found = re.findall(r'<polyline class="([^"]+)" points="([^"]*)"', html)
    return {name: [tuple(map(float, pair.split(","))) for pair in points.split()] for name, points in found}


def falling(start: float) -> tuple[float, ...]:
    """A spectrum that falls by one decibel a ring."""
    return tuple(start - ring for ring in range(BINS))


def result(count: int, truth: bool = False, rows: int = 4) -> Result:
    steps = tuple(
        replace(STEP, index=index, spectrum=falling(50 + index), **({} if truth else {"psnr": None, "ssim": None}))
        for index in range(count)
    )
    return Result("a.png", rows, steps, truth_spectrum=falling(60) if truth else ())


def test_curves_rise_with_the_figures_and_keep_room_for_steps_to_come():
    steps = [replace(STEP, index=index, psnr=psnr) for index, psnr in enumerate((24.0, 25.0, 26.0))]
    psnr, ssim = re.findall(r'<polyline class="after" points="([^"]*)"', quality(steps, most=4))
    points = [tuple(map(float, pair.split(","))) for pair in psnr.split()]
    assert [x for x, _ in points] == [0, 150, 300] and [y for _, y in points] == pytest.approx([92, 50, 8])
    assert len({pair.split(",")[1] for pair in ssim.split()}) == 1


def test_equal_pictures_have_no_psnr_and_so_no_points_of_it():
    html = quality([replace(STEP, psnr=None, ssim=1.0)], most=2)
    assert html.count("<figure") == 2 and html.count("<path") == 1


def test_without_a_truth_sharpness_and_change_are_drawn():
    steps = [replace(STEP, index=index, psnr=None, ssim=None, sharpness=5.0 + index) for index in range(3)]
    steps[0] = replace(steps[0], change=None)
    html = quality(steps, most=2)
    assert "PSNR" not in html and html.count("<path") == 3 + 2, "the input has no change"
    assert 'aria-label="Sharpness by iteration: 0: 5, 1: 6, 2: 7"' in html
    assert 'aria-label="Change by iteration: 1: 1.5, 2: 1.5"' in html


def test_every_spectrum_is_a_line_and_the_newest_stands_out():
    drawn = lines(spectra(result(4, truth=True)))
    assert list(drawn) == ["before", "between s1", "between s2", "after", "truth"]
    assert all(len(points) == BINS - 1 for points in drawn.values())
    heights = [points[10][1] for points in drawn.values()]
    assert heights == sorted(heights, reverse=True), "more power lies higher up"
    left, right = drawn["after"][0][0], drawn["after"][-1][0]
    middle = frequencies()
    assert left == 0 and right == pytest.approx(600 * (middle[-1] - middle[1]) / (0.5 - middle[1]), abs=0.1)


def test_the_legend_names_what_is_there():
    assert "Steps 1 to 2" in spectra(result(4)) and "Reference" not in spectra(result(4))
    first = spectra(result(1))
    assert list(lines(first)) == ["before"] and first.count("<span class=") == 1
    words = re.search(r'aria-label="([^"]+)"', spectra(result(3, truth=True)))[1]
    assert words.startswith("Power in dB, by frequency. Input: coarse ") and "; Step 2: coarse " in words
    thirds = [np.mean(third) for third in np.array_split(np.array(falling(50)[1:]), 3)]
    assert f"Input: coarse {thirds[0]:.0f}, middle {thirds[1]:.0f}, fine {thirds[2]:.0f};" in words


def test_empty_rings_of_small_pictures_are_left_out():
    gaps = tuple(float("nan") if ring % 2 else float(ring) for ring in range(BINS))
    steps = (replace(STEP, spectrum=gaps),)
    (points,) = lines(spectra(Result("a.png", 2, steps))).values()
    assert len(points) == BINS // 2 - 1
    empty = (replace(STEP, spectrum=(float("nan"),) * BINS),)
    assert lines(spectra(Result("a.png", 2, empty))) == {"before": []}


def test_the_plots_take_the_same_room_from_the_first_step_on():
    for truth in (False, True):
        assert plots(result(1, truth)).count("<figure") == plots(result(4, truth)).count("<figure") == 3
