"""Recipes side by side: what they begin with, and what is refused before anything is trained."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from deblur_demo.models import checkpoint
from training.__main__ import main

RECIPE = """
model = "mlfa"
settings = { first = "carlo-s", width = 8, blocks = 1 }
freeze = ["first"]
updates = 4
batch = 2
crop = 32
"""


@pytest.fixture
def command(corpus_folder: Path, tmp_path: Path) -> list[str]:
    """All but the number of slices."""
    (tmp_path / "two.toml").write_text(RECIPE)
    pairs = f"{corpus_folder / 'gopro/GOPR0372_07_00'}@0:1"
    command = ["compare", str(tmp_path / "two.toml"), "--data", str(corpus_folder), "--pairs", pairs]
    return [*command, "--out", str(tmp_path / "out"), "--device", "cpu", "--precision", "fp32", "--slices"]


def test_a_frozen_stage_has_the_bundled_weights(command: list[str], tmp_path: Path):
    assert main([*command, "1"]) == 0
    state = torch.load(tmp_path / "out/A-two/state.pt", weights_only=True)
    assert state["update"] == 4
    bundled = checkpoint.load(checkpoint.find("carlo-s"))[0].state_dict()
    for kind in ("model", "average"):
        first = {name: value for name, value in state[kind].items() if name.startswith("first.")}
        assert len(first) == len(bundled)
        assert all(torch.equal(value, bundled[name.removeprefix("first.")]) for name, value in first.items())


@pytest.mark.parametrize("slices", ["0", "-1"])
def test_no_slices_are_refused(slices: str, command: list[str], tmp_path: Path, capsys):
    assert main([*command, slices]) == 1
    assert capsys.readouterr().err == f"error: slices is {slices}. Accepted: a whole number from 1. Change --slices.\n"
    assert not (tmp_path / "out").exists()
