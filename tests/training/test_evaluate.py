"""Scores per iteration, the table, and champion against challenger."""

from __future__ import annotations

import argparse
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from deblur_demo import metrics
from deblur_demo.errors import InputError, SettingError
from deblur_demo.media.frames import to_pixels, to_tensor
from deblur_demo.models import checkpoint, registry
from deblur_demo.pipeline import Job, open_deblurrer
from deblur_demo.runtime.deblurrer import Deblurrer
from training.__main__ import main
from training.evaluation import named_pairs, score_all, table
from training.promotion import promote
from training.scores import Pair, quick_psnr, read_pairs, score


@pytest.fixture
def pairs_folder(corpus_folder: Path) -> Path:
    return corpus_folder / "gopro/GOPR0372_07_00"


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    """A network that only hands its input through."""
    model = registry.build("mtrnn-lite")
    with torch.no_grad():
        model.head.weight.zero_()
    path = tmp_path / "idle" / "mtrnn-lite.safetensors"
    path.parent.mkdir()
    checkpoint.save(model, path, checkpoint.Card("mtrnn-lite"))
    return path


def options(*pairs: Path, **more) -> argparse.Namespace:
    fixed = {"device": "cpu", "precision": "fp32", "tile": "auto", "iterations": 2, "give": 0.0}
    return argparse.Namespace(pairs=[f"{folder}@0:1" for folder in pairs], **{**fixed, **more})


def test_row_0_is_the_input_and_an_idle_network_changes_nothing(pairs_folder: Path, weights: Path):
    pairs = read_pairs(pairs_folder, slice(0, 2))
    scores = score(Deblurrer(checkpoint.load(weights)[0], "cpu", "fp32"), pairs, 3)
    by_hand = np.mean([metrics.psnr(pair.blurred, pair.sharp) for pair in pairs])
    assert scores.psnr == pytest.approx([by_hand] * 4)
    assert scores.gain == pytest.approx(0)
    assert len(scores.ssim) == len(scores.seconds) == 4 and scores.seconds[0] == 0 < scores.seconds[1]


def test_quick_psnr_agrees_with_the_products_path(pairs_folder: Path):
    model = registry.build("mtrnn-lite").eval()
    with torch.no_grad():
        model.head.weight.mul_(20)
    pairs = read_pairs(pairs_folder, slice(0, 1))
    exact = score(Deblurrer(model, "cpu", "fp32"), pairs, 3)
    assert quick_psnr(model, pairs, 3) == pytest.approx(exact.psnr, abs=1e-3)
    assert exact.psnr[3] != pytest.approx(exact.psnr[0], abs=0.01)


def test_quick_psnr_leaves_out_what_does_not_fit(pairs_folder: Path):
    model = registry.build("mtrnn-lite").eval()
    (pair,) = read_pairs(pairs_folder, slice(0, 1))
    whole = Pair("fits", pair.blurred[:192, :184], pair.sharp[:192, :184])
    odd = Pair("odd", pair.blurred[:195, :191], pair.sharp[:195, :191])
    assert quick_psnr(model, [odd], 2) == quick_psnr(model, [whole], 2)


def test_evaluate_prints_a_row_a_step(pairs_folder: Path, weights: Path, capsys: pytest.CaptureFixture):
    command = ["evaluate", str(weights), "--pairs", f"{pairs_folder}@0:1", "--iterations", "2"]
    assert main([*command, "--device", "cpu"]) == 0
    out = capsys.readouterr().out
    rows = [line for line in out.splitlines() if line.startswith(("| 0", "| 1", "| 2"))]
    pair = read_pairs(pairs_folder, slice(0, 1))[0]
    assert len(rows) == 3
    assert f"{metrics.psnr(pair.blurred, pair.sharp):.2f}" in rows[0]


