"""What a run can be made of: pieces and processes, plateaus, frozen parts, discriminators, stages, scales."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
import torch

from deblur_demo.errors import CheckpointError, SettingError
from deblur_demo.models import checkpoint, registry
from deblur_demo.models.contract import Estimate, centre_frame
from training.board import strip
from training.config import Curriculum, Loss, Recipe, Shares
from training.curriculum import Plateau, Schedule, validation_due
from training.data.corpus import Corpus
from training.loop import Trainer
from training.machine import Machine
from training.passes import Pass
from training.scores import Pair, fitted
from training.start import initialise

CPU = torch.device("cpu")
ROOT = Path(__file__).parents[2]
TINY_MLFA = {"first": "carlo-s", "width": 8, "blocks": 1}


def toml(recipe: Recipe) -> str:
    """The fields of a recipe that differ from the defaults, as the file it would be read from."""

    def line(key, value):
        text = str(list(value) if isinstance(value, tuple) else value).replace("'", '"')
        return f"{key} = {text.lower() if isinstance(value, bool) else text}"

    plain = {key: f'"{value}"' if isinstance(value, str) else value for key, value in asdict(recipe).items()}
    defaults = asdict(Recipe(model=""))
    lines = [line(k, v) for k, v in plain.items() if not isinstance(v, dict) and getattr(recipe, k) != defaults[k]]
    for key, table in asdict(recipe).items():
        if isinstance(table, dict) and table != defaults[key]:
            lines += [f"[{key}]", *(line(k, v) for k, v in table.items() if v != defaults[key][k])]
    return "\n".join(lines)


def test_two_processes_give_the_weights_of_one(recipe: Recipe, corpus: Corpus, corpus_folder: Path, tmp_path: Path):
    """Each process computes one of the two pieces that a single process computes one after the other.

    Sums of two numbers do not depend on their order, so with as many threads even the last bit agrees;
    what is asked for is one part in 10^5 of the largest weight.
    """
    recipe = replace(recipe, updates=6, batch=6, accumulate=2)
    (tmp_path / "two.toml").write_text(toml(recipe))
    launched = {"one": [], "two": ["-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2"]}
    states = {}
    for name, launcher in launched.items():
        command = [sys.executable, *launcher, "-m", "training", "train", str(tmp_path / "two.toml")]
        command += ["--data", str(corpus_folder), "--state", str(tmp_path / name), "--device", "cpu"]
        done = subprocess.run(
            [*command, "--precision", "fp32"],
            cwd=ROOT, env={**os.environ, "OMP_NUM_THREADS": "1"}, capture_output=True, text=True, timeout=240,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr[-3000:]
        states[name] = torch.load(tmp_path / name / "state.pt", weights_only=True)
    one, two = states["one"], states["two"]
    assert two["update"] == one["update"] == 6 and two["batch"] == one["batch"]
    for kind in ("model", "average"):
        for name, value in one[kind].items():
            torch.testing.assert_close(two[kind][name], value, rtol=0, atol=1e-5 * float(value.abs().max()))
    before = Trainer(recipe, corpus, tmp_path / "before", CPU, precision="fp32").model.state_dict()
    moved = max(float((value - before[name]).abs().max()) for name, value in one["model"].items())
    assert moved > 1e-3, "the weights have moved by more than the tolerance"


EXCHANGES = """
import sys
from dataclasses import replace
from pathlib import Path
import torch
from torch.distributed.algorithms.ddp_comm_hooks.default_hooks import allreduce_hook
from training.config import load_recipe
from training.start import open_corpus
from training.loop import Trainer

recipe, cpu = load_recipe(Path(sys.argv[1])), torch.device("cpu")
trainer = Trainer(recipe, open_corpus(Path(sys.argv[2]), [recipe], cpu), Path(sys.argv[3]), cpu, precision="fp32")
exchanged = []

def hook(group, bucket):
    exchanged.append(bucket)
    return allreduce_hook(group, bucket)

trainer.learner._network.register_comm_hook(None, hook)
trainer.train_batch()
if trainer.machine.main:
    print(len(exchanged), "for", trainer.update)
