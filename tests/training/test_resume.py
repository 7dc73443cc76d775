"""Going on: what a state and a start are held against, and what is said where they differ."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from deblur_demo.errors import CheckpointError, SettingError
from deblur_demo.models import checkpoint, registry
from deblur_demo.models.checkpoint import Card
from training.__main__ import main
from training.config import Curriculum, Recipe
from training.data.corpus import Corpus
from training.loop import Trainer
from training.start import initialise

CPU = torch.device("cpu")
SMALL = {"layers": 2, "filters": 4}


@pytest.fixture
def small(recipe: Recipe) -> Recipe:
    return replace(recipe, model="carlo-s", settings=SMALL, updates=40, batch=2, late_crop=0)


@pytest.fixture
def start(tmp_path: Path) -> Path:
    torch.manual_seed(3)
    path = tmp_path / "start.safetensors"
    checkpoint.save(registry.build("carlo-s", **SMALL), path, Card("carlo-s", SMALL), torch.float32)
    return path


@pytest.mark.parametrize("recorded", [True, False])
@pytest.mark.parametrize(("before", "now"), [("adamw", "muon"), ("muon", "adamw")])
def test_the_momenta_of_another_optimiser_are_refused(before, now, recorded, small, corpus, tmp_path: Path):
    trainer = Trainer(replace(small, optimiser=before), corpus, tmp_path, CPU)
    trainer.train_batch()
    trainer.save()
    if not recorded:  # as states of before
        state = torch.load(tmp_path / "state.pt", weights_only=True)
        torch.save({name: state[name] for name in state if name not in ("recipe", "data")}, tmp_path / "state.pt")
    with pytest.raises(CheckpointError, match=rf"made with the optimiser {before}\. Accepted: {now}"):
        Trainer(replace(small, optimiser=now), corpus, tmp_path, CPU)
    assert Trainer(replace(small, optimiser=before), corpus, tmp_path, CPU).update == 4


def test_a_network_of_other_settings_is_refused(small, corpus, tmp_path: Path):
    Trainer(small, corpus, tmp_path, CPU).save()
    # The tensors would fit.
    with pytest.raises(CheckpointError, match='another run: its network is carlo-s with {"layers": 2, "filters": 4}.'):
        Trainer(replace(small, settings={**SMALL, "init": "he"}), corpus, tmp_path, CPU)


def test_what_has_changed_in_a_recipe_is_known(small, corpus, tmp_path: Path):
    Trainer(small, corpus, tmp_path, CPU).save()
    assert Trainer(small, corpus, tmp_path, CPU).changes == []
    other = replace(small, rate=2e-3, curriculum=Curriculum(levels=(7, 9)))
    assert Trainer(other, corpus, tmp_path, CPU).changes == [
        "rate = 0.002 instead of 0.001",
        "curriculum.levels = [7, 9] instead of [7, 9, 11, 13]",
    ]
    with pytest.raises(CheckpointError, match='another run: .*; rates = {"encoder": 0.5} instead of {}.'):
        Trainer(replace(small, rates={"encoder": 0.5}), corpus, tmp_path, CPU)


def test_a_start_of_another_network_is_refused(recipe: Recipe, corpus: Corpus, start: Path, tmp_path: Path):
    trainer = Trainer(recipe, corpus, tmp_path / "run", CPU)
    with pytest.raises(CheckpointError, match="carlo-s as a start .* Accepted: the .* tensors of this network"):
        initialise(trainer, start, None)


def test_settings_that_make_no_network_are_named(small, corpus, tmp_path: Path):
    with pytest.raises(SettingError, match=r"{'filters': 0} make no carlo-s: .*Correct them"):
        Trainer(replace(small, settings={"filters": 0}), corpus, tmp_path, CPU)


def test_the_command_line_says_what_it_does_not_heed(
    corpus_folder: Path, tiny_toml: Path, start: Path, tmp_path: Path, capsys
):
    command = ["train", str(tiny_toml), "--data", str(corpus_folder), "--state", str(tmp_path / "run")]
    command += ["--device", "cpu", "--precision", "fp32", "--init", str(start)]
    assert main(command) == 0
    assert "instead of" not in (out := capsys.readouterr().out) and "from its own state" not in out
    first = torch.load(tmp_path / "run/state.pt", weights_only=True)
    tiny_toml.write_text(tiny_toml.read_text().replace("1e-3", "2e-3"))
    assert main([*command, "--updates", "8"]) == 0
    out = capsys.readouterr().out
    assert f"{tmp_path / 'run'} goes on with another recipe: updates = 8 instead of 4, rate = 0.002 instead of" in out
    assert f"{tmp_path / 'run'} goes on from its own state, not from {start}" in out
    second = torch.load(tmp_path / "run/state.pt", weights_only=True)
    assert (first["update"], second["update"]) == (4, 8)
    assert '"rate": 0.002' in second["recipe"], "the next go is told of what changes then"
