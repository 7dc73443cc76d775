"""Compiled passes: what one go compiled, no later go compiles again."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch
from torch import nn
from torch._dynamo.utils import counters
from torch._inductor.utils import fresh_cache
from torch.compiler._cache import CacheArtifactManager

from training import deadline, loop
from training.compiled import Compiled
from training.config import Recipe
from training.data.corpus import load_corpus
from training.loop import Trainer

CPU = torch.device("cpu")


@pytest.mark.skipif(shutil.which("g++") is None, reason="PyTorch compiles for a CPU with a C++ compiler")
def test_every_program_is_found_again(tmp_path: Path):
    """Two sizes, kept one after another as they are compiled: a bare machine compiles none of them."""

    def misses() -> int:
        counters.clear()
        torch._dynamo.reset()
        CacheArtifactManager.clear()
        with fresh_cache():
            compiled = Compiled(nn.Linear(8, 8), tmp_path / "compiled.json", graphs=False)
            for crops in (2, 3):
                compiled(torch.ones(crops, 8)).sum().backward()
                compiled.save(2**20)
        return counters["inductor"]["fxgraph_cache_miss"]

    assert [misses(), misses()] == [4, 0]


@pytest.mark.parametrize(("compiled", "updates"), [(True, 40), (False, 80)])
def test_a_go_does_not_begin_what_it_has_no_time_to_compile(
    corpus_folder: Path, tmp_path: Path, monkeypatch, compiled: bool, updates: int
):
    """The first batch compiles for a minute. 40 seconds before the end, crops of another size are due."""
    recipe = Recipe("mtrnn-lite", updates=80, batch=1, crop=32, late_crop=48, late_from=0.5)
    trainer = Trainer(recipe, load_corpus(corpus_folder, CPU), tmp_path, CPU, compiled=compiled)
    seconds = 0.0

    def train_batch() -> tuple[float, float]:
        nonlocal seconds
        seconds += 1 if trainer.update else 60
        trainer.update += 1
        return 0.0, 0.0

    monkeypatch.setattr(trainer, "train_batch", train_batch)
    for module in (loop, deadline):
        monkeypatch.setattr(module.time, "monotonic", lambda: seconds)
    trainer.run(minutes=140 / 60, validation={})
    assert trainer.update == updates
