"""The loop: it learns, and an interrupted run ends with the same weights as an uninterrupted one."""

from __future__ import annotations

import copy
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from deblur_demo.errors import CheckpointError, SettingError
from deblur_demo.models import checkpoint, registry
from deblur_demo.models.contract import Estimate
from training.board import Board
from training.config import Curriculum, Loss, Recipe
from training.data.corpus import Corpus
from training.loop import HOPELESS, Trainer
from training.losses.terms import l1
from training.machine import Machine

CPU = torch.device("cpu")
ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("optimiser", ["adamw", "muon"])
def test_resumed_equals_uninterrupted(optimiser: str, recipe: Recipe, corpus: Corpus, tmp_path: Path):
    recipe = replace(recipe, optimiser=optimiser)
    whole = Trainer(recipe, corpus, tmp_path / "whole", CPU)
    losses = [whole.train_batch()[0] for _ in range(4)]

    first = Trainer(recipe, corpus, tmp_path / "parts", CPU)
    resumed_losses = [first.train_batch()[0] for _ in range(2)]
    first.save()
    second = Trainer(recipe, corpus, tmp_path / "parts", CPU)
    assert second.update == first.update > 0
    resumed_losses += [second.train_batch()[0] for _ in range(2)]

    assert resumed_losses == losses
    for kind in ("model", "average"):
        for name, value in getattr(whole, kind).state_dict().items():
            assert torch.equal(value, getattr(second, kind).state_dict()[name]), f"{kind} {name}"


def test_training_lowers_the_loss(recipe: Recipe, corpus: Corpus, tmp_path: Path):
    recipe = replace(recipe, updates=200, curriculum=Curriculum(one_stage=1.0), late_from=1.0, loss=Loss(1.0, 0.5))
    trainer = Trainer(recipe, corpus, tmp_path, CPU)
    fixed = replace(recipe, seed=99)
    before = _one_stage_loss(trainer, fixed)
    for _ in range(15):
        trainer.train_batch()
    assert trainer.update == 60, "four levels a batch"
    assert _one_stage_loss(trainer, fixed) < 0.97 * before


@torch.no_grad()
def _one_stage_loss(trainer: Trainer, recipe: Recipe) -> float:
    from training.data.batches import draw_batch

    total = 0.0
    for index in range(4):
        batch = draw_batch(trainer.corpus, recipe, index, 32, one_stage=True)
        for window, _ in batch.runs:
            total += float(l1(next(trainer.model.run(window, 1)).image, batch.goal(1)))
    return total


def test_each_iteration_is_an_update_of_its_own(recipe: Recipe, corpus: Corpus, tmp_path: Path):
    trainer = Trainer(recipe, corpus, tmp_path, CPU)
    trainer.train_batch()
    assert 4 <= trainer.update <= 7
    assert not torch.equal(trainer.model.head.weight, trainer.average.head.weight)


def test_crops_without_the_level_pass_through_and_teach_nothing(recipe: Recipe, corpus: Corpus, tmp_path: Path):
    trainer = Trainer(recipe, corpus, tmp_path, CPU, precision="fp32")
    window, goal = torch.rand(3, 1, 3, 32, 32), torch.rand(2, 3, 32, 32)
    before = Estimate(window[:, 0], tuple(torch.rand(3, *feature.shape[1:]) for feature in _features(trainer)))
    whole = trainer.model(window, before.image, before.state)
    l1(whole.image[:2], goal).backward()
    expected = trainer.model.head.weight.grad.clone()
    trainer.learner.optimiser.zero_grad()

    seen = []
    trainer.learner.optimiser.register_step_pre_hook(lambda *_: seen.append(trainer.model.head.weight.grad.clone()))
    (after,), *_ = trainer.learner.update([window], [before], [goal], 1e-4, 0)
    clipped = seen[0].norm() / expected.norm()
    assert torch.allclose(seen[0], clipped * expected, atol=1e-6)
    assert torch.allclose(after.image, whole.image, atol=1e-5)
    assert all(torch.allclose(a, b, atol=1e-5) for a, b in zip(after.state, whole.state, strict=True))
    assert (trainer.learner.learned, trainer.learner.passed) == (2, 1)


def _features(trainer: Trainer) -> tuple[torch.Tensor, ...]:
    window = torch.rand(1, 1, 3, 32, 32)
    return trainer.model(window, window[:, 0], ()).state


