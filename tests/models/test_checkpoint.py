"""Weights on disk: what is saved comes back, and nothing damaged or foreign gets in."""

from __future__ import annotations

import json
import pickle
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from deblur_demo.errors import CheckpointError
from deblur_demo.models import checkpoint, registry
from deblur_demo.models.checkpoint import Card


@pytest.fixture
def saved(tmp_path) -> Path:
    path = tmp_path / "mine.safetensors"
    torch.manual_seed(0)
    checkpoint.save(registry.build("mtrnn-lite"), path, Card(model="mtrnn-lite", data=("none",), updates=3))
    return path


def reseal(path: Path) -> None:
    """Make the card vouch for the weights as they now are."""
    card = checkpoint.read_card(path)
    raw = {**card.__dict__, "sha256": checkpoint.sha256(path)}
    path.with_suffix(".json").write_text(json.dumps(raw))


def test_what_is_saved_comes_back(tmp_path):
    network = registry.build("mtrnn", clamp=False, mean=(0.4, 0.5, 0.6))
    path = tmp_path / "m.safetensors"
    card = Card(
        model="mtrnn",
        settings={"clamp": False, "mean": (0.4, 0.5, 0.6)},
        data=("a", "b"),
        metrics={"set": {"psnr": [23.9, 24.1]}},
    )
    written = checkpoint.save(network, path, card, torch.float32)
    loaded, read = checkpoint.load(path)
    assert replace(read, settings=card.settings) == written, "JSON knows no tuples, nothing else may change"
    assert loaded.settings == network.settings and not loaded.training
    for key, value in network.state_dict().items():
        assert torch.equal(loaded.state_dict()[key], value)
    window = torch.rand(1, 1, 3, 16, 16)
    with torch.no_grad():
        assert torch.equal(next(loaded.run(window, 1)).image, next(network.run(window, 1)).image)


def test_whoever_may_read_the_card_may_read_the_weights(saved):
    assert saved.stat().st_mode == saved.with_suffix(".json").stat().st_mode


def test_half_precision_halves_the_file_and_nothing_partial_stays(saved, tmp_path):
    assert 2 * 2_643_308 < saved.stat().st_size < 2 * 2_643_308 + 16_384
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mine.json", "mine.safetensors"]
    loaded, _ = checkpoint.load(saved)
    assert loaded.dtype == torch.float32
    torch.manual_seed(0)
    original = registry.build("mtrnn-lite").state_dict()["decoder2.1.conv1.weight"]
    error = (loaded.state_dict()["decoder2.1.conv1.weight"] - original).abs().max()
    assert 0 < error < 2**-11 * original.abs().max()


def test_what_the_user_fetched_comes_before_what_is_bundled(tmp_path, monkeypatch):
    bundled, cache = tmp_path / "checkpoints", tmp_path / "cache"
    for folder in (bundled, cache):
        folder.mkdir()
        (folder / "both.safetensors").touch()
    (bundled / "bundled.safetensors").touch()
    monkeypatch.setattr(checkpoint, "BUNDLED", bundled)
    monkeypatch.setenv("DEBLUR_CACHE", str(cache))
    assert checkpoint.find("both") == cache / "both.safetensors"
    assert checkpoint.find("bundled") == bundled / "bundled.safetensors"
    assert checkpoint.find("neither") is None


def drop(tensors):
    del tensors["recur1.weight"]


def add(tensors):
    tensors["extra"] = torch.zeros(2)


def reshape(tensors):
    tensors["recur1.weight"] = tensors["recur1.weight"].flatten()


def poison(tensors):
    tensors["recur1.weight"][0, 0] = torch.nan


def quantise(tensors):
    tensors["recur1.weight"] = tensors["recur1.weight"].to(torch.int8)


@pytest.mark.parametrize(
    ("harm", "named"),
    [(drop, "lacks recur1.weight"), (add, "extra"), (reshape, "recur1.weight"), (poison, "recur1.weight")]
    + [(quantise, "recur1.weight")],
)
def test_tensors_that_do_not_fit_are_refused_by_name(saved, harm, named):
    tensors = load_file(saved)
    harm(tensors)
    save_file(tensors, saved)
    reseal(saved)
    with pytest.raises(CheckpointError, match=named):
        checkpoint.load(saved)


def test_double_precision_is_cast(saved):
    tensors = {name: value.double() for name, value in load_file(saved).items()}
    save_file(tensors, saved)
    reseal(saved)
    loaded, _ = checkpoint.load(saved)
    assert loaded.dtype == torch.float32
    assert torch.equal(loaded.state_dict()["head.weight"], tensors["head.weight"].float())


