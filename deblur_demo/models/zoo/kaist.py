"""KAIST_NET, residual down-up and up-down blocks with per-pixel kernels (Bologna 2021, section 4.3).

After Sim and Kim 2019. A U-Net of three scales whose layers are small U-turns themselves, with
three results: a kernel for every pixel, which filters the blurred frame; an image painted
afresh, for what no small kernel can mend; and a map that blends the two.

The block counts are those of the report's figure 10 (9 + 9 + 4 down-up, 4 + 9 up-down), not its
prose's. Where text and the authors' Keras code differ, the code is followed, because its weights
can be read: its 1 x 1 convolutions and the one before the kernels are not activated, LeakyReLU
has Keras' slope 0.3, and strided layers are padded as Keras does. Layers are registered in the
order of that code. ``kaist-3f-s`` has half the width, a quarter of the arithmetic.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from deblur_demo.models.blocks import Conv, Deconv, glorot_uniform_, he_normal_, in_fp32
from deblur_demo.models.contract import Estimate, Restorer, Traits, centre_frame
from deblur_demo.models.registry import Variant

SLOPE = 0.3  # of every LeakyReLU
ALIGN = 8  # three scales, and the blocks of the coarsest halve their sides once more


@dataclass(frozen=True)
class KaistSettings:
    """Settings of a KAIST_NET.

    Attributes:
        frames: frames joined at the input, 1 or 3; the middle one is restored.
        width: feature maps at full resolution, doubled at each of the two scales below.
        blocks: residual blocks at full, half and quarter resolution on the way down; the way up
            repeats the latter two.
        kernel: side of the kernel of each pixel.
        init: "glorot", the default of Keras that the authors kept here; "he", He-normal, with
            which they improved their later network.
    """

    frames: int = 1
    width: int = 32
    blocks: tuple[int, int, int] = (9, 9, 4)
    kernel: int = 5
    init: Literal["glorot", "he"] = "glorot"


class DownUp(nn.Module):
    """RDU: x + a strided convolution to twice the maps and a transposed one back."""

    def __init__(self, channels: int):
        super().__init__()
        self.down = Conv(channels, 2 * channels, 5, stride=2)
        self.up = Deconv(2 * channels, channels, 4)

    def forward(self, x: Tensor) -> Tensor:  # (B, C, H, W), inside (B, 2C, H/2, W/2)
        return x + _activate(self.up(_activate(self.down(x))))


class UpDown(nn.Module):
    """RUD: x + a transposed convolution to half the maps and a strided one back."""

    def __init__(self, channels: int):
        super().__init__()
        self.up = Deconv(channels, channels // 2, 4)
        self.down = Conv(channels // 2, channels, 5, stride=2)

    def forward(self, x: Tensor) -> Tensor:  # (B, C, H, W), inside (B, C/2, 2H, 2W)
        return x + _activate(self.down(_activate(self.up(x))))


class Kaist(Restorer):
    """U-Net of down-up and up-down blocks; output = w * (kernels applied to B) + (1 - w) * R.

    Source: Bologna 2021, section 4.3.1, figures 9 and 10, equation 3.
    """

    first_convolutions = ("stem",)
    silent_output = 0.0

    def __init__(self, settings: KaistSettings):
        super().__init__()
        self.settings = settings
        self.traits = Traits(halo=_halo(settings), align=ALIGN, frames=settings.frames, minimum=ALIGN)
        full, half, quarter = (settings.width * factor for factor in (1, 2, 4))
        count1, count2, count3 = settings.blocks

        self.stem = Conv(3 * settings.frames, full, 5)
        self.encoder1 = _cascade(DownUp, full, count1)
        self.widen1 = Conv(full, half, 1)
        self.encoder2 = _cascade(DownUp, half, count2)
        self.widen2 = Conv(half, quarter, 1)
        self.encoder3 = _cascade(DownUp, quarter, count3)
        self.decoder3 = _cascade(UpDown, quarter, count3)
        self.narrow2 = Conv(quarter + half, half, 1)
        self.decoder2 = _cascade(UpDown, half, count2)

        self.image2 = Conv(half, half, 5)
        self.narrow1 = Conv(half + full, full, 1)
        self.image1 = Conv(full, full, 5)
        self.residual = Conv(full, 3, 5)
        self.weight = Conv(full, 1, 5)

        self.kernel2 = Conv(half, half, 5)
        self.kernel1 = Conv(half, full, 5)
        self.kernels = Conv(full, settings.kernel**2, 5)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Initialise as ``settings.init`` says."""
        if self.settings.init == "glorot":
            glorot_uniform_(self)
        else:
            he_normal_(self, SLOPE)

    def forward(self, window: Tensor, previous: Tensor, state: tuple[Tensor, ...]) -> Estimate:
        x = window.flatten(1, 2).to(self.dtype)  # (B, 3N, H, W)
        x = x.contiguous(memory_format=torch.channels_last)
        skip1 = self.encoder1(_activate(self.stem(x)))  # (B, 32, H, W)
        skip2 = self.encoder2(self.widen1(F.avg_pool2d(skip1, 2)))  # (B, 64, H/2, W/2)
        x = self.encoder3(self.widen2(F.avg_pool2d(skip2, 2)))  # (B, 128, H/4, W/4)
        x = self.decoder3(x)
        features = self.decoder2(self.narrow2(torch.cat((_double(x), skip2), dim=1)))  # (B, 64, H/2, W/2)

        x = _double(_activate(self.image2(features)))  # (B, 64, H, W)
        x = _activate(self.image1(self.narrow1(torch.cat((x, skip1), dim=1))))  # (B, 32, H, W)
        residual = in_fp32(self.residual, x)  # (B, 3, H, W)
        weight = torch.sigmoid(in_fp32(self.weight, x))  # (B, 1, H, W)

        x = self.kernel1(_double(_activate(self.kernel2(features))))  # (B, 32, H, W)
        filtered = filter_pixels(centre_frame(window), in_fp32(self.kernels, x))
        return Estimate(weight * filtered + (1 - weight) * residual)


