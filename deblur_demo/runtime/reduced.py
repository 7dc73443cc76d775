"""Restore a picture at a fraction of its size, and give it back at its own.

A network knows smears as long as those that it was trained on. In a copy of half the size a smear
is half as long, so one that is too long at full size may be short enough there; and as photos look
alike at every size, no network needs to be trained for it. What the network changes in the copy is
enlarged and added to the picture as it is, so whatever detail that has stays.

Measured with `mtrnn-lite` on seven pictures, smeared straight in any direction, with noise, by the
gain in PSNR at full, half and quarter size: 16 px 1.09, 0.73 and 0.40 dB; 32 px 0.75, 0.87 and
0.66; 48 px 0.29, 0.67 and 0.60; 64 px 0.19, 0.51 and 0.61. Smears along winding paths gain no
more at half size, however long: at 48 px 0.43, 0.51 and 0.48 dB, at 28 px 0.41, 0.23 and 0.32.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from torch import Tensor
from torch.nn import functional as F

from deblur_demo.models.contract import Estimate, Restorer, centre_frame

FACTORS = {"full": 1, "half": 2, "quarter": 4}  # of ``settings.SIZE``
REACH = 2  # pixels of the copy that bicubic enlarging looks at on each side


class Reduced(Restorer):
    """Any network, run on a smaller copy of its window.

    The network goes on from its own estimate at its own size, which is remembered between steps
    with its features, so it never sees what was enlarged. Tiles of the picture are tiles of the copy.

    Args:
        net: the network; its traits, in pixels of the copy, become those of the picture.
        factor: what both sides are divided by.
    """

    def __init__(self, net: Restorer, factor: int):
        super().__init__()
        self.net, self.factor, self.settings = net, factor, net.settings
        traits = net.traits
        self.remembers = traits.max_steps > 1
        strides = (factor, *(factor * stride for stride in traits.state_strides)) if self.remembers else ()
        self.traits = replace(
            traits,
            halo=factor * (traits.halo + REACH),
            align=factor * traits.align,
            minimum=factor * traits.minimum,
            state_strides=strides,
        )
        self.train(net.training)

    def acquainted(self, whole: Callable[[], Tensor]) -> Restorer:
        """With a network that has seen the smaller copy, if it wanted to."""
        return Reduced(self.net.acquainted(lambda: self._copy(whole())), self.factor)

    def along_clip(self) -> tuple[Restorer, ...]:
        """The network's own, each at this size.

        What passes between them is the picture, enlarged and made small again: it differs by 0.2 to 0.5 levels on
        average from what stays small in a window.
        """
        networks = self.net.along_clip()
        return (self,) if len(networks) == 1 else tuple(Reduced(network, self.factor) for network in networks)

    def forward(self, window: Tensor, previous: Tensor, state: tuple[Tensor, ...]) -> Estimate:
        copy = self._copy(window)
        blurred = centre_frame(copy)
        own, *features = state or (blurred,)
        estimate = self.net(copy, own, tuple(features))
        image = centre_frame(window) + self._enlarged(estimate.image - blurred, "bicubic")  # (B, 3, H, W)
        memory = (estimate.image, *estimate.state) if self.remembers else ()
        # Maps have a range of their own, which what is sharper than bilinear would leave.
        return Estimate(image, memory, {name: self._enlarged(x, "bilinear") for name, x in estimate.maps.items()})

    def _copy(self, window: Tensor) -> Tensor:  # (B, N, 3, H, W) -> (B, N, 3, H / f, W / f)
        # Nothing is rounded up but the sides of a whole picture that tiles are yet to be cut from.
        return F.avg_pool2d(window.flatten(0, 1), self.factor, ceil_mode=True).unflatten(0, window.shape[:2])

    def _enlarged(self, x: Tensor, mode: str) -> Tensor:
        return F.interpolate(x, scale_factor=self.factor, mode=mode, align_corners=False)
