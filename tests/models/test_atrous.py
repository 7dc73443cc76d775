"""The atrous networks: their sizes, their reach, and the options in which the papers differ."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from deblur_demo.models import registry
from deblur_demo.models.contract import Restorer
from deblur_demo.models.zoo.atrous import VARIANTS, AtrousBlock, AtrousSettings

SIZES = {
    "brehm-stage1": 47_914_182,
    "brehm-stage1-released": 47_261_830,
    "brehm-stage1-plain": 64_426_694,
    "brehm-stage1-s": 6_106_040,
    "atrous-5": 12_571_011,
    "atrous-10-3f": 24_433_539,
    "atrous-10-3f-s": 6_167_932,
}
RADII = {
    "brehm-stage1": 208,  # 4 + 20 blocks x 5 x 2 + 2 down and up + 2
    "brehm-stage1-released": 207,
    "brehm-stage1-plain": 212,
    "brehm-stage1-s": 213,
    "atrous-5": 58,
    "atrous-10-3f": 108,
    "atrous-10-3f-s": 213,
}
NARROW = {
    "brehm-stage1": {"branch": 4, "width": 8, "encoder": (4, 8), "decoder": (4, 4)},
    "brehm-stage1-released": {"branch": 4, "width": 8, "encoder": (2, 4), "decoder": (4, 2)},
    "brehm-stage1-plain": {"branch": 8, "width": 8, "encoder": (2, 4, 8, 8), "decoder": (8, 4, 2, 2)},
    "brehm-stage1-s": {"branch": 4, "width": 8, "encoder": (4, 8), "decoder": (4, 4)},
    "atrous-5": {"branch": 4, "width": 8, "encoder": (4, 8), "decoder": (4, 2)},
    "atrous-10-3f": {"branch": 4, "width": 8, "encoder": (4, 8), "decoder": (4, 2)},
    "atrous-10-3f-s": {"branch": 4, "width": 8, "encoder": (4, 8), "decoder": (4, 2)},
}
# Mean, deviation and one pixel of the output, with weights and a window that a formula makes.
GOLDEN = {
    "brehm-stage1": (0.5002, 0.3912, 0.0304),
    "brehm-stage1-released": (0.4939, 0.3635, -0.0400),
    "brehm-stage1-plain": (0.4901, 0.5729, 0.3292),
    "brehm-stage1-s": (0.4985, 0.3559, 0.0267),
    "atrous-5": (0.4624, 0.3612, -0.1549),
    "atrous-10-3f": (0.4722, 0.3606, 0.0088),
    "atrous-10-3f-s": (0.5082, 0.3778, 0.1558),
}


def count(name: str, **settings: object) -> int:
    with torch.device("meta"):
        return registry.build(name, **settings).parameter_count


@pytest.fixture(params=NARROW)
def name(request) -> str:
    return request.param


@pytest.fixture
def network(name) -> Restorer:
    torch.manual_seed(0)
    return registry.build(name, **NARROW[name])


def run(network: Restorer, window: torch.Tensor) -> torch.Tensor:
    return network(window, window[:, 0], ()).image


def test_every_variant_is_measured_here():
    assert SIZES.keys() == RADII.keys() == NARROW.keys() == VARIANTS.keys()


@pytest.mark.parametrize(("variant", "size"), SIZES.items())
def test_size(variant, size):
    assert count(variant) == size


def test_options_cost_what_their_layers_hold():
    assert count("brehm-stage1") - count("brehm-stage1", scale="none") == 15_939  # one factor a feature map
    assert count("brehm-stage1", scale="none") == 47_898_243
    assert count("atrous-5") - count("atrous-5", skip="none") == 9 * 128 * 64  # the first features, joined
    assert count("atrous-5", frames=3) - count("atrous-5") == 81 * 6 * 128
    assert count("brehm-stage1-plain") > count("brehm-stage1"), "as the ablation study says"


def test_a_block_sees_eleven_pixels():
    block = AtrousBlock(4, AtrousSettings(branch=2, width=4)).double()
    x = torch.rand(1, 4, 21, 21, dtype=torch.float64, requires_grad=True)
    for value in block.parameters():
        value.data.uniform_(0.5, 1.0)
    (gradient,) = torch.autograd.grad(block(x)[0, :, 10, 10].sum(), x)
    seen = (gradient.abs().sum((0, 1)) > 0).nonzero()
    assert seen.amin(0).tolist() == [5, 5] and seen.amax(0).tolist() == [15, 15]


def test_radius_and_halo(name, network, reach, positive):
    assert reach(positive(network)) == RADII[name]
    assert RADII[name] <= network.traits.halo < RADII[name] + network.traits.align


@torch.no_grad()
def test_a_cut_with_its_halo_equals_the_whole(network, patterned, ramp):
    patterned(network)
    traits = network.traits
    width = -(-max(traits.minimum, 16) // traits.align) * traits.align
    inside, start = 4 * traits.align, 2 * traits.align
    window = ramp(traits.frames, start + 2 * traits.halo + inside + start, width)
    cut = window[:, :, :, start : start + 2 * traits.halo + inside]
    whole = run(network, window)[:, :, start + traits.halo : start + traits.halo + inside]
    blurred = window[:, traits.frames // 2, :, start + traits.halo : start + traits.halo + inside]
    change = (whole - blurred).abs().mean()
    error = (run(network, cut)[:, :, traits.halo : traits.halo + inside] - whole).abs().max()
    assert error < 1e-5 * change and change > 0.01


@torch.no_grad()
def test_smallest_picture_passes_and_output_is_the_frame_plus_a_residual(network, ramp):
    side = network.traits.minimum
    window = ramp(network.traits.frames, side, side + 3 * network.traits.align)
    assert run(network, window).shape == (1, 3, side, side + 3 * network.traits.align)
    network.head.weight.zero_()
    assert torch.equal(run(network, window), window[:, network.traits.frames // 2])


def test_gradients_reach_every_parameter(network):
    side = max(32, network.traits.minimum)
    run(network, torch.rand(2, network.traits.frames, 3, side, side)).square().mean().backward()
    for key, value in network.named_parameters():
        assert value.grad is not None and value.grad.abs().sum() > 0, key


@torch.no_grad()
def test_bf16_stays_close_to_fp32(network, ramp):
    window = ramp(network.traits.frames, 48, 64)
    exact = run(network, window)
    rounded = run(network.to(torch.bfloat16), window)
    assert rounded.dtype == torch.float32
    residual = exact - window[:, network.traits.frames // 2]
    assert 0 < (rounded - exact).abs().mean() < 0.05 * residual.abs().mean()


@torch.no_grad()
def test_range_inside_is_the_papers():
    """Brehm's network sees [-1, 1]: mid-grey is 0 there, so without biases it says nothing about grey."""
    grey = torch.full((1, 1, 3, 32, 32), 0.5)
    torch.manual_seed(0)
    signed = registry.build("brehm-stage1", **NARROW["brehm-stage1"], init="he")
    assert torch.equal(run(signed, grey), grey[:, 0])
    unsigned = registry.build("atrous-5", **NARROW["atrous-5"])
    assert (run(unsigned, grey) - grey[:, 0]).abs().max() > 0.01


