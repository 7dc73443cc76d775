"""Weights from a stranger: what is damaged, foreign or huge stays outside, and nothing in it is run or believed."""

from __future__ import annotations

import json
import pickle
import struct
import zipfile
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from deblur_demo.errors import CheckpointError
from deblur_demo.models import checkpoint, intake, registry
from deblur_demo.models.checkpoint import Card


@pytest.fixture
def brought(tmp_path, lively_checkpoint) -> Path:
    path = tmp_path / "mine.safetensors"
    for suffix in (".safetensors", ".json"):
        path.with_suffix(suffix).write_bytes(lively_checkpoint.with_suffix(suffix).read_bytes())
    return path


def card(path: Path, **changes) -> None:
    """Change the card, and make it vouch for the weights as they now are."""
    raw = {**json.loads(path.with_suffix(".json").read_text()), "sha256": checkpoint.sha256(path), **changes}
    path.with_suffix(".json").write_text(json.dumps(raw))


def test_good_weights_are_let_in(brought, lively_checkpoint):
    assert intake.admit(brought) == checkpoint.read_card(lively_checkpoint)


def test_settings_near_the_variants_own_are_let_in(tmp_path):
    path = tmp_path / "small.safetensors"
    settings = {"width": 16, "blocks": [2, 2, 1]}
    checkpoint.save(registry.build("kaist", **settings), path, Card(model="kaist", settings=settings))
    assert intake.admit(path).settings == settings


@pytest.mark.parametrize(
    ("model", "settings"),
    [
        ("mtrnn-lite", {"images": 3}),
        ("mtrnn-lite", {"kernel": 4}),
        ("mt-kaist", {"frames": 3}),
        ("kaist-3f-s", {"frames": 2}),
        ("pss-nsc", {"scales": 0}),
    ],
)
def test_a_network_that_does_not_run_is_refused_in_a_line(tmp_path, model, settings):
    path = tmp_path / "mine.safetensors"
    checkpoint.save(registry.build(model, **settings), path, Card(model=model, settings=settings))
    for read in (intake.admit, checkpoint.load):
        with pytest.raises(CheckpointError, match="does not run: "):
            read(path)


class Trap:
    def __init__(self, mark: Path):
        self.mark = mark

    def __reduce__(self):
        return (Path.touch, (self.mark,))


@pytest.mark.parametrize("name", ["m.pth", "m.pkl", "m.ckpt", "m", "m.safetensors"])
def test_a_pickle_stays_unopened_whatever_its_name(brought, tmp_path, name):
    path = tmp_path / name
    path.write_bytes(pickle.dumps(Trap(tmp_path / "sprung")))
    path.with_suffix(".json").write_text(brought.with_suffix(".json").read_text())
    with pytest.raises(CheckpointError, match=f"^{name}.*Accepted"):
        intake.admit(path)
    assert not (tmp_path / "sprung").exists()


def test_a_torch_archive_stays_unopened(brought, tmp_path):
    with zipfile.ZipFile(brought, "w") as archive:
        archive.writestr("archive/data.pkl", pickle.dumps(Trap(tmp_path / "sprung")))
    card(brought)
    with pytest.raises(CheckpointError, match="header of"):
        intake.admit(brought)
    assert not (tmp_path / "sprung").exists()


@pytest.mark.parametrize(
    ("harm", "named"),
    [
        (lambda t: t.pop("recur1.weight"), "lacks recur1.weight"),
        (lambda t: t.update(extra=torch.zeros(2)), "unknown tensor extra"),
        (
            lambda t: t.update({"recur1.weight": t["recur1.weight"].flatten()}),
            "recur1.weight in mine.safetensors has shape",
        ),
        (lambda t: t["recur1.weight"].view(-1)[:1].fill_(torch.nan), "recur1.weight .* not finite"),
        (lambda t: t.update({"recur1.weight": t["recur1.weight"].to(torch.int8)}), "recur1.weight .*int8"),
    ],
    ids=["missing", "left over", "shape", "NaN", "int8"],
)
def test_tensors_that_do_not_fit_are_refused_by_name(brought, harm, named):
    tensors = load_file(brought)
    harm(tensors)
    save_file(tensors, brought)
    card(brought)
    with pytest.raises(CheckpointError, match=named):
        intake.admit(brought)


def test_double_precision_is_let_in(brought):
    save_file({name: value.double() for name, value in load_file(brought).items()}, brought)
    card(brought)
    assert intake.admit(brought).model == "mtrnn-lite"


