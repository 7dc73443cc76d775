"""The training loop: batches in, better weights out, in goes that continue one another.

A go is given in minutes. It picks up where the last one stopped, trains until its time is over
or it is told to end, and leaves in its folder the state to continue from, the best averaged weights
with their card and, where a validation chose those, the last. Several processes share the pieces of every batch.
"""

from __future__ import annotations

import sys
import time
from collections import deque
from collections.abc import Iterable, Sequence
from contextlib import closing, suppress
from math import isfinite, isinf
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from deblur_demo.errors import SettingError
from deblur_demo.models import checkpoint
from deblur_demo.models.checkpoint import Card
from deblur_demo.models.contract import Estimate, Restorer, centre_frame
from training.config import Recipe
from training.curriculum import Plateau, validation_due
from training.data.ahead import Feed
from training.data.corpus import Corpus
from training.deadline import Deadline, GivenUp
from training.learner import Learner
from training.machine import Machine
from training.resume import another_run, changed, recorded, refuse_optimiser
from training.state import load_state, save_state, state_file

if TYPE_CHECKING:  # needs OpenCV and scikit-image, which a run without validation does not
    from training.scores import Pair

BEST, LAST = "best.safetensors", "last.safetensors"  # in the folder of a run, with their cards
HOPELESS = 50  # updates from the first that change nothing; fp16 leaves out some until its losses are scaled


class Onlooker:
    """Whoever looks on while a run trains: is told what happens, and keeps it to itself.

    Args:
        trainer: the run, before the first batch of a go.
    """

    def __init__(self, trainer: Trainer):
        self.trainer = trainer

    def batch(self, loss: float, rate: float) -> None:
        """After every batch: loss and learning rate of its last iteration."""

    def validation(self, name: str, psnr: list[float], pairs: Sequence[Pair]) -> None:
        """After every validation, for each set: its name, dB per step with the input first, and its pictures."""

    def close(self) -> None:
        """At the end of the go."""


