"""SGENet, the spatially guided enhancement network (BMVC 2021, section 3).

Two encoder-decoders in a row; each yields an image, and a run has these two steps. Every scale of
every encoder and decoder predicts an image too, which then guides the features of that scale.

The paper gives the widths 96, 120, 144, two residual dilated modules (RDM) a scale, and 19.5 M
parameters. What it leaves open is chosen so that the count comes out (19.56 M, 0.3 % above), and
otherwise as in MPRNet (Zamir 2021), on which it builds:

- RDM: two units of two 3x3 convolutions, the second with rate 2, each unit added to the module's
  input ("recursive residual").
- A scale is two RDMs and a contextual-aware enhancement module (CEM), which joins the RDMs'
  features with those that came from the scale before. In figure 1 it sits at the skips; the text
  wants a prediction in the decoder as well, so each decoder scale has one, too.
- Up and down between scales: bilinear, then 1x1. Skips are added.
- The supervised attention module takes stage 1's image as it is, instead of predicting another.
- The multi-layer perceptrons of the cross-stage selective aggregation module (CSAM) have one
  hidden layer, as wide as their third of the pooled vector.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from deblur_demo.errors import SettingError
from deblur_demo.models.blocks import he_normal_
from deblur_demo.models.contract import Estimate, Restorer, Traits, centre_frame
from deblur_demo.models.registry import Variant

SCALES = (1, 2, 4)  # down-sampling of each


@dataclass(frozen=True)
class SGENetSettings:
    """Settings of an SGENet.

    Attributes:
        widths: channels at each scale, fine to coarse; multiples of 3.
        pool_window: side in pixels of the window whose mean replaces the global mean after
            training, about the training crop's; 0: the whole picture.
    """

    widths: tuple[int, int, int] = (96, 120, 144)
    pool_window: int = 256


class SGENet(Restorer):
    """Dual-stage network with supervised guidance (see the module's docstring).

    Stage 1 hands its encoder's and decoder's features at three scales to stage 2, as state; its
    image comes back as ``previous``. Values inside are [0, 1].

    In training, CSAM pools over the whole crop. Afterwards it pools around each pixel, over a
    window of the crop's size kept inside the picture: what was learned on crops stays true for any
    picture, and a crop-sized picture gives the same as in training. Stage 1 reaches 229 px; in
    stage 2 three windows follow each other and reach 384 px more, but as means of 65,536 pixels,
    of which some at the rim hardly count. Tiles with a halo of 256 px are called approximate.
    """

    def __init__(self, settings: SGENetSettings):
        super().__init__()
        if any(width % 3 for width in settings.widths):
            raise SettingError(f"the widths are {settings.widths}", "multiples of 3", "Change them")
        if settings.pool_window < 0:
            raise SettingError(f"pool_window is {settings.pool_window}", "0 or more pixels", "Change it")
        self.settings = settings
        self.traits = Traits(
            halo=256,
            align=4,
            exact=False,
            steps=2,
            max_steps=2,
            state_strides=(1, 1, 2, 2, 4, 4),
            minimum=4,
            maps=("guidance",),
        )
        width = settings.widths[0]
        self.stem1 = nn.Conv2d(3, width, 3, padding=1)
        self.stem2 = nn.Conv2d(3, width, 3, padding=1)
        self.stage1 = _Stage(settings.widths, last=False)
        self.stage2 = _Stage(settings.widths, last=True)
        self.supervised_attention = _SupervisedAttention(width)
        self.enter = nn.Conv2d(2 * width, width, 3, padding=1)
        self.aggregate = nn.ModuleList(
            _CrossStageAggregation(width, settings.pool_window // scale)
            for width, scale in zip(settings.widths, SCALES, strict=True)
        )
        self.reset_parameters()

    @torch.no_grad()
    def reset_parameters(self) -> None:
        """He-normal, with the RDMs' last convolutions and the predictions starting small."""
        he_normal_(self)
        for module in self.modules():
            if isinstance(module, _ResidualDilated):
                for unit in module.units:
                    unit[-1].weight.mul_(0.1)
            elif isinstance(module, _ContextEnhancement):
                module.predict.weight.mul_(0.01)

    def forward(self, window: Tensor, previous: Tensor, state: tuple[Tensor, ...]) -> Estimate:
        blurred = centre_frame(window)
        if not state:
            images, state = self._first(blurred)
            return Estimate(images[-1], state, _guidance(self.stage1.decoder[0], images[-1]))
        images = self._second(blurred, previous, state)
        return Estimate(images[-1], maps=_guidance(self.stage2.encoder[0], images[0]))

    def predictions(self, window: Tensor) -> list[tuple[Tensor, int]]:
        """All twelve images, for a loss at each (equation 2): both stages, down and up again.

        Args:
            window: as for ``forward``.

        Returns:
            Pairs of an image (B, 3, H / s, W / s) and its scale s: 1, 2, 4, 4, 2, 1 for each stage.
        """
        blurred = centre_frame(window)
        first, state = self._first(blurred)
        second = self._second(blurred, first[-1], state)
        return [(image, blurred.shape[-1] // image.shape[-1]) for image in (*first, *second)]

    def _first(self, blurred: Tensor) -> tuple[list[Tensor], tuple[Tensor, ...]]:
        """Stage 1: its six images and, scale by scale, its encoder's and decoder's features."""
        x = self.stem1(self._inside(blurred))  # (B, w, H, W)
        return self.stage1(x, blurred, [nn.Identity()] * 3)

    def _second(self, blurred: Tensor, image: Tensor, state: tuple[Tensor, ...]) -> list[Tensor]:
        """Stage 2: its six images, from stage 1's image and features."""
        attended = self.supervised_attention(state[1], self._inside(image))
        x = self.enter(torch.cat((self.stem2(self._inside(blurred)), attended), dim=1))  # (B, w, H, W)

        def joined(index: int):
            return lambda own: self.aggregate[index](state[2 * index], state[2 * index + 1], own)

        images, _ = self.stage2(x, blurred, [joined(index) for index in range(3)])
        return images

    def _inside(self, image: Tensor) -> Tensor:
        return image.to(self.dtype, memory_format=torch.channels_last)


def _guidance(scale: _Scale, image: Tensor) -> dict[str, Tensor]:
    """The map of a step: the attention, on the mean over channels, of its last scale that is full-size and guided."""
    return {"guidance": scale.enhance.attention(image).float().mean(1, keepdim=True)}


class _Stage(nn.Module):
    """An encoder-decoder whose six scales each predict an image."""

    def __init__(self, widths: tuple[int, int, int], last: bool):
        super().__init__()
        fine, middle, coarse = widths
        self.encoder = nn.ModuleList(_Scale(width) for width in widths)
        # Behind the very last prediction there are no features left to guide.
        self.decoder = nn.ModuleList(_Scale(width, guide=not last or index > 0) for index, width in enumerate(widths))
        self.down = nn.ModuleList((nn.Conv2d(fine, middle, 1), nn.Conv2d(middle, coarse, 1)))
        self.up = nn.ModuleList((nn.Conv2d(middle, fine, 1), nn.Conv2d(coarse, middle, 1)))

    def forward(self, x: Tensor, blurred: Tensor, joins: list) -> tuple[list[Tensor], tuple[Tensor, ...]]:
        """Run the stage on features (B, w, H, W) of the blurred image (B, 3, H, W).

        Args:
            joins: per scale, what to do with the encoder's features before they are used.

        Returns:
            Images, scales 1, 2, 4, 4, 2, 1; features, encoder's and decoder's at scale 1, 2, 4.
        """
        blurred = [F.avg_pool2d(blurred, scale) for scale in SCALES]
        images, encoded, decoded = [], [], []
        for index, scale in enumerate(self.encoder):
            if index > 0:
                x = self.down[index - 1](F.avg_pool2d(x, 2))  # (B, 120, H/2, W/2), (B, 144, H/4, W/4)
            x, image = scale(x, blurred[index])
            x = joins[index](x)
            images.append(image)
            encoded.append(x)
        for index in (2, 1, 0):
            if index < 2:
                x = self.up[index](F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False))
                x = x + encoded[index]  # (B, 120, H/2, W/2), (B, 96, H, W)
            x, image = self.decoder[index](x, blurred[index])
            images.append(image)
            decoded.insert(0, x)
        return images, tuple(feature for pair in zip(encoded, decoded, strict=True) for feature in pair)


class _Scale(nn.Module):
    """Two residual dilated modules and a contextual-aware enhancement module."""

    def __init__(self, width: int, guide: bool = True):
        super().__init__()
        self.dilated = nn.Sequential(_ResidualDilated(width), _ResidualDilated(width))
        self.enhance = _ContextEnhancement(width, guide)

    def forward(self, x: Tensor, blurred: Tensor) -> tuple[Tensor, Tensor]:
        return self.enhance(self.dilated(x), x, blurred)


class _ResidualDilated(nn.Module):
    """RDM: units of a plain and a dilated convolution, each added to the module's input."""

    def __init__(self, width: int):
        super().__init__()
        self.units = nn.ModuleList(
            nn.Sequential(
                nn.Conv2d(width, width, 3, padding=1),
                nn.ReLU(inplace=True),
                nn.Conv2d(width, width, 3, padding=2, dilation=2),
            )
            for _ in range(2)
        )

    def forward(self, x: Tensor) -> Tensor:  # (B, C, H, W) -> (B, C, H, W)
        y = x
        for unit in self.units:
            y = x + unit(y)
        return y


class _ContextEnhancement(nn.Module):
    """CEM: predict an image, and let it guide the features (section 3.2, figure 2)."""

    def __init__(self, width: int, guide: bool):
        super().__init__()
        self.mix = nn.Conv2d(2 * width, width, 3, padding=1)
        self.predict = nn.Conv2d(width, 3, 3, padding=1)
        self.guide = guide
        if guide:
            self.residual_features = nn.Conv2d(3, width, 3, padding=1)
            self.mask = nn.Conv2d(3, width, 3, padding=1)
            self.refine = nn.Conv2d(2 * width, width, 3, padding=1)

    def forward(self, x: Tensor, before: Tensor, blurred: Tensor) -> tuple[Tensor, Tensor]:
        """Features of this scale and of the one before, (B, C, H, W); blurred image, (B, 3, H, W), fp32."""
        x = F.relu(self.mix(torch.cat((x, before), dim=1)))
        residual = self.predict(x)  # (B, 3, H, W)
        image = blurred + residual.float()
        if self.guide:
            x = self.refine(torch.cat((self.residual_features(residual), x), dim=1)) * self.attention(image)
        return x, image

    def attention(self, image: Tensor) -> Tensor:  # (B, 3, H, W), fp32 -> (B, C, H, W)
        """How much of each feature the predicted image lets pass."""
        return torch.sigmoid(self.mask(image.to(self.mask.weight.dtype)))


class _SupervisedAttention(nn.Module):
    """SAM: features of stage 1 pass where its image says so (Zamir 2021, figure 4)."""

    def __init__(self, width: int):
        super().__init__()
        self.features = nn.Conv2d(width, width, 3, padding=1)
        self.mask = nn.Conv2d(3, width, 3, padding=1)

    def forward(self, x: Tensor, image: Tensor) -> Tensor:  # (B, C, H, W), (B, 3, H, W) -> (B, C, H, W)
        return x + self.features(x) * torch.sigmoid(self.mask(image))


class _CrossStageAggregation(nn.Module):
    """CSAM: three features compete, channel by channel (section 3.3, figure 3).

    Args:
        width: channels, a multiple of 3.
        window: side of the pooling window outside training, in this scale's pixels; 0: global.
    """

    def __init__(self, width: int, window: int):
        super().__init__()
        self.window = window
        third = width // 3
        self.perceptrons = nn.ModuleList(
            nn.Sequential(nn.Conv2d(third, third, 1), nn.ReLU(inplace=True), nn.Conv2d(third, width, 1))
            for _ in range(3)
        )

    def forward(self, *features: Tensor) -> Tensor:  # three (B, C, H, W) -> (B, C, H, W)
        total = features[0] + features[1] + features[2]
        if self.training or not self.window:
            pooled = total.mean((2, 3), keepdim=True)  # (B, C, 1, 1)
        else:
            pooled = window_mean(window_mean(total.float(), self.window, 2), self.window, 3).to(total.dtype)
        scores = [perceptron(part) for perceptron, part in zip(self.perceptrons, pooled.chunk(3, 1), strict=True)]
        weights = torch.stack(scores).softmax(dim=0)  # (3, B, C, 1 or H, 1 or W)
        return weights[0] * features[0] + weights[1] * features[1] + weights[2] * features[2]


def window_mean(x: Tensor, size: int, dim: int) -> Tensor:
    """Mean of ``size`` neighbours along ``dim`` around each element; near an end, of the ``size`` nearest it.

    Args:
        x: fp32, any shape. It is summed from one end to the other, so lower precision will not do.
        size: window, at least 1; the whole length where that is shorter.
    """
    length = x.shape[dim]
    size = min(size, length)
    sums = torch.cat((torch.zeros_like(x.narrow(dim, 0, 1)), x.cumsum(dim)), dim)
    first = (torch.arange(length, device=x.device) - size // 2).clamp(0, length - size)
    return (sums.index_select(dim, first + size) - sums.index_select(dim, first)) / size


_PAPER = "Spatially Guided Enhancement Network (SGENet), BMVC 2021"

VARIANTS = {
    "sgenet": Variant(SGENet, SGENetSettings(), paper=_PAPER, trained_for="motion"),
    # Trained on crops of 128: a window of 256 was measured no worse (25.586 against 25.584 dB on frames of REDS).
    "sgenet-s": Variant(SGENet, SGENetSettings(widths=(24, 30, 36)), paper=_PAPER, trained_for="motion"),
}
