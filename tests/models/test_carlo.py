"""CARLO_NET: its size, its wiring, and borders that come off and come back."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from deblur_demo.models import registry
from deblur_demo.models.contract import Restorer

NARROW = {"carlo": {"filters": 8}}
# Mean, deviation and one pixel of the output, with weights and a window that a formula makes.
GOLDEN = {"carlo": (0.2957, 0.3783, 0.0000)}


def run(network: Restorer, window: torch.Tensor) -> torch.Tensor:
    return network(window, window[:, 0], ()).image


@pytest.fixture
def network(liven) -> Restorer:
    torch.manual_seed(0)
    return liven(registry.build("carlo", filters=8, init="he"))


@pytest.fixture
def window() -> torch.Tensor:
    return torch.rand(1, 1, 3, 32, 41, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize(
    ("settings", "size"),
    [
        ({}, 2_663_555),
        ({"filters": 32}, 168_227),
        ({"filters": 64}, 668_227),
        ({"layers": 5}, 1_187_715),
        ({"layers": 15}, 4_139_395),
        ({"kernel": 5}, 7_394_435),
    ],
)
def test_sizes_of_the_grid(settings, size):
    with torch.device("meta"):
        network = registry.build("carlo", **settings)
    filters, layers, taps = network.settings.filters, network.settings.layers, network.settings.kernel**2
    between = 2 * (layers - 1) * (taps * filters**2 + filters)
    assert network.parameter_count == size == between + 3 * taps * filters + filters + 3 * taps * filters + 3


def test_the_small_one_is_a_point_of_the_grid():
    with torch.device("meta"):
        assert registry.build("carlo-s").settings == registry.build("carlo", filters=32).settings


@pytest.mark.parametrize(("layers", "kernel"), [(10, 3), (5, 3), (15, 3), (5, 5)])
@torch.no_grad()
def test_sides_come_back_down_to_the_smallest(layers, kernel):
    network = registry.build("carlo", layers=layers, kernel=kernel, filters=4)
    side = network.traits.minimum
    for height, width in ((side, side), (side + 1, side + 8)):
        assert run(network, torch.rand(2, 1, 3, height, width)).shape == (2, 3, height, width)
    assert (layers, kernel) != (10, 3) or side == 24


@torch.no_grad()
def test_skips_join_every_second_convolution_to_its_mirror(network, window):
    """The figure of the report, written out: convolution 9 meets transposed 1, and so on to 1 and 9."""
    convolution = [None, *network.encoder]  # numbered from 1, as in the report
    transposed = [None, *network.decoder, network.head]
    assert (len(convolution), len(transposed)) == (11, 11)
    features = [window[:, 0]]
    for number in range(1, 11):
        layer = convolution[number]
        features.append(F.relu(F.conv2d(features[-1], layer.weight, layer.bias)))
        assert features[-1].shape[-2:] == (32 - 2 * number, 41 - 2 * number)
    x = features[10]
    for number in range(1, 11):
        layer = transposed[number]
        x = F.relu(F.conv_transpose2d(x, layer.weight, layer.bias))
        if number in (1, 3, 5, 7, 9):
            x = F.relu(features[10 - number] + x)
    torch.testing.assert_close(run(network, window), x, rtol=1e-4, atol=1e-5)
    assert x.std() > 1e-3


def test_radius_and_halo(reach, positive):
    for settings in ({}, {"layers": 5, "kernel": 5}):
        network = positive(registry.build("carlo", filters=4, **settings))
        assert reach(network) == network.traits.halo == 20


@torch.no_grad()
def test_a_cut_with_its_halo_equals_the_whole(network):
    """Also where the cut keeps a corner of the picture: its border is the picture's own."""
    window = torch.rand(1, 1, 3, 90, 80, generator=torch.Generator().manual_seed(2))
    whole = run(network, window)
    for top, bottom, left, right in ((30, 50, 30, 50), (0, 30, 0, 25), (60, 90, 70, 80)):
        y, x = max(top - 20, 0), max(left - 20, 0)
        cut = run(network, window[..., y : bottom + 20, x : right + 20])
        inside = cut[..., top - y : bottom - y, left - x : right - x]
        torch.testing.assert_close(inside, whole[..., top:bottom, left:right], rtol=0, atol=1e-5)


@torch.no_grad()
def test_output_starts_from_grey_and_alive_and_is_rectified(window):
    for seed in range(5):
        torch.manual_seed(seed)
        for init in ("glorot", "he"):
            image = run(registry.build("carlo", filters=16, init=init), window)
            assert image.amin() > 0 and (image - 0.5).abs().mean() < 0.3
    network = registry.build("carlo", filters=16)
    network.head.bias.fill_(-9.0)
    assert not run(network, window).any()
    residual = registry.build("carlo", filters=16, rectify=False)
    assert not residual.head.bias.any()
    assert run(residual, window).amin() < 0


@torch.no_grad()
def test_initialisations():
    torch.manual_seed(0)
    he = registry.build("carlo", init="he").encoder[3].weight
    glorot = registry.build("carlo").encoder[3].weight
    assert he.std().item() == pytest.approx((2 / (9 * 128)) ** 0.5, rel=0.02)
    assert glorot.std().item() == pytest.approx((2 / (9 * 256)) ** 0.5, rel=0.02)


def test_gradients_reach_every_parameter(network, window):
    run(network, window).square().mean().backward()
    for key, value in network.named_parameters():
        assert value.grad is not None and value.grad.abs().sum() > 0, key


@torch.no_grad()
def test_bf16_stays_close_to_fp32(window):
    torch.manual_seed(0)
    network = registry.build("carlo", filters=32)
    exact = run(network, window)
    rounded = run(network.to(torch.bfloat16), window)
    assert rounded.dtype == torch.float32
    assert 0 < (rounded - exact).abs().mean() < 0.002, "less than half a level of 8 bits"


@torch.no_grad()
def test_golden_numbers(patterned, ramp):
    image = run(patterned(registry.build("carlo", **NARROW["carlo"])), ramp(1, 48, 48))
    found = [image.mean().item(), image.std().item(), image[0, 1, 7, 40].item()]
    assert found == pytest.approx(GOLDEN["carlo"], abs=2e-4)
