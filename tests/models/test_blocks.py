"""The shared layers against plain loops that follow their definitions."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from deblur_demo.models.blocks import Conv, Deconv, glorot_uniform_, he_normal_, in_fp32


def keras_same(image: np.ndarray, kernel: np.ndarray, stride: int) -> np.ndarray:
    """A strided convolution with "same" padding, as TensorFlow defines it.

    Output pixel i starts at input pixel i * stride - before, where before is half of the padding
    in total, rounded down, and that total is what ceil(side / stride) outputs need.
    """
    side, size = len(image), len(kernel)
    outputs = -(-side // stride)
    before = max((outputs - 1) * stride + size - side, 0) // 2
    result = np.zeros((outputs, outputs))
    for i, j, a, b in np.ndindex(outputs, outputs, size, size):
        y, x = i * stride - before + a, j * stride - before + b
        if 0 <= y < side and 0 <= x < side:
            result[i, j] += image[y, x] * kernel[a, b]
    return result


def keras_same_transposed(image: np.ndarray, kernel: np.ndarray, stride: int) -> np.ndarray:
    """The transpose of ``keras_same``: what went from y to i there goes from i to y here."""
    side, size = len(image) * stride, len(kernel)
    before = max((len(image) - 1) * stride + size - side, 0) // 2
    result = np.zeros((side, side))
    for i, j, a, b in np.ndindex(len(image), len(image), size, size):
        y, x = i * stride - before + a, j * stride - before + b
        if 0 <= y < side and 0 <= x < side:
            result[y, x] += image[i, j] * kernel[a, b]
    return result


def single(layer: nn.Module, image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Run a layer of one map on one image; its output and its kernel."""
    layer = layer.double()
    with torch.no_grad():
        layer.bias.zero_()
        return layer(torch.from_numpy(image)[None, None])[0, 0].numpy(), layer.weight[0, 0].numpy()


@pytest.mark.parametrize(("kernel", "stride", "dilation"), [(3, 1, 1), (3, 2, 1), (5, 2, 1), (9, 1, 1), (1, 1, 1)])
def test_same_padding_is_that_of_keras(kernel, stride, dilation):
    image = np.random.default_rng(0).random((8, 8))
    found, weights = single(Conv(1, 1, kernel, stride, dilation), image)
    np.testing.assert_allclose(found, keras_same(image, weights, stride), atol=1e-12)


@pytest.mark.parametrize("kernel", [3, 4])
def test_transposed_same_padding_is_that_of_keras(kernel):
    image = np.random.default_rng(0).random((5, 5))
    found, weights = single(Deconv(1, 1, kernel), image)
    np.testing.assert_allclose(found, keras_same_transposed(image, weights, 2), atol=1e-12)


@pytest.mark.parametrize(("kernel", "stride", "dilation"), [(3, 1, 1), (3, 1, 4), (3, 2, 1), (9, 1, 1)])
def test_reflection_is_that_of_numpy(kernel, stride, dilation):
    image = np.random.default_rng(0).random((10, 10))
    found, weights = single(Conv(1, 1, kernel, stride, dilation, padding="reflect"), image)
    radius = dilation * (kernel // 2)
    padded = np.pad(image, radius, mode="reflect")
    expected = np.zeros((10, 10))
    for i, j, a, b in np.ndindex(10, 10, kernel, kernel):
        expected[i, j] += padded[i + a * dilation, j + b * dilation] * weights[a, b]
    np.testing.assert_allclose(found, expected[::stride, ::stride], atol=1e-12)


def test_reflecting_transposed_convolution_mirrors_the_strided_one():
    """Where no border is near, one is the transpose of the other: <conv x, y> = <x, deconv y>."""
    conv, deconv = Conv(1, 1, 3, 2, padding="reflect").double(), Deconv(1, 1, 3, padding="reflect").double()
    x, y = torch.zeros(1, 1, 16, 16).double(), torch.zeros(1, 1, 8, 8).double()
    with torch.no_grad():
        deconv.weight.copy_(conv.weight)
        conv.bias.zero_()
        deconv.bias.zero_()
        x[..., 4:12, 4:12], y[..., 2:6, 2:6] = torch.rand(8, 8), torch.rand(4, 4)
        assert (conv(x) * y).sum().item() == pytest.approx((x * deconv(y)).sum().item(), rel=1e-12)
        assert deconv(y).shape == x.shape


@pytest.mark.parametrize("layer", [Conv, Deconv])
@torch.no_grad()
def test_learned_scale_stands_where_it_says(layer):
    x = torch.rand(1, 3, 6, 6)
    before, after = layer(3, 2, 3, scale="before"), layer(3, 2, 3, scale="after")
    plain = layer(3, 2, 3)
    factor, bias = torch.tensor([2.0, -0.5]), torch.tensor([0.3, 0.7])
    assert torch.equal(before.scale, torch.ones(2)), "starts at 1"
    for each in (before, after, plain):
        each.weight.copy_(plain.weight)
        each.bias.zero_()
    response = plain(x)
    for each in (before, after):
        each.scale.copy_(factor)
        each.bias.copy_(bias)
    by_map = (1, 2, 1, 1)
    torch.testing.assert_close(before(x), response * factor.view(by_map) + bias.view(by_map))
    torch.testing.assert_close(after(x), (response + bias.view(by_map)) * factor.view(by_map))


@torch.no_grad()
def test_initialisations_have_the_deviation_of_their_formula():
    torch.manual_seed(0)
    layers = nn.ModuleList([Conv(64, 128, 3), Deconv(64, 128, 4)])
    he_normal_(layers, slope=0.2)
    gain = (2 / (1 + 0.2**2)) ** 0.5
    assert layers[0].weight.std().item() == pytest.approx(gain / (9 * 64) ** 0.5, rel=0.02)
    assert layers[1].weight.std().item() == pytest.approx(gain / (4 * 64) ** 0.5, rel=0.02)  # stride 2: 4 taps a pixel
    glorot_uniform_(layers)
    for layer, taps in zip(layers, (9, 16), strict=True):
        bound = (6 / (taps * (64 + 128))) ** 0.5
        assert 0.98 * bound < layer.weight.abs().max().item() <= bound
        assert layer.weight.std().item() == pytest.approx(bound / 3**0.5, rel=0.02)
        assert not layer.bias.any()


@torch.no_grad()
def test_a_layer_in_fp32_does_not_round_its_output_to_bf16():
    torch.manual_seed(0)
    layer = Conv(16, 3, 5).to(torch.bfloat16)
    x = torch.rand(1, 16, 8, 8).to(torch.bfloat16)
    image = in_fp32(layer, x)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(in_fp32(layer, x), image), "as a network is trained"
    exact = layer.double()(x.double())
    assert image.dtype == torch.float32
    assert (image - exact).abs().max() < 1e-5 < (exact.to(torch.bfloat16) - exact).abs().max()
