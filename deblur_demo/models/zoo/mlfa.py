"""MLFA, multi-level feature aggregation for video (Brehm 2020, section 3.2 and figure 5).

Two stages. A first network deblurs each of three frames by itself; the second finds in the
neighbours what the centre frame lost, at four resolutions, because far motion is near at a
coarse one.

The text gives no widths: 64 maps at full resolution and 64, 128, 256, 512 below are those of the
authors' release, as are the 7 x 7 first kernel, the fusing convolutions of twice a level's
width and the blocks that activate first. LeakyReLU 0.2 throughout, as in the release.

``mlfa`` yields stage 1, then stage 2. ``mlfa-single`` is the ablation of Table 2: the second
network without neighbours, on the blurred frame itself; ``first=""`` with three frames is the
other row of that table. ``mlfa-s`` puts half the widths behind the small stage 1, ``mlfa-lite``
a quarter of them behind the six iterations of ``mtrnn-lite``.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from deblur_demo.errors import SettingError
from deblur_demo.models import registry
from deblur_demo.models.blocks import Conv, Deconv, he_normal_
from deblur_demo.models.contract import Estimate, Restorer, Traits, centre_frame
from deblur_demo.models.registry import Variant

SLOPE = 0.2  # of every LeakyReLU
LEVELS = 4  # resolutions at which frames are compared


@dataclass(frozen=True)
class MLFASettings:
    """Settings of an MLFA network.

    Attributes:
        frames: 3, or 1 for the single-frame ablation.
        first: identifier of the one-frame network of stage 1, of which all steps are one here; "" for
            none, then the second network sees the blurred frames themselves and there is one step.
        width: feature maps at full resolution and at half of it; they double with each level below.
        blocks: residual blocks at each level.
        scale: learned scale per feature map, "none", or "before" or "after" the bias.
    """

    frames: int = 3
    first: str = "brehm-stage1"
    width: int = 64
    blocks: int = 3
    scale: Literal["none", "before", "after"] = "before"


class PreActivationBlock(nn.Module):
    """shortcut(x) + conv(act(conv(act(x)))); the shortcut is a 1 x 1 convolution where widths differ."""

    def __init__(self, channels: int, filters: int, options: dict):
        super().__init__()
        self.conv1 = Conv(channels, filters, 3, **options)
        self.conv2 = Conv(filters, filters, 3, **options)
        self.shortcut = Conv(channels, filters, 1, **options) if channels != filters else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:  # (B, channels, H, W) -> (B, filters, H, W)
        y = self.conv1(F.leaky_relu(x, SLOPE))
        return self.shortcut(x) + self.conv2(F.leaky_relu(y, SLOPE, inplace=True))


class Aggregation(nn.Module):
    """The second stage: frames in [-1, 1] to the residual of the middle one.

    Three phases, as in the paper: features of every frame (shared weights), fusion within each
    resolution, fusion across resolutions from the coarsest up.
    """

    def __init__(self, settings: MLFASettings):
        super().__init__()
        options = {"padding": "reflect", "scale": settings.scale}
        widths = [settings.width * 2**level for level in range(LEVELS)]  # at 1/2, 1/4, 1/8, 1/16

        self.stem = Conv(3, settings.width, 7, **options)
        self.down = nn.ModuleList(
            Conv(finer, coarser, 3, stride=2, **options)
            for finer, coarser in zip([settings.width, *widths], widths, strict=False)
        )
        self.fuse = nn.ModuleList(Conv(settings.frames * width, 2 * width, 3, **options) for width in widths)
        self.blocks = nn.ModuleList(
            nn.Sequential(
                PreActivationBlock(2 * width, width, options),
                *(PreActivationBlock(width, width, options) for _ in range(settings.blocks - 1)),
            )
            for width in widths
        )
        # As wide above as below: a fused level has twice its width, so the sums match.
        self.up = nn.ModuleList(Deconv(width, width, 3, **options) for width in widths)
        self.head = Conv(settings.width, 3, 3, **options)

    def forward(self, frames: tuple[Tensor, ...]) -> Tensor:  # N of (B, 3, H, W) -> (B, 3, H, W)
        pyramids = [self.features(frame) for frame in frames]
        centre = pyramids[len(frames) // 2]
        x = None
        for level in reversed(range(LEVELS)):
            seen = weigh([pyramid[level + 1] for pyramid in pyramids])  # (B, N width, H/2, W/2) and below
            fused = F.leaky_relu(self.fuse[level](seen), SLOPE, inplace=True)  # (B, 2 width, ...)
            x = self.blocks[level](fused if x is None else fused + x)  # (B, width, ...)
            x = F.leaky_relu(self.up[level](x), SLOPE, inplace=True)  # (B, width, twice the sides)
        return self.head(x + centre[0])

    def features(self, frame: Tensor) -> list[Tensor]:
        """Features of one frame at 1, 1/2, 1/4, 1/8 and 1/16 of its sides."""
        pyramid = [F.leaky_relu(self.stem(frame), SLOPE, inplace=True)]
        for down in self.down:
            pyramid.append(F.leaky_relu(down(pyramid[-1]), SLOPE, inplace=True))
        return pyramid


def weigh(features: list[Tensor]) -> Tensor:
    """Unit vectors of all frames, each times its cosine with the middle frame's, joined.

    Args:
        features: one (B, C, H, W) per frame, in order of time.

    Returns:
        (B, N C, H, W). The cosine stays in [-1, 1]: opposite features turn their sign, unrelated
        ones vanish (Brehm 2020, equation 1). The middle frame's own cosine is 1.
    """
    units = [x / _length(x) for x in features]
    centre = units[len(units) // 2]
    return torch.cat([x if x is centre else x * (x * centre).sum(dim=1, keepdim=True) for x in units], dim=1)


def _length(x: Tensor) -> Tensor:
    # Summed in fp32 and kept off zero, by enough for fp16: flat grey may have features of length 0.
    return torch.linalg.vector_norm(x.float(), dim=1, keepdim=True).clamp_min(1e-4).to(x.dtype)


class MLFA(Restorer):
    """Stage 1 on every frame, then stage 2 on the three results (see the module's docstring).

    As steps: the first runs stage 1 and hands the deblurred neighbours on as its state, two
    (B, 3, H, W) in [0, 1]; the second runs stage 2. Along a clip, ``along_clip`` has stage 1 see
    every frame once only.

    Args:
        settings: widths, frames and first stage.
        second: stage 2 of another network of these widths, to share its weights; None: a fresh one.
    """

    first_convolutions = ("second.stem",)

    def __init__(self, settings: MLFASettings, second: Aggregation | None = None):
        super().__init__()
        self.settings = settings
        self.first = _first_stage(settings) if settings.first else None
        self.second = Aggregation(settings) if second is None else second
        reach, align = _reach(settings.blocks), 2**LEVELS
        self.traits = Traits(
            halo=math.ceil(reach / align) * align, align=align, frames=settings.frames, minimum=2 * align
        )
        if self.first is not None:
            first = self.first.traits
            align = math.lcm(align, first.align)
            self.traits = replace(
                self.traits,
                halo=math.ceil(max(reach, first.halo) / align) * align,
                align=align,
                exact=first.exact and first.steps == 1,  # see InOneStep
                steps=2,
                max_steps=2,
                state_strides=(1, 1),
                minimum=math.ceil(max(self.traits.minimum, first.minimum) / align) * align,
            )
        if second is None:
            self.reset_parameters()

    @torch.no_grad()
    def reset_parameters(self) -> None:
        """He-normal, as the release; the blocks' branches and the output start small.

        Twelve full-sized residual blocks in a row would start far from the identity.
        """
        he_normal_(self.second, SLOPE)
        for module in self.second.modules():
            if isinstance(module, PreActivationBlock):
                module.conv2.weight.mul_(0.1)
        self.second.head.weight.mul_(0.01)

    def forward(self, window: Tensor, previous: Tensor, state: tuple[Tensor, ...]) -> Estimate:
        if self.first is None:
            if self.settings.frames == 3:
                return Estimate(self.stage2(*window.unbind(1)))
            return Estimate(self._aggregate((window.flatten(1, 2),), centre_frame(window)))
        if not state:
            frames = window.unbind(1)
            centre = self.stage1(frames[1])
            before, after = (centre if _stands_still(frame, frames[1]) else self.stage1(frame) for frame in frames[::2])
            return Estimate(centre, (before, after))
        before, after = state
        return Estimate(self.stage2(before, previous, after), state)

    def along_clip(self) -> tuple[Restorer, ...]:
        """The two stages as two networks; of the second, the results of the first are the window."""
        if self.first is None:
            return (self,)
        second = MLFA(replace(self.settings, first=""), self.second)
        first = self.first if self.first.traits.max_steps == 1 else InOneStep(self.first)
        return first, second.train(self.training)

    def stage1(self, frame: Tensor) -> Tensor:
        """Deblur one frame by itself: (B, 3, H, W) in [0, 1] to the same, unclamped."""
        return _last(self.first.run(frame[:, None])).image

    def stage2(self, previous: Tensor, current: Tensor, following: Tensor) -> Tensor:
        """Deblur ``current`` further with its neighbours, all three of stage 1, (B, 3, H, W).

        They are clamped to [0, 1] first: the authors hand images from stage to stage.
        """
        current = current.clamp(0, 1)
        return self._aggregate((previous.clamp(0, 1), current, following.clamp(0, 1)), current)

    def _aggregate(self, frames: tuple[Tensor, ...], centre: Tensor) -> Tensor:
        signed = ((2 * frame - 1).to(self.dtype) for frame in frames)
        residual = self.second(tuple(x.contiguous(memory_format=torch.channels_last) for x in signed))
        return centre + residual.float() / 2  # (B, 3, H, W), half because [-1, 1] is twice as wide


class InOneStep(Restorer):
    """An iterative network whose own number of steps is a single one, as a stage of a larger network is.

    Tiles are stitched between steps only, and its halo is that of one of the network's own, so
    here they are approximate.

    Args:
        net: the network.
    """

    def __init__(self, net: Restorer):
        super().__init__()
        self.net = net
        self.settings = net.settings
        self.traits = replace(net.traits, exact=False, steps=1, max_steps=1, state_strides=())
        self.train(net.training)

    def forward(self, window: Tensor, previous: Tensor, state: tuple[Tensor, ...]) -> Estimate:
        return _last(self.net.run(window))._replace(state=())


def _stands_still(frame: Tensor, centre: Tensor) -> bool:
    """Whether stage 1 need not see a frame again, as in a photo; not asked where there are no values to compare."""
    return not (frame.is_meta or torch.compiler.is_compiling()) and torch.equal(frame, centre)


def _last(estimates: Iterator[Estimate]) -> Estimate:
    """The last one; those before are let go as they come."""
    return deque(estimates, maxlen=1).pop()


def _first_stage(settings: MLFASettings) -> Restorer:
    first = registry.build(settings.first)
    if (settings.frames, first.traits.frames) != (3, 1):
        raise SettingError(
            f"{settings.frames} frames and a first stage {settings.first!r} of {first.traits.frames} frames",
            "3 frames and a first stage of one frame, such as brehm-stage1, or first=''",
            "Change one of the two",
        )
    return first


def _reach(blocks: int) -> int:
    """Radius of the second stage in pixels, counted layer by layer."""
    reach = 3 + 1  # first and last kernel
    for level in range(LEVELS):
        stride = 2 ** (level + 1)
        reach += stride  # half by the strided convolution, half by the transposed one
        reach += 2 * blocks * stride  # two 3 x 3 kernels a block
    return reach + 2**LEVELS  # the coarsest fusing kernel


_PAPER = (
    "Brehm et al., High-Resolution Dual-Stage Multi-Level Feature Aggregation for Single Image and Video Deblurring, "
    "CVPR Workshops 2020"
)

VARIANTS = {
    "mlfa": Variant(MLFA, MLFASettings(), paper=_PAPER, trained_for="motion, video"),
    "mlfa-single": Variant(MLFA, MLFASettings(frames=1, first=""), paper=_PAPER, trained_for="motion"),
    "mlfa-s": Variant(MLFA, MLFASettings(first="brehm-stage1-s", width=32), paper=_PAPER, trained_for="motion, video"),
    "mlfa-lite": Variant(MLFA, MLFASettings(first="mtrnn-lite", width=16), paper=_PAPER, trained_for="motion, video"),
}
