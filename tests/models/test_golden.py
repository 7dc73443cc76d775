"""Every bundled checkpoint still gives the numbers that its card promises."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from deblur_demo.models import checkpoint
from deblur_demo.models.golden import golden

WEIGHTS = sorted(checkpoint.BUNDLED.glob("*.safetensors"))


@pytest.mark.parametrize("weights", WEIGHTS, ids=lambda path: path.stem)
def test_a_bundled_network_gives_its_cards_numbers(weights: Path):
    model, card = checkpoint.load(weights)
    found = golden(model)
    assert len(card.golden) == len(found)
    for row, expected in zip(found, card.golden, strict=True):
        assert row == pytest.approx(expected, abs=1e-4)


def test_the_numbers_notice_a_changed_weight():
    model, card = checkpoint.load(WEIGHTS[0])
    with torch.no_grad():
        next(iter(model.parameters())).mul_(1.05)
    assert golden(model)[-1] != pytest.approx(card.golden[-1], abs=1e-4)
