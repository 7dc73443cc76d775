"""The rows of a paper's table: timed, trained alike, and evaluated.

With ``--minutes`` a table is scaled down: every row gets the same number of updates, as many as
the time allows (see ``budget.py``). Nothing else decides how long a row is trained, so rows can be
compared with each other, though not with the paper.
"""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import product
from math import inf
from pathlib import Path

from deblur_demo.models import checkpoint
from deblur_demo.runtime.deblurrer import Deblurrer
from deblur_demo.runtime.device import Placement
from deblur_demo.runtime.ensemble import SelfEnsemble
from training.board import Board
from training.budget import Budget, Timing
from training.config import Recipe
from training.data.corpus import Corpus
from training.deadline import Deadline, GivenUp
from training.loop import BEST, Trainer
from training.plan import Job
from training.scores import Pair, Scores, mean, measure, windows

COLD = 3.0  # seconds of a first batch from which it need not be told apart from later, quicker ones


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
        """Time a row on one batch or two and one picture, in a folder that is thrown away."""
        with tempfile.TemporaryDirectory() as folder:
            start = time.monotonic()
            trainer = self._trainer(replace(recipe, updates=10**6), Path(folder))
            ready = time.monotonic()
            trainer.train_batch()
            cold, first = time.monotonic() - ready, trainer.update
            if cold < COLD:
                trainer.train_batch()
            trained = time.monotonic()
            trainer.save()
            saved = time.monotonic()
            self._score(trainer.average, recipe, 1, pictures=1)
            scored = time.monotonic()
        later = trainer.update - first
        per_update = (trained - ready - cold) / later if later else cold / first
        return Timing(ready - start + max(0.0, cold - per_update * first) + saved - trained, per_update, scored - saved)

    def train(self, recipe: Recipe, name: str, first: Path | None = None, whole: bool = False) -> Path:
        """Train a row, or go on with it.

        Args:
            recipe: what to compute.
            name: of the run's folder.
            first: weights of its frozen stage 1.
            whole: whether the best weights of a validated schedule are wanted, not those of its end.

        Returns:
            The averaged weights.

        Raises:
            GivenUp: a signal cut the row off.
        """
        folder = self.folder / name
        trainer = self._trainer(recipe, folder)
        if first is not None and trainer.update == 0:
            trainer.start_from(*checkpoint.load(first), "first")
        stopped = False
        if trainer.update < recipe.updates:
            everything = {name: [pair for clip in clips for pair in clip] for name, clips in self.sets.items()}
            stopped = trainer.run(inf, everything if whole else {}, onlooker=Board)
        if not whole:
            (folder / "state.pt").unlink(missing_ok=True)  # a scaled run is never gone on with
        if stopped:
            raise GivenUp
        return folder / BEST

    def evaluate(self, weights: Path, recipe: Recipe, ensemble: int, pictures: int | None) -> dict[str, Scores]:
        """Scores of a row's weights on at most so many pictures of every set; None: all."""
        return self._score(checkpoint.load(weights)[0], recipe, ensemble, pictures)

    def _score(self, model, recipe: Recipe, ensemble: int, pictures: int | None) -> dict[str, Scores]:
        if ensemble > 1:
            model = SelfEnsemble(model, ensemble)
        deblurrer = Deblurrer(model, self.placement.device.type, self.placement.precision)
        found = {}
        for name, clips in self.sets.items():
            found[name] = mean([
                measure(pair, deblurrer.steps(window, recipe.iterations or None))
                for clip, places in spread(clips, pictures)
                for place, (pair, window) in enumerate(windows(clip, model.traits.frames))
                if place in places
            ])  # fmt: skip
        return found

    def _trainer(self, recipe: Recipe, folder: Path) -> Trainer:
        return Trainer(recipe, self.corpus, folder, self.placement.device, precision=self.placement.precision)


