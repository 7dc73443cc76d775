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
from training.evaluation import score_all, table
from training.promotion import promote
from training.scores import Pair, quick_psnr, read_pairs, score
from training.sets import named_sets


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
    return argparse.Namespace(**{**fixed, "pairs": [f"{folder}@0:1" for folder in pairs], **more})


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
        sets = named_sets([f"{pairs_folder}@0:1"], with_range=False)
        (scores,) = score_all(bundled, sets, options(size=size, ensemble=ensemble)).values()
        deblurrer = open_deblurrer(Job("mtrnn-lite", 2, "cpu", "fp32", size=size, ensemble=ensemble))
        *_, last = deblurrer.steps(to_tensor(pair.blurred)[:, None], 2)
        by_hand[size, ensemble] = metrics.psnr(to_pixels(last.image, np.uint8), pair.sharp)
        assert scores.psnr[-1] == pytest.approx(by_hand[size, ensemble])
    assert len(set(by_hand.values())) == 3


@pytest.fixture
def sets_of_one_name(pairs_folder: Path, tmp_path: Path) -> list[Path]:
    """Folders up/val and down/val, whose truths are brighter and darker than their inputs."""
    given = read_pairs(pairs_folder, slice(0, 1))[0].sharp[:64, :64]
    for name, more in (("up", 8), ("down", -8)):
        for side, picture in (("blur", given), ("sharp", np.clip(given.astype(int) + more, 0, 255))):
            (tmp_path / name / "val" / side).mkdir(parents=True)
            cv2.imwrite(str(tmp_path / name / "val" / side / "1.png"), picture[..., ::-1])
    return [tmp_path / "up/val", tmp_path / "down/val"]


def brighter(weights: Path, path: Path, levels: float) -> Path:
    """A network that adds so many levels in every iteration."""
    model = checkpoint.load(weights)[0]
    with torch.no_grad():
        model.head.bias.fill_(levels / 255)
    checkpoint.save(model, path, checkpoint.Card("mtrnn-lite"))
    return path


def test_a_challenger_must_be_better_on_every_set(sets_of_one_name: list[Path], weights: Path, tmp_path: Path):
    bundled, up = tmp_path / "bundled", sets_of_one_name[0]
    bundled.mkdir()
    words = {"licence": "CC0", "hardware": "2 CPU cores", "limits": "all but cats", "outlook": "cats"}
    better = brighter(weights, tmp_path / "brighter.safetensors", 1)
    assert "mtrnn-lite bundled: val +" in promote(better, options(up, **words), bundled)
    champion = checkpoint.sha256(bundled / "mtrnn-lite.safetensors")
    card = checkpoint.read_card(bundled / "mtrnn-lite.safetensors")
    assert {name: getattr(card, name) for name in words} == words
    assert list(card.metrics) == ["val"] and len(card.metrics["val"]["psnr"]) == 3
    assert "kept: on val" in promote(weights, options(up), bundled)
    assert checkpoint.sha256(bundled / "mtrnn-lite.safetensors") == champion


def test_a_small_loss_is_given_for_a_gain(pairs_folder: Path, weights: Path, tmp_path: Path):
    """Two sets that a slightly brighter picture comes closer to and farther from, by less."""
    bundled = tmp_path / "bundled"
    bundled.mkdir()
    sets, (pair,) = [], read_pairs(pairs_folder, slice(0, 1))
    for name, more in (("up", 8), ("down", -2)):
        for side, picture in (("blur", pair.blurred), ("sharp", np.clip(pair.sharp.astype(int) + more, 0, 255))):
            (tmp_path / name / side).mkdir(parents=True)
            cv2.imwrite(str(tmp_path / name / side / "1.png"), picture[..., ::-1])
        sets.append(tmp_path / name)
    checkpoint.save(checkpoint.load(weights)[0], bundled / weights.name, checkpoint.Card("mtrnn-lite"))
    challenger = brighter(weights, tmp_path / "brighter.safetensors", 2)
    assert "kept: on down" in promote(challenger, options(*sets), bundled)
    assert "bundled" in promote(challenger, options(*sets, give=1.0), bundled)
    assert "kept" in promote(weights, options(*sets, give=9.0), bundled), "worse on average"


def test_a_folder_without_pairs_gets_the_expected_tree(tmp_path: Path, pairs_folder: Path):
    with pytest.raises(InputError, match="sharp/"):
        read_pairs(tmp_path)
    with pytest.raises(InputError, match="sharp/"):
        read_pairs(pairs_folder, slice(10, 20))


def test_sets_of_one_name_are_all_judged(sets_of_one_name: list[Path], weights: Path, tmp_path: Path):
    """Of two sets, and of two ranges of one, the challenger wins the last and loses on the first."""
    up, down = sets_of_one_name
    bundled = weights.parent
    challenger = brighter(weights, tmp_path / "brighter.safetensors", 1)
    assert "kept: on down/val the challenger" in promote(challenger, options(down, up), bundled)
    for number, folder in enumerate((down, up)):
        for side in ("blur", "sharp"):
            (tmp_path / "mix" / side).mkdir(parents=True, exist_ok=True)
            (folder / side / "1.png").rename(tmp_path / "mix" / side / f"{number}.png")
    ranges = [f"{tmp_path / 'mix'}@0:1", f"{tmp_path / 'mix'}@1:2"]
    assert "kept: on mix@0:1 the challenger" in promote(challenger, options(pairs=ranges), bundled)


