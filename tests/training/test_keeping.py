"""What a go leaves behind: the best weights, as long as nothing measured better, and a card that names all data."""

from __future__ import annotations

from dataclasses import replace
from math import isfinite
from pathlib import Path

import pytest
import torch

from deblur_demo.models import checkpoint, registry
from deblur_demo.models.checkpoint import Card
from training.__main__ import main
from training.config import Recipe
from training.data.corpus import Corpus
from training.loop import Onlooker, Trainer, mean_gain
from training.scores import Pair
from training.start import initialise
from training.state import load_state

CPU = torch.device("cpu")
SMALL = {"layers": 2, "filters": 4}


@pytest.fixture
def small(recipe: Recipe) -> Recipe:
    """A network of one stage: four updates a batch, one from each level."""
    return replace(recipe, model="carlo-s", settings=SMALL, updates=4, batch=2, late_crop=0, clip=1.0)


@pytest.fixture
def sets(corpus: Corpus) -> dict[str, list[Pair]]:
    blurred, sharp = (side[:, :64, :64].permute(1, 2, 0).numpy() for side in corpus.pairs[0][0])
    return {"pairs": [Pair("pair", blurred, sharp)]}


def test_a_go_without_validation_leaves_the_best_alone(small: Recipe, corpus: Corpus, sets, tmp_path: Path):
    first = Trainer(small, corpus, tmp_path, CPU)
    first.run(10, sets)
    best, card = (tmp_path / "best.safetensors").read_bytes(), checkpoint.read_card(tmp_path / "best.safetensors")
    assert card.metrics["pairs"]["psnr"] and isfinite(first.best)
    second = Trainer(replace(small, updates=8, validate_every=4), corpus, tmp_path, CPU)
    second.run(10, {})
    assert second.update == 8 and second.best == first.best == load_state(tmp_path, CPU)["best"]
    assert (tmp_path / "best.safetensors").read_bytes() == best
    assert checkpoint.read_card(tmp_path / "best.safetensors") == card
    last, card = checkpoint.load(tmp_path / "last.safetensors")
    assert card.updates == 8 and not card.metrics
    for name, weight in second.average.state_dict().items():
        torch.testing.assert_close(last.state_dict()[name].float(), weight, rtol=1e-3, atol=1e-4)
    third = Trainer(replace(small, updates=12), corpus, tmp_path, CPU)
    third.best -= 99  # so that what comes is better
    third.run(10, sets)
    assert checkpoint.read_card(tmp_path / "best.safetensors").updates == 12


def test_without_validation_at_all_the_newest_average_is_kept(small: Recipe, corpus: Corpus, sets, tmp_path: Path):
    for updates in (4, 8):
        Trainer(replace(small, updates=updates), corpus, tmp_path, CPU).run(10, {})
        assert checkpoint.read_card(tmp_path / "best.safetensors").updates == updates
        assert not (tmp_path / "last.safetensors").exists(), "the same weights twice"
    # States of before took a go without validation for a gain of nothing.
    state = load_state(tmp_path, CPU)
    torch.save({name: state[name] for name in state if name not in ("data", "recipe")} | {"best": 0.0},
               tmp_path / "state.pt")  # fmt: skip
    Trainer(replace(small, updates=12), corpus, tmp_path, CPU).run(10, {})
    assert checkpoint.read_card(tmp_path / "best.safetensors").updates == 12


class Killed(Onlooker):
    """Ends the program in the batch after a validation."""

    def batch(self, loss: float, rate: float) -> None:
        if self.trainer.validated:
            raise MemoryError


def test_the_state_knows_of_the_weights_that_were_kept(small: Recipe, corpus: Corpus, sets, tmp_path: Path):
    with pytest.raises(MemoryError):
        Trainer(replace(small, updates=40, validate_every=4), corpus, tmp_path, CPU).run(10, sets, onlooker=Killed)
    state = load_state(tmp_path, CPU)
    figures = checkpoint.read_card(tmp_path / "best.safetensors").metrics["pairs"]["psnr"]
    assert state["best"] == pytest.approx(figures[-1] - figures[0]) and state["validated"] == state["update"] == 4


def test_a_pair_that_is_sharp_says_nothing_of_the_gain(small: Recipe, corpus: Corpus, sets, tmp_path: Path):
    sharp = sets["pairs"][0].sharp
    trainer = Trainer(small, corpus, tmp_path, CPU)
    trainer.run(10, {**sets, "sharp": [Pair("sharp", sharp, sharp)]})
    figures = checkpoint.read_card(tmp_path / "best.safetensors").metrics["pairs"]["psnr"]
    assert trainer.best == pytest.approx(figures[-1] - figures[0])
    inf = float("inf")
    assert mean_gain({"a": [20.0, 23.0], "b": [20.0, 21.0], "c": [inf, 40.0], "d": [inf, inf]}) == 2.0
    assert mean_gain({"c": [inf, 40.0]}) == mean_gain({}) == -inf


def test_weights_without_their_state_are_not_overwritten(corpus_folder: Path, tiny_toml: Path, tmp_path: Path, capsys):
    run = tmp_path / "run"
    command = ["train", str(tiny_toml), "--data", str(corpus_folder), "--state", str(run)]
    command += ["--device", "cpu", "--precision", "fp32"]
    assert main(command) == 0
    before = (run / "best.safetensors").read_bytes()
    (run / "state.pt").unlink()
    assert main([*command, "--seed", "5"]) == 1
    (line,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error: ")]
    assert "best.safetensors is there already, without a state" in line and "--state" in line
    assert (run / "best.safetensors").read_bytes() == before
    for name in ("best.safetensors", "best.json"):
        (run / name).rename(tmp_path / name)
    assert main([*command, "--seed", "5"]) == 0
    assert (run / "best.safetensors").read_bytes() != before


def test_a_card_names_the_data_of_all_goes_and_of_the_start(small: Recipe, corpus: Corpus, tmp_path: Path):
    torch.manual_seed(7)
    start = tmp_path / "start.safetensors"
    checkpoint.save(registry.build("carlo-s", **SMALL), start, Card("carlo-s", SMALL, data=("old", "first")))

    def go(updates: int, *sources: str) -> tuple[str, ...]:
        trainer = Trainer(replace(small, updates=updates), replace(corpus, sources=sources), tmp_path / "run", CPU)
        initialise(trainer, start, None)
        trainer.run(10, {})
        return checkpoint.read_card(tmp_path / "run/best.safetensors").data

    assert go(4, "first") == ("old", "first")
    assert go(8, "first", "second") == ("old", "first", "second")
    assert go(8, "third") == ("old", "first", "second"), "nothing was learned from it"


def test_a_card_names_the_data_of_a_frozen_stage(recipe: Recipe, corpus: Corpus, tmp_path: Path):
    settings = {"first": "carlo-s", "width": 8, "blocks": 1}
    frozen = replace(recipe, model="mlfa", settings=settings, freeze=("first",))
    trainer = Trainer(frozen, replace(corpus, sources=("mine",)), tmp_path, CPU)
    initialise(trainer, None, None)
    trainer.run(0, {})
    bundled = checkpoint.read_card(checkpoint.find("carlo-s")).data
    assert bundled and checkpoint.read_card(tmp_path / "best.safetensors").data == (*bundled, "mine")