def run(
    jobs: list[Job], bench: Bench, share: Budget | None, deadline: float, say: Callable[[str], None] = print
) -> dict[str, list[dict[str, Scores]]]:
    """Train and evaluate every row that can be, seed by seed, until a signal ends it.

    The first seed is carried through even if the machine turns out slower than it was timed, for a
    table with rows missing compares nothing; of further seeds, rows that have no time left are left out.

    Args:
        jobs: the plan.
        bench: where.
        share: of a scaled run; None trains whole schedules once.
        deadline: on the monotonic clock, for rows to begin by.
        say: shows progress.

    Returns:
        For each row's id the scores of its seeds, without the row that a signal cut off and those after it.
    """
    found: dict[str, list[dict[str, Scores]]] = {job.row.id: [] for job in jobs}
    weights: dict[tuple[int, str], Path] = {}
    try:
        with Deadline(inf) as told:
            for seed, job in told.watch(product(range(share.seeds if share else 1), jobs)):
                row, needed = job.row, job.row.first_of or job.row.weights_of
                late = seed > 0 and time.monotonic() > deadline
                if job.reason or late or (needed and (seed, needed) not in weights):
                    continue
                if row.weights_of:
                    weights[seed, row.id] = weights[seed, row.weights_of]
                else:
                    recipe = replace(job.recipe, seed=job.recipe.seed + seed)
                    name = f"{row.id}-seed{seed}"
                    if share:
                        recipe, name = shortened(recipe, share.updates), f"{name}-{share.updates}"
                    first = weights.get((seed, row.first_of))
                    weights[seed, row.id] = bench.train(recipe, name, first, whole=share is None)
                pictures = share.pictures if share else None
                scores = bench.evaluate(weights[seed, row.id], job.recipe, row.ensemble, pictures)
                found[row.id].append(scores)
                figures = ", ".join(f"{name} {one.psnr[-1]:.2f} dB ({one.gain:+.2f})" for name, one in scores.items())
                say(f"{row.id}, seed {seed}: {figures}")
    except GivenUp:
        say("cut off by a signal: the row in training is left out, and so is what was to follow")
    return found


def spread(clips: Sequence[Sequence], count: int | None) -> list[tuple[Sequence, list[int]]]:
    """Which pictures of which clips to test on: of as many clips as there are, and of each the middle ones.

    Args:
        clips: of a set; single pictures are clips of one.
        count: most pictures, at least 1; None: all.

    Returns:
        Clips, evenly spread, with the places of their pictures. The others serve as neighbours.
    """
    if count is None:
        return [(clip, list(range(len(clip)))) for clip in clips]
    many = min(len(clips), count)
    # The middles of equal parts, so that a single one is not always the first.
    chosen = [clips[(2 * index + 1) * len(clips) // (2 * many)] for index in range(many)]
    places = []
    for clip in chosen:
        each = min(len(clip), count // many)
        first = (len(clip) - each) // 2
        places.append(list(range(first, first + each)))
    return list(zip(chosen, places, strict=True))


def shortened(recipe: Recipe, updates: int) -> Recipe:
    """The same recipe over fewer updates, its schedule with it, without validation on the way.

    A rate that waits for validation would stay at its peak: it falls as a cosine.
    """
    every = max(1, recipe.schedule.every * updates // recipe.updates)
    kind = "cosine" if recipe.schedule.kind == "plateau" else recipe.schedule.kind
    return replace(
        recipe,
        updates=updates,
        warmup=min(recipe.warmup, max(1, updates // 10)),
        schedule=replace(recipe.schedule, kind=kind, every=every),
        validate_every=10 * updates,
    )


def to_json(found: dict[str, list[dict[str, Scores]]]) -> str:
    """Everything that was measured."""
    rows = {
        row: [{name: {"psnr": one.psnr, "ssim": one.ssim} for name, one in scores.items()} for scores in seeds]
        for row, seeds in found.items()
    }
    return json.dumps(rows, indent=1) + "\n"