class Trainer:
    """One run of one recipe.

    Attributes:
        learner: the network in training, with its optimiser.
        model: the network itself, fp32 weights.
        average: its exponential moving average, which is validated and kept.
        update: optimiser steps so far, over all goes.
        batch: index of the next batch.
        skipped: updates left out because the loss was not finite.
        minutes: spent so far, over all goes.
        best: highest mean gain of a validation so far, dB; minus infinity before the first.
        validated: update up to which the validations that were due have been made, or do not fit into a go.
        data: lines of all sets that the weights have learned from, over all goes and before the first.
        changes: what is different in the recipe since the state was written, in words.
    """

    _numbers = ("update", "batch", "skipped", "minutes", "best", "validated")

    def __init__(
        self,
        recipe: Recipe,
        corpus: Corpus,
        folder: Path,
        device: torch.device,
        compiled: bool = False,
        precision: str = "bf16",
        shard: int | None = None,
    ):
        """Set up a run, or take up the one whose state lies in ``folder``.

        Args:
            recipe: what to compute.
            corpus: pictures, on the device.
            folder: for the state, the best weights and the log.
            device: kind of device; each of several processes takes its own.
            compiled: compile the network; pays on a GPU after about a minute.
            precision: "fp32", "bf16" or "fp16" for what the network computes; weights stay fp32.
            shard: most bytes of a file of the state; None: one file of any size.

        Raises:
            SettingError: the batch cannot be shared out, or a part of the network does not exist.
            CheckpointError: the state is damaged or another network's.
        """
        self.recipe, self.corpus, self.folder, self.shard = recipe, corpus, folder, shard
        self.machine = Machine(device, precision)
        self.device = self.machine.device
        folder.mkdir(parents=True, exist_ok=True)
        self.learner = Learner(recipe, self.machine, folder / "compiled.json" if compiled else None)
        self.model, self.average = self.learner.model, self.learner.average
        self._feed = Feed(corpus, recipe, self.model.traits, self.machine, ahead=self.device.type == "cuda")
        self.plateau = Plateau(recipe.schedule.patience)
        self.update = self.batch = self.skipped = self.validated = 0
        self.minutes, self.best = 0.0, float("-inf")
        self.data: tuple[str, ...] = ()
        self.changes: list[str] = []
        self._resume()

    def start_from(self, model: Restorer, card: Card, part: str = "") -> None:
        """Begin with trained weights; arguments and errors as for ``Learner.start_from``, and their card."""
        self.learner.start_from(model, card.model, part)
        self._learned_from(card.data)

    def run(
        self,
        minutes: float,
        validation: dict[str, Sequence[Pair]],
        save_every: float = 5.0,
        onlooker: type[Onlooker] = Onlooker,
        overtime: float = float("inf"),
    ) -> bool:
        """Train for one go.

        Args:
            minutes: length of the go, one batch at least; its last validation comes on top.
            validation: sets by name, scored at every ``recipe.validate_every`` updates, earlier at
                first, and at the end. Where there never were any, the last average is the best.
            save_every: minutes between two states on disk.
            onlooker: who is told how it goes.
            overtime: seconds after the minutes in which the last validation has to end, or is given up.

        Returns:
            Whether it was told to end, by a signal.
        """
        start = saved = time.monotonic()
        lately: deque[float] = deque(maxlen=5)  # seconds that batches took
        longest = 0.0
        spent_before = self.minutes
        with (
            Deadline(minutes, overtime) as deadline,
            closing(onlooker(self) if self.machine.main else Onlooker(self)) as told,
        ):
            while self.update < self.recipe.updates:
                # One that the last go gave up is made up for, at the same update.
                if self._validation_due() and not self.validate(validation, told, deadline):
                    if lately or self.machine.any(deadline.terminated):
                        break
                    # A whole go was too short for it, and so would be those to come: none of them would train.
                    self.validated = self.update
                    self._write()
                begun, crop = time.monotonic(), self.recipe.crop_at(self.update)
                loss, rate = self.train_batch()
                now = time.monotonic()
                self.minutes = spent_before + (now - start) / 60
                told.batch(loss, rate)
                if now - saved > save_every * 60:
                    self._write()
                    saved = now
                lately.append(now - begun)
                longest = max(longest, now - begun)
                # The next batch takes no less than the shortest; what took longer has also compiled, as crops of
                # another size will.
                compiles = self.learner.compiled is not None and self.recipe.crop_at(self.update) != crop
                if self.machine.any(deadline.within(longest if compiles else min(lately))):
                    break
            # Before the last validation, because whoever ends the program may not wait for it.
            self._write()
            if validation and self.update > self.validated:
                self.validate(validation, told, deadline)
        return self.machine.any(deadline.terminated)

    def train_batch(self) -> tuple[float, float]:
        """Train on one batch, one optimiser step for each of its iterations.

        Every iteration is optimised on its own: estimate and features pass on detached
        (Park 2020, section 4.1).

        Returns:
            Loss and learning rate of the last iteration.

        Raises:
            SettingError: no update since the first has changed a weight.
        """
        pieces = self._feed.take(self.batch, self.update)
        self.batch += 1
        self._learned_from(self.corpus.sources)
        losses, fine, rate = [], [], self.recipe.rate
        for runs in zip(*(piece.runs for piece in pieces), strict=True):
            windows = [run.window for run in runs]
            estimates = [Estimate(centre_frame(window)) for window in windows]
            for level in runs[0].goals:
                if self.update >= self.recipe.updates:
                    break
                if not pieces[0].has(level):
                    estimates = self.learner.pass_through(windows, estimates)
                    continue
                goals = [piece.goal(level) for piece in pieces]
                rate = self.recipe.rate_at(self.update, self.plateau.plateaus)
                estimates, loss, changed = self.learner.update(windows, estimates, goals, rate, self.update)
                losses.append(loss)
                fine.append(changed)
                self.update += 1
        if not losses:
            return float("nan"), rate
        # Asked for once a batch, because the program waits for the device until it knows.
        self.skipped += len(fine) - int(torch.stack(fine).sum())
        if self.skipped == self.update >= HOPELESS:
            raise SettingError(
                f"not one of the first {self.update} updates was finite",
                "finite losses and gradients",
                "Train with --precision fp32, or a lower rate",
            )
        return float(losses[-1]), rate

    def validate(self, validation: dict[str, Sequence[Pair]], told: Onlooker, deadline: Deadline) -> bool:
        """Score the average on every set, keep it if its mean gain is the best so far, and write the state.

        Args:
            validation: sets by name.
            told: the scores.
            deadline: of the go.

        Returns:
            Whether there was time for it; if not, nothing has changed, and a line says so.
        """
        rows = {}
        if validation and self.machine.main:
            from training.scores import quick_rows

            steps = self.recipe.iterations or self.model.traits.steps
            with suppress(GivenUp), self.machine.autocast():
                rows = quick_rows(self.average, validation, steps, deadline)
        for name, row in rows.items():
            told.validation(name, row, validation[name])
        if self.machine.any(self.machine.main and bool(validation) and not rows):
            if self.machine.main:
                print(f"update {self.update:,}: no time for the validation", flush=True)
            return False
        gain = self.machine.from_main(mean_gain(rows))
        if self._validation_due():
            if isfinite(gain):
                self.plateau.see(gain)
            self.validated = self.update
        if gain > self.best:
            self.best = gain
            self.keep(BEST, rows)
        # A state that knows of other weights than those kept would let worse ones replace them.
        self._write()
        return True

    def keep(self, name: str, rows: dict[str, list[float]]) -> None:
        """Write the average into the folder under a name, with its PSNR per step on each set."""
        if self.machine.main:
            cuda = self.device.type == "cuda"
            device = torch.cuda.get_device_name() if cuda else f"{torch.get_num_threads()} CPU cores"
            metrics = {pairs: {"psnr": row} for pairs, row in rows.items()}
            hardware = f"{self.minutes:.0f} minutes on {device}"
            card = self.recipe.card(self.data, self.update, hardware, metrics)
            checkpoint.save(self.average, self.folder / name, card)

    def save(self) -> None:
        """Write the state to continue from."""
        if not self.machine.main:
            return
        state = {name: getattr(self, name) for name in self._numbers}
        state |= {name: part.state_dict() for name, part in self._parts().items()}
        state |= {"data": self.data, "recipe": recorded(self.recipe)}
        save_state(self.folder, state, self.shard)
        if self.learner.compiled is not None:
            self.learner.compiled.save(self.shard or sys.maxsize)

    def _write(self) -> None:
        """Write the state, and the average: as the best as long as no validation has said which weights those are."""
        self.save()
        self.keep(BEST if isinf(self.best) else LAST, {})

    def _learned_from(self, sources: Iterable[str]) -> None:
        self.data = tuple(dict.fromkeys((*self.data, *sources)))

    def _validation_due(self) -> bool:
        return validation_due(self.validated, self.update, self.recipe.validate_every)

    def _parts(self) -> dict:
        """Everything that changes during a run, besides the numbers."""
        return {**self.learner.parts(), "plateau": self.plateau}

    def _resume(self) -> None:
        state = load_state(self.folder, self.device)
        if state is None:
            return
        path = state_file(self.folder)
        if "recipe" in state:
            self.changes = changed(path, state["recipe"], self.recipe)
        try:
            refuse_optimiser(path, state["optimiser"], self.learner.optimiser)
            for name in self._numbers:
                # Older states do not say what was validated, and end with a validation.
                setattr(self, name, state["update"] if name == "validated" and name not in state else state[name])
            for name, part in self._parts().items():
                # Older states have no plateau, and those of other recipes no discriminator: they begin anew.
                if name in state or name in ("model", "average", "optimiser"):
                    part.load_state_dict(state[name])
        except (KeyError, ValueError, RuntimeError, TypeError, AttributeError, IndexError) as error:
            accepted = f"a state of {self.recipe.model} with the recipe's settings"
            raise another_run(path, "; ".join((str(error)[:200], *self.changes)), accepted) from error
        # Older states name no data, and call the best of a go without validation a gain of nothing.
        self.data = state.get("data", self.corpus.sources)
        if "data" not in state and self.best == 0:
            self.best = float("-inf")


def mean_gain(rows: dict[str, list[float]]) -> float:
    """Mean over the sets of what the last step adds to the input, dB; minus infinity where nothing was measured.

    A picture that is sharp already has an infinite PSNR, which says nothing: its set is left out.
    """
    gains = [gain for row in rows.values() if isfinite(gain := row[-1] - row[0])]
    return sum(gains) / len(gains) if gains else float("-inf")
