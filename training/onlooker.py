"""Whoever looks on while a run trains: a bar and TensorBoard, or a line now and then."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from training.loop import Trainer
    from training.scores import Pair


class Onlooker:
    """Is told what happens, and keeps it to itself.

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
