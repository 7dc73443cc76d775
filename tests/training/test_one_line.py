"""What a disk or a damaged file does to a command of training is one line, and no traceback."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from deblur_demo.models import checkpoint
from training.__main__ import main

ROOT = Path(__file__).resolve().parents[2]


def refused(command: list, capsys: pytest.CaptureFixture) -> str:
    assert main(list(map(str, command))) == 1
    err = capsys.readouterr().err
    assert err.startswith("error: ") and err.count("\n") == 1 and "Accepted: " in err, err
    return err


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    (tmp_path / "mine/photos").mkdir(parents=True)
    cv2.imwrite(str(tmp_path / "mine/photos/a.png"), np.full((200, 200, 3), 90, np.uint8))
    return tmp_path / "mine"


def test_the_folder_of_a_run_is_a_file(photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture):
    (tmp_path / "taken").write_text("mine")
    recipe = tmp_path / "tiny.toml"
    recipe.write_text('model = "carlo-s"\nupdates = 2\nbatch = 1\ncrop = 32\n[shares]\ngaussian = 1.0\n')
    command = ["train", recipe, "--data", photos, "--state", tmp_path / "taken", "--device", "cpu", "--minutes", "0.01"]
    assert "taken" in refused(command, capsys)
    assert (tmp_path / "taken").read_text() == "mine"


def test_a_damaged_zip_or_a_folder_that_is_a_file(photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture):
    (tmp_path / "bad.zip").write_bytes(b"no zip")
    assert "bad.zip is not a whole zip" in refused(["prepare", tmp_path / "bad.zip"], capsys)
    for flag in ("--temporal", "--validation", "--restored", "--pack"):
        refused(["prepare", photos, flag, tmp_path / "bad.zip/out.zip", "--highest", "1"], capsys)


def test_a_link_in_a_circle(tmp_path: Path, capsys: pytest.CaptureFixture):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/a.png").symlink_to("a.png")
    assert "a.png: Too many levels" in refused(["prepare", tmp_path / "mine", "--pack", tmp_path / "a.zip"], capsys)


def test_whoever_reads_may_leave(photos: Path):
    command = [sys.executable, "-m", "training", "prepare", str(photos)]
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(command, stdout=writer, stderr=subprocess.PIPE, text=True, cwd=ROOT, timeout=300)
    os.close(writer)
    assert (done.returncode, done.stderr) == (1, "")


def test_damaged_weights(photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture):
    weights = tmp_path / "carlo-s.safetensors"
    weights.write_bytes(b"no weights")
    card = checkpoint.BUNDLED / "carlo-s.json"
    (tmp_path / "carlo-s.json").write_text(card.read_text())
    refused(["prepare", photos, "--restored", tmp_path / "out", "--through", weights], capsys)


def test_a_device_without_memory_left(photos: Path, tiny_toml: Path, tmp_path: Path, capsys: pytest.CaptureFixture):
    """A path with a point for each of a trillion moments of an exposure, which no allocator has room for."""
    more = "accumulate = 2\nlate_crop = 48\n[motion]\nsubframes = 1_000_000_000_000\n"
    tiny_toml.write_text(tiny_toml.read_text() + more)
    command = ["train", tiny_toml, "--data", photos, "--state", tmp_path / "run", "--device", "cpu", "--batch", "6"]
    assert main(list(map(str, command))) == 1
    said = capsys.readouterr().err.splitlines()[-1]  # below the bar of progress
    assert said.startswith("error: the memory of the device was too small for a batch of 6 crops of up to 48 pixels")
    assert " in 2 pieces. " in said and said.endswith("Take a smaller --batch, or accumulate in the recipe.")


def test_a_rate_that_waits_for_validation_without_any(
    photos: Path, tiny_toml: Path, tmp_path: Path, capsys: pytest.CaptureFixture
):
    tiny_toml.write_text(tiny_toml.read_text() + '[schedule]\nkind = "plateau"\n')
    for command in (["train", tiny_toml, "--state"], ["compare", tiny_toml, "--out"]):
        assert "kind is plateau" in refused([*command, tmp_path / "run", "--data", photos, "--device", "cpu"], capsys)
    assert not (tmp_path / "run").exists()


def test_a_picture_that_webp_does_not_take(photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture):
    cv2.imwrite(str(photos / "photos/wide.png"), np.full((2, 16384, 3), 90, np.uint8))
    said = refused(["prepare", photos, "--pack", tmp_path / "a.zip"], capsys)
    assert "photos/wide.png of 16384x2 cannot be written" in said and "16,383" in said
    assert not (tmp_path / "a.zip").exists()
