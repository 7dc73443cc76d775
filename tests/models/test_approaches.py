"""What Park 2020 compares MT-RNN with: sizes as printed, and what passes between scales and networks."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from deblur_demo.errors import SettingError
from deblur_demo.models import registry


@pytest.mark.parametrize(
    ("name", "settings", "count"),
    [
        ("mtrnn", {"recurrent": False}, 2_594_371),  # table 2 (g), (j): 2.594 M
        ("mtrnn", {"residual": "previous"}, 2_635_523),
        ("mtrnn", {"kernel": 5}, 6_932_739),
        ("mtrnn-stacked", {}, 3 * 2_635_523),  # (h): 7.890 M
        ("mtrnn-ms", {}, 2_594_371),  # (i), (m): 2.594 M
        ("mtrnn-ms-mt", {}, 2_637_251),  # (l): 2.637 M
    ],
)
def test_sizes_of_table_2(name, settings, count):
    assert registry.build(name, **settings).parameter_count == count


@pytest.fixture
def window() -> torch.Tensor:
    return torch.rand(1, 1, 3, 32, 48, generator=torch.Generator().manual_seed(1))


def build(name, liven, **settings):
    torch.manual_seed(0)
    return liven(registry.build(name, **settings))


@torch.no_grad()
def test_the_residual_is_added_to_what_the_setting_says(window, liven):
    previous = window[:, 0].flip(2)
    images = {
        residual: build("mtrnn", liven, residual=residual)(window, previous, ()).image
        for residual in ("blurred", "previous", "none")
    }
    mean = torch.tensor([0.4488, 0.4371, 0.4040]).view(1, 3, 1, 1)
    torch.testing.assert_close(images["blurred"] - window[:, 0], images["none"] - mean)
    torch.testing.assert_close(images["previous"] - previous, images["none"] - mean)


@torch.no_grad()
def test_without_recurrent_features_no_state_passes_on(window, liven):
    network = build("mtrnn", liven, recurrent=False)
    first, second = network.run(window, 2)
    assert first.state == () == network.traits.state_strides
    assert (second.image - first.image).abs().max() > 1e-4, "the estimate still does"


@torch.no_grad()
def test_stacked_networks_are_each_their_own(window, liven):
    network = build("mtrnn-stacked", liven)
    first, second, third = (image for image, _ in network.predictions(window))
    alone = network.nets[0](window, window[:, 0], ())
    assert torch.equal(alone.image, first)
    assert torch.equal(network.nets[1](window, alone.image, alone.state).image, second)
    assert torch.equal(next(network.run(window)).image, third)
    network.nets[2].head.bias.add_(0.1)
    changed = [image for image, _ in network.predictions(window)]
    assert torch.equal(changed[1], second) and (changed[2] - third).abs().max() > 0.05


@torch.no_grad()
@pytest.mark.parametrize("setting", [{"residual": "previous"}, {"recurrent": False}, {"images": 7}])
def test_what_follows_from_the_scales_is_not_a_setting(setting):
    with pytest.raises(SettingError, match="Leave it out"):
        registry.build("mtrnn-ms", **setting)


@pytest.mark.parametrize("name", ["mtrnn-ms", "mtrnn-ms-mt"])
def test_a_scale_sees_the_result_of_the_coarser_one(name, window, liven):
    network = build(name, liven)
    images, _ = network.predictions_of_step(window, window[:, 0], ())
    assert [(scale, tuple(image.shape[-2:])) for image, scale in images] == [(4, (8, 12)), (2, (16, 24)), (1, (32, 48))]
    coarse = F.avg_pool2d(window[:, 0], 4)
    inputs = (coarse,) * (4 if name == "mtrnn-ms-mt" else 2)
    torch.testing.assert_close(images[0][0], coarse + network.net.output(inputs, ())[0])
    other = build(name, liven)
    other.net.output = lambda inputs, state: network.net.output((inputs[0],) * len(inputs), state)
    blind, _ = other.predictions_of_step(window, window[:, 0], ())
    torch.testing.assert_close(blind[0][0], images[0][0])
    assert (blind[2][0] - images[2][0]).abs().max() > 1e-4


@torch.no_grad()
def test_multi_scale_iterations_hand_on_features_at_every_scale(window, liven):
    network = build("mtrnn-ms-mt", liven)
    first, second = network.run(window, 2)
    strides = network.traits.state_strides
    assert strides == (8, 16, 4, 8, 2, 4)
    assert [feature.shape[-1] for feature in first.state] == [48 // stride for stride in strides]
    forgetful = network(window, first.image, ())
    assert (forgetful.image - second.image).abs().max() > 1e-5


def test_kernels_of_five_reach_no_farther_than_the_halo(reach, positive):
    network = positive(registry.build("mtrnn", kernel=5))
    assert reach(network, beyond=8) <= network.traits.halo
