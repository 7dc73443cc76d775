"""The memory a network works in, weighed and checked against what the process really took."""

from __future__ import annotations

import pytest
import torch

from deblur_demo.models import registry
from deblur_demo.runtime.footprint import measure


@pytest.mark.parametrize(("dtype", "bytes_each"), [(torch.float32, 4), (torch.bfloat16, 2)])
def test_features_weigh_what_their_shapes_say(dtype, bytes_each):
    """MT-RNN: 64 channels at half and 128 at a quarter of the sides; lite: of half the sides."""
    paper = measure(registry.build("mtrnn").to(dtype))
    lite = measure(registry.build("mtrnn-lite").to(dtype))
    assert paper.state == (64 / 4 + 128 / 16) * bytes_each
    assert lite.state == paper.state / 4


def test_work_grows_with_the_width_of_the_features(recurrent):
    """At its fullest, two maps of the picture's sides live, three of half and one of a quarter of them."""
    narrow, wide = (measure(recurrent(width=width)) for width in (8, 32))
    assert wide.working - narrow.working == 4 * (32 - 8) * (2 + 3 / 4 + 1 / 16)


def test_stages_are_all_weighed(stages):
    """Stage 1 hands on 3 channels at full and 6 at half resolution, stage 2 five at full resolution."""
    assert measure(stages).state == 4 * max(3 + 6 / 4, 5)
