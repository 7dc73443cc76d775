"""A recipe: everything that decides what a training run computes, read from one TOML file.

Every field is typed and documented here and nowhere else; an unknown key is refused with the
name of the nearest one, so a misspelt option cannot be silently ignored.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass, field, fields, is_dataclass
from math import cos, pi
from pathlib import Path
from typing import get_type_hints

from deblur_demo.errors import SettingError
from deblur_demo.synthesis.camera import CameraSettings
from deblur_demo.synthesis.exposure import MotionSettings
from deblur_demo.synthesis.gaussian import GaussianSettings

try:
    import tomllib
except ModuleNotFoundError:  # Python 3.10
    import tomli as tomllib


@dataclass(frozen=True)
class Curriculum:
    """Incremental temporal training (Park 2020, section 4.1).

    Attributes:
        levels: temporal levels of the inputs; one is drawn for each batch.
        temporal_step: how many levels an iteration descends.
        extra: fewest and most further iterations at TL1.
        most: most iterations of a batch.
        one_stage: share of the run, at its start, that goes to TL1 in a single iteration. It
            reaches in a third of the time what incremental training reaches from scratch.
    """

    levels: tuple[int, ...] = (7, 9, 11, 13)
    temporal_step: int = 2
    extra: tuple[int, int] = (1, 3)
    most: int = 7
    one_stage: float = 0.0

    def goals(self, level: int, extra: int) -> list[int]:
        """The temporal level that each iteration aims at, for an input of ``level``."""
        descent = list(range(level - self.temporal_step, 1, -self.temporal_step)) + [1]
        return (descent + [1] * extra)[: self.most]


@dataclass(frozen=True)
class Shares:
    """What a batch is made of, in parts.

    Attributes:
        photos: sharp pictures under synthetic motion.
        clips: real high-speed frames.
        pairs: real blurred pictures with their truth; they have no level between, so they take
            part only in the iterations that aim at TL1.
        gaussian: CIFAR-10 pictures (photos where the corpus has none of these) under Gaussian
            blur; they are pairs in every other respect.
    """

    photos: float = 1.0
    clips: float = 0.0
    pairs: float = 0.0
    gaussian: float = 0.0


@dataclass(frozen=True)
class Neighbours:
    """The other frames of a window, for networks that see more than one.

    Attributes:
        period: sharp frames from the middle of one exposure to the middle of the next, where the
            frames are made from sharp ones. 13 leaves the highest level no pause between exposures.
        shift: most pixels by which the frames before and after are moved, in opposite directions.
            It gives still scenes and single pictures, whose neighbours are copies, a little motion
            (Bologna 2021, section 2.2.1: 2).
    """

    period: int = 13
    shift: int = 0


@dataclass(frozen=True)
class Augment:
    """Changes that leave a sample as plausible as it was.

    Attributes:
        flips: mirror half of the samples.
        turns: orientations drawn from: 4 quarter turns, 2 upright and upside down (with ``flips``:
            horizontal and vertical flips), or 1.
        brightness: most that is added to a sample, on the scale of [0, 1].
        contrast: largest relative change of the distance to middle grey.
        saturation: largest relative change of the distance to grey.
        hue: largest turn of the hue, in whole turns.
    """

    flips: bool = True
    turns: int = 4
    brightness: float = 0.0
    contrast: float = 0.0
    saturation: float = 0.0
    hue: float = 0.0


@dataclass(frozen=True)
class Loss:
    """Weights of the loss terms, see ``training.losses``.

    Attributes:
        l1: mean absolute difference.
        fft: mean absolute difference of the orthonormal Fourier transforms.
    """

    l1: float = 1.0
    fft: float = 0.0


@dataclass(frozen=True)
class Recipe:
    """One training run.

    Attributes:
        model: identifier of the variant.
        settings: the variant's settings that differ.
        updates: optimiser steps of the whole schedule, over all goes.
        batch: crops in a batch.
        crop: side of a crop in pixels.
        late_crop: side of the crops after ``late_from``.
        late_from: share of the run after which crops are larger.
        rate: peak learning rate.
        schedule: "cosine" to zero over ``updates``, or "halve" every ``halve_every``.
        halve_every: updates between two halvings.
        warmup: updates over which the rate rises from zero.
        clip: largest gradient norm.
        ema: decay of the averaged weights, which are the ones validated and kept.
        validate_every: updates between two validations.
        seed: of everything random.
        data: a line for each training set with its licence, for the card.
        limits: what the result is bad at, for the card.
    """

    model: str
    settings: dict = field(default_factory=dict)
    updates: int = 92_000
    batch: int = 16
    crop: int = 256
    late_crop: int = 256
    late_from: float = 1.0
    rate: float = 2e-4
    schedule: str = "cosine"
    halve_every: int = 46_000
    warmup: int = 500
    clip: float = 0.2
    ema: float = 0.999
    validate_every: int = 2000
    seed: int = 0
    data: tuple[str, ...] = ()
    limits: str = ""
    loss: Loss = field(default_factory=Loss)
    shares: Shares = field(default_factory=Shares)
    curriculum: Curriculum = field(default_factory=Curriculum)
    motion: MotionSettings = field(default_factory=MotionSettings)
    camera: CameraSettings = field(default_factory=CameraSettings)
    gaussian: GaussianSettings = field(default_factory=GaussianSettings)
    neighbours: Neighbours = field(default_factory=Neighbours)
    augment: Augment = field(default_factory=Augment)

    def rate_at(self, update: int) -> float:
        """Learning rate of one update, counted from 0."""
        rise = min(1.0, (update + 1) / max(1, self.warmup))
        if self.schedule == "halve":
            return self.rate * rise * 0.5 ** (update // self.halve_every)
        return self.rate * rise * (1 + cos(pi * min(1.0, update / self.updates))) / 2

    def crop_at(self, update: int) -> int:
        """Side of the crops at one update."""
        return self.late_crop if update >= self.late_from * self.updates else self.crop


def load_recipe(path: Path, **overrides: object) -> Recipe:
    """Read a recipe.

    Args:
        path: the TOML file.
        overrides: top-level fields that the command line changes; None leaves a field alone.

    Raises:
        SettingError: no such file, not TOML, an unknown key, or a value of another type.
    """
    try:
        raw = tomllib.loads(Path(path).read_text())
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise SettingError(f"recipe {path} cannot be read: {error}", "a TOML file", "See training/recipes") from error
    raw.update({key: value for key, value in overrides.items() if value is not None})
    return _typed(Recipe, raw, str(path))


def _typed(cls: type, raw: dict, where: str):
    """Build a settings dataclass from TOML values, recursively."""
    hints = get_type_hints(cls)
    known = [f.name for f in fields(cls)]
    values = {}
    for key, value in raw.items():
        if key not in known:
            near = difflib.get_close_matches(key, known, n=1)
            raise SettingError(
                f"{where} has an unknown key {key!r}",
                ", ".join(known),
                f"Did you mean {near[0]!r}" if near else "Remove it",
            )
        hint = hints[key]
        kind = getattr(hint, "__origin__", hint)
        if is_dataclass(kind) and isinstance(value, dict):
            values[key] = _typed(kind, value, f"{where} [{key}]")
        elif kind is tuple and isinstance(value, list):
            values[key] = tuple(value)
        elif isinstance(value, bool) is (kind is bool) and isinstance(value, (kind, int) if kind is float else kind):
            values[key] = kind(value)
        else:
            raise SettingError(f"{where}: {key} is {value!r}", f"a value of type {kind.__name__}", "Correct the recipe")
    if cls is Recipe and "model" not in values:
        raise SettingError(f"{where} names no model", 'model = "mtrnn-lite", say', "Add it")
    return cls(**values)
