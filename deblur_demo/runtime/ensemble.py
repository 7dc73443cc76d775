"""Geometric self-ensemble: restore a picture in several orientations and average (Brehm 2020, section 4).

A network is nearly, but not quite, indifferent to turns and mirrors of its input. The mean over
orientations evens out what it gets wrong in only one of them, at as many times the cost.
"""

from __future__ import annotations

from collections.abc import Callable
from copy import copy
from dataclasses import replace

import torch
from torch import Tensor

from deblur_demo.errors import SettingError
from deblur_demo.models.contract import Estimate, Restorer

# (quarter turns, mirrored first). The paper says four, by turning and flipping: here the picture,
# its two mirror images and its half turn, which keep the sides. Eight adds those on their side.
ORIENTATIONS = {
    4: ((0, False), (0, True), (2, False), (2, True)),
    8: tuple((turns, mirrored) for turns in range(4) for mirrored in (False, True)),
}


class SelfEnsemble(Restorer):
    """Any network, run in several orientations side by side, with the mean as its estimate.

    Each orientation goes its own way: it continues from its own estimate and features, and the
    mean is taken anew after every step, for show. All that an orientation remembers is turned
    upright between steps, so tiles can be cut from it as from any other state.

    How far the orientations are apart is a map of its own, "doubt": what only some of them see in
    a pixel is a guess. It is the standard deviation over them of what is visible, within [0, 1],
    as the mean over RGB, in 8-bit levels.

    Args:
        net: the network; its traits hold for the ensemble.
        versions: orientations, 4 as in the paper, or 8.

    Raises:
        SettingError: another number of versions.
    """

    def __init__(self, net: Restorer, versions: int = 4):
        super().__init__()
        if versions not in ORIENTATIONS:
            raise SettingError(f"a self-ensemble of {versions}", "4 or 8 versions", "Choose one of these")
        self.net = net
        self._nets = (net,) * versions  # by orientation
        self.settings = net.settings
        self.orientations = ORIENTATIONS[versions]
        # Where more steps follow, every version remembers its estimate, at full resolution, and its features.
        self.remembers = net.traits.max_steps > 1
        strides = (1, *net.traits.state_strides) * versions if self.remembers else ()
        self.traits = replace(net.traits, state_strides=strides, maps=(*net.traits.maps, "doubt"))
        self.train(net.training)

    def acquainted(self, whole: Callable[[], Tensor]) -> Restorer:
        """With a network for each orientation that has seen the picture so, if it wanted to."""

        def seen(orientation: tuple[int, bool]) -> Restorer:
            return self.net.acquainted(lambda: turn(whole(), orientation))

        ensemble = copy(self)
        ensemble._nets = tuple(map(seen, self.orientations))
        return ensemble

    def along_clip(self) -> tuple[Restorer, ...]:
        """An ensemble of each of the network's own, so that what passes between them is the mean."""
        networks = self.net.along_clip()
        if len(networks) == 1:
            return (self,)
        return tuple(SelfEnsemble(network, len(self.orientations)) for network in networks)

    def forward(self, window: Tensor, previous: Tensor, state: tuple[Tensor, ...]) -> Estimate:
        count = len(self.orientations)
        size = len(state) // count
        mean, maps, seen, memory = 0.0, {}, _Spread(), []
        for index, (net, orientation) in enumerate(zip(self._nets, self.orientations, strict=True)):
            own = state[index * size : (index + 1) * size] or (previous,)
            image, *features = (turn(x, orientation) for x in own)
            estimate = net(turn(window, orientation), image.float(), tuple(features))
            upright = [turn_back(x, orientation) for x in (estimate.image, *estimate.state)]
            mean = mean + upright[0] / count
            for name, x in estimate.maps.items():
                maps[name] = maps.get(name, 0.0) + turn_back(x, orientation) / count
            seen.add(upright[0].clamp(0, 1))
            memory += upright if self.remembers else ()
        maps["doubt"] = 255 * seen.deviation.mean(1, keepdim=True)  # (B, 1, H, W)
        return Estimate(mean, tuple(memory), maps)


class _Spread:
    """The standard deviation of tensors that come one by one, so that none has to wait for the others.

    By Welford's method (1962): a sum of squares less the square of the sum would lose it to rounding.
    """

    def __init__(self):
        self._count, self._mean, self._squares = 0, 0.0, 0.0

    def add(self, x: Tensor) -> None:
        self._count += 1
        off = x - self._mean
        self._mean = self._mean + off / self._count
        self._squares = self._squares + off * (x - self._mean)

    @property
    def deviation(self) -> Tensor:
        return (self._squares / self._count).sqrt()


def turn(x: Tensor, orientation: tuple[int, bool]) -> Tensor:
    """Mirror left to right where asked, then turn counter-clockwise by quarters: (..., H, W)."""
    turns, mirrored = orientation
    return torch.rot90(x.flip(-1) if mirrored else x, turns, (-2, -1))


def turn_back(x: Tensor, orientation: tuple[int, bool]) -> Tensor:
    """The inverse of ``turn``."""
    turns, mirrored = orientation
    x = torch.rot90(x, -turns, (-2, -1))
    return x.flip(-1) if mirrored else x
