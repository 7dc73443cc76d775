"""CARLO_NET, a convolutional auto-encoder without any change of scale (Bologna 2021, section 4.2).

Ten convolutions without padding, so each takes its border off; ten transposed ones, so each
puts it back. Every second convolution's features are added to those of its mirror. The output is
the image itself, not a residual, rectified like all other layers.

After Mao 2016 (RED-Net), for Gaussian blur. The order of additions and activations, and the
order in which layers are registered, are those of the authors' Keras code. ``carlo-s`` is the
point of their grid with 32 filters, a sixteenth of the arithmetic.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from deblur_demo.models.blocks import glorot_uniform_, he_normal_, in_fp32
from deblur_demo.models.contract import Estimate, Restorer, Traits
from deblur_demo.models.registry import Variant


@dataclass(frozen=True)
class CarloSettings:
    """Settings of a CARLO_NET; the defaults are the best of the report's grid.

    Attributes:
        layers: convolutions, and as many transposed ones (the report tried 5, 10, 15).
        filters: of every layer but the last (32, 64, 128).
        kernel: side of every kernel (3, 5).
        rectify: whether the output is rectified, as the paper has it; off where the output is a
            residual, which must be able to fall below zero.
        init: "glorot", the default of Keras that the authors kept here; "he", He-normal, with
            which they improved their later network.
    """

    layers: int = 10
    filters: int = 128
    kernel: int = 3
    rectify: bool = True
    init: Literal["glorot", "he"] = "glorot"


class Carlo(Restorer):
    """Symmetric convolutions and transposed convolutions with additive skips every two layers.

    Tiles are exact although nothing is padded: a pixel further than the halo from a cut never
    meets the zeros that the transposed convolutions see beyond it.

    Source: Bologna 2021, section 4.2.1 and figure 7.
    """

    first_convolutions = ("encoder.0",)
    silent_output = 0.0
    converted_settings = {"rectify": False}

    def __init__(self, settings: CarloSettings):
        super().__init__()
        self.settings = settings
        layers, filters, kernel = settings.layers, settings.filters, settings.kernel
        radius = 2 * layers * (kernel // 2)  # there and back, which is also all that the border takes off
        self.traits = Traits(halo=radius, minimum=radius + 4)

        self.encoder = nn.ModuleList(nn.Conv2d(3 if i == 0 else filters, filters, kernel) for i in range(layers))
        self.decoder = nn.ModuleList(nn.ConvTranspose2d(filters, filters, kernel) for _ in range(layers - 1))
        self.head = nn.ConvTranspose2d(filters, 3, kernel)
        self.reset_parameters()

    @torch.no_grad()
    def reset_parameters(self) -> None:
        """Initialise as ``settings.init`` says, but start from grey.

        A rectified output whose random weights happen to sum below zero is 0 everywhere and
        learns nothing, so each channel starts near 0.5.
        """
        if self.settings.init == "glorot":
            glorot_uniform_(self)
        else:
            he_normal_(self)
        if self.settings.rectify:
            self.head.weight.mul_(0.01)
            self.head.bias.fill_(0.5)

    def forward(self, window: Tensor, previous: Tensor, state: tuple[Tensor, ...]) -> Estimate:
        x = window.flatten(1, 2).to(self.dtype)  # (B, 3, H, W)
        x = x.contiguous(memory_format=torch.channels_last)
        skips = {}  # index of the mirrored transposed convolution -> features
        for index, convolution in enumerate(self.encoder):
            x = F.relu(convolution(x), inplace=True)  # (B, filters, H - 2i, W - 2i) after i layers of 3 x 3
            if index % 2 == 0:
                skips[len(self.decoder) - 1 - index] = x
        for index, deconvolution in enumerate(self.decoder):
            x = F.relu(deconvolution(x), inplace=True)  # the sides grow back
            if index in skips:
                x = x + skips[index]  # rectified, as both are
        x = in_fp32(self.head, x)  # (B, 3, H, W)
        return Estimate(F.relu(x) if self.settings.rectify else x)


_PAPER = "Mancini and Simonati, Deep Image Deblurring, University of Bologna 2021"

VARIANTS = {
    "carlo": Variant(Carlo, CarloSettings(), paper=_PAPER, trained_for="Gaussian"),
    "carlo-s": Variant(Carlo, CarloSettings(filters=32), paper=_PAPER, trained_for="Gaussian"),
}
