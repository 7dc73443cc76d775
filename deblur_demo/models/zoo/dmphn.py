"""DMPHN 1-2-4, the deep multi-patch hierarchical network (Zhang 2019, section 3).

Three encoder-decoders of one shape see the picture whole, in two halves and in four quarters.
The finest patches go first: each level adds what it found to the image and to the features of
the level above. Park 2020 converts this network in table 3.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from deblur_demo.models.blocks import ResidualBlock, in_fp32
from deblur_demo.models.contract import Estimate, Restorer, Traits
from deblur_demo.models.registry import Variant

ROWS, COLUMNS = 2, 3  # dimensions that are cut


@dataclass(frozen=True)
class DMPHNSettings:
    """Settings of a DMPHN.

    Attributes:
        width: channels at full resolution; doubled at each of the two down-samplings.
    """

    width: int = 32


class DMPHN(Restorer):
    """Multi-patch hierarchy with levels of 1, 2 and 4 patches (see the module's docstring).

    Layers stand in the order of the authors' release, where encoder layer numbers run
    1, 2, 3, 5, 6, 7, 9, 10, 11 and decoder numbers 13, 14, 16, 17, 18, 20, 21, 22, 24, and a
    residual block's convolutions are ``.0`` and ``.2``: so files pair by position.

    Values inside are [-0.5, 0.5]. The cuts depend on where the picture's middle is, and a tile
    has its own middle, so tiling is approximate whatever the halo. With random weights, tiles
    with a halo of 64 px differ by 0.04 of the correction (root mean square); with 128 px no less.
    """

    first_convolutions = ("encoders.0.0", "encoders.1.0", "encoders.2.0")
    silent_output = 0.5

    def __init__(self, settings: DMPHNSettings):
        super().__init__()
        self.settings = settings
        self.traits = Traits(halo=64, align=8, exact=False, minimum=8)
        self.encoders = nn.ModuleList(_encoder(settings.width) for _ in range(3))  # of levels 1, 2, 3
        self.decoders = nn.ModuleList(_decoder(settings.width) for _ in range(3))
        self.reset_parameters()

    @torch.no_grad()
    def reset_parameters(self) -> None:
        """Normal with half the deviation of He's (fan out), zero biases: the authors' own."""
        for layer in self.modules():
            if isinstance(layer, (nn.Conv2d, nn.ConvTranspose2d)):
                fan_out = layer.kernel_size[0] * layer.kernel_size[1] * layer.out_channels
                layer.weight.normal_(0.0, 0.5 * (2 / fan_out) ** 0.5)
                layer.bias.zero_()

    def forward(self, window: Tensor, previous: Tensor, state: tuple[Tensor, ...]) -> Estimate:
        whole = window.flatten(1, 2) - 0.5  # (B, 3N, H, W)
        halves = _cut(whole, ROWS)  # (2B, 3N, H/2, W)
        quarters = _cut(halves, COLUMNS)  # (4B, 3N, H/2, W/2)

        features = _join(self._encode(3, quarters), COLUMNS)  # (2B, 4w, H/8, W/4)
        halves = _correct(halves, self._decode(3, features))
        features = _join(self._encode(2, halves) + features, ROWS)  # (B, 4w, H/4, W/4)
        whole = _correct(whole, self._decode(2, features))
        features = self._encode(1, whole) + features
        return Estimate(self._decode(1, features) + 0.5)  # (B, 3, H, W)

    def _encode(self, level: int, image: Tensor) -> Tensor:
        return self.encoders[level - 1](image.to(self.dtype, memory_format=torch.channels_last))

    def _decode(self, level: int, features: Tensor) -> Tensor:
        *layers, head = self.decoders[level - 1]
        for layer in layers:
            features = layer(features)
        return in_fp32(head, features)  # an image at level 1, which bf16 would round to 8 bits


def _cut(x: Tensor, dim: int) -> Tensor:
    """Two halves along ``dim``, stacked along the batch: (B, ...) -> (2B, ...)."""
    return torch.cat(x.chunk(2, dim))


def _join(x: Tensor, dim: int) -> Tensor:
    """The inverse of ``_cut``: (2B, ...) -> (B, ...)."""
    return torch.cat(x.chunk(2), dim)


def _correct(image: Tensor, residual: Tensor) -> Tensor:
    """Add a residual to the frame to correct, the first of the image's channels."""
    return torch.cat((image[:, :3] + residual, image[:, 3:]), dim=1)


def _encoder(width: int) -> nn.Sequential:  # (B, 3, H, W) -> (B, 4w, H/4, W/4)
    return nn.Sequential(
        nn.Conv2d(3, width, 3, padding=1),
        *_blocks(width),
        nn.Conv2d(width, 2 * width, 3, stride=2, padding=1),
        *_blocks(2 * width),
        nn.Conv2d(2 * width, 4 * width, 3, stride=2, padding=1),
        *_blocks(4 * width),
    )


def _decoder(width: int) -> nn.Sequential:  # (B, 4w, H/4, W/4) -> (B, 3, H, W)
    return nn.Sequential(
        *_blocks(4 * width),
        nn.ConvTranspose2d(4 * width, 2 * width, 4, stride=2, padding=1),
        *_blocks(2 * width),
        nn.ConvTranspose2d(2 * width, width, 4, stride=2, padding=1),
        *_blocks(width),
        nn.Conv2d(width, 3, 3, padding=1),
    )


def _blocks(channels: int) -> tuple[ResidualBlock, ResidualBlock]:
    return ResidualBlock(channels, nn.ReLU(inplace=True)), ResidualBlock(channels, nn.ReLU(inplace=True))


VARIANTS = {
    "dmphn": Variant(
        DMPHN,
        DMPHNSettings(),
        paper="Zhang et al., Deep Stacked Hierarchical Multi-Patch Network for Image Deblurring, CVPR 2019",
        trained_for="motion",
    ),
}
