"""What is drawn about a clip: right points, right figures, nothing that a file could smuggle in."""

from __future__ import annotations

import re
from fractions import Fraction
from types import SimpleNamespace

import pytest

from deblur_demo.ui.video import text as video_text
from deblur_demo.ui.video import views as video_views
from deblur_demo.ui.video.run import FrameFigures


def run(count: int, flicker: tuple[float, float] | None = (2.0, 1.5), notices: tuple[str, ...] = ()):
    frames = [
        FrameFigures(Fraction(index, 25), 0.5, 0.2, 0.4 + 0.1 * (index % 2), 3.0, False) for index in range(count)
    ]
    report = flicker and SimpleNamespace(flicker_before=flicker[0], flicker=flicker[1])
    times = [frame.time for frame in frames]
    return SimpleNamespace(frames=frames, times=times, report=report, notices=notices, elapsed=0.8 * count)


def points(svg: str) -> dict[str, list[tuple[float, float]]]:
    lines = re.findall(r'<polyline class="(\w+)" points="([^"]*)"', svg)
    return {name: [tuple(map(float, pair.split(","))) for pair in drawn.split()] for name, drawn in lines}


def test_the_curve_runs_over_the_whole_clip_and_higher_is_sharper():
    drawn = points(video_views.curve(run(4)))
    assert [x for x, _ in drawn["after"]] == pytest.approx([0, 150, 300, 450])
    assert {y for _, y in drawn["before"]} == {92.0} and max(y for _, y in drawn["after"]) < 92
    assert drawn["after"][1][1] == 8.0


def test_a_long_clip_is_drawn_with_few_points_and_their_means():
    drawn = points(video_views.curve(run(5000)))
    assert len(drawn["after"]) <= 300 and drawn["after"][-1][0] == pytest.approx(600, abs=3)
    assert all(y == pytest.approx(drawn["after"][0][1], abs=4) for _, y in drawn["after"])


def test_a_single_frame_and_a_flat_clip_can_be_drawn():
    assert points(video_views.curve(run(1)))["after"] == [(0.0, 8.0)]
    flat = run(3)
    flat.frames = [FrameFigures(f.time, 0.5, 0.3, 0.3, 0.0, False) for f in flat.frames]
    assert {y for _, y in points(video_views.curve(flat))["after"]} == {92.0}


def test_rates_are_never_written_as_powers_of_ten():
    assert "Frame 3 of 9, 120 frames/s" in video_text.filming(2, 9, pace=119.6)
    assert "Frame 3 of 9, 0.12 frames/s" in video_text.filming(2, 9, pace=0.1196)
    assert "(250 frames/s)" in video_text.clip_figures(500, 1.0, 2.0, 1.0)


def test_figures_are_means_and_flicker_shows_where_it_was_measured():
    html = video_views.figures(run(4))
    cells = re.findall(r"<td>([^<]*)</td>", html.split("<tbody>")[1])
    assert cells == ["0.20", "0.45", "2.00", "1.50", "–", "3.00"]
    assert "Flicker" not in video_views.figures(run(4, flicker=None))


def test_how_long_a_clip_took_is_told_by_the_clock_of_its_status():
    work = run(4)
    told = "4 frames, 0.16 s long, done in 3.2 s (1.2 frames/s), of which the network took 2.0 s."
    assert told in video_views.figures(work) and "in 3.2 s." in video_text.filmed(4, work.elapsed)


def test_notices_are_escaped():
    assert "<script" not in video_views.figures(run(2, notices=("<script>alert(1)</script>",)))
