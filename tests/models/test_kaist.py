"""KAIST_NET: its size, its per-pixel kernels, its blend, and its far reach."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from deblur_demo.models import registry
from deblur_demo.models.contract import Restorer
from deblur_demo.models.zoo.kaist import VARIANTS, DownUp, UpDown, filter_pixels

SIZES = {"kaist": 11_590_813, "kaist-3f": 11_595_613, "kaist-3f-s": 2_908_093}
NARROW = {name: {"width": 4, "blocks": (2, 2, 1)} for name in ("kaist", "kaist-3f")}
# Mean, deviation and one pixel of the output, with weights and a window that a formula makes.
GOLDEN = {"kaist": (0.0118, 0.0391, 0.0120), "kaist-3f": (0.0116, 0.0391, 0.0091)}


def run(network: Restorer, window: torch.Tensor) -> torch.Tensor:
    return network(window, window[:, 0], ()).image


@pytest.fixture(params=NARROW)
def network(request, liven) -> Restorer:
    torch.manual_seed(0)
    return liven(registry.build(request.param, **NARROW[request.param]))


@pytest.fixture
def window(network) -> torch.Tensor:
    return torch.rand(1, network.traits.frames, 3, 32, 40, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("name", VARIANTS)
def test_size(name):
    with torch.device("meta"):
        assert registry.build(name).parameter_count == SIZES[name]


def test_block_counts_are_those_of_the_table():
    with torch.device("meta"):
        network = registry.build("kaist")
    blocks = [type(module) for module in network.modules() if isinstance(module, (DownUp, UpDown))]
    assert blocks == [DownUp] * (9 + 9 + 4) + [UpDown] * (4 + 9)


def test_layers_come_in_the_order_of_the_table():
    """Kernels of the authors' code in the order in which it makes them; weights from there pair by order."""
    with torch.device("meta"):
        network = registry.build("kaist", blocks=(1, 1, 1))
    found = [(layer.in_channels, layer.out_channels, *layer.kernel_size) for layer in _layers(network)]
    down_up = [[(c, 2 * c, 5, 5), (2 * c, c, 4, 4)] for c in (32, 64, 128)]
    assert found == [
        *[(3, 32, 5, 5), *down_up[0], (32, 64, 1, 1), *down_up[1], (64, 128, 1, 1), *down_up[2]],
        *[(128, 64, 4, 4), (64, 128, 5, 5), (192, 64, 1, 1), (64, 32, 4, 4), (32, 64, 5, 5)],
        *[(64, 64, 5, 5), (96, 32, 1, 1), (32, 32, 5, 5), (32, 3, 5, 5), (32, 1, 5, 5)],
        *[(64, 64, 5, 5), (64, 32, 5, 5), (32, 25, 5, 5)],
    ]


def _layers(network: Restorer) -> list[torch.nn.Module]:
    return [module for module in network.modules() if isinstance(module, (torch.nn.Conv2d, torch.nn.ConvTranspose2d))]


@torch.no_grad()
def test_every_pixel_has_its_own_kernel():
    """Six by six pixels, in plain loops."""
    generator = torch.Generator().manual_seed(0)
    image = torch.rand(2, 3, 6, 6, generator=generator)
    kernels = torch.randn(2, 25, 6, 6, generator=generator)
    found = filter_pixels(image, kernels)
    for b in range(2):
        for c in range(3):
            for y in range(6):
                for x in range(6):
                    total = 0.0
                    for dy in range(-2, 3):
                        for dx in range(-2, 3):
                            if 0 <= y + dy < 6 and 0 <= x + dx < 6:
                                weight = kernels[b, 5 * (dy + 2) + dx + 2, y, x].item()
                                total += weight * image[b, c, y + dy, x + dx].item()
                    assert found[b, c, y, x].item() == pytest.approx(total, abs=1e-5)


