"""A recipe: everything that decides what a training run computes, read from one TOML file.

Every field is typed and documented here and nowhere else; an unknown key is refused with the
name of the nearest one, so a misspelt option cannot be silently ignored.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Literal

from deblur_demo.models.checkpoint import UNLICENSED, Card
from deblur_demo.synthesis.camera import CameraSettings
from deblur_demo.synthesis.exposure import MotionSettings
from deblur_demo.synthesis.gaussian import GaussianSettings
from training.curriculum import Curriculum, Schedule
from training.losses.weights import Loss
from training.ranges import check_ranges
from training.typed import merged, read_toml, typed


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

    def border(self, frames: int) -> int:
        """Pixels around a crop that a window of so many frames is moved in; a single frame stays."""
        return self.shift if frames > 1 else 0


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
        enlarge: most that a photo is enlarged, half of them not at all: what a phone takes is softer,
            at 1:1, than what photos that were reduced for the web are.
        defocus: largest radius in pixels at which a part of a photo is put out of focus, in half of them none: in the
            truth as well, because whoever focused on something else wants that part to stay so.
        expose: most that the light of a photo or a clip is multiplied by, half of them not at all: what is brighter
            than white then is clipped, in the blurred picture and in the truth.
    """

    flips: bool = True
    turns: int = 4
    brightness: float = 0.0
    contrast: float = 0.0
    saturation: float = 0.0
    hue: float = 0.0
    enlarge: float = 1.0
    defocus: float = 0.0
    expose: float = 1.0


@dataclass(frozen=True)
class Recipe:
    """One training run.

    Attributes:
        model: identifier of the variant.
        settings: the variant's settings that differ.
        updates: optimiser steps of the whole schedule, over all goes.
        batch: crops in a batch, over all processes.
        accumulate: pieces that a batch is drawn and computed in, one after another or on as many
            processes, with the same result. Another number of pieces draws other crops.
        crop: side of a crop in pixels.
        late_crop: side of the crops after ``late_from``; 0: the same.
        late_from: share of the run after which crops are larger.
        rate: peak learning rate.
        rates: shares of the rate for parts of the network, by the beginning of a parameter's name.
        freeze: parts of the network that are not trained, named alike ("first" of ``mlfa``).
        warmup: updates over which the rate rises from zero.
        clip: largest gradient norm.
        optimiser: what turns gradients into steps. "muon" learns from the same crops what "adamw"
            needs far more of, at some arithmetic for every weight: worth it where networks are wide.
        ema: decay of the averaged weights, which are the ones validated and kept.
        iterations: of an iterative network when it is validated; 0: the network's own number.
        validate_every: updates between two validations; the first come earlier.
        seed: of everything random.
        limits: what the result is bad at, for the card.
    """

    model: str
    settings: dict = field(default_factory=dict)
    updates: int = 92_000
    batch: int = 16
    accumulate: int = 1
    crop: int = 256
    late_crop: int = 0
    late_from: float = 1.0
    rate: float = 2e-4
    rates: dict = field(default_factory=dict)
    freeze: tuple[str, ...] = ()
    warmup: int = 500
    clip: float = 0.2
    optimiser: Literal["adamw", "muon"] = "adamw"
    ema: float = 0.999
    iterations: int = 0
    validate_every: int = 2000
    seed: int = 0
    limits: str = ""
    loss: Loss = field(default_factory=Loss)
    shares: Shares = field(default_factory=Shares)
    curriculum: Curriculum = field(default_factory=Curriculum)
    schedule: Schedule = field(default_factory=Schedule)
    motion: MotionSettings = field(default_factory=MotionSettings)
    camera: CameraSettings = field(default_factory=CameraSettings)
    gaussian: GaussianSettings = field(default_factory=GaussianSettings)
    neighbours: Neighbours = field(default_factory=Neighbours)
    augment: Augment = field(default_factory=Augment)

    def check(self, where: str) -> None:
        """Refuse what no run can be made of; arguments and errors as for ``check_ranges``."""
        check_ranges(self, where)

    def card(self, data: tuple[str, ...], updates: int, hardware: str, metrics: dict) -> Card:
        """The card of weights that came of it; arguments as the card's attributes. Whose they are it cannot say."""
        return Card(
            model=self.model,
            settings=self.settings,
            licence=UNLICENSED,
            data=data,
            recipe=json.dumps(asdict(self)),
            limits=self.limits,
            updates=updates,
            hardware=hardware,
            metrics=metrics,
        )

    def rate_at(self, update: int, plateaus: int = 0) -> float:
        """Learning rate of one update, counted from 0, after some plateaus."""
        rise = min(1.0, (update + 1) / max(1, self.warmup))
        return self.rate * rise * self.schedule.share(update, self.updates, plateaus)

    def span(self, frames: int) -> int:
        """Sharp frames of a window of so many: from the first of its first exposure to the last of its last."""
        return self.motion.frames + (frames - 1) * self.neighbours.period

    @property
    def largest_crop(self) -> int:
        """Side of the largest crops of the run."""
        return max(self.crop, self.late_crop)

    def crop_at(self, update: int) -> int:
        """Side of the crops at one update."""
        return self.late_crop or self.crop if update >= self.late_from * self.updates else self.crop


def load_recipe(path: Path, **overrides: object) -> Recipe:
    """Read a recipe.

    Args:
        path: the TOML file.
        overrides: fields that the command line changes, tables as dicts; None leaves a field alone.

    Raises:
        SettingError: no such file, not TOML, an unknown key, or a value of another type or out of its range.
    """
    given = {key: value for key, value in overrides.items() if value is not None}
    return typed(Recipe, merged(read_toml(path), given), str(path))
