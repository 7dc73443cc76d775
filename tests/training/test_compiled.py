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

from training.compiled import Compiled


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
