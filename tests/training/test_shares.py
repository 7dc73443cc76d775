"""What a batch is made of where it is drawn in pieces: kinds in their shares, alike in all pieces."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from deblur_demo.errors import InputError
from deblur_demo.models import registry
from training.config import Recipe, Shares
from training.data.ahead import Feed
from training.data.batches import apportion
from training.data.corpus import Corpus
from training.machine import Machine

EVERYTHING = (True,) * 4
SHARES = Shares(photos=0.45, clips=0.2, pairs=0.33, gaussian=0.02)


def test_apportion_is_nearest_to_the_shares():
    all_equal = Shares(photos=1, clips=1, pairs=1)
    assert apportion(8, Shares(photos=0.45, clips=0.2, pairs=0.35), EVERYTHING) == (4, 1, 3, 0)
    assert apportion(3, all_equal, EVERYTHING) == (1, 1, 1, 0)
    assert apportion(5, all_equal, (True, False, False, False)) == (5, 0, 0, 0)
    with pytest.raises(InputError, match="shares"):
        apportion(5, all_equal, (False, False, False, True))


@pytest.mark.parametrize("batch", [1, 2, 5])
def test_kinds_that_do_not_fit_into_a_batch_take_turns(batch: int):
    drawn = [apportion(batch, SHARES, EVERYTHING, turn) for turn in range(100)]
    assert all(sum(counts) == batch and min(counts) >= 0 for counts in drawn)
    for counts, share in zip(zip(*drawn, strict=True), vars(SHARES).values(), strict=True):
        assert sum(counts) == pytest.approx(100 * batch * share, abs=1.5)


def test_kinds_that_are_not_there_have_no_turn():
    drawn = [apportion(1, SHARES, (True, False, True, False), turn) for turn in range(78)]
    assert [sum(counts) for counts in zip(*drawn, strict=True)] == [pytest.approx(45, abs=1.5), 0,
                                                                    pytest.approx(33, abs=1.5), 0]  # fmt: skip


def test_where_every_kind_has_a_crop_all_batches_are_alike():
    shares = Shares(photos=0.45, clips=0.2, pairs=0.35)
    assert {apportion(8, shares, EVERYTHING, turn) for turn in range(100)} == {(4, 1, 3, 0)}


def test_pieces_of_a_batch_are_made_of_the_same_kinds(corpus: Corpus, recipe: Recipe):
    """In pieces of one crop, pairs are a third of the batches and no part of the others."""
    recipe = replace(recipe, batch=3, accumulate=3, shares=Shares(photos=2, pairs=1))
    feed = Feed(corpus, recipe, registry.blank("mtrnn-lite").traits, Machine(torch.device("cpu"), "fp32"), ahead=False)
    pairs = []
    for index in range(12):
        counts = [(len(piece.light), len(piece.truth)) for piece in feed.take(index, 0)]
        assert counts in ([(1, 0)] * 3, [(0, 1)] * 3)
        pairs.append(counts[0][1])
    assert sum(pairs) == pytest.approx(12 / 3, abs=1)
