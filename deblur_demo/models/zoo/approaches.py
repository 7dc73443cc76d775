"""The other approaches that Park 2020 compares its own with, made of MT-RNN (section 5.2 and table 2).

``mtrnn-stacked`` (SV) has three independent networks in series. ``mtrnn-ms`` (MS) is one network
at three scales, coarse to fine, each seeing the enlarged result of the one before.
``mtrnn-ms-mt`` (MS + MT) does the latter in every iteration. One-stage and "MT w/o RFM" are ``mtrnn``
with ``recurrent=False``.

The paper gives parameters only, and they decide what it leaves open:

- SV: 7.890 M is three times 2.63, so each network has its recurrent features (7,906,569).
- MS: 2.594 M is the network without them (2,594,371), the same at every scale.
- MS + MT: 2.637 M is MT-RNN with two more images at its first layer (2,637,251). They are the
  coarser scale's blurred image and result, enlarged; the coarsest scale sees its own twice.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from torch import Tensor, nn
from torch.nn import functional as F

from deblur_demo.errors import SettingError
from deblur_demo.models.contract import Estimate, Restorer, Traits, centre_frame
from deblur_demo.models.registry import Variant
from deblur_demo.models.zoo.mtrnn import MTRNN, MTRNNSettings


@dataclass(frozen=True)
class StackedSettings(MTRNNSettings):
    """Settings of stacked networks: those of each, and their number.

    Attributes:
        depth: networks in series.
    """

    depth: int = 3


class Stacked(Restorer):
    """Independent MT-RNNs in series; features and estimate pass from each to the next.

    Source: Park 2020, figure 1 (b). Each is meant to be trained to the sharp image itself.
    """

    def __init__(self, settings: StackedSettings):
        super().__init__()
        self.settings = settings
        self.nets = nn.ModuleList(MTRNN(settings) for _ in range(settings.depth))
        traits = self.nets[0].traits
        self.traits = Traits(halo=settings.depth * traits.halo, align=traits.align)

    def forward(self, window: Tensor, previous: Tensor, state: tuple[Tensor, ...]) -> Estimate:
        return Estimate(self.predictions(window)[-1][0])

    def predictions(self, window: Tensor) -> list[tuple[Tensor, int]]:
        """The result of every network, for a loss at each.

        Args:
            window: as for ``forward``.

        Returns:
            Pairs of an image (B, 3, H, W) and its scale, 1.
        """
        estimate, images = Estimate(centre_frame(window)), []
        for net in self.nets:
            estimate = net(window, estimate.image, estimate.state)
            images.append((estimate.image, 1))
        return images


@dataclass(frozen=True)
class MultiScaleSettings(MTRNNSettings):
    """Settings of a multi-scale network: those of the MT-RNN that serves all scales, and these.

    What a scale sees and is added to follows from them: ``recurrent``, ``residual`` and ``images`` stay as they are.

    Attributes:
        scales: image scales, each half the next.
        temporal: whether it iterates (MS + MT), or passes over the scales once (MS).
    """

    scales: int = 3
    temporal: bool = False


class MultiScale(Restorer):
    """An MT-RNN at several scales, coarse to fine, with the same weights at all.

    Its context is some 700 px wide, but far pixels weigh little: tiles with a halo of 256 px are
    called approximate. Source: Park 2020, figure 1 (c) and table 2 (i), (l), (m).
    """

    def __init__(self, settings: MultiScaleSettings):
        super().__init__()
        if (settings.recurrent, settings.residual, settings.images) != (True, "blurred", 2):
            raise SettingError(
                "recurrent, residual or images of a multi-scale network was set", "scales and temporal", "Leave it out"
            )
        self.settings = settings
        self.net = MTRNN(replace(settings, images=4 if settings.temporal else 2, recurrent=settings.temporal))
        own, self.factors = self.net.traits, tuple(2**scale for scale in reversed(range(settings.scales)))
        self.traits = Traits(
            halo=256,
            align=own.align * self.factors[0],
            exact=False,
            steps=own.steps if settings.temporal else 1,
            max_steps=own.max_steps if settings.temporal else 1,
            state_strides=tuple(factor * stride for factor in self.factors for stride in own.state_strides),
        )

    def forward(self, window: Tensor, previous: Tensor, state: tuple[Tensor, ...]) -> Estimate:
        images, state = self.predictions_of_step(window, previous, state)
        return Estimate(images[-1][0], state)

    def predictions(self, window: Tensor) -> list[tuple[Tensor, int]]:
        """Those of the first step, see ``predictions_of_step``."""
        return self.predictions_of_step(window, centre_frame(window), ())[0]

    def predictions_of_step(
        self, window: Tensor, previous: Tensor, state: tuple[Tensor, ...]
    ) -> tuple[list[tuple[Tensor, int]], tuple[Tensor, ...]]:
        """The result at every scale of one step, coarse to fine, for a loss at each.

        Args:
            window, previous, state: as for ``forward``.

        Returns:
            Pairs of an image (B, 3, H / s, W / s) and its scale s: 4, 2, 1; and the next step's state.
        """
        images, features = [], []
        coarser = None  # blurred image and result of the scale before
        for index, factor in enumerate(self.factors):
            blurred = F.avg_pool2d(centre_frame(window), factor)  # (B, 3, H/s, W/s)
            estimate = self._clamped(F.avg_pool2d(previous, factor))
            guesses = (blurred, estimate) if coarser is None else tuple(map(_double, coarser))
            if self.settings.temporal:
                output, own = self.net.output((blurred, estimate, *guesses), state[2 * index : 2 * index + 2])
                features += own
            else:
                output, _ = self.net.output((blurred, guesses[1]), ())
            image = blurred + output
            images.append((image, factor))
            coarser = blurred, self._clamped(image)
        return images, tuple(features)

    def _clamped(self, image: Tensor) -> Tensor:
        return image.clamp(0, 1) if self.settings.clamp else image


def _double(image: Tensor) -> Tensor:
    return F.interpolate(image, scale_factor=2, mode="bilinear", align_corners=False)


_PAPER = (
    "Park et al., Multi-Temporal Recurrent Neural Networks for Progressive Non-Uniform Single Image Deblurring, "
    "ECCV 2020, table 2"
)

VARIANTS = {
    "mtrnn-stacked": Variant(Stacked, StackedSettings(), paper=_PAPER, trained_for="motion"),
    "mtrnn-ms": Variant(MultiScale, MultiScaleSettings(), paper=_PAPER, trained_for="motion"),
    "mtrnn-ms-mt": Variant(MultiScale, MultiScaleSettings(temporal=True), paper=_PAPER, trained_for="motion"),
}
