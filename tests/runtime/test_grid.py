"""Tiles cover a picture once, see what they must, and fit the memory they are given."""

from __future__ import annotations

import numpy as np
import pytest

from deblur_demo.models.contract import Traits
from deblur_demo.runtime.footprint import Footprint
from deblur_demo.runtime.grid import Axis, Grid, bytes_at_work, grid_of_side, grid_within

LITE = Traits(halo=192, align=8, state_strides=(4, 8))
LARGE = Traits(halo=21, align=4, minimum=256)


@pytest.mark.parametrize("traits", [LITE, LARGE, Traits(halo=0)])
@pytest.mark.parametrize("size", [(1, 1), (333, 40), (720, 1280), (1000, 999)])
@pytest.mark.parametrize("side", [0, 64, 100, 512])
def test_every_pixel_is_kept_once_and_seen_with_its_halo(traits, size, side):
    grid = grid_of_side(*size, traits, side)
    assert grid.height >= max(size[0], traits.minimum) and grid.width >= max(size[1], traits.minimum)
    kept = np.zeros((grid.height, grid.width), int)
    for tile in grid.tiles:
        inner, outer = tile.inner, tile.outer
        kept[inner.top : inner.bottom, inner.left : inner.right] += 1
        assert outer.top <= max(0, inner.top - traits.halo) and outer.left <= max(0, inner.left - traits.halo)
        assert outer.bottom >= min(grid.height, inner.bottom + traits.halo)
        assert outer.right >= min(grid.width, inner.right + traits.halo)
        assert outer.top >= 0 and outer.left >= 0 and outer.bottom <= grid.height and outer.right <= grid.width
        assert outer.height >= traits.minimum and outer.width >= traits.minimum
        bounds = (*vars(inner).values(), *vars(outer).values())
        assert all(bound % traits.align == 0 for bound in bounds)
        assert not side or tile.side <= -(-side // traits.align) * traits.align
    assert (kept == 1).all()


def test_zero_is_one_tile():
    assert len(grid_of_side(5773, 8660, LITE, 0).tiles) == 1


@pytest.mark.parametrize("traits", [LITE, LARGE])
def test_the_last_look_is_the_last_tile_that_sees_a_pixel(traits):
    grid = grid_of_side(700, 500, traits, 96)
    for own, last in zip(grid.tiles, grid.last_look, strict=True):
        seeing = [
            index
            for index, other in enumerate(grid.tiles)
            if other.outer.top < own.inner.bottom
            and own.inner.top < other.outer.bottom
            and other.outer.left < own.inner.right
            and own.inner.left < other.outer.right
        ]
        assert last == seeing[-1]


def test_halves_cut_the_longer_side_and_keep_the_halo():
    grid = Grid(Axis(1024, 1, LITE), Axis(640, 1, LITE), LITE)
    upper, lower = grid.halves(grid.tiles[0])
    assert (upper.inner.bottom, lower.inner.top, lower.inner.bottom) == (512, 512, 1024)
    assert (upper.outer.bottom, lower.outer.top) == (704, 320)
    left, right = grid.halves(upper)
    assert (left.inner.right, right.inner.left, right.outer.left) == (320, 320, 128)
    assert left.inner.bottom == 512


FOOTPRINT = Footprint(working=140.0, state=12.0)


@pytest.mark.parametrize("budget", [200e6, 500e6, 1e9])
def test_tiles_by_memory_fit_and_are_no_smaller_than_they_must(budget):
    grid = grid_within(5773, 8660, LITE, FOOTPRINT, budget)
    assert bytes_at_work(grid.rows, grid.columns, LITE, FOOTPRINT) <= budget
    rows, columns = len(grid.rows.spans), len(grid.columns.spans)
    for fewer in ((rows - 1, columns), (rows, columns - 1)):
        if all(fewer):
            larger = Axis(grid.height, fewer[0], LITE), Axis(grid.width, fewer[1], LITE)
            assert bytes_at_work(*larger, LITE, FOOTPRINT) > budget


def test_a_picture_that_fits_is_not_cut():
    assert len(grid_within(720, 1280, LITE, FOOTPRINT, 1e9).tiles) == 1


def test_the_smallest_tiles_where_nothing_fits():
    grid = grid_within(720, 1280, LITE, FOOTPRINT, budget=1.0)
    assert max(tile.side for tile in grid.tiles) < 300
