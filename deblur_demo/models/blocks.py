"""Building blocks that at least two networks share."""

from __future__ import annotations

import torch
from torch import Tensor, nn


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
            taps = layer.weight[0, 0].numel() // (layer.stride[0] * layer.stride[1] if transposed else 1)
            gain = nn.init.calculate_gain("leaky_relu", slope)
            layer.weight.normal_(0.0, gain / (layer.in_channels // layer.groups * taps) ** 0.5)
            if layer.bias is not None:
                layer.bias.zero_()