HUGE = b'{"__metadata__":{"a":"' + b"x" * intake.MAX_HEADER + b'"}}'
DEEP = b"[" * 100_000 + b"]" * 100_000
OVERLAPPING = json.dumps(
    {name: {"dtype": "F32", "shape": [2], "data_offsets": span} for name, span in (("a", [0, 8]), ("b", [4, 12]))}
).encode()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"abc",
        b"not safetensors at all",
        struct.pack("<Q", 100 << 20) + b"{",
        struct.pack("<Q", 2**63) + b"{",
        struct.pack("<Q", len(HUGE)) + HUGE,
        struct.pack("<Q", len(DEEP)) + DEEP,
        struct.pack("<Q", 2) + b"[]",
        struct.pack("<Q", 7) + b'{"a":1}',
        struct.pack("<Q", 20) + b'{"a":{"shape":[-1]}}',
        struct.pack("<Q", 21) + b'{"a":{"shape":["x"]}}',
        struct.pack("<Q", len(OVERLAPPING)) + OVERLAPPING + bytes(12),
    ],
    ids=[
        "empty",
        "short",
        "text",
        "promised",
        "endless",
        "large",
        "deep",
        "list",
        "number",
        "negative",
        "word",
        "overlap",
    ],
)
def test_a_file_that_is_not_safetensors_is_refused_in_one_line(brought, content):
    brought.write_bytes(content)
    card(brought)
    with pytest.raises(CheckpointError, match="mine.safetensors") as caught:
        intake.admit(brought)
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 400


def test_overlapping_tensors_are_refused(brought):
    """Every name and shape is right, but two tensors share their bytes."""
    content = brought.read_bytes()
    length = struct.unpack("<Q", content[:8])[0]
    header = json.loads(content[8 : 8 + length])
    header["head.bias"]["data_offsets"] = [
        0,
        header["head.bias"]["data_offsets"][1] - header["head.bias"]["data_offsets"][0],
    ]
    packed = json.dumps(header).encode()
    brought.write_bytes(struct.pack("<Q", len(packed)) + packed + content[8 + length :])
    card(brought)
    with pytest.raises(CheckpointError, match="mine.safetensors cannot be read"):
        intake.admit(brought)


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"model": "mtrnm"}, "Did you mean 'mtrnn'"),
        ({"model": ["mtrnn"]}, "model is no str"),
        ({"model": "wiener", "settings": {"longest": 5}}, "wiener has learned nothing"),
        ({"settings": {"unshuffle": 10**9}}, "sets unshuffle to 1000000000"),
        ({"settings": {"unshuffle": "2"}}, "sets unshuffle to 2"),
        ({"settings": {"kernel": -3}}, "make no"),
        ({"settings": {"unshufle": 2}}, "Did you mean 'unshuffle'"),
        ({"settings": []}, "settings is no dict"),
        ({"settings": {"mean": [0.1] * 1000}}, "sets mean"),
        ({"settings": {"mean": [0.1, "a", 0.1]}}, "sets mean"),
        ({"settings": {"residual": "previews"}}, "Did you mean 'previous'"),
        ({"settings": {"unshuffle": 1}}, "head.bias in mine.safetensors has shape"),
        ({"metrics": {"set": {"psnr": ["<b>"]}}}, "metrics hold something else"),
        ({"metrics": {"set": 5}}, "is not a card"),
        ({"data": [1]}, "data holds something else"),
        ({"limits": {}}, "limits is no str"),
        ({"sha256": "00"}, "sha256"),
        ({"hardware": "x" * intake.MAX_CARD}, "bytes. Accepted: a card of at most"),
    ],
)
def test_a_card_that_does_not_describe_its_weights_is_refused(brought, changes, named):
    card(brought, **changes)
    with pytest.raises(CheckpointError) as caught:
        intake.admit(brought)
    assert named in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize("content", ["", "{", "[" * 100_000, '{"updates": ' + "9" * 5000 + "}", "null"])
def test_a_card_that_is_none_is_refused(brought, content):
    brought.with_suffix(".json").write_text(content)
    with pytest.raises(CheckpointError, match="mine.json is not a card"):
        intake.admit(brought)


def test_nothing_is_built_that_is_larger_than_the_file(brought, monkeypatch):
    """A card may name the largest network: its tensors are compared before they are made."""
    card(brought, model="mlfa", settings={})
    places, build = [], registry.build
    monkeypatch.setattr(registry, "build", lambda *a, **k: places.append(torch.empty(0).device.type) or build(*a, **k))
    with pytest.raises(CheckpointError, match="lacks|unknown tensor|has shape"):
        intake.admit(brought)
    assert set(places) == {"meta"}


def test_every_variant_is_of_usual_size():
    for name, variant in registry.variants().items():
        for key, own in vars(variant.settings).items():
            assert intake._near(json.loads(json.dumps(own)), own), (name, key)
