"""How much of a run is done, and how long the rest takes."""

from __future__ import annotations

import pytest

from deblur_demo.runtime.deblurrer import TileDone
from deblur_demo.ui import text
from deblur_demo.ui.pace import ClipPace, Pace
from deblur_demo.ui.video import text as video_text


def test_the_rest_goes_as_the_part_that_is_done():
    now = [100.0]
    pace = Pace(6, clock=lambda: now[0])
    assert pace.remaining is None and pace.fraction == 0
    now[0] += 3
    pace.tile(TileDone(index=1, tile=2, tiles=4))
    assert pace.fraction == pytest.approx(2 / 24) and pace.remaining == pytest.approx(33)
    now[0] += 15
    pace.tile(TileDone(index=3, tile=4, tiles=4))
    assert pace.fraction == pytest.approx(0.5) and pace.remaining == pytest.approx(18)
    pace.tile(TileDone(index=6, tile=4, tiles=4))
    assert pace.fraction == 1 and pace.remaining == 0


@pytest.mark.parametrize(
    ("seconds", "words"), [(0.04, "0.0 s"), (9.96, "10 s"), (99.4, "99 s"), (100, "2 min"), (7200, "2.0 h")]
)
def test_durations_in_words(seconds, words):
    assert text.duration(seconds) == words


def test_the_status_line():
    assert text.running(2, 6, 3, 8, 12.0) == "Iteration 2 of 6, about 12 s left, tile 3 of 8"
    assert text.running(2, None, 1, 1, 12.0) == "Iteration 2, at most 12 s left"


def test_of_several_the_status_line_says_last_which_and_whose_time_it_is():
    which = text.of_several(1, 3, "x.png")
    assert (
        text.running(2, 6, 3, 8, 12.0, which)
        == "Iteration 2 of 6, about 12 s left for this one, 1 of 3: x.png, tile 3 of 8"
    )
    assert text.running(2, None, 1, 1, 12.0, which, True) == "Iteration 2, about 12 s left for all, 1 of 3: x.png"
    assert text.running(1, 6, name=which, for_all=True) == "Iteration 1 of 6, 1 of 3: x.png"
    assert text.of_several(1, 1, "x.png") == ""


def test_the_pace_of_several_photos_is_that_of_all():
    now = [100.0]
    pace = Pace(2, 4, clock=lambda: now[0])
    now[0] += 3
    pace.tile(TileDone(index=1, tile=1, tiles=1))
    assert pace.fraction == pytest.approx(1 / 8) and pace.remaining == pytest.approx(21)
    pace.photo()  # it stopped by itself
    assert pace.fraction == pytest.approx(1 / 4) and pace.remaining == pytest.approx(9)
    pace.failure()
    assert pace.fraction == pytest.approx(1 / 3) and pace.remaining == pytest.approx(6)
    now[0] += 3
    pace.tile(TileDone(index=2, tile=1, tiles=1))
    assert pace.fraction == pytest.approx(2 / 3) and pace.remaining == pytest.approx(3)
    pace.photo()
    pace.failure()
    assert pace.fraction == 1 and pace.remaining == 0


def test_where_every_photo_fails_no_time_is_told():
    pace = Pace(2, 1)
    pace.failure()
    assert pace.fraction == 0 and pace.remaining is None


def test_a_clips_pace_counts_frames_and_the_tiles_of_the_one_at_hand():
    now = [50.0]
    pace = ClipPace(10, 2, clock=lambda: now[0])
    assert (pace.rate, pace.remaining, pace.fraction) == (None, None, 0)
    now[0] += 2
    pace.tile(TileDone(index=1, tile=1, tiles=2))
    assert pace.fraction == pytest.approx(0.025) and pace.remaining == pytest.approx(78)
    now[0] += 2
    pace.frame()
    assert pace.rate == pytest.approx(0.25) and pace.fraction == pytest.approx(0.1)
    assert pace.remaining == pytest.approx(36)
    for _ in range(10):
        pace.frame()  # one more than was expected
    assert pace.fraction == 1 and pace.remaining == 0


def test_without_a_number_of_frames_there_is_no_end_in_sight():
    pace = ClipPace(None, 1)
    pace.frame()
    assert pace.fraction == 0 and pace.remaining is None and pace.rate > 0


def test_the_status_line_of_a_clip():
    assert video_text.filming(2, 20, 1.44, 12.0) == "Frame 3 of 20, about 12 s left, 1.4 frames/s"
    line = video_text.filming(0, None, None, None, text.running(2, 6, 3, 4))
    assert line == "Frame 1, iteration 2 of 6, tile 3 of 4"
    assert video_text.filming(20, 20, 1.0, 0.0).startswith("Frame 20 of 20")