"""


def test_processes_exchange_gradients_once_an_update(tiny_toml: Path, corpus_folder: Path, tmp_path: Path):
    """Not once for each of the two pieces that each of them computes."""
    tiny_toml.write_text(tiny_toml.read_text().replace("batch = 2", "batch = 4\naccumulate = 4"))
    (tmp_path / "exchanges.py").write_text(EXCHANGES)
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2"]
    done = subprocess.run(
        [*command, *map(str, (tmp_path / "exchanges.py", tiny_toml, corpus_folder, tmp_path / "run"))],
        env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)},
        capture_output=True, text=True, timeout=240,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.split() == ["4", "for", "4"]


def test_pieces_add_up_to_the_batch_they_are(recipe: Recipe, corpus: Corpus, tmp_path: Path):
    """The gradient of two pieces is that of their crops in a single pass."""
    recipe = replace(recipe, batch=6, accumulate=2)
    pieces = Trainer(recipe, corpus, tmp_path / "pieces", CPU, precision="fp32")
    whole = Trainer(recipe, corpus, tmp_path / "whole", CPU, precision="fp32")
    drawn = pieces._feed.take(0, 0)
    windows, goals = [piece.runs[0].window for piece in drawn], [piece.goal(1) for piece in drawn]
    assert not torch.equal(windows[0], windows[1]) and drawn[0].runs[0].goals == drawn[1].runs[0].goals
    for trainer, one, other in ((pieces, windows, goals), (whole, [torch.cat(windows)], [torch.cat(goals)])):
        trainer.learner.update(one, [Estimate(centre_frame(window)) for window in one], other, 1e-3, 0)
    for name, value in whole.model.state_dict().items():
        torch.testing.assert_close(pieces.model.state_dict()[name], value, rtol=1e-3, atol=1e-5)


def test_a_batch_that_cannot_be_shared_out_is_refused(recipe: Recipe, corpus: Corpus, tmp_path: Path):
    with pytest.raises(SettingError, match="batch of 3 .* 2 equal pieces"):
        Trainer(replace(recipe, accumulate=2), corpus, tmp_path, CPU)


def test_validations_come_early_and_then_regularly():
    assert [update for update in range(1, 401) if validation_due(update - 1, update, 100)] == [
        12, 25, 50, 100, 200, 300, 400,
    ]  # fmt: skip
    assert validation_due(95, 101, 100) and not validation_due(101, 107, 100), "batches take several updates"


def test_plateaus_lower_the_rate():
    recipe = Recipe(model="mtrnn", rate=1e-3, warmup=1, schedule=Schedule(kind="plateau", factor=0.1, patience=2))
    plateau, rates = Plateau(2), []
    for score in (1.0, 2.0, 1.5, 1.9, 1.0, 2.1, 2.0):
        plateau.see(score)
        rates.append(recipe.rate_at(10, plateau.plateaus))
    assert rates == pytest.approx([1e-3] * 3 + [1e-4] * 4)
    other = Plateau(2)
    other.load_state_dict(plateau.state_dict())
    other.see(0.0)
    assert other.plateaus == 2, "the wait goes on where it stopped"


def test_cosine_can_end_above_zero():
    recipe = Recipe(model="sgenet", updates=100, rate=2e-4, warmup=1, schedule=Schedule(final=5e-4))
    assert recipe.rate_at(100) == pytest.approx(1e-7)


def test_a_frozen_stage_stays_as_it_was(recipe: Recipe, corpus: Corpus, tmp_path: Path):
    torch.manual_seed(5)
    first = registry.build("carlo-s")
    path = tmp_path / "carlo-s.safetensors"
    checkpoint.save(first, path, checkpoint.Card("carlo-s"), torch.float32)
    recipe = replace(recipe, model="mlfa", settings=TINY_MLFA, freeze=("first",), rates={"second.head": 0.0})
    trainer = Trainer(recipe, corpus, tmp_path / "run", CPU)
    initialise(trainer, None, path)
    head, stem = trainer.model.second.head.weight.clone(), trainer.model.second.stem.weight.clone()
    trainer.train_batch()
    assert trainer.update > 0 == trainer.skipped
    for name, value in first.state_dict().items():
        assert torch.equal(trainer.model.first.state_dict()[name], value)
    assert torch.equal(trainer.model.second.head.weight, head), "its rate is none"
    assert not torch.equal(trainer.model.second.stem.weight, stem)


def test_a_frozen_stage_needs_weights(recipe: Recipe, corpus: Corpus, tmp_path: Path, monkeypatch):
    monkeypatch.setattr(checkpoint, "BUNDLED", tmp_path)
    monkeypatch.setenv("DEBLUR_CACHE", str(tmp_path))
    frozen = replace(recipe, model="mlfa", settings=TINY_MLFA, freeze=("first",))
    trainer = Trainer(frozen, corpus, tmp_path / "a", CPU)
    with pytest.raises(SettingError, match="--init-first"):
        initialise(trainer, None, None)
    path = tmp_path / "other.safetensors"
    checkpoint.save(registry.build("mtrnn-lite"), path, checkpoint.Card("mtrnn-lite"))
    with pytest.raises(SettingError, match="carlo-s"):
        initialise(trainer, None, path)
    with pytest.raises(SettingError, match="'fist'.*Did you mean 'first'"):
        Trainer(replace(frozen, freeze=("fist",)), corpus, tmp_path / "b", CPU)
    with pytest.raises(SettingError, match="nothing to train"):
        Trainer(replace(recipe, freeze=("",)), corpus, tmp_path / "c", CPU)


@pytest.mark.parametrize(
    ("model", "settings", "images"),
    [
        ("sgenet", {"widths": (6, 9, 12)}, 12),
        ("pss-nsc", {"width": 8}, 3),
        ("mtrnn-stacked", {}, 3),
        ("mtrnn-ms", {}, 3),
        ("mtrnn-ms-mt", {}, 3),
        ("mlfa", TINY_MLFA, 2),
    ],
)
def test_deep_supervision_reaches_every_image(model, settings, images):
    network = registry.build(model, **settings)
    window = torch.rand(1, network.traits.frames, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    blurred = window[:, network.traits.frames // 2]
    predictions, _ = Pass(network, deep=True)(window, blurred, ())
    assert len(predictions) == images
    assert all(image.shape[-1] == 32 // scale for image, scale in predictions) and predictions[-1][1] == 1
    only, _ = Pass(network, deep=False)(window, blurred, ())
    assert len(only) == 1
    torch.testing.assert_close(only[0][0], list(network.run(window, None if network.traits.steps < 6 else 1))[-1].image)


def test_crops_too_small_for_a_network_are_mirrored_and_cut_back():
    network = registry.build("carlo-s", layers=15, filters=8)
    window = torch.rand(2, 1, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    ((image, _),), _ = Pass(network, deep=False)(window, window[:, 0], ())
    assert image.shape == (2, 3, 32, 32)
    mirrored = torch.nn.functional.pad(window[:, 0], (0, 2, 0, 2), mode="reflect")
    torch.testing.assert_close(image, network(mirrored[:, None], mirrored, ()).image[..., :32, :32])


def test_a_discriminator_is_part_of_the_state(recipe: Recipe, corpus: Corpus, tmp_path: Path):
    recipe = replace(recipe, batch=2, loss=Loss(gan=0.1, gan_kind="relativistic"), curriculum=Curriculum("one-stage"))
    whole = Trainer(recipe, corpus, tmp_path / "whole", CPU)
    first = Trainer(recipe, corpus, tmp_path / "parts", CPU)
    losses = [whole.train_batch()[0] for _ in range(2)]
    assert first.train_batch()[0] == losses[0]
    first.save()
    second = Trainer(recipe, corpus, tmp_path / "parts", CPU)
    assert second.train_batch()[0] == losses[1]
    mine, theirs = (trainer.learner.objective.adversary.discriminator.state_dict() for trainer in (whole, second))
    assert all(torch.equal(value, theirs[name]) for name, value in mine.items())


def test_a_state_of_the_first_format_still_resumes(recipe: Recipe, corpus: Corpus, tmp_path: Path):
    trainer = Trainer(recipe, corpus, tmp_path, CPU)
    trainer.train_batch()
    trainer.save()
    state = torch.load(tmp_path / "state.pt", weights_only=True)
    old = {"update", "batch", "skipped", "minutes", "best", "model", "average", "optimiser"}
    torch.save({name: state[name] for name in old}, tmp_path / "state.pt")
    again = Trainer(recipe, corpus, tmp_path, CPU)
    assert again.update == trainer.update > 0
    assert again.train_batch() == trainer.train_batch()


def test_a_state_of_another_network_is_refused(recipe: Recipe, corpus: Corpus, tmp_path: Path):
    Trainer(recipe, corpus, tmp_path, CPU).save()
    with pytest.raises(CheckpointError, match="another run.*carlo-s"):
        Trainer(replace(recipe, model="carlo-s"), corpus, tmp_path, CPU)
    (tmp_path / "state.pt").unlink()
    torch.save({"update": 3}, tmp_path / "state.pt")
    with pytest.raises(CheckpointError, match="another run"):
        Trainer(recipe, corpus, tmp_path, CPU)


@pytest.mark.parametrize("precision", ["fp32", "bf16", "fp16"])
def test_every_number_format_trains(precision, recipe: Recipe, corpus: Corpus, tmp_path: Path):
    trainer = Trainer(replace(recipe, batch=1), corpus, tmp_path, CPU, precision=precision)
    before = trainer.model.stem.weight.clone()
    trainer.train_batch()
    assert trainer.skipped == 0 and not torch.equal(trainer.model.stem.weight, before)
    assert trainer.model.stem.weight.dtype == torch.float32
    exact = Trainer(replace(recipe, batch=1), corpus, tmp_path / "fp32", CPU, precision="fp32")
    exact.train_batch()
    difference = (trainer.model.stem.weight - exact.model.stem.weight).abs().mean()
    assert difference <= 0.5 * (exact.model.stem.weight - before).abs().mean()


def test_gradients_that_overflow_lower_the_scale_and_change_nothing():
    machine = Machine(CPU, "fp16")
    weight = torch.nn.Parameter(torch.ones(3))
    optimiser = torch.optim.SGD([weight], lr=1.0)
    scale = machine.scaler.get_scale()
    loss = (weight * torch.tensor([1.0, 1e38, 1.0])).sum()
    machine.backward(loss)
    assert not machine.step(optimiser, 1.0, loss.detach())
    assert torch.equal(weight, torch.ones(3)) and machine.scaler.get_scale() < scale
    loss = weight.sum()
    machine.backward(loss)
    assert machine.step(optimiser, 10.0, loss.detach())
    torch.testing.assert_close(weight.detach(), torch.zeros(3))


def test_an_iteration_without_goals_passes_through(recipe: Recipe, corpus: Corpus, tmp_path: Path):
    """Real pairs alone have no level between: only the iterations that aim at TL1 are updates."""
    recipe = replace(recipe, shares=Shares(photos=0, pairs=1), curriculum=Curriculum(levels=(7,), extra=(1, 1)))
    trainer = Trainer(recipe, corpus, tmp_path, CPU)
    trainer.train_batch()
    assert recipe.curriculum.goals(7, 1) == [5, 3, 1, 1]
    assert trainer.update == 2 and trainer.skipped == 0


def test_a_run_ends_at_its_last_update(recipe: Recipe, corpus: Corpus, tmp_path: Path):
    trainer = Trainer(replace(recipe, updates=3), corpus, tmp_path, CPU)
    trainer.run(10, {})
    assert trainer.update == 3
    assert checkpoint.read_card(tmp_path / "best.safetensors").updates == 3, "without validation the last is kept"


def test_a_strip_shows_every_iteration():
    pair = Pair("noise", *np.random.default_rng(0).integers(40, 160, (2, 75, 80, 3), dtype=np.uint8))
    network = registry.build("mtrnn-lite").eval()
    with torch.no_grad():
        network.head.bias.fill_(0.1)
    image = strip(network, pair, 3)
    assert image.shape == (3, 72, 5 * 72)
    pixels = (image * 255).round().byte().permute(1, 2, 0).numpy()
    assert np.array_equal(pixels[:, :72], pair.blurred[1:73, 4:76])
    assert np.array_equal(pixels[:, -72:], pair.sharp[1:73, 4:76])
    assert pixels[:, 72:144].mean() > pixels[:, :72].mean() + 5


def test_validation_pictures_are_cut_to_what_a_network_takes():
    pair = Pair("noise", *np.random.default_rng(0).integers(0, 256, (2, 75, 80, 3), dtype=np.uint8))
    part = fitted(pair, registry.build("pss-nsc", width=4).traits)
    assert np.array_equal(part.blurred, pair.blurred[5:69, :]) and np.array_equal(part.sharp, pair.sharp[5:69, :])
