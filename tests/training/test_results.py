"""What ``evaluate`` writes: every file holds the same figures, which are the scores."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
from skimage import data

from deblur_demo.models import checkpoint, registry
from deblur_demo.models.complexity import gmacs
from deblur_demo.runtime.deblurrer import Deblurrer
from deblur_demo.spectrum import BINS, radial_spectrum
from training.__main__ import main
from training.scores import mean, measure, read_pairs, score
from training.sets import blur_of

ITERATIONS = 2


@pytest.fixture(scope="module")
def weights(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("weights") / "mtrnn-lite.safetensors"
    card = checkpoint.Card(
        "mtrnn-lite",
        recipe=json.dumps({"batch": 8}),
        updates=500,
        hardware="3 minutes on a toaster",
        limits="all but cats",
        outlook="more cats",
    )
    checkpoint.save(registry.build("mtrnn-lite"), path, card)
    return path


@pytest.fixture(scope="module")
def written(corpus_folder, weights, tmp_path_factory) -> Path:
    """The folder that an evaluation of two sets and a clip has filled."""
    folder = tmp_path_factory.mktemp("out")
    pairs = str(corpus_folder / "gopro/GOPR0372_07_00")
    sets = ["--pairs", f"{pairs}@0:2", "--pairs", f"{pairs}@2:4", "--clip", f"{pairs}@0:2"]
    where = ["--out", str(folder), "--page", str(folder / "RESULTS.md"), "--device", "cpu", "--precision", "fp32"]
    assert main(["evaluate", str(weights), *sets, "--iterations", str(ITERATIONS), *where]) == 0
    return folder


def test_every_file_has_the_scores(written, corpus_folder, weights):
    pairs = read_pairs(corpus_folder / "gopro/GOPR0372_07_00", slice(0, 2))
    expected = score(Deblurrer(checkpoint.load(weights)[0], "cpu", "fp32"), pairs, ITERATIONS)
    rows = list(csv.DictReader((written / "results.csv").open()))
    assert len(rows) == 3 * (ITERATIONS + 1)
    first = [row for row in rows if row["dataset"] == "GOPR0372_07_00@0:2"]
    for name in ("psnr", "ssim", "mse"):
        assert [float(row[name]) for row in first] == pytest.approx(getattr(expected, name), abs=1e-6)
    assert {int(row["parameters"]) for row in rows} == {2_643_308}

    first, second, clip = json.loads((written / "results.json").read_text())
    assert first["scores"]["psnr"] == pytest.approx(expected.psnr, abs=1e-6)
    assert clip["scores"]["psnr"] == pytest.approx(expected.psnr, abs=1e-6), "a one-frame net sees a clip as pictures"
    assert second["pictures"] == 2 and 5 < first["gmacs"] < 8
    page = (written / "results.md").read_text()
    assert f"{expected.psnr[0]:.2f} / {expected.ssim[0]:.4f}" in page and f"{expected.gain:+.2f}" in page


def test_costs_are_those_of_the_weights_not_of_their_kind(corpus_folder, tmp_path):
    small = registry.build("mtrnn-lite", recurrent=False)
    checkpoint.save(small, tmp_path / "a.safetensors", checkpoint.Card("mtrnn-lite", settings={"recurrent": False}))
    pairs = f"{corpus_folder}/gopro/GOPR0372_07_00@0:1"
    command = ["evaluate", str(tmp_path / "a.safetensors"), "--pairs", pairs, "--iterations", "1", "--device", "cpu"]
    assert main([*command, "--out", str(tmp_path / "out")]) == 0
    (entry,) = json.loads((tmp_path / "out/results.json").read_text())
    whole = registry.build("mtrnn-lite")
    assert entry["parameters"] == small.parameter_count < whole.parameter_count
    assert entry["gmacs"] == gmacs(small) < gmacs(whole)


def test_the_spectra_are_those_of_input_steps_and_truth(written, corpus_folder):
    pairs = read_pairs(corpus_folder / "gopro/GOPR0372_07_00", slice(0, 2))
    spectra = np.array(json.loads((written / "results.json").read_text())[0]["scores"]["spectra"])
    assert spectra.shape == (ITERATIONS + 2, BINS)
    assert np.allclose(spectra[0], np.mean([radial_spectrum(pair.blurred) for pair in pairs], axis=0))
    assert np.allclose(spectra[-1], np.mean([radial_spectrum(pair.sharp) for pair in pairs], axis=0))


def test_every_plot_is_drawn_with_its_lines(written):
    for name in ("psnr", "ssim", "cost", "spectrum_mtrnn-lite_GOPR0372_07_00_0_2"):
        text = (written / f"{name}.svg").read_text()
        assert "<svg" in text and text.count('id="line2d_') > 3, name


def test_the_page_says_where_weights_come_from(written):
    page = (written / "RESULTS.md").read_text()
    assert "| `mtrnn-lite` | 500 | 3 minutes on a toaster | 4,000 | all but cats | more cats |" in page
    assert page.count("### GOPR0372_07_00") == 3


def test_several_networks_are_scored_on_the_sets_of_their_kind_of_blur(weights, tmp_path, capsys):
    blurred = tmp_path / "pictures.npz"
    np.savez(blurred, x_test=data.coffee()[None, :32, :32])
    assert main(["prepare", str(blurred), "--validation", str(tmp_path / "gaussian"), "--kind", "gaussian"]) == 0
    other = tmp_path / "carlo-s.safetensors"
    checkpoint.save(registry.build("carlo-s"), other, checkpoint.Card("carlo-s"))
    sets = ["--pairs", str(tmp_path / "gaussian"), "--device", "cpu", "--precision", "fp32", "--out", str(tmp_path)]
    assert main(["evaluate", str(weights), str(other), *sets]) == 0
    assert "mtrnn-lite is not for Gaussian blur: gaussian is left out" in capsys.readouterr().out
    assert {row["model"] for row in csv.DictReader((tmp_path / "results.csv").open())} == {"carlo-s"}
    assert main(["evaluate", str(weights), *sets, "--iterations", "1"]) == 0
    assert {row["model"] for row in csv.DictReader((tmp_path / "results.csv").open())} == {"mtrnn-lite"}


def test_two_files_of_one_network_are_told_apart(weights, corpus_folder, tmp_path):
    """In every table and plot, though file and folder are called alike."""
    files = [tmp_path / run / "best.safetensors" for run in ("one", "two")]
    for path, levels in zip(files, (0, 3), strict=True):
        path.parent.mkdir()
        model = checkpoint.load(weights)[0]
        model.head.weight.data.zero_()
        model.head.bias.data.fill_(levels / 255)
        checkpoint.save(model, path, checkpoint.Card("mtrnn-lite"))
    pairs, out = f"{corpus_folder}/gopro/GOPR0372_07_00@0:1", tmp_path / "out"
    command = ["evaluate", *map(str, files), "--pairs", pairs, "--iterations", "1", "--device", "cpu"]
    assert main([*command, "--out", str(out), "--page", str(out / "page.md")]) == 0
    gains = {entry["model"]: entry["scores"]["psnr"] for entry in json.loads((out / "results.json").read_text())}
    assert list(gains) == ["one/best", "two/best"]
    assert gains["one/best"][0] == gains["one/best"][1] != gains["two/best"][1]
    assert {row["model"] for row in csv.DictReader((out / "results.csv").open())} == set(gains)
    for name in gains:
        assert (out / f"spectrum_{name.replace('/', '_')}_GOPR0372_07_00_0_1.svg").is_file()
        assert (out / "page.md").read_text().count(f"| `{name}` |") == 2


def test_networks_without_a_set_of_their_kind_are_said_at_once(weights, tmp_path, capsys):
    (tmp_path / "set.json").write_text('{"blur": "Gaussian", "kind": "gaussian"}')
    other = tmp_path / "mtrnn.safetensors"
    checkpoint.save(registry.build("mtrnn"), other, checkpoint.Card("mtrnn"))
    command = ["evaluate", str(weights), str(other), "--pairs", str(tmp_path), "--out", str(tmp_path / "out")]
    assert main(command) == 1
    assert capsys.readouterr().err.startswith("error: no set has a kind of blur that these networks are for.")


def test_what_no_evaluation_wrote_is_not_replaced(written, weights, corpus_folder, tmp_path, capsys):
    pairs = f"{corpus_folder}/gopro/GOPR0372_07_00@0:1"
    command = ["evaluate", str(weights), "--pairs", pairs, "--iterations", "1", "--device", "cpu"]
    notes = tmp_path / "notes.md"
    notes.write_text("# My notes\n")
    for name in ("results.md", "cost.svg"):
        (tmp_path / name).mkdir()
        (tmp_path / name / name).write_text("mine")
    for target, found in (
        (["--page", str(notes)], "notes.md exists and is not a page of results"),
        (["--page", str(tmp_path)], "exists and is not a page of results"),
        (["--page", str(notes / "page.md")], "cannot be made"),
        (["--out", str(notes)], "cannot be made"),
        (["--out", str(tmp_path / "results.md")], "results.md exists and is not of an earlier evaluation"),
        (["--out", str(tmp_path / "cost.svg")], "cost.svg exists and is not of an earlier evaluation"),
    ):
        assert main([*command, *target]) == 1
        out, err = capsys.readouterr()
        assert found in err and err.count("\n") == 1 and out == "", "before anything is computed"
    assert notes.read_text() == "# My notes\n" and (tmp_path / "cost.svg/cost.svg").read_text() == "mine"
    before = (written / "results.csv").read_text()
    again = shutil.copytree(written, tmp_path / "again")
    assert main([*command, "--out", str(again), "--page", str(again / "RESULTS.md")]) == 0
    assert len((again / "results.csv").read_text().splitlines()) == 3 < len(before.splitlines())


def test_a_set_described_by_somebody_else_is_one_of_motion(tmp_path):
    for text in ('{"name": "mine"}', "no JSON", "[1]"):
        (tmp_path / "set.json").write_text(text)
        assert blur_of(tmp_path) == "motion"


def test_a_public_set_is_evaluated_in_its_own_layout_and_the_nearest_truth_counts(tmp_path):
    picture = data.coffee()[:64, :80]
    truths = [np.roll(picture, shift, axis=1) for shift in (-3, 0, 3)]
    cv2.imwrite(str(tmp_path / "Blurry1_1.png"), truths[2])
    for number, truth in enumerate(truths, 1):
        cv2.imwrite(str(tmp_path / f"GroundTruth1_1_{number}.png"), truth)
    (pair,) = read_pairs(tmp_path)
    assert len(pair.others) == 2
    assert mean([measure(pair, [])]).mse == [0.0]
