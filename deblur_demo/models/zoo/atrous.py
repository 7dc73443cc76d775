"""The atrous networks (Brehm 2020, section 3.1; Bologna 2021, section 4.4).

Instead of down-sampling again and again, one strided convolution halves the sides and a chain
of residual blocks looks at them with four atrous rates at once. Where a paper leaves a choice:

- ``brehm-stage1`` follows the paper's text. The text gives no widths outside the blocks; 128
  before the strided convolution and 128, 64 after the blocks are those of the Bologna report,
  which rebuilt it. The slope 0.2 of its LeakyReLU is that of the authors' release.
- ``brehm-stage1-released`` is the authors' release, which differs from their text: see its entry.
- ``brehm-stage1-plain`` is the ablation without atrous rates. The text says three down-samplings,
  skips, 12 blocks of 512 filters, "two additional layers for down- and up-sampling" and more
  parameters than the atrous net. So: the same first two layers, two strided ones of 512 after
  them, and skips that add, because joined ones would widen more layers than those two.
- ``atrous-5`` and ``atrous-10-3f`` are the Bologna report's, whose code joins the first features
  to the up-sampled ones. Slope 0.3 is the default of Keras, as are the borders: its layers are
  registered here in the order of that code, so that weights from Keras can be paired by order.
- ``...-s`` work on the image folded by 2, at half the width and with 10 blocks, for machines
  without a GPU: half a second for 640 x 360 on two cores in bf16.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from deblur_demo.models.blocks import Conv, Deconv, glorot_uniform_, he_normal_
from deblur_demo.models.contract import Estimate, Restorer, Traits, centre_frame
from deblur_demo.models.registry import Variant


@dataclass(frozen=True)
class AtrousSettings:
    """Settings of an atrous network; the defaults are the text of Brehm 2020.

    Attributes:
        frames: frames joined at the input, 1 or 3; the middle one is restored.
        blocks: residual blocks.
        rates: atrous rates of the parallel convolutions of a block.
        branch: filters of each parallel convolution.
        width: feature maps between the blocks.
        stem: side of the first kernel.
        encoder: filters of the first convolution and of every strided one after it. A single
            number is the full-resolution net that the paper expects more of (section 5).
        decoder: filters of every transposed convolution and of the last but one convolution.
        skip: what the decoder sees again: "none"; "stem", the first features joined before the
            last but one convolution; "strided", the strided features joined before the first
            transposed one; "add", the features of equal size added after every transposed one.
        activate_sum: whether a block's joining convolution is activated before the sum.
        scale: learned scale per feature map: "none", or "before" or "after" the bias.
        padding: "reflect" or "same" (zeros).
        signed: whether the network sees [-1, 1] instead of [0, 1].
        slope: negative slope of every LeakyReLU.
        init: "he", He-normal (Bologna), with the gain of the rectifier's slope; "glorot", what Bologna
            compares it with; "damped", He-normal with the blocks' last convolutions at a tenth and the
            output at a hundredth. Brehm names none, and 20 full-sized blocks multiply the variance by
            3 each: fp16 overflows before training begins.
        unshuffle: the network sees the image folded by this factor.
    """

    frames: int = 1
    blocks: int = 20
    rates: tuple[int, ...] = (1, 2, 3, 4)
    branch: int = 128
    width: int = 256
    stem: int = 9
    encoder: tuple[int, ...] = (128, 256)
    decoder: tuple[int, ...] = (128, 64)
    skip: Literal["none", "stem", "strided", "add"] = "none"
    activate_sum: bool = False
    scale: Literal["none", "before", "after"] = "before"
    padding: Literal["reflect", "same"] = "reflect"
    signed: bool = True
    slope: float = 0.2
    init: Literal["he", "glorot", "damped"] = "damped"
    unshuffle: int = 1


class AtrousBlock(nn.Module):
    """x + conv(cat of atrous convolutions of x), Brehm 2020, figure 2: sees 11 x 11 with rates 1 to 4.

    With the single rate 1 it is the standard residual block.
    """

    def __init__(self, channels: int, settings: AtrousSettings):
        super().__init__()
        options = {"padding": settings.padding, "scale": settings.scale}
        joined = settings.branch * len(settings.rates)
        self.branches = nn.ModuleList(
            Conv(channels, settings.branch, 3, dilation=rate, **options) for rate in settings.rates
        )
        self.join = Conv(joined, settings.width, 3, **options)
        self.shortcut = Conv(channels, settings.width, 1, **options) if channels != settings.width else None
        self.activate_sum = settings.activate_sum
        self.slope = settings.slope

    def forward(self, x: Tensor) -> Tensor:  # (B, C, H, W) -> (B, width, H, W)
        seen = torch.cat([self._activate(branch(x)) for branch in self.branches], dim=1)  # (B, 4 branch, H, W)
        joined = self.join(seen)
        if self.activate_sum:
            joined = self._activate(joined)
        if self.shortcut is not None:
            x = self._activate(self.shortcut(x))
        return x + joined

    def _activate(self, x: Tensor) -> Tensor:
        return F.leaky_relu(x, self.slope, inplace=True)


class AtrousNet(Restorer):
    """Encoder, atrous residual blocks at constant resolution, decoder, + the blurred frame.

    Source: Brehm 2020, section 3.1 and figure 4; Bologna 2021, section 4.4 and figure 13.
    """

    first_convolutions = ("stem",)

    def __init__(self, settings: AtrousSettings):
        super().__init__()
        self.settings = settings
        self.traits = _traits(settings)
        options = {"padding": settings.padding, "scale": settings.scale}
        folded = 3 * settings.unshuffle**2
        encoder, decoder = settings.encoder, settings.decoder

        self.stem = Conv(settings.frames * folded, encoder[0], settings.stem, **options)
        self.down = nn.ModuleList(
            Conv(finer, coarser, 3, stride=2, **options) for finer, coarser in zip(encoder, encoder[1:], strict=False)
        )
        channels = [encoder[-1]] + [settings.width] * (settings.blocks - 1)
        self.blocks = nn.Sequential(*(AtrousBlock(count, settings) for count in channels))
        coarsest = settings.width + (encoder[-1] if settings.skip == "strided" else 0)
        self.up = nn.ModuleList(
            Deconv(coarser, finer, 3, **options)
            for coarser, finer in zip((coarsest, *decoder), decoder[:-1], strict=False)
        )
        finest = decoder[-2] if self.up else coarsest
        finest += encoder[0] if settings.skip == "stem" else 0
        self.tail = Conv(finest, decoder[-1], 3, **options)
        self.head = Conv(decoder[-1], folded, 3, **options)
        self.reset_parameters()

    @torch.no_grad()
    def reset_parameters(self) -> None:
        """Initialise as ``settings.init`` says; learned scales start at 1."""
        if self.settings.init == "glorot":
            glorot_uniform_(self)
            return
        he_normal_(self, self.settings.slope)
        if self.settings.init == "damped":
            for block in self.blocks:
                block.join.weight.mul_(0.1)
            self.head.weight.mul_(0.01)

    @torch.no_grad()
    def still_from(self, clip: AtrousNet) -> None:
        """Take the weights of a network of several frames, so as to see one where it saw a clip that stands still.

        The result is the same where the two differ in nothing but their frames and the range that they
        see, away from borders that are padded with zeros; learned scales stay as they are, and what the
        decoder of ``clip`` saw again is left out.

        Args:
            clip: as many blocks, of the same widths.
        """
        weights = clip.state_dict()
        stem, bias = weights["stem.weight"].unflatten(1, (clip.settings.frames, -1)).sum(1), weights["stem.bias"]
        if self.settings.signed and not clip.settings.signed:  # x = (s + 1) / 2, and the residual is halved
            stem, bias = stem / 2, bias + stem.sum((1, 2, 3)) / 2
            weights |= {name: 2 * weights[name] for name in ("head.weight", "head.bias")}
        weights |= {"stem.weight": stem, "stem.bias": bias}
        weights["tail.weight"] = weights["tail.weight"][:, : self.tail.weight.shape[1]]
        self.load_state_dict({**self.state_dict(), **weights})

    def forward(self, window: Tensor, previous: Tensor, state: tuple[Tensor, ...]) -> Estimate:
        blurred = centre_frame(window)  # (B, 3, H, W)
        x = window.flatten(1, 2)  # (B, 3N, H, W)
        if self.settings.signed:
            x = 2 * x - 1
        x = F.pixel_unshuffle(x, self.settings.unshuffle).to(self.dtype)  # (B, 3Nu², H/u, W/u)
        x = x.contiguous(memory_format=torch.channels_last)

        x = self._activate(self.stem(x))
        features = [x]
        for down in self.down:
            x = self._activate(down(x))  # half the sides each
            features.append(x)
        x = self.blocks(x)  # (B, width, H/2u, W/2u) with a single strided layer
        if self.settings.skip == "strided":
            x = torch.cat((x, features[-1]), dim=1)
        for up, feature in zip(self.up, reversed(features[:-1]), strict=True):
            x = self._activate(up(x))  # twice the sides each
            if self.settings.skip == "add":
                x = x + feature
        if self.settings.skip == "stem":
            x = torch.cat((x, features[0]), dim=1)
        x = self.head(self._activate(self.tail(x)))  # (B, 3u², H/u, W/u)
        residual = F.pixel_shuffle(x, self.settings.unshuffle).float()  # (B, 3, H, W)
        return Estimate(blurred + (residual / 2 if self.settings.signed else residual))

    def _activate(self, x: Tensor) -> Tensor:
        return F.leaky_relu(x, self.settings.slope, inplace=True)


def _traits(settings: AtrousSettings) -> Traits:
    """Halo, alignment and minimum side, counted layer by layer."""
    stride = settings.unshuffle  # pixels of the image per pixel of the features
    reach = settings.stem // 2 * stride
    for _ in settings.encoder[1:]:
        reach += 2 * stride  # 1 by the strided convolution, 1 by its transposed partner on the way back
        stride *= 2
    largest = max(settings.rates)
    reach += settings.blocks * (largest + 1) * stride
    reach += 2 * settings.unshuffle + settings.unshuffle - 1  # tail, head, the fold itself
    # Reflection needs sides that exceed the padding: at the coarsest scale, and at the first kernel.
    minimum = max((largest + 1) * stride, (settings.stem // 2 + 1) * settings.unshuffle)
    return Traits(
        halo=math.ceil(reach / stride) * stride,
        align=stride,
        frames=settings.frames,
        minimum=math.ceil(minimum / stride) * stride if settings.padding == "reflect" else stride,
    )


_BREHM = (
    "Brehm et al., High-Resolution Dual-Stage Multi-Level Feature Aggregation for Single Image and Video Deblurring, "
    "CVPR Workshops 2020"
)
_BOLOGNA = "Mancini and Simonati, Deep Image Deblurring, University of Bologna 2021"

_SMALL = {
    "branch": 64,
    "width": 128,
    "stem": 5,
    "encoder": (64, 128),
    "decoder": (64, 48),
    "init": "damped",
    "unshuffle": 2,
}
_KERAS = {
    "skip": "stem",
    "activate_sum": True,
    "scale": "none",
    "padding": "same",
    "signed": False,
    "slope": 0.3,
    "init": "he",
}

VARIANTS = {
    "brehm-stage1": Variant(AtrousNet, AtrousSettings(), paper=_BREHM, trained_for="motion"),
    "brehm-stage1-released": Variant(
        AtrousNet,
        AtrousSettings(stem=7, encoder=(64, 128), decoder=(128, 64), skip="strided", activate_sum=True, scale="after"),
        paper=_BREHM,
        trained_for="motion",
    ),
    "brehm-stage1-plain": Variant(
        AtrousNet,
        AtrousSettings(
            blocks=12,
            rates=(1,),
            branch=512,
            width=512,
            encoder=(128, 256, 512, 512),
            decoder=(512, 256, 128, 64),
            skip="add",
        ),
        paper=_BREHM,
        trained_for="motion",
    ),
    "brehm-stage1-s": Variant(AtrousNet, AtrousSettings(blocks=10, **_SMALL), paper=_BREHM, trained_for="motion"),
    "atrous-5": Variant(AtrousNet, AtrousSettings(blocks=5, **_KERAS), paper=_BOLOGNA, trained_for="Gaussian"),
    "atrous-10-3f": Variant(
        AtrousNet, AtrousSettings(frames=3, blocks=10, **_KERAS), paper=_BOLOGNA, trained_for="motion, video"
    ),
    "atrous-10-3f-s": Variant(
        AtrousNet, AtrousSettings(frames=3, blocks=10, **_KERAS | _SMALL), paper=_BOLOGNA, trained_for="motion, video"
    ),
}
