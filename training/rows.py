"""The rows of a paper's table: planned, timed, trained alike, and evaluated.

With ``--minutes`` a table is scaled down: every row gets the same number of updates, as many as
the time allows, with two seeds where that leaves enough of them. Nothing else decides how long a
row is trained, so rows can be compared with each other, though not with the paper.
"""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import torch

from deblur_demo.errors import SettingError
from deblur_demo.models import checkpoint, registry
from deblur_demo.models.complexity import gmacs
from deblur_demo.runtime.deblurrer import Deblurrer
from deblur_demo.runtime.device import Placement
from deblur_demo.runtime.ensemble import SelfEnsemble
from training.config import Recipe
from training.data.corpus import Corpus
from training.loop import Trainer
from training.scores import Pair, Scores, score
from training.tables import Row, Table

ENOUGH = 32  # updates below which a second seed would cost more than it tells
RESERVE = 0.1  # share of the time kept back for what the timing missed


@dataclass(frozen=True)
class Job:
    """A row with the recipe that it will be trained by, None where nothing is trained for it.

    Attributes:
        reason: why nothing is trained and nothing can be evaluated; "" where it can.
    """

    row: Row
    recipe: Recipe | None
    reason: str = ""

    @property
    def parameters(self) -> int | None:
        """Trained parameters, None for a row that has no network here."""
        return None if self.recipe is None else _counted(self.recipe)[0]

    @property
    def gmacs(self) -> float:
        """Multiply-accumulates of an update in 10^9: forward once, backward twice as much."""
        return 3 * self.recipe.batch * _counted(self.recipe)[1]


def plan(table: Table, scaled: bool, vgg16: Path | None = None) -> list[Job]:
    """The rows of a table with their recipes, as written or as in a scaled run."""
    jobs = []
    for row in table.row:
        reason = ""
        if row.quoted:
            reason = "another network's figure"
        elif row.needs_vgg16 and vgg16 is None:
            reason = "needs --vgg16 FILE"
        loss = {"vgg16": str(vgg16)} if row.needs_vgg16 and vgg16 else None
        recipe = None if row.quoted else table.recipe(row.weights_of or row.id, scaled, loss=loss)
        jobs.append(Job(row, recipe, reason))
    return jobs


@dataclass(frozen=True)
class Timing:
    """Seconds that a row takes: to set up and put away, for each update, and to evaluate one picture."""

    fixed: float
    update: float
    picture: float


@dataclass(frozen=True)
class Budget:
    """What the time allows: updates of every row, seeds, and pictures to evaluate on."""

    updates: int
    seeds: int
    pictures: int


def budget(timings: Sequence[Timing], pictures: int, seconds: float, most_seeds: int, longest: int) -> Budget:
    """Share the time out.

    Args:
        timings: of the rows.
        pictures: in the validation set.
        seconds: that are left.
        most_seeds: wanted.
        longest: updates of the shortest whole schedule, which no row exceeds.

    Raises:
        SettingError: the time does not suffice for a few updates of each row.
    """
    seconds *= 1 - RESERVE
    per_update, per_picture = sum(t.update for t in timings), sum(t.picture for t in timings)
    for seeds in range(most_seeds, 0, -1):
        shown = max(1, min(pictures, int(0.2 * seconds / (seeds * per_picture))))
        left = seconds - seeds * (sum(t.fixed for t in timings) + shown * per_picture)
        updates = min(longest, int(left / (seeds * per_update)))
        if updates >= (ENOUGH if seeds > 1 else 2):
            return Budget(updates, seeds, shown)
    wanted = sum(t.fixed for t in timings) + per_picture + ENOUGH * per_update
    raise SettingError(
        f"{seconds / 60:.1f} minutes are too few for {len(timings)} rows", f"about {wanted / 54:.0f} or more",
        "Raise --minutes",
    )  # fmt: skip


