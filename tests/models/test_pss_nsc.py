"""PSS-NSC: what is shared and what is separate, and how the scales follow each other."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from deblur_demo.models import registry


@pytest.fixture
def network(liven):
    torch.manual_seed(0)
    return liven(registry.build("pss-nsc", width=8))


@pytest.mark.parametrize(
    ("settings", "count"),
    [
        ({}, 3_876_905),  # table 3 of Park 2020: 3.87 M
        ({"scales": 1}, 3_359_075),
        ({"scales": 1, "recurrent": True}, 3_400_227),  # and 3.40 M
    ],
)
def test_size(settings, count):
    with torch.device("meta"):
        assert registry.build("pss-nsc", **settings).parameter_count == count


def test_only_what_extracts_features_is_separate():
    with torch.device("meta"):
        one, three = (registry.build("pss-nsc", scales=scales) for scales in (1, 3))
    separate = sum(value.numel() for value in three.scales[0].parameters())
    assert separate == 258_915  # 6->32, 32->64, 64->128, 128->64, 64->32, 32->3
    assert three.parameter_count - one.parameter_count == 2 * separate


@torch.no_grad()
def test_a_level_is_the_same_block_twice_with_nested_skips(network):
    """Unit k sees the input and the sum of all earlier units' outputs, as the paper draws it."""
    block = network.encoder[0]
    x = torch.randn(1, 8, 12, 12)
    outputs = []
    for unit in block:
        outputs.append(unit.conv2(F.relu(unit.conv1(x + sum(outputs)))))
    torch.testing.assert_close(block(x), x + sum(outputs))

    calls = []
    handle = block.register_forward_hook(lambda *_: calls.append(1))
    window = torch.rand(1, 1, 3, 32, 32)
    network(window, window[:, 0], ())
    handle.remove()
    assert len(calls) == 2 * 3, "twice at each of three scales"


@torch.no_grad()
def test_each_scale_starts_from_the_scale_before(network):
    window = torch.rand(2, 1, 3, 32, 48)
    predictions = network.predictions(window)
    assert [(tuple(image.shape), scale) for image, scale in predictions] == [
        ((2, 3, 8, 12), 4),
        ((2, 3, 16, 24), 2),
        ((2, 3, 32, 48), 1),
    ]
    assert torch.equal(predictions[-1][0], network(window, window[:, 0], ()).image)
    network.scales[0].head.bias.add_(0.1)
    moved = network.predictions(window)
    torch.testing.assert_close(moved[0][0], predictions[0][0] + 0.1)
    assert (moved[2][0] - predictions[2][0]).abs().mean() > 1e-6


@torch.no_grad()
def test_with_silent_outputs_every_scale_is_the_blurred_image(network):
    for scale in network.scales:
        scale.head.weight.zero_()
        scale.head.bias.zero_()
    window = torch.rand(1, 1, 3, 16, 16)
    for image, factor in network.predictions(window):
        assert torch.equal(image, F.avg_pool2d(window[:, 0], factor))


def test_one_scale_sees_235_px(reach):
    network = registry.build("pss-nsc", width=4, scales=1, recurrent=True)
    assert reach(network) == 235
    assert network.traits.exact and network.traits.halo == 236
    assert not registry.build("pss-nsc", width=4).traits.exact
