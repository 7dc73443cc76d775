"""Weights to the Hub and back, on a local server that speaks as much of its language as that takes."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import huggingface_hub
import pytest
import torch
from huggingface_hub import ModelCard

from deblur_demo import catalogue
from deblur_demo.cli import main
from deblur_demo.errors import CheckpointError, OutputError, SettingError
from deblur_demo.media.image import write_image
from deblur_demo.models import checkpoint, export, hub
from deblur_demo.pipeline import Job, resolve

ROOT = Path(__file__).resolve().parents[2]
COMMIT = "89abcdef0123456789abcdef0123456789abcdef"


def offline(monkeypatch) -> None:
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)


@pytest.mark.parametrize("revision", [COMMIT, "main"])
def test_an_address_is_downloaded_once_with_its_card(server, published, lively_checkpoint, monkeypatch, revision):
    job = resolve(Job(checkpoint=f"hf://me/nets@{revision}/nets/lively.safetensors", device="cpu"))
    assert job.model == "mtrnn-lite"
    network, card = checkpoint.load(job.checkpoint)
    assert card.licence == "CC0" and card.sha256 == published.sha256
    assert torch.equal(network.state_dict()["head.weight"], checkpoint.load(lively_checkpoint)[0].head.weight)
    before = len(server.asked)
    assert sum(line.startswith("GET /me/nets/") for line in server.asked) == 2
    offline(monkeypatch)
    assert resolve(replace(job, checkpoint=f"hf://me/nets@{revision}/nets/lively.safetensors")) == job
    assert len(server.asked) == before


def test_a_transfer_that_breaks_off_is_continued(server, published, monkeypatch):
    monkeypatch.setattr(huggingface_hub.constants, "DOWNLOAD_CHUNK_SIZE", 1 << 16)  # what came whole is kept
    server.torn.add(published.file)
    assert checkpoint.sha256(hub.download(published)) == published.sha256
    size = len(server.files[published.file])
    transfers = [line for line in server.asked if line.startswith("GET") and "lively.safetensors" in line]
    assert len(transfers) == 2
    first = int(re.search(r" bytes=(\d+)-$", transfers[1])[1])
    assert size // 2 - (1 << 16) <= first <= size // 2, "not from the beginning again"


@pytest.mark.parametrize("file", ["nets/lively.json", "nets/lively.safetensors"])
def test_a_connection_that_is_reset_is_one_line(server, published, file, monkeypatch):
    server.reset.add(file)
    with pytest.raises(CheckpointError, match="cannot be fetched: ") as caught:
        hub.download(published)
    assert "\n" not in str(caught.value)
    server.reset.clear()
    assert checkpoint.sha256(hub.download(published)) == published.sha256


def test_the_hub_comes_after_cache_and_checkpoints(server, published, tmp_path, monkeypatch, lively_checkpoint):
    bundled, cache = tmp_path / "bundled", tmp_path / "cache"
    monkeypatch.setattr(checkpoint, "BUNDLED", bundled)
    monkeypatch.setenv("DEBLUR_CACHE", str(cache))
    monkeypatch.setitem(hub.SOURCES, "mtrnn-lite", published)

    def row() -> dict:
        return next(row for row in catalogue.models() if row["id"] == "mtrnn-lite")

    assert row()["ready"] and row()["checkpoint"] is None and server.asked == [], "listing asks no server"
    job = Job("mtrnn-lite", device="cpu")
    from_hub = resolve(job).checkpoint
    assert from_hub.is_relative_to(tmp_path / "hub") and checkpoint.load(from_hub)[1].model == "mtrnn-lite"
    assert row()["checkpoint"] == str(from_hub) and row()["licence"] == "CC0"
    for folder in (bundled, cache):
        folder.mkdir()
        for suffix in (".safetensors", ".json"):
            content = lively_checkpoint.with_suffix(suffix).read_bytes()
            (folder / "mtrnn-lite").with_suffix(suffix).write_bytes(content)
        assert resolve(job).checkpoint == folder / "mtrnn-lite.safetensors"
    assert resolve(replace(job, checkpoint=lively_checkpoint)).checkpoint == lively_checkpoint


def test_offline_without_a_copy_names_the_three_ways_out(server, published, tmp_path, monkeypatch):
    monkeypatch.setattr(checkpoint, "BUNDLED", tmp_path / "bundled")
    monkeypatch.setenv("DEBLUR_CACHE", str(tmp_path / "cache"))
    monkeypatch.setitem(hub.SOURCES, "mtrnn", published)
    offline(monkeypatch)
    with pytest.raises(CheckpointError) as caught:
        resolve(Job("mtrnn", device="cpu"))
    message = str(caught.value)
    assert "HF_HUB_OFFLINE is set" in message and server.asked == []
    for way in ("training train", "deblur_demo fetch mtrnn-gopro", "deblur_demo convert", "--checkpoint FILE"):
        assert way in message
    assert resolve(Job("mtrnn", device="cpu", untrained=True)).checkpoint is None
    with pytest.raises(CheckpointError, match="HF_HUB_OFFLINE is set"):
        hub.locate(str(published))


def test_weights_are_held_to_the_published_hash_and_to_their_cards(server, published, tmp_path, monkeypatch):
    monkeypatch.setitem(hub.SOURCES, "mtrnn-lite", replace(published, sha256="0" * 64))
    with pytest.raises(CheckpointError, match=f"has sha256 {published.sha256[:12]}. Accepted: 000000000000"):
        hub.find("mtrnn-lite")
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path / "another"))
    server.files[published.file] = b"something else"
    with pytest.raises(CheckpointError, match="as its card says"):
        checkpoint.load(hub.locate("hf://me/nets@main/nets/lively.safetensors"))


@pytest.mark.parametrize(
    ("address", "named"),
    [
        (f"hf://you/nets@{COMMIT}/nets/lively.safetensors", "no repository you/nets"),
        ("hf://me/nets@v7/nets/lively.safetensors", "no revision v7"),
        ("hf://me/nets@main/lively.safetensors", r"no lively\.safetensors with a card"),
        ("hf://me/nets/lively.safetensors", r"hf://owner/repo@revision/file\.safetensors"),
        ("hf://me/nets@main/model.pt", r"hf://owner/repo@revision/file\.safetensors"),
        ("hf://me/nets@main/../../x.safetensors", r"hf://owner/repo@revision/file\.safetensors"),
        ("hf://", r"hf://owner/repo@revision/file\.safetensors"),
    ],
)
def test_an_address_of_nothing_is_refused_in_one_line(published, address, named):
    with pytest.raises(CheckpointError, match=named) as caught:
        hub.locate(address)
    assert "\n" not in str(caught.value)


def pinned(source: hub.HubFile) -> bool:
    """Whether it always names the same weights, and its address can be read back."""
    fixed = re.fullmatch("[0-9a-f]{40}", source.revision) and re.fullmatch("[0-9a-f]{64}", source.sha256)
    try:
        return bool(fixed) and hub.parse(str(source)) == replace(source, sha256="")
    except CheckpointError:
        return False


def test_every_published_source_is_pinned(published):
    assert pinned(published)
    for other in ({"revision": "main"}, {"sha256": ""}, {"file": "lively.pt"}):
        assert not pinned(replace(published, **other)), other
    assert [model for model, source in hub.SOURCES.items() if not pinned(source)] == []


def test_what_is_exported_comes_back(server, lively_checkpoint, capsys):
    assert main(["export", str(lively_checkpoint), "--repo", "me/nets"]) == 0
    address = f"hf://me/nets@{COMMIT}/mtrnn-lite.safetensors"
    assert capsys.readouterr().out.splitlines()[-1] == f"{lively_checkpoint} -> {address}"
    assert sorted(server.files) == ["README.md", "mtrnn-lite.json", "mtrnn-lite.safetensors"]
    path = hub.locate(address)
    assert path.read_bytes() == lively_checkpoint.read_bytes()
    assert checkpoint.load(path)[1] == checkpoint.read_card(lively_checkpoint)


def test_an_export_without_permission_is_one_line(server, lively_checkpoint, monkeypatch, capsys):
    monkeypatch.setenv("HF_TOKEN", "wrong")
    assert main(["export", str(lively_checkpoint), "--repo", "me/nets"]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert "me/nets cannot be written on the Hub" in line and "hf auth login" in line
    assert server.files == {}


def test_a_dry_run_is_read_back_offline_from_the_hubs_layout(lively_checkpoint, tmp_path, shaky_photo, capsys):
    """As a user would: the folder as a snapshot in an otherwise empty cache, a new process, no network."""
    folder = tmp_path / "dry"
    assert main(["export", str(lively_checkpoint), "--repo", "me/nets", "--dry-run", str(folder)]) == 0
    assert sorted(capsys.readouterr().out.split()) == sorted(map(str, folder.iterdir()))
    repository = tmp_path / "home" / "hub" / "models--me--nets"
    (repository / "refs").mkdir(parents=True)
    (repository / "refs" / "v1").write_text(COMMIT)
    (repository / "snapshots").mkdir()
    folder.rename(repository / "snapshots" / COMMIT)
    write_image(shaky_photo, tmp_path / "in.png")
    words = ["deblur", "in.png", "-o", "out.png", "--iterations", "1", "--device", "cpu", "--json", "report.json"]
    done = subprocess.run(
        [sys.executable, "-m", "deblur_demo", *words, "--checkpoint", "hf://me/nets@v1/mtrnn-lite.safetensors"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT), "HF_HOME": str(tmp_path / "home"), "HF_HUB_OFFLINE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["model"] == "mtrnn-lite" and COMMIT in report["checkpoint"] and (tmp_path / "out.png").exists()


def test_the_readme_says_what_the_card_says(lively_checkpoint, tmp_path):
    readme, *_ = export.write_folder(lively_checkpoint, "me/nets", tmp_path / "dry")
    page = ModelCard.load(readme)
    assert page.data.license == "cc0-1.0" and page.data.pipeline_tag == "image-to-image"
    assert page.data.model_name == "mtrnn-lite"
    figures = {(result.dataset_name, result.metric_type): result.metric_value for result in page.data.eval_results}
    assert figures == {("made up", "psnr"): 24.5, ("made up", "ssim"): 0.71}
    assert "2,643,308 parameters, for motion blur. Park et al." in page.text
    assert "| 0 | 24.00 | 0.7000 |\n| 1 | 24.50 | 0.7100 |" in page.text
    assert "hf://me/nets@REVISION/mtrnn-lite.safetensors" in page.text


def test_weights_straight_from_a_run_are_published_once_their_licence_is_said(lively_checkpoint, tmp_path):
    """Two sets stay two, a set without SSIM keeps its PSNR, and what a run ends with is its result."""
    network, card = checkpoint.load(lively_checkpoint)
    metrics = {"streets": {"psnr": [20.0, 23.0, 19.0]}, "made up": card.metrics["made up"]}
    mine = tmp_path / "best.safetensors"
    checkpoint.save(network, mine, replace(card, licence=checkpoint.UNLICENSED, metrics=metrics))
    with pytest.raises(CheckpointError, match="not stated.*--licence"):
        export.write_folder(mine, "me/nets", tmp_path / "dry")
    readme, *_ = export.write_folder(mine, "me/nets", tmp_path / "dry", "CC-BY-4.0")
    page = ModelCard.load(readme)
    assert page.data.license == "cc-by-4.0"
    results = [(result.dataset_name, result.metric_type, result.metric_value) for result in page.data.eval_results]
    assert results == [("streets", "psnr", 19.0), ("made up", "psnr", 24.5), ("made up", "ssim", 0.71)]
    assert "| step | PSNR in dB |\n|---|---|\n| 0 | 20.00 |\n| 1 | 23.00 |\n| 2 | 19.00 |\n" in page.text


def test_a_licence_that_the_card_states_is_not_replaced(lively_checkpoint, tmp_path):
    network, card = checkpoint.load(lively_checkpoint)
    borrowed = tmp_path / "borrowed.safetensors"
    checkpoint.save(network, borrowed, replace(card, licence="none stated by the authors; for your own use"))
    for weights, stated in ((lively_checkpoint, "CC0"), (borrowed, "none stated by the authors")):
        with pytest.raises(CheckpointError, match=f"states the licence '{stated}.*not 'MIT'"):
            export.write_folder(weights, "me/nets", tmp_path / "dry", "MIT")
    assert not (tmp_path / "dry").exists()
    readme, *_ = export.write_folder(lively_checkpoint, "me/nets", tmp_path / "dry", "CC0-1.0")
    assert ModelCard.load(readme).data.license == "cc0-1.0"


def test_what_may_not_or_cannot_be_published_is_refused(lively_checkpoint, tmp_path):
    network, card = checkpoint.load(lively_checkpoint)
    borrowed = tmp_path / "borrowed.safetensors"
    checkpoint.save(network, borrowed, replace(card, licence="none stated by the authors; for your own use"))
    with pytest.raises(CheckpointError, match="none stated by the authors"):
        export.write_folder(borrowed, "me/nets", tmp_path / "dry")
    with pytest.raises(SettingError, match="owner/name"):
        export.write_folder(lively_checkpoint, "nets", tmp_path / "dry")
    assert not (tmp_path / "dry").exists()
    with pytest.raises(OutputError, match="not empty"):
        export.write_folder(lively_checkpoint, "me/nets", tmp_path)
    with pytest.raises(OutputError, match="cannot be written"):
        export.write_folder(lively_checkpoint, "me/nets", borrowed / "dry")
    with pytest.raises(SettingError, match="Did you mean"):
        export.weights_of("mtrnn-light")
    with pytest.raises(CheckpointError, match="no card"):
        export.write_folder(export.weights_of("absent.safetensors"), "me/nets", tmp_path / "dry")
