"""Adversarial loss: a discriminator that learns to tell restored patches from sharp ones.

The three formulations that Brehm 2020 (section 3.3) tried. Each is a pair of losses of the
discriminator's answers: one that it lowers, one that the restoring network lowers.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

SLOPE = 0.2  # of every LeakyReLU
WIDTHS = (64, 128, 256, 512)


class PatchDiscriminator(nn.Sequential):
    """PatchGAN (Isola 2017): one answer for each patch of 70 x 70 pixels, not one for the whole crop.

    Three strided 4x4 convolutions and two more. Instance instead of batch normalisation, so that an
    answer does not depend on what else is in the batch. Images (B, 3, H, W) in [0, 1], sides at least
    32, -> (B, 1, about H/8, W/8).

    Args:
        width: maps of the first layer; doubled by each of the next three.
    """

    def __init__(self, width: int = WIDTHS[0]):
        layers, channels = [], 3
        for index, factor in enumerate((1, 2, 4, 8)):
            layers.append(nn.Conv2d(channels, factor * width, 4, stride=2 if index < 3 else 1, padding=1))
            if index > 0:
                layers.append(nn.InstanceNorm2d(factor * width))
            layers.append(nn.LeakyReLU(SLOPE, inplace=True))
            channels = factor * width
        super().__init__(*layers, nn.Conv2d(channels, 1, 4, padding=1))
        for layer in self:
            if isinstance(layer, nn.Conv2d):
                nn.init.normal_(layer.weight, 0.0, 0.02)
                nn.init.zeros_(layer.bias)


def discriminator_loss(kind: str, real: Tensor, fake: Tensor) -> Tensor:
    """What the discriminator lowers.

    Args:
        kind: "standard" (Goodfellow 2014), "least-squares" (Mao 2017) or "relativistic" (average,
            with least squares: Jolicoeur-Martineau 2019).
        real, fake: its answers to sharp and to restored images, any shape.
    """
    if kind == "standard":
        return _bce(real, 1.0) + _bce(fake, 0.0)
    if kind == "least-squares":
        return _square(real, 1.0) + _square(fake, 0.0)
    return _square(real - fake.mean(), 1.0) + _square(fake - real.mean(), -1.0)


def generator_loss(kind: str, real: Tensor, fake: Tensor) -> Tensor:
    """What the restoring network lowers; arguments as for ``discriminator_loss``.

    The standard loss is the non-saturating one, which still has a gradient while fakes are obvious.
    """
    if kind == "standard":
        return _bce(fake, 1.0)
    if kind == "least-squares":
        return _square(fake, 1.0)
    return _square(fake - real.mean(), 1.0) + _square(real - fake.mean(), -1.0)


def _bce(answers: Tensor, wanted: float) -> Tensor:
    return F.binary_cross_entropy_with_logits(answers, torch.full_like(answers, wanted))


def _square(answers: Tensor, wanted: float) -> Tensor:
    return (answers - wanted).square().mean() / 2
