"""Counted multiply-accumulates against counts by hand."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from deblur_demo.models import registry
from deblur_demo.models.complexity import gmacs
from deblur_demo.models.contract import Estimate, Restorer, Traits, centre_frame


class Single(Restorer):
    """One layer, followed by nothing."""

    def __init__(self, layer: nn.Module):
        super().__init__()
        self.layer = layer
        self.traits = Traits(halo=1)

    def forward(self, window, previous, state):
        return Estimate(self.layer(centre_frame(window)))


@pytest.mark.parametrize(
    ("layer", "macs"),
    [
        (nn.Conv2d(3, 8, 3, padding=1), 32 * 48 * 8 * 3 * 9),
        (nn.Conv2d(3, 8, 5, stride=2, padding=2), 16 * 24 * 8 * 3 * 25),
        (nn.Conv2d(3, 6, 3, padding=1, groups=3), 32 * 48 * 6 * 9),
        (nn.ConvTranspose2d(3, 8, 4, stride=2, padding=1), 32 * 48 * 8 * 3 * 16),
    ],
)
def test_one_layer_by_hand(layer, macs):
    assert gmacs(Single(layer), 32, 48) == pytest.approx(macs / 1e9, rel=1e-9)


def test_mtrnn_needs_24_gmacs_an_iteration_at_256():
    network = registry.build("mtrnn")
    assert gmacs(network) == pytest.approx(24.1, abs=0.05)
    assert gmacs(network, 512, 256) == pytest.approx(2 * gmacs(network), rel=1e-6)
    assert next(network.parameters()).device.type == "cpu", "counting leaves the network where it was"


def test_stages_are_averaged_and_small_pictures_rounded_up():
    with torch.device("meta"):
        network = registry.build("deblurgan-v2-mobile")
        staged = registry.build("sgenet", widths=(6, 6, 6))
    assert gmacs(network, 3, 5) == gmacs(network, 64, 64)
    # Both stages have 16 RDM convolutions of 6 -> 6 at full, half and quarter sides, and not twice as much around them.
    dilated = 256 * 256 * (1 + 1 / 4 + 1 / 16) * 16 * 6 * 6 * 9 / 1e9
    assert dilated < gmacs(staged) < 2 * dilated


def test_filters_have_no_products_to_count():
    assert gmacs(registry.build("wiener", length=5.0), 64, 64) == 0
