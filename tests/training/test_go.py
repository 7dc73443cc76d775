"""Short goes on rented GPUs, tried on a CPU: on a bare machine, in shards, exactly continued, with true figures."""

from __future__ import annotations

import importlib.metadata
import os
import re
import signal
import subprocess
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from skimage import data
from torch.utils._python_dispatch import TorchDispatchMode

from deblur_demo.models import checkpoint, registry
from deblur_demo.models.complexity import gmacs
from training import meter
from training.__main__ import main
from training.config import Recipe, Shares
from training.curriculum import Curriculum, Schedule
from training.data import files
from training.data.ahead import Feed
from training.data.corpus import Corpus, load_corpus
from training.data.pack import pack
from training.deadline import Deadline, GivenUp
from training.loop import Onlooker, Trainer
from training.machine import Machine
from training.muon import Muon
from training.scores import Pair
from training.shards import read_shards
from training.state import load_state

CPU = torch.device("cpu")
ROOT = Path(__file__).parents[2]
RECIPE = """
model = "mtrnn-lite"
updates = 12
batch = 3
crop = 32
late_crop = 48
late_from = 0.5
warmup = 4
[shares]
photos = 1
clips = 1
pairs = 1
[curriculum]
one_stage = 0.4
"""
BARE = ("torch", "numpy", "pillow", "safetensors")


