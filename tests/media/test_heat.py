"""Figures as colours: the ends of the scale, what lies beyond them, and that more is always brighter."""

from __future__ import annotations

import numpy as np
import pytest

from deblur_demo.media.heat import COLOURS, paint


def test_the_ends_and_what_lies_beyond():
    painted = paint(np.array([[-1.0, 0.0, 8.0, 100.0]], np.float32), top=8)
    assert painted.dtype == np.uint8 and painted.shape == (1, 4, 3)
    assert painted[0].tolist() == [list(COLOURS[0])] * 2 + [list(COLOURS[-1])] * 2


def test_colours_are_met_at_equal_distances():
    stops = len(COLOURS) - 1
    painted = paint(np.arange(stops + 1, dtype=np.float64)[None] / stops, top=1)[0].astype(int)
    assert np.abs(painted - COLOURS).max() <= 1  # of 256 levels, not all fall on a stop


@pytest.mark.parametrize("weights", [(0.2126, 0.7152, 0.0722), (0.299, 0.587, 0.114)])
def test_more_is_brighter_all_the_way(weights):
    light = paint(np.arange(256.0)[None], top=255)[0] @ weights
    assert (np.diff(light) > -0.5).all() and (np.diff(light[::8]) > 3).all() and light[-1] > 240
