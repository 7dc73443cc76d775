"""The batches of a run in their order; beside a GPU, the next one is drawn while this one is trained on."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import replace

import torch

from deblur_demo.models.contract import Traits
from training.config import Recipe
from training.data.batches import Batch, draw_batch
from training.data.corpus import Corpus
from training.machine import Machine


class Feed:
    """Draws this process' pieces of every batch.

    Args:
        corpus: pictures, on the device.
        recipe: of the run.
        traits: of its network.
        machine: whose processes share the batches.
        ahead: whether the next batch is drawn in a thread meanwhile. It is the same batch either way.
    """

    def __init__(self, corpus: Corpus, recipe: Recipe, traits: Traits, machine: Machine, ahead: bool):
        self._corpus, self._recipe, self._traits, self._machine = corpus, recipe, traits, machine
        self._pieces = machine.pieces(recipe.batch, recipe.accumulate)
        self._thread = ThreadPoolExecutor(1, "draw") if ahead else None
        self._coming: tuple[tuple[int, int], Future] | None = None
        # On a stream of their own, pictures are made beside the network's kernels and not after them.
        self._stream = torch.cuda.Stream(machine.device) if ahead and machine.device.type == "cuda" else None

    def take(self, index: int, update: int) -> list[Batch]:
        """Pieces of one batch.

        Args:
            index: of the batch.
            update: that it begins with; decides the curriculum's phase and the size of the crops.
        """
        if self._thread is None:
            return self._draw(index, update)
        if self._coming is not None and self._coming[0] == (index, update):
            pieces = self._coming[1].result()
        else:
            pieces = self._thread.submit(self._draw, index, update).result()
        if self._stream is not None:
            _hand_over(pieces)
        following = index + 1, update + pieces[0].updates
        self._coming = following, self._thread.submit(self._draw, *following)
        return pieces

    def _draw(self, index: int, update: int) -> list[Batch]:
        recipe, curriculum = self._recipe, self._recipe.curriculum
        one_stage = not self._traits.iterative or curriculum.in_one_stage(update / recipe.updates)
        if not one_stage:
            curriculum = curriculum.drawn((recipe.seed + 1) * 1_000_000_007 + index)
        piece = replace(recipe, batch=recipe.batch // self._pieces, curriculum=curriculum)
        first, crop = index * self._pieces, recipe.crop_at(update)
        with nullcontext() if self._stream is None else torch.cuda.stream(self._stream):
            drawn = [
                draw_batch(self._corpus, piece, first + n, crop, one_stage, self._traits.frames, turn=index)
                for n in range(self._machine.rank, self._pieces, self._machine.processes)
            ]
        if self._stream is not None:
            self._stream.synchronize()
        return drawn


def _hand_over(pieces: list[Batch]) -> None:
    """Keep memory from being drawn into again before the kernels that read it have run."""
    reader = torch.cuda.current_stream()
    for piece in pieces:
        for tensor in (piece.light, piece.truth, *(run.window for run in piece.runs)):
            tensor.record_stream(reader)
