"""Weights from the Hub for someone who only visits: a copy of his own, without the owner's login, cache and disk."""

from __future__ import annotations

from dataclasses import replace

import huggingface_hub
import pytest

from deblur_demo.errors import CheckpointError
from deblur_demo.models import checkpoint, hub
from deblur_demo.ui import shelf


def test_a_stranger_gets_a_copy_of_his_own(server, published, tmp_path):
    brought = tmp_path / "brought"
    path = hub.bring(replace(published, revision="main"), brought, 6_000_000, 100_000)
    assert path == brought / "lively.safetensors" and checkpoint.load(path)[1].sha256 == published.sha256
    assert sorted(file.name for file in brought.iterdir()) == ["lively.json", "lively.safetensors"]
    assert not (tmp_path / "hub").exists(), "the cache of this machine is not touched"


def test_a_stranger_has_no_login_and_no_unbounded_disk(server, published, tmp_path):
    with pytest.raises(
        CheckpointError, match=r"nets/lively\.safetensors on the Hub has \d+ bytes. Accepted: at most 1000"
    ):
        hub.bring(published, tmp_path / "brought", 1000, 100_000)
    with pytest.raises(CheckpointError, match=r"lively\.json on the Hub has \d+ bytes. Accepted: at most 10"):
        hub.bring(published, tmp_path / "brought", 6_000_000, 10)
    assert not any((tmp_path / "brought").rglob("*.safetensors"))
    hub.bring(published, tmp_path / "brought", 6_000_000, 100_000)
    assert set(server.logins) == {None}, "the owner's token stays at home"


@pytest.mark.parametrize(
    ("address", "named"),
    [
        ("hf://you/nets@main/nets/lively.safetensors", "no repository you/nets"),
        ("hf://me/nets@v7/nets/lively.safetensors", "no revision v7"),
        ("hf://me/nets@main/lively.safetensors", r"no lively\.safetensors with a card"),
    ],
)
def test_a_stranger_is_told_what_is_not_there(published, tmp_path, address, named):
    with pytest.raises(CheckpointError, match=named):
        hub.bring(hub.parse(address), tmp_path / "brought", 6_000_000, 100_000)


def test_a_stranger_is_told_that_the_hub_cannot_be_reached(published, tmp_path, monkeypatch):
    template = "http://127.0.0.1:9/{repo_id}/resolve/{revision}/{filename}"  # where nobody answers
    monkeypatch.setattr(huggingface_hub.constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
    with pytest.raises(CheckpointError, match="cannot be fetched"):
        hub.bring(published, tmp_path / "brought", 6_000_000, 100_000)
    assert not list((tmp_path / "brought").rglob("*"))


def test_what_a_visitor_names_reaches_his_shelf(server, published, tmp_path, monkeypatch):
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "cache"))
    own = shelf.load(None, f" {replace(published, sha256='')} ", ())
    assert (own.name, own.model, shelf.name_of(own.choice)) == ("lively", "mtrnn-lite", "lively")
    assert checkpoint.sha256(shelf.find(own.choice)) == published.sha256
    server.files["nets/lively.json"] = b'{"model": "mtrnn"}'
    with pytest.raises(CheckpointError, match="lively.safetensors"):
        shelf.load(None, str(published), ())
    assert list((tmp_path / "cache").iterdir()) == [own.folder]