def test_weights_are_scored_as_they_are_equipped(pairs_folder: Path):
    bundled = checkpoint.BUNDLED / "mtrnn-lite.safetensors"
    (pair,) = read_pairs(pairs_folder, slice(0, 1))
    by_hand = {}
    for size, ensemble in (("full", "1"), ("half", "1"), ("half", "4")):
        (scores,) = score_all(bundled, options(pairs_folder, size=size, ensemble=ensemble)).values()
        deblurrer = open_deblurrer(Job("mtrnn-lite", 2, "cpu", "fp32", size=size, ensemble=ensemble))
        *_, last = deblurrer.steps(to_tensor(pair.blurred)[:, None], 2)
        by_hand[size, ensemble] = metrics.psnr(to_pixels(last.image, np.uint8), pair.sharp)
        assert scores.psnr[-1] == pytest.approx(by_hand[size, ensemble])
    assert len(set(by_hand.values())) == 3


def test_a_challenger_must_be_better_on_every_set(pairs_folder: Path, weights: Path, tmp_path: Path):
    bundled = tmp_path / "bundled"
    bundled.mkdir()
    words = {"licence": "CC0", "hardware": "2 CPU cores", "limits": "all but cats", "outlook": "cats"}
    assert "bundled" in promote(weights, options(pairs_folder, **words), bundled)
    champion = checkpoint.sha256(bundled / "mtrnn-lite.safetensors")
    card = checkpoint.read_card(bundled / "mtrnn-lite.safetensors")
    assert {name: getattr(card, name) for name in words} == words
    assert len(card.metrics[pairs_folder.name]["psnr"]) == 3

    worse = checkpoint.load(weights)[0]
    with torch.no_grad():
        worse.head.bias.fill_(0.05)
    challenger = tmp_path / "worse.safetensors"
    checkpoint.save(worse, challenger, checkpoint.Card("mtrnn-lite"))
    assert "kept" in promote(challenger, options(pairs_folder), bundled)
    assert checkpoint.sha256(bundled / "mtrnn-lite.safetensors") == champion


def test_a_small_loss_is_given_for_a_gain(pairs_folder: Path, weights: Path, tmp_path: Path):
    """Two sets that a slightly brighter picture comes closer to and farther from, by less."""
    bundled = tmp_path / "bundled"
    bundled.mkdir()
    sets, (pair,) = [], read_pairs(pairs_folder, slice(0, 1))
    for name, brighter in (("up", 8), ("down", -2)):
        for side, picture in (("blur", pair.blurred), ("sharp", np.clip(pair.sharp.astype(int) + brighter, 0, 255))):
            (tmp_path / name / side).mkdir(parents=True)
            cv2.imwrite(str(tmp_path / name / side / "1.png"), picture[..., ::-1])
        sets.append(tmp_path / name)
    promote(weights, options(*sets), bundled)
    brighter = checkpoint.load(weights)[0]
    with torch.no_grad():
        brighter.head.bias.fill_(2 / 255)
    challenger = tmp_path / "brighter.safetensors"
    checkpoint.save(brighter, challenger, checkpoint.Card("mtrnn-lite"))
    assert "kept: on down" in promote(challenger, options(*sets), bundled)
    assert "bundled" in promote(challenger, options(*sets, give=1.0), bundled)
    assert "kept" in promote(weights, options(*sets, give=9.0), bundled), "worse on average"


def test_a_folder_without_pairs_gets_the_expected_tree(tmp_path: Path, pairs_folder: Path):
    with pytest.raises(InputError, match="sharp/"):
        read_pairs(tmp_path)
    with pytest.raises(InputError, match="sharp/"):
        read_pairs(pairs_folder, slice(10, 20))


def test_sets_are_named_by_their_folder_and_cut_by_a_slice(pairs_folder: Path):
    whole, part = named_pairs(str(pairs_folder)), named_pairs(f"{pairs_folder}@::2")
    assert whole[0] == part[0] == pairs_folder.name
    assert [pair.name for pair in part[1]] == [pair.name for pair in whole[1]][::2]
    with pytest.raises(SettingError, match="@first"):
        named_pairs(f"{pairs_folder}@first")


def test_table_is_markdown(pairs_folder: Path, weights: Path):
    scores = score(Deblurrer(checkpoint.load(weights)[0], "cpu"), read_pairs(pairs_folder, slice(0, 1)), 1)
    assert table(scores).splitlines()[1] == "|---|---|---|---|---|"