@dataclass
class Bench:
    """Where rows are trained and evaluated.

    Attributes:
        corpus: pictures to train on.
        sets: validation sets by name, each a list of clips; a single picture is a clip of one.
        placement: device and precision.
        folder: for everything that is written.
    """

    corpus: Corpus
    sets: dict[str, Sequence[Sequence[Pair]]]
    placement: Placement
    folder: Path

    def measure(self, recipe: Recipe) -> Timing:
        """Time a row on a few updates and one picture, in a folder that is thrown away."""
        with tempfile.TemporaryDirectory() as folder:
            start = time.monotonic()
            trainer = self._trainer(replace(recipe, updates=10**6), Path(folder))
            trainer.train_batch()  # the first one is slower
            ready, before = time.monotonic(), trainer.update
            while trainer.update - before < 4:
                trainer.train_batch()
            trained = time.monotonic()
            trainer.save()
            saved = time.monotonic()
            shown = self._pictures(1)
            self._score(trainer.average, recipe, 1, shown)
            scored = time.monotonic()
        per_update = (trained - ready) / (trainer.update - before)
        fixed = max(0.0, ready - start - per_update * before) + saved - trained
        return Timing(fixed, per_update, (scored - saved) / max(map(len, shown.values())))

    def timings(self, jobs: Sequence[Job]) -> list[Timing]:
        """Timings of all rows that are evaluated; those of one network are measured once and scaled by arithmetic."""
        measured: dict[str, tuple[Timing, float]] = {}
        found = []
        for job in jobs:
            if job.reason:
                continue
            if job.recipe.model not in measured:
                measured[job.recipe.model] = self.measure(job.recipe), job.gmacs
            timing, base = measured[job.recipe.model]
            factor, trained = job.gmacs / base, not job.row.weights_of
            found.append(
                Timing(
                    timing.fixed * trained, timing.update * factor * trained, timing.picture * factor * job.row.ensemble
                )
            )
        return found

    def train(self, recipe: Recipe, name: str, first: Path | None = None, whole: bool = False) -> Path:
        """Train a row, or go on with it.

        Args:
            recipe: what to compute.
            name: of the run's folder.
            first: weights of its frozen stage 1.
            whole: whether the best weights of a validated schedule are wanted, not those of its end.

        Returns:
            The averaged weights.
        """
        folder = self.folder / name
        trainer = self._trainer(recipe, folder)
        if first is not None and trainer.update == 0:
            trainer.start_from(checkpoint.load(first)[0], "first")
        if trainer.update < recipe.updates:
            trainer.run(float("inf"), self._pictures(None) if whole else {})
        if not whole:
            (folder / "state.pt").unlink(missing_ok=True)  # a scaled run is never gone on with
        return folder / "best.safetensors"

    def evaluate(self, weights: Path, recipe: Recipe, ensemble: int, pictures: int | None) -> dict[str, Scores]:
        """Scores of a row's weights on about so many pictures of every set; None: all."""
        return self._score(checkpoint.load(weights)[0], recipe, ensemble, self._pictures(pictures))

    def _pictures(self, count: int | None) -> dict[str, list[Pair]]:
        """Whole clips, evenly spread over every set, until there are so many pictures."""
        chosen = {}
        for name, clips in self.sets.items():
            wanted = len(clips) if count is None else max(1, min(len(clips), count // len(clips[0])))
            # The middles of equal parts, so that a single one is not always the first.
            places = [(2 * index + 1) * len(clips) // (2 * wanted) for index in range(wanted)]
            chosen[name] = [pair for place in places for pair in clips[place]]
        return chosen

    def _score(self, model, recipe: Recipe, ensemble: int, sets: dict) -> dict[str, Scores]:
        if ensemble > 1:
            model = SelfEnsemble(model, ensemble)
        deblurrer = Deblurrer(model, self.placement.device.type, self.placement.precision)
        return {name: score(deblurrer, pairs, recipe.iterations or None) for name, pairs in sets.items()}

    def _trainer(self, recipe: Recipe, folder: Path) -> Trainer:
        return Trainer(recipe, self.corpus, folder, self.placement.device, precision=self.placement.precision)


def run(
    jobs: list[Job], bench: Bench, share: Budget | None, deadline: float, say: Callable[[str], None] = print
) -> dict[str, list[dict[str, Scores]]]:
    """Train and evaluate every row that can be, seed by seed, so that a lack of time leaves whole seeds.

    Args:
        jobs: the plan.
        bench: where.
        share: of a scaled run; None trains whole schedules once.
        deadline: on the monotonic clock; a row that has not begun by then is left out.
        say: shows progress.

    Returns:
        For each row's id the scores of its seeds.
    """
    found: dict[str, list[dict[str, Scores]]] = {job.row.id: [] for job in jobs}
    for seed in range(share.seeds if share else 1):
        weights: dict[str, Path] = {}
        for job in jobs:
            row = job.row
            if job.reason or time.monotonic() > deadline or (row.first_of and row.first_of not in weights):
                continue
            if row.weights_of:
                if row.weights_of not in weights:
                    continue
                weights[row.id] = weights[row.weights_of]
            else:
                recipe = replace(job.recipe, seed=job.recipe.seed + seed)
                name = f"{row.id}-seed{seed}"
                if share:
                    recipe, name = shortened(recipe, share.updates), f"{name}-{share.updates}"
                weights[row.id] = bench.train(recipe, name, weights.get(row.first_of), whole=share is None)
            scores = bench.evaluate(weights[row.id], job.recipe, row.ensemble, share.pictures if share else None)
            found[row.id].append(scores)
            figures = ", ".join(f"{name} {one.psnr[-1]:.2f} dB ({one.gain:+.2f})" for name, one in scores.items())
            say(f"{row.id}, seed {seed}: {figures}")
    return found


def shortened(recipe: Recipe, updates: int) -> Recipe:
    """The same recipe over fewer updates, its schedule with it, without validation on the way."""
    every = max(1, recipe.schedule.every * updates // recipe.updates)
    return replace(
        recipe,
        updates=updates,
        warmup=min(recipe.warmup, max(1, updates // 10)),
        schedule=replace(recipe.schedule, every=every),
        validate_every=10 * updates,
    )


def to_json(found: dict[str, list[dict[str, Scores]]]) -> str:
    """Everything that was measured."""
    rows = {
        row: [{name: {"psnr": one.psnr, "ssim": one.ssim} for name, one in scores.items()} for scores in seeds]
        for row, seeds in found.items()
    }
    return json.dumps(rows, indent=1) + "\n"


def _counted(recipe: Recipe) -> tuple[int, float]:
    """Parameters of the recipe's network, and 10^9 multiply-accumulates of one crop forward."""
    return _count(recipe.model, json.dumps(recipe.settings, sort_keys=True), recipe.crop)


@cache
def _count(model: str, settings: str, crop: int) -> tuple[int, float]:
    with torch.device("meta"):
        network = registry.build(model, **json.loads(settings))
    stages = 1 if network.traits.iterative else network.traits.steps
    return network.parameter_count, stages * gmacs(network, crop, crop)