def test_a_loss_that_is_not_finite_is_skipped(recipe: Recipe, corpus: Corpus, tmp_path: Path):
    trainer = Trainer(recipe, corpus, tmp_path, CPU)
    with torch.no_grad():
        trainer.model.head.bias[0] = float("nan")
    before = {name: value.clone() for name, value in trainer.model.state_dict().items()}
    trainer.train_batch()
    assert trainer.skipped == trainer.update > 0
    for name, value in trainer.model.state_dict().items():
        torch.testing.assert_close(value, before[name], equal_nan=True, atol=0, rtol=0)


def test_a_run_that_learns_nothing_ends(recipe: Recipe, corpus: Corpus, tmp_path: Path):
    trainer = Trainer(replace(recipe, updates=HOPELESS + 20), corpus, tmp_path, CPU)
    with torch.no_grad():
        trainer.model.head.bias[0] = float("nan")
    with pytest.raises(SettingError, match="not one of the first .*--precision fp32"):
        trainer.run(minutes=10, validation={})


# Widths of 24, 30 and 36 with dilation, of 64 with it, without dilation.
@pytest.mark.parametrize("model", ["sgenet-s", "brehm-stage1-s", "mtrnn-lite"])
def test_gradients_in_bf16_point_where_those_in_fp32_do(model: str):
    torch.manual_seed(1)
    plain, window = registry.build(model), torch.rand(2, 1, 3, 64, 64)
    gradients = []
    for precision in ("fp32", "bf16"):
        machine = Machine(CPU, precision)
        network = machine.laid_out(copy.deepcopy(plain)).train()
        with machine.autocast():
            image = network(window, window[:, 0], ()).image
        l1(image.float(), window[:, 0].flip(-1)).backward()
        learned = (weight.grad for weight in network.parameters() if weight.grad is not None)
        gradients.append(torch.cat([gradient.flatten() for gradient in learned]))
    assert torch.cosine_similarity(*gradients, dim=0) > 0.95


def test_a_go_leaves_state_best_weights_and_card(recipe: Recipe, corpus: Corpus, corpus_folder: Path, tmp_path: Path):
    from training.scores import Pair

    picture = corpus.pairs[0][0]
    pair = Pair("pair", *(side[:, :64, :64].permute(1, 2, 0).numpy() for side in picture))
    trainer = Trainer(replace(recipe, updates=10), corpus, tmp_path, CPU)
    trainer.run(minutes=10, validation={"pairs": [pair]}, onlooker=Board)
    assert trainer.update >= 10
    model, card = checkpoint.load(tmp_path / "best.safetensors")
    assert card.model == "mtrnn-lite" and card.updates == trainer.update
    assert card.data == corpus.sources and card.licence == checkpoint.UNLICENSED
    assert len(card.metrics["pairs"]["psnr"]) == 1 + model.traits.steps
    assert list((tmp_path / "log").glob("events*"))


def test_a_damaged_state_is_named(recipe: Recipe, corpus: Corpus, tmp_path: Path):
    (tmp_path / "state.pt").write_bytes(b"not a state")
    with pytest.raises(CheckpointError, match="state.pt"):
        Trainer(recipe, corpus, tmp_path, CPU)


@pytest.mark.parametrize("wish", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_saves(wish: int, corpus_folder: Path, tmp_path: Path):
    recipe = tmp_path / "long.toml"
    recipe.write_text('model = "mtrnn-lite"\nupdates = 100000\nbatch = 2\ncrop = 32\nlate_crop = 32\n')
    command = [sys.executable, "-m", "training", "train", str(recipe), "--data", str(corpus_folder), "--state"]
    process = subprocess.Popen([*command, str(tmp_path / "run"), "--device", "cpu"], cwd=ROOT, stderr=subprocess.PIPE)
    os.set_blocking(process.stderr.fileno(), False)
    progress, deadline = b"", time.monotonic() + 120
    while b"loss=" not in progress and time.monotonic() < deadline and process.poll() is None:
        progress += process.stderr.read() or b""
        time.sleep(0.2)
    process.send_signal(wish)
    assert process.wait(60) == 0, progress.decode()[-2000:]
    state = torch.load(tmp_path / "run" / "state.pt", weights_only=True)
    assert state["update"] > 0
