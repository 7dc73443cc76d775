"""What the numbers of a recipe may be, beyond their types: a table, and a few rules between entries."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import astuple
from itertools import chain
from math import inf, isfinite
from operator import attrgetter
from typing import Any, NamedTuple

from deblur_demo.errors import SettingError

CROP = 16  # pixels of the smallest side of a crop; on less, borders are all there is to learn
JUDGED = 32  # pixels of the smallest side that the adversary has an answer for, see ``losses.adversarial``


class Span(NamedTuple):
    """Numbers from ``low`` to ``high``.

    Attributes:
        every: distance from one accepted number to the next; 0: all between are.
        above: whether ``low`` itself is left out.
        zero: whether 0 is accepted besides.
    """

    low: float = 0
    high: float = inf
    every: int = 0
    above: bool = False
    zero: bool = False

    def holds(self, value: object) -> bool:
        """Whether it is an accepted number; NaN and infinity never are."""
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not isfinite(value):
            return False
        if self.zero and value == 0:
            return True
        inside = self.low <= value <= self.high and not (self.above and value == self.low)
        return inside and (not self.every or (value - self.low) % self.every == 0)

    def __str__(self) -> str:
        words = "0, or " * self.zero + f"numbers {'above' if self.above else 'from'} {self.low:g}"
        words += f" to {self.high:g}" if self.high < inf else ""
        return words + (f" in steps of {self.every}" if self.every else "")


# Of a list or a table of numbers, the span is that of each.
SPANS = {
    Span(0): (
        "rates", "warmup", "iterations",
        "loss.l1", "loss.mse", "loss.charbonnier", "loss.psnr", "loss.edge", "loss.fft", "loss.perceptual", "loss.gan",
        "shares.photos", "shares.clips", "shares.pairs", "shares.gaussian",
        "curriculum.extra", "curriculum.least",
        "motion.things", "camera.shot", "camera.read", "camera.raw.read", "gaussian.low", "neighbours.shift",
        "augment.brightness", "augment.contrast", "augment.saturation", "augment.hue",
        "augment.defocus",
    ),
    Span(0, above=True): (
        "rate", "clip", "loss.epsilon", "loss.gan_rate", "camera.raw.shot",
        "motion.camera.shift", "motion.camera.least_shift", "motion.thing.shift", "motion.thing.least_shift",
    ),
    Span(0, 1): (
        "late_from", "ema", "curriculum.one_stage", "schedule.final",
        "motion.thing_share", "motion.camera.shaky", "motion.thing.shaky",
        "camera.noise_share", "camera.raw_share", "camera.jpeg_share",
    ),
    Span(0, 1, above=True): ("schedule.factor",),
    Span(0, 10**9): ("seed",),  # those of batches are multiples of it, in 64 bits
    Span(1): (
        "updates", "batch", "accumulate", "validate_every", "curriculum.most", "schedule.every", "schedule.patience",
        "motion.subframes", "motion.highlights", "motion.camera.order", "motion.thing.order", "neighbours.period",
        "augment.enlarge", "augment.expose",
    ),
    Span(1, every=2): ("motion.frames",),
    Span(2, every=2): ("curriculum.temporal_step",),
    Span(1, 100): ("camera.jpeg_low", "camera.jpeg_high"),
    Span(CROP): ("crop",),
    Span(CROP, zero=True): ("late_crop",),
}  # fmt: skip


def check_ranges(recipe: Any, where: str) -> None:
    """Hold the numbers of a recipe against what they may be.

    Args:
        recipe: a ``config.Recipe``, of the right types; it is asked by names alone, as it asks for this check itself.
        where: what to call it in errors.

    Raises:
        SettingError: one is out of its range, or some do not go together; the message names it.
    """
    for name, found, accepted in chain(_outside(recipe), _at_odds(recipe)):
        raise SettingError(f"{where}: {name.replace('.', ': ')} is {found}", accepted, "Correct it")


def _outside(recipe: Any) -> Iterator[tuple[str, str, str]]:
    """Entries out of their span: name, what was found, what is accepted."""
    spans = {**SPANS, Span(1, recipe.motion.frames, every=2): ("curriculum.levels",)}
    for span, names in spans.items():
        for name in names:
            value = attrgetter(name)(recipe)
            entries = value.values() if isinstance(value, dict) else value if isinstance(value, tuple) else (value,)
            for entry in entries:
                if not span.holds(entry):
                    yield name, _shown(value), str(span)


def _at_odds(recipe: Any) -> Iterator[tuple[str, str, str]]:
    """Entries that leave nothing to do, or end before they begin; as ``_outside``."""
    low, high = recipe.curriculum.extra
    shares, curriculum = recipe.shares, recipe.curriculum
    ends = {curriculum.goals(level, high)[-1] for level in curriculum.levels}
    camera, gaussian, turns = recipe.camera, recipe.gaussian, recipe.augment.turns
    terms = [name.removeprefix("loss.") for name in SPANS[Span(0)] if name.startswith("loss.")]
    if not recipe.curriculum.levels:
        yield "curriculum.levels", "[]", "one level or more"
    if low > high:
        yield "curriculum.extra", _shown(recipe.curriculum.extra), "the fewest before the most"
    if turns not in (1, 2, 4):
        yield "augment.turns", str(turns), "1, 2 or 4"
    if recipe.loss.gan and min(recipe.crop, recipe.late_crop or recipe.crop) < JUDGED:
        yield "loss.gan", f"{recipe.loss.gan:g} with crops below {JUDGED} pixels", "larger crops, or 0"
    if camera.jpeg_low > camera.jpeg_high:
        yield "camera.jpeg_low", f"{camera.jpeg_low}", f"at most jpeg_high, {camera.jpeg_high}"
    if gaussian.low > gaussian.high:
        yield "gaussian.low", f"{gaussian.low:g}", f"at most high, {gaussian.high:g}"
    if not any(getattr(recipe.loss, term) for term in terms):
        yield "loss", "0 in every term", f"a weight above 0 for one of {', '.join(terms)}"
    if not any(astuple(shares)):
        yield "shares", "0 for every kind", "a share above 0 for one of " + ", ".join(vars(shares))
    if not (shares.photos or shares.clips) and 1 not in ends and curriculum.one_stage < 1:
        yield "curriculum.most", f"{curriculum.most}, which pairs alone have no goal in", "more, or photos or clips"


def _shown(value: object) -> str:
    return repr(list(value) if isinstance(value, tuple) else value)
