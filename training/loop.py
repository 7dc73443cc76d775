"""The training loop: batches in, better weights out, in goes that continue one another.

A go is given in minutes. It picks up where the last one stopped, trains until its time is over
or SIGTERM arrives, and leaves two things in its folder: ``state.pt`` to continue from, and the
best averaged weights with their card. Several processes share the pieces of every batch.
"""

from __future__ import annotations

import copy
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from pathlib import Path

import torch
from torch import Tensor
from tqdm import tqdm

from deblur_demo.errors import CheckpointError
from deblur_demo.models import checkpoint, registry
from deblur_demo.models.contract import Estimate, Restorer, centre_frame
from training.board import Board, fitted, strip
from training.config import Recipe
from training.curriculum import Plateau, validation_due
from training.data.batches import Batch, draw_batch
from training.data.corpus import Corpus
from training.losses.objective import Objective
from training.machine import Machine, StopRequest
from training.parts import parameter_groups
from training.passes import Pass
from training.scores import Pair, quick_psnr
from training.state import load_state, save_state


class Trainer:
    """One run of one recipe.

    Attributes:
        model: the network being trained, fp32 weights.
        average: its exponential moving average, which is validated and kept.
        update: optimiser steps so far, over all goes.
        batch: index of the next batch.
        skipped: updates left out because the loss was not finite.
        minutes: spent so far, over all goes.
        best: highest mean gain of a validation so far, dB.
    """

    _numbers = ("update", "batch", "skipped", "minutes", "best")

    def __init__(
        self,
        recipe: Recipe,
        corpus: Corpus,
        folder: Path,
        device: torch.device,
        compiled: bool = False,
        precision: str = "bf16",
    ):
        """Set up a run, or take up the one whose state lies in ``folder``.

        Args:
            recipe: what to compute.
            corpus: pictures, on the device.
            folder: for the state, the best weights and the log.
            device: kind of device; each of several processes takes its own.
            compiled: compile the network; pays on a GPU after about a minute.
            precision: "fp32", "bf16" or "fp16" for what the network computes; weights stay fp32.

        Raises:
            SettingError: the batch cannot be shared out, or a part of the network does not exist.
            CheckpointError: the state is damaged or another network's.
        """
        self.recipe, self.corpus, self.folder = recipe, corpus, folder
        self.machine = Machine(device, precision)
        self.device = self.machine.device
        self.pieces = self.machine.pieces(recipe.batch, recipe.accumulate)
        folder.mkdir(parents=True, exist_ok=True)
        torch.manual_seed(recipe.seed)
        model = registry.build(recipe.model, **recipe.settings)
        self.model = model.to(self.device, memory_format=torch.channels_last).train()
        self._shares, groups = parameter_groups(self.model, recipe)
        self.average = copy.deepcopy(self.model).eval().requires_grad_(False)
        self.objective = Objective(recipe.loss, self.machine, recipe.clip)
        self.network: Callable = self.machine.shared(Pass(self.model, recipe.loss.deep))
        if compiled:
            self.network = torch.compile(self.network, dynamic=False)
        self.optimiser = torch.optim.AdamW(
            groups, lr=recipe.rate, betas=(0.9, 0.999), weight_decay=0.0, fused=self.device.type == "cuda"
        )
        self.plateau = Plateau(recipe.schedule.patience)
        self.update = self.batch = self.skipped = 0
        self.minutes, self.best = 0.0, float("-inf")
        self._resume()

    def start_from(self, model: Restorer, part: str = "") -> None:
        """Begin with the weights of another network of the same settings.

        Args:
            model: the other network.
            part: name of the part that it becomes ("first" of ``mlfa``); "" for the whole.
        """
        for mine in (self.model, self.average):
            mine.get_submodule(part).load_state_dict(model.state_dict())

    def run(self, minutes: float, validation: dict[str, Sequence[Pair]], save_every: float = 5.0) -> None:
        """Train for one go.

        Args:
            minutes: length of the go; the batch in hand is finished.
            validation: sets by name, scored at every ``recipe.validate_every`` updates, earlier at
                first, and at the end.
            save_every: minutes between two states on disk.
        """
        traits = self.model.traits
        validation = {name: [fitted(pair, traits) for pair in pairs] for name, pairs in validation.items()}
        start = saved = time.monotonic()
        spent_before, validated, psnr = self.minutes, self.update, float("nan")
        board = Board(self.folder / "log", self.update, self.machine.main)
        bar = tqdm(
            total=self.recipe.updates, initial=self.update, unit="update", mininterval=5, smoothing=0.05,
            disable=not self.machine.main,
        )  # fmt: skip
        with StopRequest() as stop:
            while self.update < self.recipe.updates:
                before = self.update
                loss, rate = self.train_batch()
                bar.update(self.update - before)
                bar.set_postfix(loss=f"{loss:.4f}", psnr=f"{psnr:.2f}", skipped=self.skipped)
                board.curve("train/loss", loss, self.update)
                board.curve("train/rate", rate, self.update)
                now = time.monotonic()
                self.minutes = spent_before + (now - start) / 60
                if validation_due(before, self.update, self.recipe.validate_every):
                    psnr, validated = self.validate(validation, board), self.update
                if now - saved > save_every * 60:
                    self.save()
                    saved = now
                if self.machine.any(stop.requested or now - start > minutes * 60):
                    break
            # Whoever sends SIGTERM does not wait for a validation.
            if not self.machine.any(stop.requested) and self.update > validated:
                self.validate(validation, board)
            self.save()
        board.close()
        bar.close()

    def train_batch(self) -> tuple[float, float]:
        """Train on one batch, one optimiser step for each of its iterations.

        Every iteration is optimised on its own: estimate and features pass on detached
        (Park 2020, section 4.1).

        Returns:
            Loss and learning rate of the last iteration.
        """
        pieces = self._draw()
        loss, rate = float("nan"), self.recipe.rate
        for runs in zip(*(piece.runs for piece in pieces), strict=True):
            windows = [run.window for run in runs]
            estimates = [Estimate(centre_frame(window)) for window in windows]
            for level in runs[0].goals:
                if self.update >= self.recipe.updates:
                    break
                goals = [piece.goal(level) for piece in pieces]
                if len(goals[0]):
                    rate = self.recipe.rate_at(self.update, self.plateau.plateaus)
                    estimates, loss = self._iterate(windows, estimates, goals, rate)
                else:
                    estimates = self._pass_through(windows, estimates)
        return loss, rate

    def _draw(self) -> list[Batch]:
        """This process' pieces of the next batch."""
        recipe, curriculum = self.recipe, self.recipe.curriculum
        progress = self.update / recipe.updates
        one_stage = not self.model.traits.iterative or curriculum.in_one_stage(progress)
        if not one_stage:
            curriculum = curriculum.drawn((recipe.seed + 1) * 1_000_000_007 + self.batch)
        piece = replace(recipe, batch=recipe.batch // self.pieces, curriculum=curriculum)
        first = self.batch * self.pieces
        self.batch += 1
        return [
            draw_batch(self.corpus, piece, first + n, recipe.crop_at(self.update), one_stage, self.model.traits.frames)
            for n in range(self.machine.rank, self.pieces, self.machine.processes)
        ]

    def _iterate(
        self, windows: list[Tensor], estimates: list[Estimate], goals: list[Tensor], rate: float
    ) -> tuple[list[Estimate], float]:
        new, total = [], torch.zeros((), device=self.device)
        for window, estimate, goal in zip(windows, estimates, goals, strict=True):
            # Crops without this level come last in the batch; they pass through, which takes no gradient.
            learning, rest = slice(None, len(goal)), slice(len(goal), None)
            with self.machine.autocast():
                predictions, state = self.network(window[learning], *_part(estimate, learning))
            loss = self.objective.loss(predictions, goal) / len(windows)
            self.machine.backward(loss, self.network, last=len(new) == len(windows) - 1)
            total += loss.detach()
            made = [_detached(Estimate(predictions[-1][0], state))]
            if len(window) > len(goal):
                made += self._pass_through([window[rest]], [_part(estimate, rest)])
            new.append(_joined(made))
        for share, group in zip(self._shares, self.optimiser.param_groups, strict=True):
            group["lr"] = rate * share
        total = self.machine.mean(total)
        if self.machine.step(self.optimiser, self.recipe.clip, total):
            self._average()
        else:
            self.skipped += 1
        if self.objective.adversary is not None:
            pairs = zip(new, goals, strict=True)
            self.objective.adversary.learn([(estimate.image[: len(goal)], goal) for estimate, goal in pairs])
        self.update += 1
        return new, float(total)

    @torch.no_grad()
    def _pass_through(self, windows: list[Tensor], estimates: list[Estimate]) -> list[Estimate]:
        """An iteration for crops that have no goal in it."""
        new = []
        for window, estimate in zip(windows, estimates, strict=True):
            with self.machine.autocast():
                predictions, state = self.network(window, estimate.image, estimate.state)
            new.append(_detached(Estimate(predictions[-1][0], state)))
        return new

    @torch.no_grad()
    def _average(self) -> None:
        # A young average would remember the start for too long, so its decay grows with it.
        decay = min(self.recipe.ema, (1 + self.update) / (10 + self.update))
        torch._foreach_lerp_(list(self.average.parameters()), list(self.model.parameters()), 1 - decay)

    def validate(self, validation: dict[str, Sequence[Pair]], board: Board) -> float:
        """Score the average on every set; keep it if its mean gain is the best so far.

        Without any set, the last average is kept.

        Returns:
            PSNR of the last step, mean over the sets, dB.
        """
        steps = self.recipe.iterations or self.model.traits.steps
        rows = {}
        if self.machine.main:
            with self.machine.autocast():
                rows = {name: quick_psnr(self.average, pairs, steps) for name, pairs in validation.items()}
                for name, pairs in validation.items():
                    board.picture(f"{name}/blurred_steps_sharp", strip(self.average, pairs[0], steps), self.update)
        for name, row in rows.items():
            tqdm.write(f"update {self.update} {name}: " + " ".join(f"{value:.3f}" for value in row))
            for step, value in enumerate(row):
                board.curve(f"{name}/psnr_step_{step}", value, self.update)
        count = max(1, len(rows))
        gain = self.machine.from_main(sum(row[-1] - row[0] for row in rows.values()) / count)
        self.plateau.see(gain)
        if gain > self.best or not validation:
            self.best = gain
            if self.machine.main:
                metrics = {name: {"psnr": row} for name, row in rows.items()}
                checkpoint.save(self.average, self.folder / "best.safetensors", self.card(metrics))
        return self.machine.from_main(sum(row[-1] for row in rows.values()) / count)

    def card(self, metrics: dict) -> checkpoint.Card:
        """The card of the current average."""
        machine = torch.cuda.get_device_name() if self.device.type == "cuda" else f"{torch.get_num_threads()} CPU cores"
        return checkpoint.Card(
            model=self.recipe.model,
            settings=self.recipe.settings,
            data=self.recipe.data,
            recipe=json.dumps(asdict(self.recipe)),
            limits=self.recipe.limits,
            updates=self.update,
            hardware=f"{self.minutes:.0f} minutes on {machine}",
            metrics=metrics,
        )

    def save(self) -> None:
        """Write the state to continue from."""
        if self.machine.main:
            state = {name: getattr(self, name) for name in self._numbers}
            state |= {name: part.state_dict() for name, part in self._parts().items()}
            save_state(self.folder / "state.pt", state)

    def _parts(self) -> dict:
        """Everything that changes during a run, besides the numbers."""
        parts = {"model": self.model, "average": self.average, "optimiser": self.optimiser, "plateau": self.plateau}
        if self.machine.scaler.is_enabled():
            parts["scaler"] = self.machine.scaler
        if self.objective.adversary is not None:
            parts["adversary"] = self.objective.adversary
        return parts

    def _resume(self) -> None:
        path = self.folder / "state.pt"
        state = load_state(path, self.device)
        if state is None:
            return
        try:
            for name in self._numbers:
                setattr(self, name, state[name])
            for name, part in self._parts().items():
                # Older states have no plateau, and those of other recipes no discriminator: they begin anew.
                if name in state or name in ("model", "average", "optimiser"):
                    part.load_state_dict(state[name])
        except (KeyError, ValueError, RuntimeError, TypeError, AttributeError) as error:
            raise CheckpointError(
                f"{path} belongs to another run: {str(error)[:200]}",
                f"a state of {self.recipe.model} with the recipe's settings",
                "Name another folder with --state, or delete the file to begin anew",
            ) from error


def _part(estimate: Estimate, crops: slice) -> Estimate:
    return Estimate(estimate.image[crops], tuple(feature[crops] for feature in estimate.state))


def _joined(estimates: Sequence[Estimate]) -> Estimate:
    images, states = zip(*estimates, strict=True)
    return Estimate(torch.cat(images), tuple(map(torch.cat, zip(*states, strict=True))))


def _detached(estimate: Estimate) -> Estimate:
    return Estimate(estimate.image.detach(), tuple(feature.detach() for feature in estimate.state))