def test_without_a_champion_the_input_is_the_one_to_beat(sets_of_one_name: list[Path], weights: Path, tmp_path: Path):
    up, down = sets_of_one_name
    bundled = tmp_path / "bundled"
    bundled.mkdir()
    challenger = brighter(weights, tmp_path / "brighter.safetensors", 1)
    (worse,) = read_pairs(down)
    said = promote(challenger, options(up, down), bundled)
    assert "not bundled: on down/val the challenger" in said
    assert f"the input {metrics.psnr(worse.blurred, worse.sharp):.3f} dB" in said
    assert "not bundled" in promote(weights, options(up), bundled), "it changes nothing"
    (down / "set.json").write_text('{"blur": "Gaussian", "kind": "gaussian"}')
    with pytest.raises(SettingError, match="no set is of motion blur"):
        promote(challenger, options(down), bundled)
    assert not list(bundled.iterdir())
    (down / "set.json").write_text('{"blur": "motion", "kind": "sharp"}')
    assert "bundled: up/val +" in promote(challenger, options(up, down), bundled), "where nothing is to be done"
    kept = checkpoint.read_card(bundled / "mtrnn-lite.safetensors").metrics
    assert set(kept) == {"up/val", "down/val"}


def names(texts: list, with_range: bool = True) -> list[str]:
    return [each.name for each in named_sets(list(map(str, texts)), with_range)]


def test_sets_are_named_by_their_folder_and_cut_by_a_slice(pairs_folder: Path):
    (whole,), (part,) = named_sets([str(pairs_folder)], False), named_sets([f"{pairs_folder}@::2"], False)
    assert whole.name == part.name == pairs_folder.name
    there, chosen = (read_pairs(each.folder, each.chosen) for each in (whole, part))
    assert [pair.name for pair in chosen] == [pair.name for pair in there][::2]
    for wrong in ("first", "::0", "1:2:3:4"):
        with pytest.raises(SettingError, match=f"@{wrong}"):
            named_sets([f"{pairs_folder}@{wrong}"], with_range=True)


def test_names_of_sets_say_as_much_as_tells_them_apart(tmp_path: Path):
    texts = ["p/reds@0:5", "p/reds@5:10", "p/synthetic", "q/cifar@::10"]
    assert names(texts) == ["reds@0:5", "reds@5:10", "synthetic", "cifar@::10"]
    assert names(texts, with_range=False) == ["reds@0:5", "reds@5:10", "synthetic", "cifar"]
    assert names(["p/val", "q/val", "r/sharp@0:9"], with_range=False) == ["p/val", "q/val", "sharp"]
    assert names(["p/val@0:3", "q/val@0:3"]) == ["p/val@0:3", "q/val@0:3"]
    with pytest.raises(SettingError, match="twice"):
        names(["p/val@0:3", "./p/val@0:3"])


def test_a_folder_may_have_an_at_in_its_name(pairs_folder: Path, tmp_path: Path):
    (tmp_path / "at@home").symlink_to(pairs_folder)
    for text, count in (("at@home", 4), ("at@home@1:3", 2)):
        (each,) = named_sets([str(tmp_path / text)], with_range=True)
        assert each.name == text and len(read_pairs(each.folder, each.chosen)) == count


def test_what_is_no_pair_is_passed_over_or_said(pairs_folder: Path, tmp_path: Path):
    (pair,) = read_pairs(pairs_folder, slice(0, 1))
    for name in ("frame2", "frame10", "frame1"):
        for side in ("blur", "sharp"):
            (tmp_path / side).mkdir(exist_ok=True)
            cv2.imwrite(str(tmp_path / side / f"{name}.png"), pair.sharp)
    for stray in (".DS_Store", "Thumbs.db", "._frame1.png"):
        (tmp_path / "blur" / stray).write_bytes(b"no picture")
    assert [pair.name for pair in read_pairs(tmp_path)] == ["frame1.png", "frame2.png", "frame10.png"]
    with pytest.raises(InputError, match="has 3 pairs, none of them chosen"):
        read_pairs(tmp_path, slice(5, 9))
    cv2.imwrite(str(tmp_path / "sharp/frame2.png"), pair.sharp[:50])
    with pytest.raises(InputError, match=r"frame2.png and its truth differ in size"):
        read_pairs(tmp_path)
    for side, name in (("blur", "input"), ("sharp", "target")):
        (tmp_path / side).rename(tmp_path / name)
    cv2.imwrite(str(tmp_path / "target/frame2.png"), pair.sharp)
    assert [Path(pair.name).stem for pair in read_pairs(tmp_path)] == ["000001", "000002", "000010"]
    with pytest.raises(InputError, match="has 3 pairs, none of them chosen"):
        read_pairs(tmp_path, slice(5, 9))


def test_table_is_markdown(pairs_folder: Path, weights: Path):
    scores = score(Deblurrer(checkpoint.load(weights)[0], "cpu"), read_pairs(pairs_folder, slice(0, 1)), 1)
    assert table(scores).splitlines()[1] == "|---|---|---|---|---|"