def filter_pixels(image: Tensor, kernels: Tensor) -> Tensor:
    """Weigh every pixel's neighbours by its own kernel, the same for all colours.

    Args:
        image: (B, 3, H, W); zeros surround it.
        kernels: (B, k * k, H, W), row by row.

    Returns:
        (B, 3, H, W).
    """
    side = math.isqrt(kernels.shape[1])
    height, width = image.shape[-2:]
    padded = F.pad(image, (side // 2,) * 4)
    # One shifted view at a time: unfolding would hold k * k copies of the image.
    result = torch.zeros_like(image)
    for index in range(side**2):
        top, left = divmod(index, side)
        neighbour = padded[..., top : top + height, left : left + width]
        result = result + kernels[:, index : index + 1] * neighbour
    return result


def _activate(x: Tensor) -> Tensor:
    return F.leaky_relu(x, SLOPE, inplace=True)


def _double(x: Tensor) -> Tensor:
    return F.interpolate(x, scale_factor=2, mode="nearest")


def _cascade(block: type[nn.Module], channels: int, count: int) -> nn.Sequential:
    return nn.Sequential(*(block(channels) for _ in range(count)))


def _halo(settings: KaistSettings) -> int:
    """Radius in pixels, counted to the right, where Keras' padding makes it larger than to the left."""
    count1, count2, count3 = settings.blocks
    down = 4 * (count1 + 2 * count2 + 4 * count3)  # 4 a block: 1 by its transposed convolution, 3 by its strided one
    up = 2 * (2 * count2 + 4 * count3)  # 2 a block
    pooling = 1 + 2
    kernels = 2 + 2 * 2 + 2 + 2  # of 5 x 5: the first, one at half resolution, two at full
    return math.ceil(max(down + up + pooling + kernels, settings.kernel // 2) / ALIGN) * ALIGN


_PAPER = (
    "Mancini and Simonati, Deep Image Deblurring, University of Bologna 2021, after Sim and Kim, CVPR Workshops 2019"
)

VARIANTS = {
    "kaist": Variant(Kaist, KaistSettings(), paper=_PAPER, trained_for="Gaussian"),
    "kaist-3f": Variant(Kaist, KaistSettings(frames=3), paper=_PAPER, trained_for="motion, video"),
    "kaist-3f-s": Variant(Kaist, KaistSettings(frames=3, width=16), paper=_PAPER, trained_for="motion, video"),
}