@torch.no_grad()
def test_text_of_the_paper_layer_by_layer(ramp):
    """Section 3.1, written out with plain operations."""
    torch.manual_seed(0)
    network = registry.build("brehm-stage1", blocks=2, **NARROW["brehm-stage1"], init="he")
    for key, value in network.named_parameters():
        if key.endswith(("bias", "scale")):
            value.add_(0.1 * torch.randn(value.shape))

    def convolve(x, layer, radius, stride=1, rate=1):
        x = F.pad(x, (radius,) * 4, mode="reflect")
        x = F.conv2d(x, layer.weight, stride=stride, dilation=rate)
        return x * layer.scale.view(1, -1, 1, 1) + layer.bias.view(1, -1, 1, 1)

    window = ramp(1, 24, 32)
    x = F.leaky_relu(convolve(2 * window[:, 0] - 1, network.stem, 4), 0.2)
    x = F.leaky_relu(convolve(x, network.down[0], 1, stride=2), 0.2)
    for block in network.blocks:
        seen = [F.leaky_relu(convolve(x, block.branches[r - 1], r, rate=r), 0.2) for r in (1, 2, 3, 4)]
        x = x + convolve(torch.cat(seen, 1), block.join, 1)
    up = network.up[0]
    x = F.conv_transpose2d(x, up.weight, stride=2, padding=1, output_padding=1)
    x = F.leaky_relu(x * up.scale.view(1, -1, 1, 1) + up.bias.view(1, -1, 1, 1), 0.2)
    x = convolve(F.leaky_relu(convolve(x, network.tail, 1), 0.2), network.head, 1)
    torch.testing.assert_close(run(network, window), window[:, 0] + x / 2, rtol=1e-4, atol=1e-5)


