"""MT-RNN, the multi-temporal recurrent network (Park 2020, section 4.2 and figure 3).

One encoder-decoder with three scales is applied again and again. Each iteration sees the
blurred image, the previous estimate and the decoder's features of the previous iteration.

``mtrnn`` is the paper's network. ``mtrnn-lite`` is the same network behind a pixel-unshuffle
by 2: it works on half the sides, at a quarter of the arithmetic, for machines without a GPU.
The settings also make what the paper's tables 1 and 2 compare it with.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from deblur_demo.models.blocks import ResidualBlock, he_normal_
from deblur_demo.models.contract import Estimate, Restorer, Traits, centre_frame
from deblur_demo.models.registry import Variant

SLOPE = 0.1  # of every LeakyReLU


@dataclass(frozen=True)
class MTRNNSettings:
    """Settings of an MT-RNN.

    Attributes:
        unshuffle: the network sees the image folded by this factor (1: the paper's).
        mean: subtracted from the input, RGB in [0, 1]; the zero padding then is the mean colour.
        clamp: whether the estimate is clamped to [0, 1] before the next iteration sees it. Keeps
            training from scratch stable; the authors' own weights were trained without.
        recurrent: whether the decoder's features enter the encoder of the next iteration (Park's RFM).
        residual: what the output is added to (Park's ResL): "blurred" the input, "previous" the
            estimate, "none" nothing but the mean.
        kernel: side of all kernels but the 1x1 and the transposed ones, 3 or 5.
        images: images that the first layer sees.
    """

    unshuffle: int = 1
    mean: tuple[float, float, float] = (0.4488, 0.4371, 0.4040)
    clamp: bool = True
    recurrent: bool = True
    residual: Literal["blurred", "previous", "none"] = "blurred"
    kernel: int = 3
    images: int = 2


class MTRNN(Restorer):
    """Recurrent encoder-decoder with widths 32, 64, 128 (see the module's docstring).

    Source: Park 2020, section 4.2; concatenation orders as in the authors' release.
    """

    def __init__(self, settings: MTRNNSettings):
        super().__init__()
        self.settings = settings
        kernel, reach = settings.kernel, settings.kernel // 2
        # Radius of one pass is 94 px for the paper's net; folding the image multiplies it.
        self.traits = Traits(
            halo=96 * reach * settings.unshuffle,
            align=4 * settings.unshuffle,
            steps=6,
            max_steps=10,
            state_strides=(2 * settings.unshuffle, 4 * settings.unshuffle) if settings.recurrent else (),
        )
        folded = settings.unshuffle**2

        self.stem = nn.Conv2d(3 * settings.images * folded, 32, kernel, padding=reach)
        self.encoder1 = _blocks(32, kernel)
        self.down1 = nn.Conv2d(32, 64, kernel, stride=2, padding=reach)
        self.recur1 = nn.Conv2d(64 + 64, 64, 1) if settings.recurrent else None
        self.encoder2 = _blocks(64, kernel)
        self.down2 = nn.Conv2d(64, 128, kernel, stride=2, padding=reach)
        self.recur2 = nn.Conv2d(128 + 128, 128, 1) if settings.recurrent else None
        self.encoder3 = _blocks(128, kernel)

        self.decoder3 = _blocks(128, kernel)
        self.up2 = nn.ConvTranspose2d(128, 64, 4, stride=2, padding=1)
        self.skip2 = nn.Conv2d(64 + 64, 64, 1)
        self.decoder2 = _blocks(64, kernel)
        self.up1 = nn.ConvTranspose2d(64, 32, 4, stride=2, padding=1)
        self.skip1 = nn.Conv2d(32 + 32, 32, 1)
        self.decoder1 = _blocks(32, kernel)
        self.head = nn.Conv2d(32, 3 * folded, kernel, padding=reach)

        self.register_buffer("mean", torch.tensor(settings.mean).view(1, 3, 1, 1), persistent=False)
        self.reset_parameters()

    @torch.no_grad()
    def reset_parameters(self) -> None:
        """He-normal, with residual branches and the head starting small.

        The estimate and the features feed on themselves, so a full-sized start diverges.
        """
        he_normal_(self, SLOPE)
        for module in self.modules():
            if isinstance(module, ResidualBlock):
                module.conv2.weight.mul_(0.1)
        self.head.weight.mul_(0.01)

    @torch.no_grad()
    def unfold_from(self, folded: MTRNN) -> None:
        """Take the weights of a network that folds the image, so as to see each pixel where it saw u x u at once.

        The result is to a picture what ``folded`` is to the same picture enlarged u times by repeating its
        pixels: the same in the first iteration, near it in the others. As photos look alike at every size,
        it restores about as well, and has the paper's resolution to learn with.

        Args:
            folded: of the same settings, but for ``unshuffle`` and ``mean``.
        """
        weights, pixels = folded.state_dict(), folded.settings.unshuffle**2
        stem = weights["stem.weight"].unflatten(1, (-1, pixels)).sum(2)  # (32, 3i, k, k)
        offset = (self.mean - folded.mean).flatten().repeat(self.settings.images)  # (3i)
        weights["stem.weight"] = stem
        weights["stem.bias"] = weights["stem.bias"] + stem.sum((2, 3)) @ offset
        for name in ("head.weight", "head.bias"):
            weights[name] = weights[name].unflatten(0, (3, pixels)).mean(1)
        self.load_state_dict(weights)

    def forward(self, window: Tensor, previous: Tensor, state: tuple[Tensor, ...]) -> Estimate:
        blurred = centre_frame(window)  # (B, 3, H, W)
        if self.settings.clamp:
            previous = previous.clamp(0, 1)
        output, state = self.output((blurred, previous), state)
        added_to = {"blurred": blurred, "previous": previous, "none": self.mean}[self.settings.residual]
        return Estimate(added_to + output, state)

    def output(self, images: tuple[Tensor, ...], state: tuple[Tensor, ...]) -> tuple[Tensor, tuple[Tensor, ...]]:
        """One pass of the encoder-decoder, before anything is added to it.

        Args:
            images: as many as ``settings.images``, each (B, 3, H, W), fp32.
            state: recurrent features; () at the first iteration.

        Returns:
            (B, 3, H, W), fp32, and the features for the next iteration.
        """
        x = torch.cat([image - self.mean for image in images], dim=1)  # (B, 3i, H, W)
        x = F.pixel_unshuffle(x, self.settings.unshuffle).to(self.dtype)  # (B, 3iu², H/u, W/u)
        x = x.contiguous(memory_format=torch.channels_last)

        # A map is named no longer than it is needed, and a skip is popped where it is used last:
        # that takes 40 % off the memory of an iteration, so the tiles of a large photo need fewer halos.
        skips = []
        x = self.encoder1(self.stem(x))  # (B, 32, H/u, W/u)
        skips.append(x)
        x = F.leaky_relu(self.down1(x), SLOPE)  # (B, 64, H/2u, W/2u)
        # No recurrent feature exists before the first iteration: the encoder's stands in for it.
        recurrent1, recurrent2 = state or (x, None)
        if self.recur1 is not None:
            x = self.recur1(torch.cat((x, recurrent1), dim=1))
        x = self.encoder2(x)
        skips.append(x)
        x = F.leaky_relu(self.down2(x), SLOPE)  # (B, 128, H/4u, W/4u)
        if self.recur2 is not None:
            x = self.recur2(torch.cat((x, x if recurrent2 is None else recurrent2), dim=1))
        x = self.encoder3(x)

        x = recurrent2 = self.decoder3(x)  # (B, 128, H/4u, W/4u)
        x = F.leaky_relu(self.up2(x), SLOPE)  # (B, 64, H/2u, W/2u)
        x = self.skip2(torch.cat((x, skips.pop()), dim=1))
        x = recurrent1 = self.decoder2(x)
        x = F.leaky_relu(self.up1(x), SLOPE)  # (B, 32, H/u, W/u)
        x = self.skip1(torch.cat((x, skips.pop()), dim=1))
        x = self.decoder1(x)
        x = F.pixel_shuffle(self.head(x), self.settings.unshuffle)  # (B, 3, H, W)
        return x.float(), (recurrent1, recurrent2) if self.settings.recurrent else ()


def _blocks(channels: int, kernel: int) -> nn.Sequential:
    return nn.Sequential(*(ResidualBlock(channels, nn.LeakyReLU(SLOPE, inplace=True), kernel) for _ in range(3)))


_PAPER = (
    "Park et al., Multi-Temporal Recurrent Neural Networks for Progressive Non-Uniform Single Image Deblurring, "
    "ECCV 2020"
)

VARIANTS = {
    "mtrnn": Variant(MTRNN, MTRNNSettings(), paper=_PAPER, trained_for="motion"),
    "mtrnn-lite": Variant(
        MTRNN, MTRNNSettings(unshuffle=2, mean=(0.45, 0.45, 0.45)), paper=_PAPER, trained_for="motion"
    ),
}
