"""DeblurGAN-v2: MobileNetV2's shape, the pyramid, and the range of its residual."""

from __future__ import annotations

import pytest
import torch

from deblur_demo.models import registry


@pytest.fixture
def network(liven):
    torch.manual_seed(0)
    return liven(registry.build("deblurgan-v2-mobile", backbone=0.25, pyramid=16, heads=8))


def test_size_and_what_the_paper_counts_on_top():
    with torch.device("meta"):
        network = registry.build("deblurgan-v2-mobile")
    assert network.parameter_count == 2_083_235
    # MobileNetV2 goes on: a third block of 160, one of 320, a 1x1 convolution to 1280. No output needs them.
    third = 160 * 960 + 9 * 960 + 960 * 160
    widest = 160 * 960 + 9 * 960 + 960 * 320
    behind_the_cut = third + widest + 320 * 1280
    cancelled_biases = 3 * 128 + 64 + 32
    assert network.parameter_count + behind_the_cut + cancelled_biases == 3_278_595  # 3.28 M in table 3


@torch.no_grad()
def test_the_pyramid_is_cut_at_16_24_32_64_160_channels():
    network = registry.build("deblurgan-v2-mobile")
    shapes = []
    for stage in network.stages:
        stage.register_forward_hook(lambda _, __, x: shapes.append(tuple(x.shape[1:])))
    window = torch.rand(1, 1, 3, 64, 96)
    network(window, window[:, 0], ())
    assert shapes == [(16, 32, 48), (24, 16, 24), (32, 8, 12), (64, 4, 6), (160, 2, 3)]


@torch.no_grad()
def test_the_residual_is_half_a_tanh(network):
    window = torch.rand(1, 1, 3, 64, 64)
    network.final.bias.fill_(100)
    torch.testing.assert_close(network(window, window[:, 0], ()).image, window[:, 0] + 0.5)
    network.final.weight.zero_()
    network.final.bias.fill_(0.3)
    expected = window[:, 0] + torch.tanh(torch.tensor(0.3)) / 2
    torch.testing.assert_close(network(window, window[:, 0], ()).image, expected)


@torch.no_grad()
def test_normalisation_takes_contrast_and_brightness_out(network):
    """Instance norm right behind the first convolution: away from the borders' zeros, only structure counts."""
    stem = network.stages[0][0]
    image = torch.rand(1, 3, 64, 64)
    image[..., :2, :] = image[..., -2:, :] = image[..., :2] = image[..., -2:] = 0
    torch.testing.assert_close(stem(0.5 * image), stem(image), rtol=0, atol=1e-3)
