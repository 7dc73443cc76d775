"""What the iterations of a batch aim at, and how the rate falls: everything about a run that changes with time.

The approaches that Park 2020 compares (figure 1, table 2) are written like this:

=================  ==============================  =====================================
approach           network                         recipe
=================  ==============================  =====================================
one-stage (OS)     any                             approach = "one-stage"
stacked (SV)       ``mtrnn-stacked``               approach = "one-stage", loss.deep
multi-scale (MS)   ``mtrnn-ms``, ``pss-nsc``       approach = "one-stage", loss.deep
multi-temporal     ``mtrnn``, any ``mt-...``       approach = "temporal"
MS + MT            ``mtrnn-ms-mt``                 approach = "temporal", loss.deep
=================  ==============================  =====================================

A network without iterations is trained in one stage whatever the recipe says.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import cos, pi
from typing import Literal

import torch


@dataclass(frozen=True)
class Curriculum:
    """The goals of the iterations.

    Attributes:
        approach: "temporal", incremental temporal training (Park 2020, section 4.1): iteration i of
            an input TLn aims at TL(n - step * i), then some more at TL1. "direct": every iteration
            aims at TL1. "one-stage": a single iteration does.
        levels: temporal levels of the inputs; one is drawn for each batch. In one stage all of them
            take their turn, because making a sequence costs as much as training on it.
        temporal_step: how many levels an iteration descends.
        extra: fewest and most further iterations at TL1.
        least: fewest iterations of a batch, the further ones at TL1. A photo gets as many in use however
            little it is blurred, and an iteration that was never trained on sharp inputs sharpens them more.
        most: most iterations of a batch; of "direct", their number.
        one_stage: share of the run, at its start, that goes to TL1 in a single iteration. It
            reaches in a third of the time what incremental training reaches from scratch.
    """

    approach: Literal["temporal", "direct", "one-stage"] = "temporal"
    levels: tuple[int, ...] = (7, 9, 11, 13)
    temporal_step: int = 2
    extra: tuple[int, int] = (1, 3)
    least: int = 0
    most: int = 7
    one_stage: float = 0.0

    def goals(self, level: int, extra: int) -> list[int]:
        """The temporal level that each iteration aims at, for an input of ``level``."""
        if self.approach == "one-stage":
            return [1]
        if self.approach == "direct":
            return [1] * self.most
        descent = list(range(level - self.temporal_step, 1, -self.temporal_step)) + [1]
        return (descent + [1] * max(extra, self.least - len(descent)))[: self.most]

    def in_one_stage(self, progress: float) -> bool:
        """Whether the batch at this share of the run is trained in a single iteration."""
        return self.approach == "one-stage" or progress < self.one_stage

    def drawn(self, seed: int) -> Curriculum:
        """The same with a single level and a single number of further iterations.

        Pieces of one batch, on one process or several, then iterate alike although their crops differ.
        """
        chance = torch.Generator().manual_seed(seed)
        low, high = self.extra
        extra = low + int(torch.randint(high - low + 1, (1,), generator=chance))
        level = self.levels[int(torch.randint(len(self.levels), (1,), generator=chance))]
        return replace(self, levels=(level,), extra=(extra, extra))


@dataclass(frozen=True)
class Schedule:
    """How the learning rate falls from its peak, over all goes of a run.

    Attributes:
        kind: "cosine" down to ``final`` at the last update; "step", times ``factor`` every ``every``
            updates; "plateau", times ``factor`` when validation has not improved for ``patience``
            validations; or "constant".
        final: share of the peak that "cosine" ends at.
        every: updates between two steps.
        factor: what a step or a plateau multiplies the rate by.
        patience: validations without improvement until a plateau.
    """

    kind: Literal["cosine", "step", "plateau", "constant"] = "cosine"
    final: float = 0.0
    every: int = 46_000
    factor: float = 0.5
    patience: int = 5

    def share(self, update: int, updates: int, plateaus: int) -> float:
        """Share of the peak rate at one of ``updates`` updates, after some plateaus."""
        if self.kind == "cosine":
            falling = (1 + cos(pi * min(1.0, update / updates))) / 2
            return self.final + (1 - self.final) * falling
        if self.kind == "step":
            return self.factor ** (update // self.every)
        return self.factor**plateaus if self.kind == "plateau" else 1.0


class Plateau:
    """Counts how often validation has stopped improving.

    Attributes:
        plateaus: how often so far.
    """

    def __init__(self, patience: int):
        self.patience, self.plateaus = patience, 0
        self._best, self._waited = float("-inf"), 0

    def see(self, score: float) -> None:
        """Take note of one validation; higher is better."""
        if score > self._best:
            self._best, self._waited = score, 0
            return
        self._waited += 1
        if self._waited >= self.patience:
            self.plateaus, self._waited = self.plateaus + 1, 0

    def state_dict(self) -> dict:
        return {"plateaus": self.plateaus, "best": self._best, "waited": self._waited}

    def load_state_dict(self, state: dict) -> None:
        self.plateaus, self._best, self._waited = state["plateaus"], state["best"], state["waited"]


def validation_due(before: int, after: int, every: int) -> bool:
    """Whether a validation falls into the updates from ``before`` (not included) to ``after``.

    They come at multiples of ``every``, and first at an eighth, a quarter and half of it, so that
    a run that goes wrong shows it early. Nothing but the updates decides, so goes do not matter.
    """
    early = any(before < every // part <= after for part in (8, 4, 2))
    return early or before // every < after // every
