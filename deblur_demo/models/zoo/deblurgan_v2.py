"""DeblurGAN-v2's light generator: a feature pyramid on MobileNetV2 (Kupyn 2019, section 3.1).

Features of five strides from a MobileNetV2 are joined top-down, brought to a quarter of the
image's sides and turned into a residual. Park 2020 converts this network in table 3.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from deblur_demo.models.blocks import he_normal_
from deblur_demo.models.contract import Estimate, Restorer, Traits, centre_frame
from deblur_demo.models.registry import Variant

# MobileNetV2 (Sandler 2018, table 2) up to the cut: (expansion, width, blocks, stride), by stage of the pyramid.
STAGES = (
    ((1, 16, 1, 1),),  # 1/2, after the stem
    ((6, 24, 2, 2),),  # 1/4
    ((6, 32, 3, 2),),  # 1/8
    ((6, 64, 4, 2),),  # 1/16
    ((6, 96, 3, 1), (6, 160, 2, 2)),  # 1/32
)
STEM = 32


@dataclass(frozen=True)
class DeblurGANv2Settings:
    """Settings of a DeblurGAN-v2 generator.

    Attributes:
        backbone: factor on MobileNetV2's widths.
        pyramid: channels of the feature pyramid.
        heads: channels of each of the four heads.
    """

    backbone: float = 1.0
    pyramid: int = 128
    heads: int = 64


class DeblurGANv2Mobile(Restorer):
    """MobileNetV2 feature pyramid (see the module's docstring).

    Layers as in the authors' release. All normalisation is by instance, without scale and shift,
    which is what the release computes for a single picture. No ImageNet weights are fetched:
    weights start He-normal.

    It has 2,083,235 parameters. The 3.28 M that Park 2020 counts are 3,278,595: they include 480
    biases that a normalisation cancels and the 1,194,880 weights of MobileNetV2's layers behind
    the cut, which the release carries along though no output depends on them.

    Values inside are [-1, 1]. The statistics of 50 normalisations span the picture, so a tile has
    its own, nearer to those of a training crop. Tiling is approximate, and coarsely so: with
    random weights, tiles with this halo differ by 0.4 of the correction (root mean square).
    """

    first_convolutions = ("stages.0.0.0",)

    def __init__(self, settings: DeblurGANv2Settings):
        super().__init__()
        self.settings = settings
        self.traits = Traits(halo=128, align=32, exact=False, minimum=64)
        pyramid, heads = settings.pyramid, settings.heads

        width = _scaled(STEM, settings.backbone)
        stem = _unit(3, width, 3, stride=2)
        self.stages = nn.ModuleList()
        widths = []
        for stage in STAGES:
            layers = [] if self.stages else [stem]
            for expansion, out, repeats, stride in stage:
                out = _scaled(out, settings.backbone)
                for index in range(repeats):
                    layers.append(_InvertedResidual(width, out, expansion, stride if index == 0 else 1))
                    width = out
            self.stages.append(nn.Sequential(*layers))
            widths.append(width)

        self.lateral0 = nn.Conv2d(widths[0], heads, 1, bias=False)
        self.laterals = nn.ModuleList(nn.Conv2d(width, pyramid, 1, bias=False) for width in widths[1:])
        self.top_down = nn.ModuleList(_smooth(pyramid, pyramid) for _ in range(3))
        self.heads = nn.ModuleList(_head(pyramid, heads) for _ in range(4))
        self.smooth1 = _smooth(4 * heads, heads)
        self.smooth2 = _smooth(heads, heads // 2)
        self.final = nn.Conv2d(heads // 2, 3, 3, padding=1)
        self.reset_parameters()

    @torch.no_grad()
    def reset_parameters(self) -> None:
        """He-normal, with the last convolution at a tenth: a saturated tanh would hardly learn."""
        he_normal_(self)
        self.final.weight.mul_(0.1)

    def forward(self, window: Tensor, previous: Tensor, state: tuple[Tensor, ...]) -> Estimate:
        x = window.flatten(1, 2) * 2 - 1  # (B, 3N, H, W)
        x = x.to(self.dtype, memory_format=torch.channels_last)
        features = []
        for stage in self.stages:
            x = stage(x)  # (B, 16 .. 160, H/2 .. H/32, W/2 .. W/32)
            features.append(x)

        maps = [self.laterals[3](features[4])]  # coarse to fine, (B, 128, H/32 .. H/4, W/32 .. W/4)
        for level, join in zip((2, 1, 0), self.top_down, strict=True):
            maps.append(join(self.laterals[level](features[level + 1]) + _up(maps[-1], 2)))
        quarter = [_up(head(x), factor) for head, x, factor in zip(self.heads, maps, (8, 4, 2, 1), strict=True)]

        x = self.smooth1(torch.cat(quarter, dim=1))  # (B, 64, H/4, W/4)
        x = self.smooth2(_up(x, 2) + self.lateral0(features[0]))  # (B, 32, H/2, W/2)
        x = self.final(_up(x, 2))  # (B, 3, H, W)
        # Half a tanh, because the residual is meant for [-1, 1] and the frame is in [0, 1].
        return Estimate(centre_frame(window) + torch.tanh(x).float() / 2)


class _InvertedResidual(nn.Module):
    """Expand by 1x1, filter each channel by 3x3, project by 1x1 (Sandler 2018, figure 3)."""

    def __init__(self, width: int, out: int, expansion: int, stride: int):
        super().__init__()
        hidden = width * expansion
        self.residual = stride == 1 and width == out
        self.layers = nn.Sequential(
            *([_unit(width, hidden, 1)] if expansion > 1 else []),
            _unit(hidden, hidden, 3, stride=stride, groups=hidden),
            nn.Conv2d(hidden, out, 1, bias=False),
            nn.InstanceNorm2d(out),
        )

    def forward(self, x: Tensor) -> Tensor:  # (B, width, H, W) -> (B, out, H / stride, W / stride)
        return x + self.layers(x) if self.residual else self.layers(x)


def _unit(width: int, out: int, kernel: int, stride: int = 1, groups: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(width, out, kernel, stride, padding=kernel // 2, groups=groups, bias=False),
        nn.InstanceNorm2d(out),
        nn.ReLU6(inplace=True),
    )


def _smooth(width: int, out: int) -> nn.Sequential:
    # The release has biases here, which the normalisation would cancel.
    return nn.Sequential(nn.Conv2d(width, out, 3, padding=1, bias=False), nn.InstanceNorm2d(out), nn.ReLU(inplace=True))


def _head(width: int, out: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(width, out, 3, padding=1, bias=False),
        nn.ReLU(inplace=True),
        nn.Conv2d(out, out, 3, padding=1, bias=False),
        nn.ReLU(inplace=True),
    )


def _up(x: Tensor, factor: int) -> Tensor:
    return F.interpolate(x, scale_factor=factor, mode="nearest") if factor > 1 else x


def _scaled(width: int, factor: float) -> int:
    return max(1, round(width * factor))


VARIANTS = {
    "deblurgan-v2-mobile": Variant(
        DeblurGANv2Mobile,
        DeblurGANv2Settings(),
        paper="Kupyn et al., DeblurGAN-v2: Deblurring (Orders-of-Magnitude) Faster and Better, ICCV 2019",
        trained_for="motion",
    ),
}
