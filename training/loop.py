"""The training loop: batches in, better weights out, in goes that continue one another.

A go is given in minutes. It picks up where the last one stopped, trains until its time is over
or SIGTERM arrives, and leaves two things in its folder: ``state.pt`` to continue from, and the
best averaged weights with their card.
"""

from __future__ import annotations

import copy
import json
import signal
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path

import torch
from torch import Tensor
from torch.utils.tensorboard import SummaryWriter
from tqdm import tqdm

from deblur_demo.models import checkpoint, registry
from deblur_demo.models.contract import Estimate, Restorer, centre_frame
from training.config import Recipe
from training.data.batches import draw_batch
from training.data.corpus import Corpus
from training.losses.terms import weighted
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
    """

    def __init__(self, recipe: Recipe, corpus: Corpus, folder: Path, device: torch.device, compiled: bool = False):
        """Set up a run, or take up the one whose state lies in ``folder``.

        Args:
            recipe: what to compute.
            corpus: pictures, on ``device``.
            folder: for the state, the best weights and the log.
            device: where to train.
            compiled: compile the network; pays on a GPU after about a minute.
        """
        self.recipe, self.corpus, self.folder, self.device = recipe, corpus, folder, device
        folder.mkdir(parents=True, exist_ok=True)
        torch.manual_seed(recipe.seed)
        model = registry.build(recipe.model, **recipe.settings)
        self.model = model.to(device, memory_format=torch.channels_last).train()
        self.average = copy.deepcopy(self.model).eval().requires_grad_(False)
        self.network: Callable = torch.compile(self.model, dynamic=False) if compiled else self.model
        self.optimiser = torch.optim.AdamW(
            self.model.parameters(), lr=recipe.rate, betas=(0.9, 0.999), weight_decay=0.0, fused=device.type == "cuda"
        )
        self.update = self.batch = self.skipped = 0
        self.minutes, self.best = 0.0, float("-inf")
        self._resume()

    def start_from(self, model: Restorer) -> None:
        """Begin with the weights of another network of the same settings."""
        self.model.load_state_dict(model.state_dict())
        self.average.load_state_dict(model.state_dict())

    def run(self, minutes: float, validation: dict[str, Sequence[Pair]], save_every: float = 5.0) -> None:
        """Train for one go.

        Args:
            minutes: length of the go; the batch in hand is finished.
            validation: sets by name, scored at every ``recipe.validate_every`` updates and at the end.
            save_every: minutes between two states on disk.
        """
        start = saved = time.monotonic()
        spent_before, validated = self.minutes, self.update
        writer = SummaryWriter(self.folder / "log", purge_step=self.update)
        bar = tqdm(total=self.recipe.updates, initial=self.update, unit="update", mininterval=5, smoothing=0.05)
        psnr = float("nan")
        with _StopRequest() as stop:
            while self.update < self.recipe.updates and not stop.requested:
                before = self.update
                loss, rate = self.train_batch()
                bar.update(self.update - before)
                bar.set_postfix(loss=f"{loss:.4f}", psnr=f"{psnr:.2f}", skipped=self.skipped)
                writer.add_scalar("train/loss", loss, self.update)
                writer.add_scalar("train/rate", rate, self.update)
                now = time.monotonic()
                self.minutes = spent_before + (now - start) / 60
                if self.update - validated >= self.recipe.validate_every:
                    psnr, validated = self.validate(validation, writer), self.update
                if now - saved > save_every * 60:
                    self.save()
                    saved = now
                if now - start > minutes * 60:
                    break
            # Whoever sends SIGTERM does not wait for a validation.
            if self.update > validated and not stop.requested:
                self.validate(validation, writer)
            self.save()
        writer.close()
        bar.close()

    def train_batch(self) -> tuple[float, float]:
        """Train on one batch, one optimiser step for each of its iterations.

        Every iteration is optimised on its own: estimate and features pass on detached
        (Park 2020, section 4.1).

        Returns:
            Loss and learning rate of the last iteration.
        """
        recipe = self.recipe
        one_stage = self.update < recipe.curriculum.one_stage * recipe.updates
        frames = self.model.traits.frames
        batch = draw_batch(self.corpus, recipe, self.batch, recipe.crop_at(self.update), one_stage, frames)
        self.batch += 1
        loss, rate = float("nan"), recipe.rate
        for window, goals in batch.runs:
            estimate = Estimate(centre_frame(window))
            for level in goals:
                rate = recipe.rate_at(self.update)
                estimate, loss = self._iterate(window, estimate, batch.goal(level), rate)
        return loss, rate

    def _iterate(self, window: Tensor, estimate: Estimate, goal: Tensor, rate: float) -> tuple[Estimate, float]:
        with torch.autocast(self.device.type, torch.bfloat16):
            new = self.network(window, estimate.image, estimate.state)
        # Crops without this level come last in the batch; they only pass through.
        loss = weighted(self.recipe.loss, new.image[: len(goal)], goal)
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(self.model.parameters(), self.recipe.clip)
        if torch.isfinite(norm + loss.detach()):  # a NaN loss can have a finite gradient
            for group in self.optimiser.param_groups:
                group["lr"] = rate
            self.optimiser.step()
            self._average()
        else:
            self.skipped += 1
        self.optimiser.zero_grad(set_to_none=True)
        self.update += 1
        return Estimate(new.image.detach(), tuple(feature.detach() for feature in new.state)), float(loss.detach())

    @torch.no_grad()
    def _average(self) -> None:
        # A young average would remember the start for too long, so its decay grows with it.
        decay = min(self.recipe.ema, (1 + self.update) / (10 + self.update))
        torch._foreach_lerp_(list(self.average.parameters()), list(self.model.parameters()), 1 - decay)

    def validate(self, validation: dict[str, Sequence[Pair]], writer: SummaryWriter) -> float:
        """Score the average on every set; keep it if its mean gain is the best so far.

        Returns:
            PSNR of the last step, mean over the sets, dB.
        """
        steps = self.model.traits.steps
        with torch.autocast(self.device.type, torch.bfloat16):
            rows = {name: quick_psnr(self.average, pairs, steps) for name, pairs in validation.items()}
        for name, row in rows.items():
            tqdm.write(f"update {self.update} {name}: " + " ".join(f"{value:.3f}" for value in row))
            for step, value in enumerate(row):
                writer.add_scalar(f"{name}/psnr_step_{step}", value, self.update)
        gain = sum(row[-1] - row[0] for row in rows.values()) / max(1, len(rows))
        if gain > self.best:
            self.best = gain
            metrics = {name: {"psnr": row} for name, row in rows.items()}
            checkpoint.save(self.average, self.folder / "best.safetensors", self.card(metrics))
        return sum(row[-1] for row in rows.values()) / max(1, len(rows))

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
        state = {name: getattr(self, name) for name in ("update", "batch", "skipped", "minutes", "best")}
        for name in ("model", "average", "optimiser"):
            state[name] = getattr(self, name).state_dict()
        save_state(self.folder / "state.pt", state)

    def _resume(self) -> None:
        state = load_state(self.folder / "state.pt", self.device)
        for name, value in (state or {}).items():
            if name in ("model", "average", "optimiser"):
                getattr(self, name).load_state_dict(value)
            else:
                setattr(self, name, value)


class _StopRequest:
    """While entered, turns SIGTERM into a flag, so that a go ends between two batches and saves."""

    def __enter__(self) -> _StopRequest:
        self.requested = False
        self._before = signal.signal(signal.SIGTERM, self._request)
        return self

    def __exit__(self, *_) -> None:
        signal.signal(signal.SIGTERM, self._before)

    def _request(self, *_) -> None:
        self.requested = True
