"""A network that learns: what a single update does with the pieces of a batch."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

from deblur_demo.models import checkpoint, registry
from deblur_demo.models.contract import Estimate, Restorer
from training.compiled import Compiled
from training.config import Recipe
from training.losses.objective import Objective, Predictions
from training.machine import Machine
from training.muon import Muon
from training.parts import parameter_groups
from training.passes import Pass


class Learner:
    """A network, its average, what it lowers and what lowers it.

    Attributes:
        model: the network being trained, fp32 weights.
        average: its exponential moving average.
        objective: the loss.
        optimiser: of the weights that are not frozen.
        compiled: calls the network where it is compiled, else None.
        learned, passed: crops so far that this process took a gradient from, and that only passed
            through; each counts once an iteration.
    """

    def __init__(self, recipe: Recipe, machine: Machine, caches: Path | None):
        """Set up fresh weights, which follow from the recipe's seed.

        Args:
            recipe: network, loss, rates.
            machine: where to compute.
            caches: index of the shards that a compiled network keeps its programs in; None: not compiled.

        Raises:
            SettingError: the settings make no network, or a part of it does not exist.
        """
        self._recipe, self._machine = recipe, machine
        torch.manual_seed(recipe.seed)
        model = registry.build(recipe.model, **recipe.settings)
        self.model = machine.laid_out(model).train()
        self._shares, groups = parameter_groups(self.model, recipe)
        self.average = copy.deepcopy(self.model).eval().requires_grad_(False)
        self.objective = Objective(recipe.loss, machine, recipe.clip)
        self._network = machine.shared(Pass(self.model, recipe.loss.deep))
        self._call: Callable = self._network
        self.learned = self.passed = 0
        self.compiled = None
        if caches is not None:
            # Several processes exchange gradients in the middle of a pass, which is not recorded with it.
            graphs = machine.device.type == "cuda" and machine.processes == 1
            self._call = self.compiled = Compiled(self._network, caches, graphs)
        self.optimiser = (
            Muon(groups, recipe.rate)
            if recipe.optimiser == "muon"
            else torch.optim.AdamW(groups, recipe.rate, betas=(0.9, 0.999), weight_decay=0.0, fused=machine.fused)
        )

    def start_from(self, model: Restorer, name: str, part: str = "") -> None:
        """Begin with the weights of another network of the same settings.

        Args:
            model: the other network.
            name: what it is, for the message.
            part: name of the part that it becomes ("first" of ``mlfa``); "" for the whole.

        Raises:
            CheckpointError: it has other weights than this one, or some that are not finite.
        """
        for mine in (self.model, self.average):
            checkpoint.fill(mine.get_submodule(part), model.state_dict(), f"{name} as a start")

    def update(
        self, windows: list[Tensor], estimates: list[Estimate], goals: list[Tensor], rate: float, number: int
    ) -> tuple[list[Estimate], Tensor, Tensor]:
        """One optimiser step.

        Args:
            windows: (B, N, 3, c, c) of each piece of the batch.
            estimates: of the iteration before.
            goals: (B', 3, c, c), 0 < B' <= B; crops without a goal come last and pass through, which
                takes no gradient.
            rate: learning rate.
            number: of the update, from 0.

        Returns:
            The new estimates; the loss, and whether it was finite so that the weights changed, both
            on the device: asking for them makes the program wait for it.
        """
        new, total = [], torch.zeros((), device=self._machine.device)
        self._begin()
        for window, estimate, goal in zip(windows, estimates, goals, strict=True):
            learning, rest = slice(None, len(goal)), slice(len(goal), None)
            with self._machine.piece(self._network, last=len(new) == len(windows) - 1):
                predictions, state = self._predict(window[learning], _part(estimate, learning))
                loss = self.objective.loss(predictions, goal) / len(windows)
                self._machine.backward(loss)
            total += loss.detach()
            made = [_result(predictions, state)]
            if len(window) > len(goal):
                made.append(self._pass(window[rest], _part(estimate, rest)))
            new.append(_joined(made))
            self.learned += len(goal)
        for share, group in zip(self._shares, self.optimiser.param_groups, strict=True):
            group["lr"] = rate * share
        total = self._machine.mean(total)
        fine = self._machine.step(self.optimiser, self._recipe.clip, total)
        self._follow(number)
        if self.objective.adversary is not None:
            pairs = zip(new, goals, strict=True)
            self.objective.adversary.learn([(estimate.image[: len(goal)], goal) for estimate, goal in pairs])
        return new, total, fine

    def pass_through(self, windows: list[Tensor], estimates: list[Estimate]) -> list[Estimate]:
        """An iteration that no crop has a goal for."""
        self._begin()
        return [_joined([self._pass(*piece)]) for piece in zip(windows, estimates, strict=True)]

    def parts(self) -> dict:
        """Everything that changes, by name; each has a ``state_dict``."""
        parts = {"model": self.model, "average": self.average, "optimiser": self.optimiser}
        if self._machine.scaler.is_enabled():
            parts["scaler"] = self._machine.scaler
        if self.objective.adversary is not None:
            parts["adversary"] = self.objective.adversary
        return parts

    def _begin(self) -> None:
        if self.compiled is not None:
            self.compiled.begin()

    @torch.no_grad()
    def _pass(self, window: Tensor, estimate: Estimate) -> Estimate:
        self.passed += len(window)
        return _result(*self._predict(window, estimate))

    def _predict(self, window: Tensor, estimate: Estimate) -> tuple[Predictions, tuple[Tensor, ...]]:
        with self._machine.autocast():
            return self._call(window, estimate.image, estimate.state)

    @torch.no_grad()
    def _follow(self, number: int) -> None:
        # A young average would remember the start for too long, so its decay grows with it.
        decay = min(self._recipe.ema, (1 + number) / (10 + number))
        torch._foreach_lerp_(list(self.average.parameters()), list(self.model.parameters()), 1 - decay)


def _part(estimate: Estimate, crops: slice) -> Estimate:
    return Estimate(estimate.image[crops], tuple(feature[crops] for feature in estimate.state))


def _result(predictions: Predictions, state: tuple[Tensor, ...]) -> Estimate:
    """What the next iteration goes on with, out of reach of gradients."""
    return Estimate(predictions[-1][0].detach(), tuple(feature.detach() for feature in state))


def _joined(estimates: list[Estimate]) -> Estimate:
    """The crops of several passes, always as a copy: a recorded pass overwrites what it returned."""
    states = zip(*(estimate.state for estimate in estimates), strict=True)
    return Estimate(torch.cat([estimate.image for estimate in estimates]), tuple(map(torch.cat, states)))