@pytest.fixture(scope="module")
def packed(corpus_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The corpus in shards of 100 kB."""
    index = tmp_path_factory.mktemp("pack") / "pack.json"
    pack(corpus_folder, index, megabytes=2, shard=100_000)
    return index


@pytest.fixture
def command(packed: Path, tmp_path: Path) -> list[str]:
    """``go`` on the packed corpus, all but the minutes and the folder of the run."""
    (tmp_path / "tiny.toml").write_text(RECIPE)
    return ["go", str(tmp_path / "tiny.toml"), "--pack", str(packed), "--shard", "4", "--device", "cpu"]


@pytest.fixture
def bare_machine(tmp_path: Path):
    """Runs Python where nothing is installed but ``BARE`` and what that requires."""
    site, wanted, there = tmp_path / "site", list(BARE), set()
    site.mkdir()
    while wanted:
        name = wanted.pop()
        if name in there:
            continue
        there.add(name)
        try:
            installed = importlib.metadata.distribution(name)
        except importlib.metadata.PackageNotFoundError:  # for another platform
            continue
        wanted += [re.match(r"[\w-]+", line)[0] for line in installed.requires or () if "extra ==" not in line]
        for top in {path.parts[0] for path in installed.files} - {"..", "__pycache__"}:
            if not (site / top).exists():
                (site / top).symlink_to(installed.locate_file(top))

    def run(*words: str) -> subprocess.CompletedProcess:
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": f"{site}{os.pathsep}{ROOT}"}
        return subprocess.run(
            [sys.executable, "-S", *words], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=240
        )

    return run


def test_a_bare_machine_runs_it(bare_machine, command: list[str], tmp_path: Path):
    run = tmp_path / "run"
    done = bare_machine("-m", "training", *command, "--state", str(run), "--minutes", "5")
    assert done.returncode == 0, done.stderr[-3000:]
    assert "5 photos, 1 clips, 2 pairs on cpu" in done.stdout and "update 12 of 12" in done.stdout
    model, card = checkpoint.load(run / "best.safetensors")
    assert card.updates == 12 and model.parameter_count == 2_643_308
    names = sorted(path.name for path in run.iterdir())
    assert names == ["best.json", "best.safetensors", *sorted(f"state-1-{n}.shard" for n in range(11)), "state.json"]
    assert max(path.stat().st_size for path in run.glob("*.shard")) == 4 * 2**20
    for module in ("accelerate", "av", "cv2", "matplotlib", "psutil", "skimage", "tensorboard", "tqdm"):
        assert f"No module named '{module}'" in bare_machine("-c", f"import {module}").stderr


def test_interrupted_goes_end_as_a_single_one(command: list[str], tmp_path: Path):
    """Goes without any time do one batch each."""
    assert main([*command, "--state", str(tmp_path / "whole"), "--minutes", "5"]) == 0
    goes = 0
    while goes == 0 or load_state(tmp_path / "parts", CPU)["update"] < 12:
        assert main([*command, "--state", str(tmp_path / "parts"), "--minutes", "0"]) == 0
        goes += 1
    assert goes == 3, "four levels in one stage, then chains of iterations on larger crops"
    whole, parts = (load_state(tmp_path / name, CPU) for name in ("whole", "parts"))
    for key in ("update", "batch", "skipped", "validated", "plateau"):
        assert whole[key] == parts[key], key
    for part in ("model", "average"):
        assert all(torch.equal(value, parts[part][name]) for name, value in whole[part].items())
    moments = [state["optimiser"]["state"] for state in (whole, parts)]
    assert all(torch.equal(value, moments[1][n][key]) for n, one in moments[0].items() for key, value in one.items())
    best = [(tmp_path / name / "best.safetensors").read_bytes() for name in ("whole", "parts")]
    assert best[0] == best[1]


class Terminated(Onlooker):
    """Sends SIGTERM after a batch with which a validation has become due."""

    def batch(self, loss: float, rate: float) -> None:
        if self.trainer.update >= 4 > self.trainer.validated:
            os.kill(os.getpid(), signal.SIGTERM)


def test_a_validation_that_was_given_up_is_made_up_for(recipe: Recipe, corpus: Corpus, tmp_path: Path):
    """Only so do plateaus come at the same updates, however often a run is interrupted."""
    blurred, sharp = (side[:, :64, :64].permute(1, 2, 0).numpy() for side in corpus.pairs[0][0])
    sets = {"pairs": [Pair("pair", blurred, sharp)]}
    schedule = Schedule(kind="plateau", patience=1, factor=0.1)
    recipe = replace(recipe, batch=1, updates=14, validate_every=4, iterations=1, rate=0.0, schedule=schedule)
    recipe = replace(recipe, shares=Shares())
    whole = Trainer(recipe, corpus, tmp_path / "whole", CPU)
    whole.run(10, sets)
    first = Trainer(recipe, corpus, tmp_path / "parts", CPU)
    first.run(10, sets, onlooker=Terminated)
    assert first.update >= 4 > first.validated
    second = Trainer(recipe, corpus, tmp_path / "parts", CPU)
    second.run(10, sets)
    assert second.update == whole.update == 14
    assert second.plateau.state_dict() == whole.plateau.state_dict() and whole.plateau.plateaus >= 1
    assert second.validated == whole.validated


def test_a_validation_that_fits_into_no_go_keeps_none_from_training(
    recipe: Recipe, corpus: Corpus, tmp_path: Path, capsys: pytest.CaptureFixture
):
    blurred, sharp = (side[:, :64, :64].permute(1, 2, 0).numpy() for side in corpus.pairs[0][0])
    recipe = replace(recipe, model="carlo-s", batch=1, validate_every=1, curriculum=Curriculum(levels=(7,)))
    for go in range(1, 4):
        trainer = Trainer(recipe, corpus, tmp_path, CPU)
        trainer.run(0, {"pairs": [Pair("pair", blurred, sharp)]}, overtime=0)
        assert Trainer(recipe, corpus, tmp_path, CPU).update == go, "one batch each"
    # Each is tried at the end of its go, and once more where the next one has all of its time for it.
    said = capsys.readouterr().out.splitlines()
    assert said == [f"update {update}: no time for the validation" for update in (1, 1, 2, 2, 3)]


def test_what_is_begun_after_the_overtime_is_given_up():
    with Deadline(0, overtime=float("inf")) as late:
        assert list(late.watch("abc")) == ["a", "b", "c"] and late.within(0)
    with Deadline(0, overtime=0) as over, pytest.raises(GivenUp):
        list(over.watch("abc"))
    with Deadline(1) as early:
        assert not early.within(0) and early.within(61)
        os.kill(os.getpid(), signal.SIGTERM)
        assert early.within(0)
        with pytest.raises(GivenUp):
            list(early.watch("abc"))


def test_a_sharded_pack_reads_like_its_zip(corpus_folder: Path, packed: Path, tmp_path: Path):
    assert len(list(packed.parent.glob("*.shard"))) > 3
    pack(corpus_folder, tmp_path / "pack.zip", megabytes=2)
    one, other = load_corpus(packed, CPU), load_corpus(tmp_path / "pack.zip", CPU)
    assert len(one.photos) == len(other.photos) == 5
    assert all(map(torch.equal, one.photos, other.photos)) and all(map(torch.equal, one.clips[0], other.clips[0]))


@pytest.mark.parametrize("orientation", [1, 3, 6])  # upright, upside down, a quarter turn
@pytest.mark.parametrize("suffix", files.SUFFIXES)
def test_pillow_decodes_as_opencv_does(suffix: str, orientation: int, tmp_path: Path):
    """And the size, which the header says, is that of what they decode."""
    picture = Image.fromarray(np.ascontiguousarray(data.coffee()[:90, :140]))
    exif = Image.Exif()
    exif[0x0112] = orientation
    picture.save(tmp_path / f"a{suffix}", exif=exif, quality=90)
    content = (tmp_path / f"a{suffix}").read_bytes()
    one, other = files._by_pillow(content), files._by_opencv(content)
    turned = orientation == 6 and suffix != ".bmp"  # which has no EXIF
    assert one.shape == other.shape == ((140, 90, 3) if turned else (90, 140, 3))
    assert files.Files(tmp_path).size(f"a{suffix}") == one.shape[:2]
    # JPEG leaves decoders a level of freedom.
    assert np.abs(one.astype(int) - other).max() <= (1 if suffix in (".jpg", ".jpeg") else 0)
    assert files._by_pillow(b"nothing") is None


@pytest.mark.parametrize(
    "device",
    ["cpu", pytest.param("cuda", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU"))],
)
def test_batches_drawn_ahead_are_the_same(recipe: Recipe, corpus_folder: Path, device: str):
    corpus = load_corpus(corpus_folder, torch.device(device))
    traits, machine = registry.blank("mtrnn-lite").traits, Machine(corpus.device, "fp32")
    one, other = (Feed(corpus, recipe, traits, machine, ahead) for ahead in (False, True))
    update = 0
    for index in (0, 1, 2, 5):  # the last one is not the one that was expected
        (batch,), (same,) = one.take(index, update), other.take(index, update)
        assert torch.equal(batch.light, same.light) and torch.equal(batch.truth, same.truth)
        assert all(
            torch.equal(a.window, b.window) and a.goals == b.goals for a, b in zip(batch.runs, same.runs, strict=True)
        )
        assert batch.updates == same.updates >= 4
        update += 8
    assert update > recipe.late_from * recipe.updates and batch.light.shape[-1] == recipe.late_crop


def test_updates_are_foretold(recipe: Recipe, corpus: Corpus, tmp_path: Path):
    for shares in (recipe.shares, Shares(photos=0, pairs=1)):
        trainer = Trainer(replace(recipe, batch=1, shares=shares), corpus, tmp_path / str(shares.pairs), CPU)
        (batch,) = trainer._feed.take(0, 0)
        trainer.train_batch()
        assert trainer.update == batch.updates


class Unasked(TorchDispatchMode):
    """Within it, no tensor may be asked for its number, for which a program would wait for its device."""

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        assert function is not torch.ops.aten._local_scalar_dense.default
        return function(*args, **kwargs or {})


@pytest.mark.parametrize("optimiser", [partial(torch.optim.AdamW, lr=0.1, fused=True), partial(Muon, lr=0.1)])
def test_a_step_is_held_back_on_the_device(optimiser: partial):
    """Muon and fused optimisers look at what is not finite themselves: weights, moments and count stay."""
    machine, weight = Machine(CPU, "fp32"), torch.nn.Parameter(torch.ones(3))
    optimiser = optimiser([{"params": [weight]}])

    def step(loss) -> bool:
        machine.backward(loss)
        with Unasked():
            fine = machine.step(optimiser, 10.0, loss.detach())
        return bool(fine)

    assert step(weight.sum()) and bool(weight.lt(1).all())
    before = weight.detach().clone(), {key: value.clone() for key, value in optimiser.state[weight].items()}
    for factor in (float("nan"), float("inf")):
        assert not step((weight * factor).sum())
        assert torch.equal(weight, before[0])
        assert all(torch.equal(value, before[1][key]) for key, value in optimiser.state[weight].items())
    assert step(weight.sum()) and not torch.equal(weight, before[0])


def test_counted_arithmetic_is_three_times_the_forward_pass(recipe: Recipe, corpus: Corpus, tmp_path: Path):
    trainer = Trainer(replace(recipe, crop=64), corpus, tmp_path, CPU)
    learning, passing = meter.operations(trainer, 64)
    assert passing == 2e9 * gmacs(trainer.model, 64, 64)
    assert learning == pytest.approx(3 * passing, rel=0.02)


def test_frozen_parts_count_once(recipe: Recipe, corpus: Corpus, tmp_path: Path):
    recipe = replace(recipe, model="mlfa", settings={"first": "carlo-s", "width": 8, "blocks": 1})
    every, part = (
        Trainer(replace(recipe, freeze=freeze), corpus, tmp_path / str(len(freeze)), CPU) for freeze in ((), ("first",))
    )
    first = 3 * 2e9 * gmacs(registry.build("carlo-s"), 64, 64)  # of three frames
    saved = meter.operations(every, 64)[0] - meter.operations(part, 64)[0]
    assert saved == pytest.approx(2 * first, rel=0.05)


def test_the_figures_of_a_go_agree(recipe: Recipe, corpus: Corpus, tmp_path: Path, capsys, monkeypatch):
    monkeypatch.setattr(meter, "INTERVAL", 0.0)
    trainer = Trainer(replace(recipe, updates=6, late_from=1.0, shares=Shares()), corpus, tmp_path, CPU)
    trainer.run(10, {}, onlooker=meter.Meter)
    first, *lines = capsys.readouterr().out.splitlines()
    peak, cost = map(float, re.findall(r"([\d.e-]+) TFLOP", first))
    learning, _ = meter.operations(trainer, recipe.crop)
    assert cost == pytest.approx(learning / 1e12, rel=0.01)
    assert [line.split(":")[0] for line in lines][-1] == "update 6 of 6"
    for line in lines:
        crops, share = map(float, re.search(r"([\d.]+) crops/s, ([\d.]+)% of the peak", line).groups())
        assert crops > 0 and share == pytest.approx(100 * crops * cost / peak, rel=0.02, abs=0.06)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="a CPU compiles for a minute what it computes in a second")
def test_a_compiled_network_learns_the_same_and_keeps_its_programs(recipe: Recipe, corpus_folder: Path, tmp_path: Path):
    """Recorded passes hand an estimate on from iteration to iteration, in pieces that add up."""
    device = torch.device("cuda")
    corpus, recipe = load_corpus(corpus_folder, device), replace(recipe, batch=6, accumulate=2)
    eager = Trainer(recipe, corpus, tmp_path / "eager", device)
    for go in range(2):
        compiled = Trainer(recipe, corpus, tmp_path / "compiled", device, compiled=True)
        for _ in range(3):
            assert compiled.train_batch()[0] == pytest.approx(eager.train_batch()[0], rel=0.03)
        assert compiled.update == eager.update
        compiled.save()
        assert read_shards(tmp_path / "compiled/compiled.json"), f"go {go}"
        torch._dynamo.reset()
