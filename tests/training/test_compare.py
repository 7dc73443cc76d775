"""Recipes side by side: what they begin with, and what is refused before anything is trained."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from deblur_demo.models import checkpoint
from training import compare, reproduce
from training.__main__ import main
from training.scores import Pair
from training.tables import named_table

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


@pytest.mark.parametrize(
    "read",
    [
        lambda asked, out: compare._pairs(asked, out),
        lambda asked, out: sum(reproduce._sets(asked, named_table("park-table-1"), out, True)["own motion"], []),
    ],
    ids=["compare", "reproduce"],
)
def test_a_validation_set_that_was_cut_off_is_completed(
    read: Callable[[Namespace, Path], list[Pair]], corpus_folder: Path, tmp_path: Path
):
    asked = Namespace(pairs=None, data=corpus_folder)
    names = [pair.name for pair in read(asked, tmp_path)]
    assert len(names) == 2
    next(tmp_path.glob(f"*/sharp/{names[0]}")).unlink()
    for side in ("blur", "sharp"):
        next(tmp_path.glob(f"*/{side}/{names[1]}")).unlink()
    assert [pair.name for pair in read(asked, tmp_path)] == names


@pytest.mark.parametrize("slices", ["0", "-1"])
def test_no_slices_are_refused(slices: str, command: list[str], tmp_path: Path, capsys):
    assert main([*command, slices]) == 1
    assert capsys.readouterr().err == f"error: slices is {slices}. Accepted: a whole number from 1. Change --slices.\n"
    assert not (tmp_path / "out").exists()
