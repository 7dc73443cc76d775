"""Building blocks that at least two networks share."""

from __future__ import annotations

from contextlib import nullcontext

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class ResidualBlock(nn.Module):
    """x + conv(act(conv(x))), without normalisation, as in Nah 2017 and its descendants.

    Args:
        channels: width, kept.
        activation: module between the two convolutions.
        kernel: side of the kernels.
    """

    def __init__(self, channels: int, activation: nn.Module, kernel: int = 3):
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, kernel, padding=kernel // 2)
        self.activation = activation
        self.conv2 = nn.Conv2d(channels, channels, kernel, padding=kernel // 2)

    def forward(self, x: Tensor) -> Tensor:  # (B, C, H, W) -> (B, C, H, W)
        return x + self.conv2(self.activation(self.conv1(x)))


class Conv(nn.Conv2d):
    """Convolution that keeps the sides (divides them, if strided), with an optional learned scale.

    ========== ==========================================================
    scale      output
    ========== ==========================================================
    "none"     weight * x + bias
    "before"   scale * (weight * x) + bias, as the text of Brehm 2020 says
    "after"    scale * (weight * x + bias), as its authors' release does
    ========== ==========================================================

    Args:
        channels, filters: input and output maps.
        kernel: side of the kernel.
        stride: the sides of the input must be multiples of it.
        dilation: atrous rate.
        padding: "reflect", or "same": zeros, an odd one to the right and below, as Keras does.
        scale: see the table; one factor an output map, 1 at first.
    """

    def __init__(
        self,
        channels: int,
        filters: int,
        kernel: int,
        stride: int = 1,
        dilation: int = 1,
        padding: str = "same",
        scale: str = "none",
    ):
        super().__init__(channels, filters, kernel, stride=stride, dilation=dilation)
        self.reflects = padding == "reflect"
        surplus = dilation * (kernel - 1) + 1 - stride
        before = (surplus + self.reflects) // 2
        self.border = (before, surplus - before)
        self.scaling = scale
        self.scale = None if scale == "none" else nn.Parameter(torch.ones(filters))

    def forward(self, x: Tensor) -> Tensor:  # (B, C, H, W) -> (B, filters, H / stride, W / stride)
        before, after = self.border
        padding = before
        if before != after or (self.reflects and before > 0):
            x = F.pad(x, (before, after, before, after), mode="reflect" if self.reflects else "constant")
            padding = 0
        weight, bias = _scaled(self.weight, self.bias, self.scale, self.scaling, maps=0)
        return F.conv2d(x, weight, bias, self.stride, padding, self.dilation)


class Deconv(nn.ConvTranspose2d):
    """Transposed convolution that multiplies the sides by its stride exactly.

    Of an odd surplus, one row more is cut below and right with "same" padding (as Keras does),
    above and left with "reflect" (the mirror of ``Conv``). Beyond the border it sees zeros in
    both: a transposed convolution has no input to reflect. Arguments as for ``Conv``.
    """

    def __init__(
        self,
        channels: int,
        filters: int,
        kernel: int,
        stride: int = 2,
        padding: str = "same",
        scale: str = "none",
    ):
        surplus = kernel - stride
        before = (surplus + (padding == "reflect")) // 2
        missing = max(2 * before - surplus, 0)
        super().__init__(channels, filters, kernel, stride=stride, padding=before, output_padding=missing)
        self.scaling = scale
        self.scale = None if scale == "none" else nn.Parameter(torch.ones(filters))

    def forward(self, x: Tensor) -> Tensor:  # (B, C, H, W) -> (B, filters, stride H, stride W)
        height, width = (side * self.stride[0] for side in x.shape[-2:])
        weight, bias = _scaled(self.weight, self.bias, self.scale, self.scaling, maps=1)
        x = F.conv_transpose2d(x, weight, bias, self.stride, self.padding, self.output_padding)
        return x if x.shape[-2:] == (height, width) else x[..., :height, :width]


def _scaled(weight: Tensor, bias: Tensor, scale: Tensor | None, order: str, maps: int) -> tuple[Tensor, Tensor]:
    """Fold a learned scale into a kernel: far cheaper than a product of whole feature maps."""
    if scale is None:
        return weight, bias
    shape = [1, 1, 1, 1]
    shape[maps] = -1  # axis of the output maps
    return weight * scale.view(shape), bias * scale if order == "after" else bias


def in_fp32(layer: nn.Module, x: Tensor) -> Tensor:
    """Run one layer in fp32 whatever the type of its weights, and within autocast, too.

    For a last layer whose output is an image, not a residual: bf16 would round it to 8 bits.
    """
    weights = {name: value.float() for name, value in layer.named_parameters()}
    # Tensors without values, whose operations are counted, have no autocast to be switched off.
    with nullcontext() if x.is_meta else torch.autocast(x.device.type, enabled=False):
        return torch.func.functional_call(layer, weights, (x.float(),))


@torch.no_grad()
def he_normal_(module: nn.Module, slope: float = 0.0) -> None:
    """Fill every convolution inside with He-normal weights (fan in) and zero biases.

    Args:
        module: searched recursively.
        slope: negative slope of the (leaky) rectifier that follows.
    """
    for layer in module.modules():
        if isinstance(layer, (nn.Conv2d, nn.ConvTranspose2d)):
            # A transposed kernel is stored (in, out, k, k), and each output pixel sees k / stride taps.
            transposed = isinstance(layer, nn.ConvTranspose2d)
            taps = layer.weight[0, 0].numel() / (layer.stride[0] * layer.stride[1] if transposed else 1)
            gain = nn.init.calculate_gain("leaky_relu", slope)
            layer.weight.normal_(0.0, gain / (layer.in_channels // layer.groups * taps) ** 0.5)
            if layer.bias is not None:
                layer.bias.zero_()


@torch.no_grad()
def glorot_uniform_(module: nn.Module) -> None:
    """Fill every convolution inside as Keras does unless told otherwise: Glorot-uniform, biases zero."""
    for layer in module.modules():
        if isinstance(layer, (nn.Conv2d, nn.ConvTranspose2d)):
            nn.init.xavier_uniform_(layer.weight)
            if layer.bias is not None:
                layer.bias.zero_()
