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
from pathlib import Path

from deblur_demo.models import checkpoint
from deblur_demo.runtime.deblurrer import Deblurrer
from deblur_demo.runtime.device import Placement
from deblur_demo.runtime.ensemble import SelfEnsemble
from training.budget import Budget, Timing
from training.config import Recipe
from training.data.corpus import Corpus
from training.loop import Trainer
from training.plan import Job
from training.scores import Pair, Scores, score


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
            ready = time.monotonic()
            trainer.train_batch()  # the first one is slower
            warm, before = time.monotonic(), trainer.update
            trainer.train_batch()
            trained = time.monotonic()
            trainer.save()
            saved = time.monotonic()
            self._score(trainer.average, recipe, 1, {name: list(clips[0][:1]) for name, clips in self.sets.items()})
            scored = time.monotonic()
        per_update = (trained - warm) / (trainer.update - before)
        slower = max(0.0, warm - ready - per_update * before)
        return Timing(ready - start + slower + saved - trained, per_update, scored - saved)

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
    """Train and evaluate every row that can be, seed by seed.

    The first seed is carried through even if the machine turns out slower than it was timed, for a
    table with rows missing compares nothing; of further seeds, rows that have no time left are left out.

    Args:
        jobs: the plan.
        bench: where.
        share: of a scaled run; None trains whole schedules once.
        deadline: on the monotonic clock, for rows to begin by.
        say: shows progress.

    Returns:
        For each row's id the scores of its seeds.
    """
    found: dict[str, list[dict[str, Scores]]] = {job.row.id: [] for job in jobs}
    for seed in range(share.seeds if share else 1):
        weights: dict[str, Path] = {}
        for job in jobs:
            row, needed = job.row, job.row.first_of or job.row.weights_of
            late = seed > 0 and time.monotonic() > deadline
            if job.reason or late or (needed and needed not in weights):
                continue
            if row.weights_of:
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