@torch.no_grad()
def test_wiring_of_the_released_forms(ramp):
    """Where the two public codes join, activate and project; the layers themselves are tested on their own."""

    def act(x):
        return F.leaky_relu(x, slope)

    window, slope = ramp(1, 24, 32), 0.3
    torch.manual_seed(0)
    net = registry.build("atrous-5", blocks=2, **NARROW["atrous-5"])
    first = act(net.stem(window[:, 0]))
    x = act(net.down[0](first))
    for block in net.blocks:
        x = x + act(block.join(torch.cat([act(branch(x)) for branch in block.branches], 1)))
    x = act(net.tail(torch.cat((act(net.up[0](x)), first), 1)))
    torch.testing.assert_close(run(net, window), window[:, 0] + net.head(x))

    slope = 0.2
    net = registry.build("brehm-stage1-released", blocks=2, **NARROW["brehm-stage1-released"], init="he")
    strided = x = act(net.down[0](act(net.stem(2 * window[:, 0] - 1))))
    for block in net.blocks:
        joined = act(block.join(torch.cat([act(branch(x)) for branch in block.branches], 1)))
        x = joined + (x if block.shortcut is None else act(block.shortcut(x)))
    x = act(net.tail(act(net.up[0](torch.cat((x, strided), 1)))))
    torch.testing.assert_close(run(net, window), window[:, 0] + net.head(x) / 2)
    assert [block.shortcut is None for block in net.blocks] == [False, True]


def test_initialisations():
    torch.manual_seed(0)
    he = registry.build("atrous-5", **NARROW["atrous-5"] | {"width": 64, "encoder": (4, 64)})
    assert he.blocks[1].join.weight.std().item() == pytest.approx((2 / 1.09 / (9 * 16)) ** 0.5, rel=0.05)
    glorot = registry.build("atrous-5", init="glorot", **NARROW["atrous-5"] | {"width": 64, "encoder": (4, 64)})
    assert glorot.blocks[1].join.weight.std().item() == pytest.approx((2 / (9 * (16 + 64))) ** 0.5, rel=0.05)
    deep = registry.build("brehm-stage1", **NARROW["brehm-stage1"])
    assert all(torch.equal(v, torch.ones_like(v)) for k, v in deep.named_parameters() if k.endswith("scale"))
    window = torch.rand(1, 1, 3, 64, 64)
    assert (run(deep, window) - window[:, 0]).abs().max() < 0.5, "20 blocks start near the identity"


@torch.no_grad()
def test_golden_numbers(name, network, patterned, ramp):
    side = max(48, network.traits.minimum)
    image = run(patterned(network), ramp(network.traits.frames, side, side))
    golden = GOLDEN[name]
    assert [image.mean().item(), image.std().item(), image[0, 1, 7, 40].item()] == pytest.approx(golden, abs=2e-4)


def test_without_a_strided_convolution_it_stays_at_full_resolution():
    """Brehm 2020, section 5: the single down-sampling layer and its partner left out."""
    network = registry.build("brehm-stage1", encoder=(256,), decoder=(64,))
    assert network.traits.align == 1 and network.traits.halo == 4 + 20 * 5 + 2
    assert network.parameter_count == 47_428_678
    small = registry.build("brehm-stage1", encoder=(8,), decoder=(4,), width=8, branch=4, blocks=2)
    window = torch.rand(1, 1, 3, 17, 19, generator=torch.Generator().manual_seed(0))
    assert next(small.run(window)).image.shape == (1, 3, 17, 19)
