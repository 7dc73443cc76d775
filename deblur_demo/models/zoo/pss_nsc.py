"""PSS-NSC, parameter selective sharing with nested skip connections (Gao 2019, section 3).

One encoder-decoder runs over three scales, coarse to fine. At each it sees the blurred image and
the enlarged result of the scale before. What only extracts features is separate for each scale;
what transforms them is shared by all. Park 2020 converts this network in table 3.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from deblur_demo.models.blocks import ResidualBlock, he_normal_
from deblur_demo.models.contract import Estimate, Restorer, Traits, centre_frame
from deblur_demo.models.registry import Variant

RADIUS = 236  # of one scale, in its own pixels


@dataclass(frozen=True)
class PSSNSCSettings:
    """Settings of a PSS-NSC.

    Attributes:
        width: channels at a scale's full resolution; doubled at each of two down-samplings.
        scales: image scales, each half the next.
        recurrent: whether the decoder's features of the previous step enter the encoder at the
            original scale, through 1x1 convolutions as in MT-RNN. Only the converted network uses it.
    """

    width: int = 32
    scales: int = 3
    recurrent: bool = False


class PSSNSC(Restorer):
    """Multi-scale encoder-decoder with shared transformations (see the module's docstring).

    Source: Gao 2019; separate and shared layers as in the authors' release (which works on one
    colour at a time; ours on three). Their nested skips feed unit k the input plus the outputs
    of all units before, which is the same as adding the units' outputs one after another.
    Results pass from scale to scale with their gradient, and start from small residual branches.
    Values inside are [0, 1].

    Three scales reach some 1,650 px far, but what they weigh at that distance is little: tiles with
    a halo of 256 px are called approximate. The converted network has one scale and is exact.
    For table 3's 3.40 M it needs MT-RNN's recurrent features (3,400,227; 3,359,075 without),
    although the table's caption denies them; so the conversion turns them on.
    """

    first_convolutions = ()  # at a single scale its stem sees two frames as it is
    converted_settings = {"scales": 1, "recurrent": True}

    def __init__(self, settings: PSSNSCSettings):
        super().__init__()
        self.settings = settings
        one_scale = settings.scales == 1
        self.traits = Traits(
            halo=RADIUS if one_scale else 256,
            align=4 * 2 ** (settings.scales - 1),
            exact=one_scale,
            state_strides=(2, 4) if settings.recurrent else (),
        )
        widths = (settings.width, 2 * settings.width, 4 * settings.width)
        self.scales = nn.ModuleList(_Scale(widths) for _ in range(settings.scales))  # coarse to fine
        self.encoder = nn.ModuleList(_block(width) for width in widths)
        self.decoder = nn.ModuleList(_block(width) for width in widths)
        if settings.recurrent:
            self.merges = nn.ModuleList(nn.Conv2d(2 * width, width, 1) for width in widths[1:])
        self.reset_parameters()

    @torch.no_grad()
    def reset_parameters(self) -> None:
        """He-normal, with residual branches and output convolutions starting small.

        So neither the long chain of units nor the features that recur grow out of bounds.
        """
        he_normal_(self)
        if self.settings.recurrent:
            for merge in self.merges:
                merge.weight.mul_(0.5**0.5)  # no rectifier follows
        for module in self.modules():
            if isinstance(module, ResidualBlock):
                module.conv2.weight.mul_(0.1)
            elif isinstance(module, _Scale):
                module.head.weight.mul_(0.01)

    def forward(self, window: Tensor, previous: Tensor, state: tuple[Tensor, ...]) -> Estimate:
        images, state = self._images(window, state)
        return Estimate(images[-1], state)

    def predictions(self, window: Tensor) -> list[tuple[Tensor, int]]:
        """The result at every scale, coarse to fine, for a loss at each.

        Args:
            window: as for ``forward``.

        Returns:
            Pairs of an image (B, 3, H / s, W / s) and its scale s: 4, 2, 1.
        """
        images, _ = self._images(window, ())
        return [(image, window.shape[-1] // image.shape[-1]) for image in images]

    def _images(self, window: Tensor, state: tuple[Tensor, ...]) -> tuple[list[Tensor], tuple[Tensor, ...]]:
        images = []
        for index, scale in enumerate(self.scales):
            factor = 2 ** (len(self.scales) - 1 - index)
            blurred = F.avg_pool2d(centre_frame(window), factor)  # (B, 3, H/s, W/s)
            if images:
                guess = F.interpolate(images[-1], scale_factor=2, mode="bilinear", align_corners=False)
            else:  # a converted network's window begins with the estimate; else this is the blurred frame
                guess = F.avg_pool2d(window[:, 0], factor)
            pair = torch.cat((blurred, guess), dim=1)  # (B, 6, H/s, W/s)
            residual, recurrent = self._pass(scale, pair, state, merge=factor == 1 and self.settings.recurrent)
            images.append(blurred + residual)
        return images, recurrent

    def _pass(self, scale: _Scale, pair: Tensor, state: tuple[Tensor, ...], merge: bool):
        """One encoder-decoder pass: the residual, (B, 3, H, W), and the features that may recur."""
        x = pair.to(self.dtype, memory_format=torch.channels_last)
        skip1 = _twice(self.encoder[0], F.relu(scale.stem(x)))  # (B, w, H, W)
        x = F.relu(scale.down1(skip1))  # (B, 2w, H/2, W/2)
        x = self._merge(0, x, state) if merge else x
        skip2 = _twice(self.encoder[1], x)
        x = F.relu(scale.down2(skip2))  # (B, 4w, H/4, W/4)
        x = self._merge(1, x, state) if merge else x
        recurrent2 = _twice(self.decoder[2], _twice(self.encoder[2], x))
        x = F.relu(scale.up2(recurrent2)) + skip2  # (B, 2w, H/2, W/2)
        recurrent1 = _twice(self.decoder[1], x)
        x = F.relu(scale.up1(recurrent1)) + skip1  # (B, w, H, W)
        residual = scale.head(_twice(self.decoder[0], x)).float()
        return residual, (recurrent1, recurrent2) if merge else ()

    def _merge(self, level: int, x: Tensor, state: tuple[Tensor, ...]) -> Tensor:
        # Before the first step nothing recurs: the encoder's own feature stands in for it.
        return self.merges[level](torch.cat((x, state[level] if state else x), dim=1))


class _Scale(nn.Module):
    """The layers that each scale has for itself."""

    def __init__(self, widths: tuple[int, int, int]):
        super().__init__()
        fine, middle, coarse = widths
        self.stem = nn.Conv2d(6, fine, 3, padding=1)
        self.down1 = nn.Conv2d(fine, middle, 3, stride=2, padding=1)
        self.down2 = nn.Conv2d(middle, coarse, 3, stride=2, padding=1)
        self.up2 = nn.ConvTranspose2d(coarse, middle, 4, stride=2, padding=1)
        self.up1 = nn.ConvTranspose2d(middle, fine, 4, stride=2, padding=1)
        self.head = nn.Conv2d(fine, 3, 3, padding=1)


def _block(channels: int) -> nn.Sequential:
    return nn.Sequential(*(ResidualBlock(channels, nn.ReLU(inplace=True)) for _ in range(4)))


def _twice(block: nn.Module, x: Tensor) -> Tensor:
    """The two blocks of a level share their weights."""
    return block(block(x))


VARIANTS = {
    "pss-nsc": Variant(
        PSSNSC,
        PSSNSCSettings(),
        paper="Gao et al., Dynamic Scene Deblurring with Parameter Selective Sharing and Nested Skip Connections, "
        "CVPR 2019",
        trained_for="motion",
    ),
}
