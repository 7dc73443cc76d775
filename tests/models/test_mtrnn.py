"""MT-RNN: its size, its reach, and what flows from one iteration to the next."""

from __future__ import annotations

import pytest
import torch

from deblur_demo.models import registry
from deblur_demo.models.contract import Restorer


def lively(name: str, **settings: object) -> Restorer:
    """A network whose random weights change a picture visibly, biases included."""
    torch.manual_seed(0)
    network = registry.build(name, **settings).eval()
    with torch.no_grad():
        for key, value in network.named_parameters():
            if key.endswith("bias"):
                value.normal_(0, 0.05)
        network.head.weight.mul_(20)
    return network


@pytest.fixture(params=["mtrnn", "mtrnn-lite"])
def network(request) -> Restorer:
    return lively(request.param)


@pytest.fixture
def window() -> torch.Tensor:
    return torch.rand(1, 1, 3, 32, 48, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize(("name", "count"), [("mtrnn", 2_635_523), ("mtrnn-lite", 2_643_308)])
def test_size(name, count):
    assert registry.build(name).parameter_count == count


@torch.no_grad()
def test_shapes_are_those_of_the_traits(network, window):
    estimate = network(window, window[:, 0], ())
    assert estimate.image.shape == (1, 3, 32, 48)
    strides = network.traits.state_strides
    assert [tuple(s.shape) for s in estimate.state] == [
        (1, 64, 32 // strides[0], 48 // strides[0]),
        (1, 128, 32 // strides[1], 48 // strides[1]),
    ]


@torch.no_grad()
def test_iterations_differ_and_use_estimate_and_features(network, window):
    first, second = network.run(window, 2)
    assert (second.image - first.image).abs().max() > 1e-3
    without_features = network(window, first.image, ())
    without_estimate = network(window, window[:, 0], first.state)
    assert (without_features.image - second.image).abs().max() > 1e-3
    assert (without_estimate.image - second.image).abs().max() > 1e-3
    assert torch.equal(network(window, first.image, first.state).image, second.image), (
        "run() is a plain loop over forward()"
    )


@torch.no_grad()
def test_the_first_iteration_sees_its_own_encoder_features(window):
    """Handing in what the encoder itself computes must change nothing."""
    network = lively("mtrnn")
    seen = []
    for layer in (network.recur1, network.recur2):
        layer.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    absent = network(window, window[:, 0], ())
    for merged in seen:
        own, recurrent = merged.chunk(2, dim=1)
        assert own.abs().max() > 0 and torch.equal(own, recurrent)
    given = network(window, window[:, 0], tuple(merged.chunk(2, dim=1)[0] for merged in seen))
    assert torch.allclose(absent.image, given.image, atol=1e-6)


@pytest.mark.parametrize(("name", "radius"), [("mtrnn", 95), ("mtrnn-lite", 191)])
def test_one_pass_reaches_no_farther_than_the_halo(name, radius):
    """The gradient of one output pixel is zero outside the receptive field.

    All weights are positive here, so no path can cancel and none is cut by the activation.
    """
    network = registry.build(name)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.fill_(1e-2)
    reach = 0
    side, centre = 8 * (radius // 3), 4 * (radius // 3)
    for phase in range(network.traits.align):  # strided layers: the field depends on the pixel's place
        window = torch.full((1, 1, 3, 8, side), 0.5, requires_grad=True)
        image = next(network.run(window, 1)).image
        (gradient,) = torch.autograd.grad(image[0, 0, 4, centre + phase], window)
        columns = gradient.abs().sum((0, 1, 2, 3)).nonzero().flatten()
        assert columns[0] > 0 and columns[-1] < side - 1, "the picture must be wider than the field"
        reach = max(reach, centre + phase - int(columns[0]), int(columns[-1]) - centre - phase)
    assert reach == radius
    assert reach <= network.traits.halo


@torch.no_grad()
def test_the_clamp_acts_between_iterations_only(window):
    previous = torch.full((1, 3, 32, 48), 1.5)
    free, clamped = lively("mtrnn", clamp=False), lively("mtrnn", clamp=True)
    clipped = free(window, previous.clamp(0, 1), ()).image
    assert torch.equal(clamped(window, previous, ()).image, clipped)
    assert (free(window, previous, ()).image - clipped).abs().max() > 1e-3
    assert clamped(torch.ones_like(window), previous, ()).image.max() > 1, "what comes out is not clamped"


@torch.no_grad()
def test_the_mean_colour_without_biases_is_left_alone():
    """Without biases the network gives nothing for nothing, and its zero padding is the mean colour."""
    network = registry.build("mtrnn")
    flat = network.mean.expand(1, 3, 16, 16)
    last = list(network.run(flat[:, None], 6))[-1]
    assert torch.allclose(last.image, flat, atol=1e-7)


@torch.no_grad()
def test_low_precision_weights_keep_a_precise_image(network, window):
    reference = list(network.run(window, 2))[-1].image
    network.to(torch.bfloat16)
    estimate = list(network.run(window, 2))[-1]
    assert estimate.image.dtype == torch.float32
    assert estimate.state[0].dtype == torch.bfloat16
    # The residual is rounded to 8 bits of mantissa, the picture below it is not.
    assert (estimate.image - reference).abs().mean() < 0.05 * (reference - window[:, 0]).abs().mean()
    assert len(estimate.image.unique()) > 0.9 * estimate.image.numel()


@torch.no_grad()
@pytest.mark.parametrize("name", ["mtrnn", "mtrnn-lite"])
def test_fresh_weights_start_near_the_identity(name, window):
    torch.manual_seed(0)
    first, *_, seventh = registry.build(name).run(window, 7)
    assert 0 < (first.image - window[:, 0]).abs().mean() < 0.02
    assert (seventh.image - window[:, 0]).abs().mean() < 0.5, "training runs up to seven iterations from here"


@torch.no_grad()
@pytest.mark.parametrize("mean", [(0.45, 0.45, 0.45), (0.2, 0.5, 0.7)])
def test_an_unfolded_network_sees_a_pixel_where_the_folded_one_sees_four(mean):
    """On a picture whose pixels are repeated, the folded one does the same on the average over each of them."""
    folded, unfolded = lively("mtrnn-lite", mean=mean), registry.build("mtrnn").eval()
    unfolded.unfold_from(folded)
    small = torch.rand(1, 1, 3, 224, 224, generator=torch.Generator().manual_seed(1))
    large = small.repeat_interleave(2, -1).repeat_interleave(2, -2)
    one, other = unfolded(small, small[:, 0], ()), folded(large, large[:, 0], ())
    # Beyond the rim the padding is the mean colour, which differs.
    inside = (..., slice(96, -96), slice(96, -96))
    expected = torch.nn.functional.avg_pool2d(other.image, 2)[inside]
    assert (expected - small[:, 0][inside]).abs().mean() > 0.01
    torch.testing.assert_close(one.image[inside], expected, rtol=0, atol=1e-5)
