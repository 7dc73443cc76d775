"""Straight motions: their kernels, and how they are read off pictures."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from skimage import data

from deblur_demo.models.smear import find_smear
from tests.models.smears import kernel, photo_of, smeared


def turn(found: torch.Tensor, angle: float) -> float:
    """Degrees between directions; a motion has no sense, so half turns are equal."""
    return abs((math.degrees(found) - angle + 90) % 180 - 90)


def test_the_kernel_is_a_line_of_that_length_and_direction():
    flat = kernel(7.0, 0.0)
    assert flat.sum() == pytest.approx(1)
    np.testing.assert_allclose(flat[12, 9:16], 1 / 7, atol=1e-6)
    np.testing.assert_allclose(np.delete(flat, 12, axis=0), 0, atol=1e-6)
    np.testing.assert_allclose(kernel(7.0, 90.0), flat.T, atol=1e-6)
    assert np.argmax(kernel(15.0, 45.0)[8]) == 16, "counter-clockwise: above the centre means right of it"
    np.testing.assert_allclose(kernel(1.0, 0.0)[12, 12], 1, atol=1e-6)


@pytest.mark.parametrize("name", ["chelsea", "coffee", "astronaut", "rocket"])
@pytest.mark.parametrize(("length", "angle"), [(9.0, 0), (15.4, 30), (25.0, 120), (44.0, 75)])
def test_a_straight_motion_is_found(name, length, angle):
    found_length, found_angle = find_smear(smeared(photo_of(getattr(data, name)()), length, angle))
    assert found_length.item() == pytest.approx(length, abs=0.5)
    assert turn(found_angle, angle) < 2


@pytest.mark.parametrize("name", ["chelsea", "coffee", "astronaut", "rocket"])
def test_none_is_found_in_a_sharp_photo(name):
    length, angle = find_smear(photo_of(getattr(data, name)()))
    assert (length.item(), angle.item()) == (1, 0)


def test_every_picture_of_a_batch_is_read_for_itself():
    photo = photo_of(data.chelsea())
    batch = torch.cat((smeared(photo, 12, 60), smeared(photo, 30, 140), photo[..., 30:-30, 30:-30]))
    length, angle = find_smear(batch)
    assert length.tolist() == pytest.approx([12, 30, 1], abs=0.5)
    assert turn(angle[0], 60) < 2 and turn(angle[1], 140) < 2


def test_of_a_large_picture_the_middle_is_read():
    large = smeared(photo_of(np.tile(data.astronaut(), (3, 3, 1))), 20, 10)  # (1, 3, 1476, 1476)
    cut = slice((1476 - 1024) // 2, (1476 + 1024) // 2)
    whole, middle = find_smear(large), find_smear(large[..., cut, cut])
    assert whole[0].item() == middle[0].item() == pytest.approx(20, abs=0.5)
    assert whole[1].item() == middle[1].item()


@pytest.mark.parametrize("shape", [(1, 1), (3, 5), (9, 30), (64, 64)])
def test_a_plain_or_tiny_picture_has_none(shape):
    assert find_smear(torch.full((1, 3, *shape), 0.5))[0].item() == 1


def test_a_motion_beyond_the_longest_is_not_looked_for():
    moved = smeared(photo_of(data.astronaut()), 30, 20)
    assert find_smear(moved)[0].item() == pytest.approx(30, abs=0.5)
    assert find_smear(moved, longest=20)[0].item() == 1
