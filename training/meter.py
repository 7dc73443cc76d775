"""How busy a device is kept: crops a second, and the arithmetic of the network against what the device can do."""

from __future__ import annotations

import copy
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch

from deblur_demo.models.complexity import OperationCounter
from deblur_demo.models.contract import centre_frame
from deblur_demo.runtime.device import synchronize
from training.loop import Onlooker, Trainer
from training.passes import Pass

if TYPE_CHECKING:
    from training.scores import Pair

INTERVAL = 15.0  # seconds between two lines


class Meter(Onlooker):
    """Prints a line now and then. What validation and writing take counts as well.

    Attributes:
        peak: operations a second that the device can do in bf16.
    """

    def __init__(self, trainer: Trainer):
        super().__init__(trainer)
        self.peak = bf16_peak(trainer.device)
        self._costs: dict[int, tuple[int, int]] = {}
        self._see()
        learning, _ = self._cost()
        print(f"{_tera(self.peak)}/s in bf16, {_tera(learning)} a crop and update", flush=True)
        self._begin()

    def batch(self, loss: float, rate: float) -> None:
        learner, (learning, passing) = self.trainer.learner, self._cost()
        learned, passed = learner.learned - self._learned, learner.passed - self._passed
        self._see()
        self._loss, self._crops = loss, self._crops + learned
        self._operations += learned * learning + passed * passing
        if time.monotonic() - self._since > INTERVAL:
            self._line()

    def validation(self, name: str, psnr: list[float], pairs: Sequence[Pair]) -> None:
        print(f"update {self.trainer.update:,} on {name}: " + " ".join(f"{value:.3f}" for value in psnr), flush=True)

    def close(self) -> None:
        if self._crops:
            self._line()

    def _see(self) -> None:
        learner = self.trainer.learner
        self._update, self._learned, self._passed = self.trainer.update, learner.learned, learner.passed

    def _cost(self) -> tuple[int, int]:
        """Operations of a crop of the batch that comes next, see ``operations``."""
        crop = self.trainer.recipe.crop_at(self._update)
        if crop not in self._costs:
            self._costs[crop] = operations(self.trainer, crop)
        return self._costs[crop]

    def _begin(self) -> None:
        self._since, self._crops, self._operations = time.monotonic(), 0, 0

    def _line(self) -> None:
        seconds, updates = time.monotonic() - self._since, self.trainer.recipe.updates
        crops = self._crops * self.trainer.machine.processes
        print(
            f"update {self._update:,} of {updates:,}: loss {self._loss:.4f}, {crops / seconds:.1f} crops/s, "
            f"{self._operations / seconds / self.peak:.1%} of the peak",
            flush=True,
        )
        self._begin()


def _tera(count: float) -> str:
    return f"{count / 1e12:.3g} TFLOP"


def operations(trainer: Trainer, crop: int) -> tuple[int, int]:
    """What the network computes for one crop, products and sums, without losses, activations and optimisers.

    Counted on a network without memory.

    Args:
        trainer: the run.
        crop: side in pixels.

    Returns:
        Operations of a crop that learns, forward and backward, and of one that passes through.
    """
    ghost = Pass(copy.deepcopy(trainer.model).to("meta"), trainer.recipe.loss.deep)
    window = torch.empty(1, trainer.model.traits.frames, 3, crop, crop, device="meta")
    with OperationCounter() as counter:
        predictions, _ = ghost(window, centre_frame(window), ())
        forward = counter.operations
        sum(image.sum() for image, _ in predictions).backward()
    return counter.operations, forward


def bf16_peak(device: torch.device, seconds: float = 0.3) -> float:
    """Operations a second of a matrix product in bf16: the best of as many as fit into the time."""
    side = 512 if device.type == "cpu" else 8192
    # Not zeros: a device computes faster with them than with real numbers.
    left, right = (torch.randn(side, side, device=device, dtype=torch.bfloat16) for _ in range(2))
    best, end = float("inf"), time.perf_counter() + seconds
    while (start := time.perf_counter()) < end:
        left @ right
        synchronize(device)
        best = min(best, time.perf_counter() - start)
    return 2 * side**3 / best