OVERLAPPING = json.dumps(
    {name: {"dtype": "F32", "shape": [2], "data_offsets": span} for name, span in (("a", [0, 8]), ("b", [4, 12]))}
).encode()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"not safetensors",
        (100 << 20).to_bytes(8, "little") + b"{",
        (2**63).to_bytes(8, "little"),
        len(OVERLAPPING).to_bytes(8, "little") + OVERLAPPING + bytes(12),
    ],
    ids=["empty", "text", "100 MB header", "endless header", "overlapping"],
)
def test_a_file_that_is_not_safetensors_is_refused(saved, content):
    saved.write_bytes(content)
    reseal(saved)
    with pytest.raises(CheckpointError, match=r"mine\.safetensors cannot be read"):
        checkpoint.load(saved)


def test_a_truncated_file_is_refused_even_without_a_hash(saved):
    saved.write_bytes(saved.read_bytes()[:-1000])
    with pytest.raises(CheckpointError, match="sha256"):
        checkpoint.load(saved)
    reseal(saved)
    with pytest.raises(CheckpointError, match="cannot be read"):
        checkpoint.load(saved)


def test_a_pickle_stays_unopened_whatever_its_name(saved, tmp_path):
    class Trap:
        def __reduce__(self):
            return (Path.touch, (tmp_path / "sprung",))

    for name in ("m.pth", "m.safetensors"):
        path = tmp_path / name
        path.write_bytes(pickle.dumps(Trap()))
        path.with_suffix(".json").write_text(json.dumps({"model": "mtrnn"}))
        with pytest.raises(CheckpointError, match=name):
            checkpoint.load(path)
    assert not (tmp_path / "sprung").exists()


@pytest.mark.parametrize(
    ("card", "named"),
    [
        (None, "no card mine.json"),
        ("{", "not a card"),
        ("[1]", "not a card"),
        ('{"model": "mtrnn", "colour": 1}', "colour"),
        ("{}", "model"),
        ('{"model": "mtrnm"}', "Did you mean 'mtrnn'"),
        ('{"model": "mtrnn-lite", "settings": {"unshufle": 2}}', "Did you mean 'unshuffle'"),
        ('{"model": "mtrnn-lite", "settings": {"unshuffle": 1}}', "head.bias in mine.safetensors has shape"),
        ('{"model": "mtrnn-lite", "settings": {"unshuffle": 0}}', "{'unshuffle': 0} make no mtrnn-lite"),
        ('{"model": "mtrnn-lite", "settings": {"kernel": "3"}}', "the card of mine.safetensors: "),
        ('{"model": "mtrnn-lite", "settings": {"name": "x"}}', "has no setting 'name'"),
        ('{"model": "mtrnn-lite", "settings": {"residual": "blured"}}', "residual of mtrnn-lite is 'blured'"),
        ('{"model": "mtrnn-lite", "sha256": "00"}', "sha256"),
        ('{"model": "mtrnn-lite", "metrics": {"set": {"psnr": [20, 21], "ssim": [0.5]}}}', "curves of set differ"),
    ],
)
def test_a_card_that_does_not_describe_its_weights_is_refused(saved, card, named):
    path = saved.with_suffix(".json")
    if card is None:
        path.unlink()
    else:
        path.write_text(card)
    with pytest.raises(CheckpointError) as caught:
        checkpoint.load(saved)
    assert named in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_card_without_its_weights_is_refused(saved):
    saved.unlink()
    with pytest.raises(CheckpointError, match="mine.safetensors cannot be read"):
        checkpoint.load(saved)


def test_weights_whose_card_cannot_be_written_leave_nothing_half_done(saved, tmp_path):
    network, card = checkpoint.load(saved)
    (tmp_path / "new.json").mkdir()
    with pytest.raises(OSError):
        checkpoint.save(network, tmp_path / "new.safetensors", card)
    assert not list(tmp_path.glob("*.partial"))


def test_saving_leaves_files_of_other_names_alone(saved, tmp_path):
    own = [tmp_path / "mine.partial", tmp_path / "mine.json.partial"]
    for path in own:
        path.write_text("of the user's own")
    checkpoint.save(*checkpoint.load(saved)[:1], saved, checkpoint.read_card(saved))
    assert [path.read_text() for path in own] == ["of the user's own"] * 2
    assert len(list(tmp_path.iterdir())) == 4


def test_every_bundled_checkpoint_loads_and_is_open():
    bundled = sorted(checkpoint.BUNDLED.glob("*.safetensors"))
    if not bundled:
        pytest.skip("no weights are bundled yet")
    for path in bundled:
        network, card = checkpoint.load(path)
        assert card.model == path.stem
        assert card.sha256 and card.licence and card.data and card.metrics
        with torch.no_grad():
            estimates = list(network.run(torch.rand(1, network.traits.frames, 3, 64, 64), 2))
        assert all(torch.isfinite(estimate.image).all() for estimate in estimates)