@torch.no_grad()
def test_output_blends_filtered_frame_and_residual(network, window):
    """Heads silenced down to their biases make the three results known."""
    for head in (network.residual, network.weight, network.kernels):
        head.weight.zero_()
        head.bias.zero_()
    network.residual.bias.copy_(torch.tensor([0.1, 0.2, 0.3]))
    network.weight.bias.fill_(1.0)
    network.kernels.bias[7] = 2.0  # the pixel above, twice
    blurred = window[:, network.traits.frames // 2]
    above = 2 * F.pad(blurred, (0, 0, 1, 0))[:, :, :-1]
    share = torch.sigmoid(torch.tensor(1.0))
    expected = share * above + (1 - share) * torch.tensor([0.1, 0.2, 0.3]).view(1, 3, 1, 1)
    torch.testing.assert_close(run(network, window), expected)


@torch.no_grad()
def test_wiring_of_the_table(network, window):
    """Figure 10 row by row; the layers themselves are tested on their own."""
    net = network

    def act(x):
        return F.leaky_relu(x, 0.3)

    def down_up(x, blocks):
        for block in blocks:
            x = x + act(block.up(act(block.down(x))))
        return x

    def up_down(x, blocks):
        for block in blocks:
            x = x + act(block.down(act(block.up(x))))
        return x

    def nearest(x):
        return x.repeat_interleave(2, dim=2).repeat_interleave(2, dim=3)

    rdu1 = down_up(act(net.stem(window.flatten(1, 2))), net.encoder1)
    rdu2 = down_up(net.widen1(F.avg_pool2d(rdu1, 2)), net.encoder2)
    rdu3 = down_up(net.widen2(F.avg_pool2d(rdu2, 2)), net.encoder3)
    rud1 = up_down(rdu3, net.decoder3)
    rud2 = up_down(net.narrow2(torch.cat((nearest(rud1), rdu2), 1)), net.decoder2)
    conv2 = act(net.image2(rud2))
    conv3 = act(net.image1(net.narrow1(torch.cat((nearest(conv2), rdu1), 1))))
    kernels = net.kernels(net.kernel1(nearest(act(net.kernel2(rud2)))))
    share = torch.sigmoid(net.weight(conv3))
    frame = window[:, net.traits.frames // 2]
    expected = share * filter_pixels(frame, kernels) + (1 - share) * net.residual(conv3)
    torch.testing.assert_close(run(net, window), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("blocks", "radius", "halo"), [((9, 9, 4), 253, 256), ((2, 1, 1), 57, 64)])
def test_radius_and_halo(blocks, radius, halo, reach, positive):
    network = positive(registry.build("kaist", width=4, blocks=blocks))
    assert reach(network) == radius
    assert network.traits.halo == halo


@torch.no_grad()
def test_a_cut_with_its_halo_equals_the_whole(patterned, ramp):
    network = patterned(registry.build("kaist", **NARROW["kaist"]))
    halo = network.traits.halo
    window = ramp(1, 2 * halo + 64, 16)
    whole = run(network, window)[:, :, 16 + halo : 48 + halo]
    cut = run(network, window[:, :, :, 16 : 48 + 2 * halo])[:, :, halo : 32 + halo]
    assert (cut - whole).abs().max() < 1e-5 * whole.std() and whole.std() > 0.01


def test_gradients_reach_every_parameter(network, window):
    run(network, window).square().mean().backward()
    for key, value in network.named_parameters():
        assert value.grad is not None and value.grad.abs().sum() > 0, key


@torch.no_grad()
def test_bf16_stays_close_to_fp32(network, window):
    exact = run(network, window)
    rounded = run(network.to(torch.bfloat16), window)
    assert rounded.dtype == torch.float32
    assert 0 < (rounded - exact).abs().mean() < 0.02 * exact.std()


@torch.no_grad()
@pytest.mark.parametrize("name", NARROW)
def test_golden_numbers(name, patterned, ramp):
    network = patterned(registry.build(name, **NARROW[name]))
    image = run(network, ramp(network.traits.frames, 48, 48))
    found = [image.mean().item(), image.std().item(), image[0, 1, 7, 40].item()]
    assert found == pytest.approx(GOLDEN[name], abs=2e-4)
