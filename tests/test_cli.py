"""The command line: what lands where, what a report says, and that one bad file spoils nothing but itself."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from PIL import Image
from skimage import data

from deblur_demo import metrics, reports
from deblur_demo.batch import Outcome, carry_out
from deblur_demo.cli import main
from deblur_demo.errors import OutputError, SettingError
from deblur_demo.media.clip import read_frames
from deblur_demo.media.image import Photo, read_image, write_image
from deblur_demo.models import checkpoint
from deblur_demo.models.upstream.mtrnn import BLOCKS, LAYERS
from deblur_demo.orders import plan
from deblur_demo.pipeline import Job, StepReport, deblur_image, open_deblurrer
from deblur_demo.verdict import Verdict

ROOT = Path(__file__).resolve().parents[1]


def test_one_photo_to_one_file(deblur, shaky, tmp_path, shaky_photo, lively_checkpoint, capsys):
    assert deblur(shaky, "-o", tmp_path / "new" / "out.png") == 0
    deblurrer = open_deblurrer(Job(checkpoint=lively_checkpoint, device="cpu", precision="fp32"))
    *_, last = (event for event in deblur_image(shaky_photo, deblurrer, 2) if isinstance(event, StepReport))
    assert np.array_equal(read_image(tmp_path / "new" / "out.png").pixels, last.photo.pixels)
    said = capsys.readouterr()
    assert said.out.startswith(f"{shaky} -> {tmp_path / 'new' / 'out.png'} (2 steps, ")
    assert said.err == "", "no progress where there is no terminal"
    estimate = f"(blur estimate {metrics.blur(shaky_photo.pixels):.2f} -> {metrics.blur(last.photo.pixels):.2f})"
    assert estimate in said.out and "of 255 levels" in said.out


@pytest.mark.parametrize("name", ["steps.webp", "steps.mp4"])
def test_the_steps_become_an_animation(deblur, shaky, tmp_path, name, capsys):
    assert deblur(shaky, "-o", tmp_path / "out.png", "--animation", tmp_path / "new" / name) == 0
    if name.endswith(".webp"):
        with Image.open(tmp_path / "new" / name) as film:
            assert (film.n_frames, film.size) == (3, (72, 48))
    else:
        assert [frame.pixels.shape for frame in read_frames(tmp_path / "new" / name)] == [(48, 72, 3)] * 3
    with pytest.raises(OutputError, match=r"a\.gif names no format of animations"):
        plan([shaky], str(tmp_path), film=tmp_path / "a.gif")
    with pytest.raises(OutputError, match="one animation for 2 photos"):
        plan([shaky, shaky], str(tmp_path), film=tmp_path / name)
    write_image(read_image(shaky), tmp_path / "given.webp")
    given = (tmp_path / "given.webp").read_bytes()
    assert deblur(tmp_path / "given.webp", "-o", tmp_path / "o.png", "--animation", tmp_path / "given.webp") == 1
    assert (tmp_path / "given.webp").read_bytes() == given


def test_depth_alpha_profile_and_format_of_the_output(deblur, tmp_path, shaky_photo):
    pixels = shaky_photo.pixels.astype(np.uint16) * 257
    alpha = np.linspace(0, 65535, pixels[..., 0].size).astype(np.uint16).reshape(pixels.shape[:2])
    write_image(Photo(pixels, alpha), tmp_path / "deep.png")
    assert deblur(tmp_path / "deep.png", "-o", tmp_path / "out.tif") == 0
    result = read_image(tmp_path / "out.tif")
    assert result.pixels.dtype == np.uint16 and len(np.unique(result.pixels % 257)) > 1, "sixteen bits, not eight"
    assert np.array_equal(result.alpha, alpha)
    assert deblur(tmp_path / "deep.png", "-o", tmp_path / "out.jpg", "--json", tmp_path / "r.json") == 0
    (file,) = json.loads((tmp_path / "r.json").read_text())["files"]
    assert any("alpha" in notice.lower() or "transparen" in notice.lower() for notice in file["notices"])


def test_a_folder_gets_a_png_each_and_a_folder_of_steps(deblur, shaky, tmp_path, shaky_photo):
    write_image(shaky_photo, tmp_path / "second.bmp")
    out, steps = tmp_path / "out", tmp_path / "steps"
    assert deblur(shaky, tmp_path / "second.bmp", "-o", out, "--steps-dir", steps, iterations=3) == 0
    assert sorted(path.name for path in out.iterdir()) == ["second.png", "shaky.png"]
    for stem in ("shaky", "second"):
        names = [f"step_{index:02d}.png" for index in range(4)]
        assert sorted(path.name for path in (steps / stem).iterdir()) == names
        assert np.array_equal(read_image(steps / stem / "step_00.png").pixels, shaky_photo.pixels)
        last = read_image(steps / stem / "step_03.png").pixels
        assert np.array_equal(last, read_image(out / f"{stem}.png").pixels)
        assert metrics.change(last, read_image(steps / stem / "step_02.png").pixels) > 0.1


def test_steps_of_a_longer_run_do_not_stay_among_those_of_a_shorter(deblur, shaky, tmp_path):
    steps = tmp_path / "steps"
    wanted = (shaky, "-o", tmp_path / "out.png", "--steps-dir", steps)
    assert deblur(*wanted, "--ensemble", "4", iterations=2) == 0
    assert (steps / "shaky" / "step_02_doubt.png").is_file()
    (steps / "shaky" / "notes.txt").write_text("my own")
    assert deblur(*wanted, iterations=1) == 0
    assert sorted(path.name for path in (steps / "shaky").iterdir()) == ["notes.txt", "step_00.png", "step_01.png"]


def test_an_empty_file_is_called_empty_whatever_its_result_is_called(deblur, tmp_path, capsys):
    (tmp_path / "walk.mp4").touch()
    assert deblur(tmp_path / "walk.mp4", "-o", tmp_path / "out.mp4") == 1
    assert "walk.mp4 is empty (0 bytes)" in capsys.readouterr().err


def test_the_report_has_every_step_of_every_file(deblur, shaky, tmp_path, shaky_photo, sharp_photo, lively_checkpoint):
    write_image(sharp_photo, tmp_path / "sharp.png")
    report_path, out = tmp_path / "reports" / "r.json", tmp_path / "out.png"
    assert deblur(shaky, "-o", out, "--truth", tmp_path / "sharp.png", "--json", report_path) == 0
    report = json.loads(report_path.read_text())
    assert {key: value for key, value in report.items() if key != "files"} == {
        "model": "mtrnn-lite",
        "checkpoint": str(lively_checkpoint),
        "device": "cpu",
        "precision": "fp32",
        "iterations": 2,
        "ensemble": "1",
        "size": "full",
    }
    (file,) = report["files"]
    assert (file["input"], file["output"], file["error"]) == (str(shaky), str(out), None)
    assert [step["index"] for step in file["steps"]] == [0, 1, 2]
    first, *_, last = file["steps"]
    assert first["change"] is None and first["seconds"] == 0
    assert first["psnr"] == pytest.approx(metrics.psnr(shaky_photo.pixels, sharp_photo.pixels))
    assert last["seconds"] > 0 and last["change"] > 0.1
    written = read_image(out).pixels
    for name in ("psnr", "ssim", "mse"):
        assert last[name] == pytest.approx(getattr(metrics, name)(written, sharp_photo.pixels))
    assert last["sharpness"] == pytest.approx(metrics.sharpness(written))
    verdict = file["verdict"]
    assert verdict["blur_before"] == pytest.approx(metrics.blur(shaky_photo.pixels))
    assert verdict["blur_after"] == pytest.approx(metrics.blur(written))
    assert verdict["change"] == pytest.approx(metrics.change(shaky_photo.pixels, written))
    assert verdict["gain"] == pytest.approx(last["psnr"] - first["psnr"])


def test_without_a_truth_the_report_says_null_and_equal_pictures_stay_json(deblur, shaky, tmp_path):
    assert deblur(shaky, "-o", tmp_path / "a.png", "--json", tmp_path / "r.json", iterations=1) == 0
    step = json.loads((tmp_path / "r.json").read_text())["files"][0]["steps"][1]
    assert (step["psnr"], step["ssim"], step["mse"]) == (None, None, None)
    assert deblur(shaky, "-o", tmp_path / "a.png", "--truth", shaky, "--json", tmp_path / "r.json", iterations=1) == 0
    text = (tmp_path / "r.json").read_text()
    assert "Infinity" not in text
    step = json.loads(text)["files"][0]["steps"][0]
    assert (step["psnr"], step["ssim"], step["mse"]) == (None, 1.0, 0.0)


def test_one_bad_file_costs_one_line_and_the_others_are_done(deblur, shaky, tmp_path, shaky_photo, capsys):
    (tmp_path / "torn.jpg").write_bytes(b"\xff\xd8\xff\xe0 torn")
    write_image(shaky_photo, tmp_path / "last.png")
    inputs = [tmp_path / "torn.jpg", shaky, tmp_path / "absent.png", tmp_path / "last.png"]
    assert deblur(*inputs, "-o", tmp_path / "out", "--json", tmp_path / "r.json", iterations=1) == 1
    lines = capsys.readouterr().err.splitlines()
    assert [line.split(":")[0] for line in lines] == [str(tmp_path / "torn.jpg"), str(tmp_path / "absent.png")]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["last.png", "shaky.png"]
    files = json.loads((tmp_path / "r.json").read_text())["files"]
    assert [bool(file["error"]) for file in files] == [True, False, True, False]
    assert files[0]["output"] is None and files[0]["steps"] == [] and files[0]["error"] in lines[0]


def test_truths_come_from_a_folder_by_stem(deblur, shaky, tmp_path, shaky_photo, sharp_photo, capsys):
    for stem in ("second", "third"):
        write_image(shaky_photo, tmp_path / f"{stem}.png")
    truths = tmp_path / "truths"
    truths.mkdir()
    write_image(sharp_photo, truths / "shaky.bmp")
    write_image(sharp_photo, truths / "second.png")
    write_image(shaky_photo, truths / "second.bmp")  # second.png is called exactly as its photo, so it wins
    inputs = [shaky, tmp_path / "second.png", tmp_path / "third.png"]
    words = [*inputs, "-o", tmp_path / "out", "--truth", truths, "--json", tmp_path / "r.json"]
    assert deblur(*words, iterations=1) == 1
    first, second, third = json.loads((tmp_path / "r.json").read_text())["files"]
    expected = pytest.approx(metrics.psnr(shaky_photo.pixels, sharp_photo.pixels))
    assert first["steps"][0]["psnr"] == expected and second["steps"][0]["psnr"] == expected
    assert "0 pictures called third" in third["error"] and third["error"] in capsys.readouterr().err


def test_a_truth_of_another_size_fails_its_file(deblur, shaky, tmp_path, sharp_photo, capsys):
    write_image(Photo(sharp_photo.pixels[:40]), tmp_path / "sharp.png")
    assert deblur(shaky, "-o", tmp_path / "out.png", "--truth", tmp_path / "sharp.png") == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert "72x40" in line and "72x48" in line and not (tmp_path / "out.png").exists()


@pytest.mark.parametrize("out", ["out.xyz", "file.png/out.png"])
def test_a_target_that_cannot_be_is_refused_without_a_trace(deblur, shaky, tmp_path, out, capsys):
    (tmp_path / "file.png").write_bytes(b"a file where a folder should be")
    before = sorted(tmp_path.rglob("*"))
    assert deblur(shaky, "-o", tmp_path / out) == 1
    assert len(capsys.readouterr().err.splitlines()) == 1
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize(
    ("out", "found"),
    [
        ("out.xyz", r"out\.xyz names no format"),
        ("out.webp", r"out\.webp cannot hold 16384 x 1 pixels"),
        ("shaky.png/out.png", r"the folder \S+shaky\.png cannot be made"),
    ],
)
def test_what_cannot_be_written_is_refused_before_the_work(shaky, tmp_path, lively_checkpoint, out, found):
    wide = Photo(np.zeros((1, 16384, 3), np.uint8))
    write_image(wide, tmp_path / "wide.png")
    (order,) = plan([tmp_path / "wide.png"], str(tmp_path / out))
    deblurrer = open_deblurrer(Job(checkpoint=lively_checkpoint, device="cpu"))
    with pytest.raises(OutputError, match=found):
        next(carry_out(order, deblurrer, 1, Outcome(str(shaky))))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["shaky.png", "wide.png"]


def names(out: str, *inputs: str, **more: Path) -> list[str]:
    return [str(order.target) for order in plan([Path(path) for path in inputs], out, **more)]


def test_colliding_stems_keep_their_suffix(tmp_path):
    assert names("out", "a/x.jpg", "b/y.jpg") == ["out/x.png", "out/y.png"]
    assert names("out", "x.jpg", "x.png", "y.jpg") == ["out/x.jpg.png", "out/x.png.png", "out/y.png"]
    assert names("out", "X.jpg", "x.png") == ["out/X.jpg.png", "out/x.png.png"]
    assert names("out", "a/x.jpg", "b/x.jpg") == ["out/x.jpg.png", "out/x.jpg-2.png"]
    assert names("out", "x.jpg.tif", "x.jpg", "x.png") == ["out/x.jpg.png", "out/x.jpg-2.png", "out/x.png.png"]
    steps = plan([Path("x.jpg"), Path("x.png")], "out", steps=Path("s"))
    assert [order.steps for order in steps] == [Path("s/x.jpg"), Path("s/x.png")]


def test_what_counts_as_a_folder(tmp_path):
    (tmp_path / "there.d").mkdir()
    assert names("out.png", "x.jpg") == ["out.png"]
    assert names("out", "x.jpg") == ["out/x.png"]
    assert names("out.d/", "x.jpg") == ["out.d/x.png"]
    assert names(str(tmp_path / "there.d"), "x.jpg") == [str(tmp_path / "there.d" / "x.png")]
    with pytest.raises(OutputError, match="one file for 2 photos"):
        names("out.png", "x.jpg", "y.jpg")
    with pytest.raises(SettingError, match="one sharp picture for 2 photos"):
        names("out", "x.jpg", "y.jpg", truth=Path("sharp.png"))


def test_what_concerns_the_whole_job_is_one_line(shaky, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(checkpoint, "BUNDLED", tmp_path)
    monkeypatch.setenv("DEBLUR_CACHE", str(tmp_path))
    for words, said in (
        (["--model", "mtrnn"], "no trained weights of mtrnn"),
        (["--model", "mtrnm"], "Did you mean 'mtrnn'"),
        (["--checkpoint", str(tmp_path / "absent.safetensors")], "no card"),
        (["--checkpoint", str(shaky)], "not a .safetensors file"),
    ):
        assert main(["deblur", str(shaky), "-o", str(tmp_path / "out"), *words]) == 1
        (line,) = capsys.readouterr().err.splitlines()
        assert said in line
    assert not (tmp_path / "out").exists()


def test_untrained_weights_run_when_asked(shaky, tmp_path, monkeypatch):
    monkeypatch.setattr(checkpoint, "BUNDLED", tmp_path)
    monkeypatch.setenv("DEBLUR_CACHE", str(tmp_path))
    words = ["deblur", str(shaky), "-o", str(tmp_path / "out.png"), "--model", "mtrnn", "--iterations", "1"]
    assert main([*words, "--untrained", "--json", str(tmp_path / "r.json")]) == 0
    report = json.loads((tmp_path / "r.json").read_text())
    assert (report["model"], report["checkpoint"]) == ("mtrnn", None)


@pytest.mark.parametrize("words", [["--iterations", "11"], ["--tile", "-1"], ["--device", "tpu"], ["--precision", "8"]])
def test_a_flag_out_of_range_is_refused_with_its_range(shaky, tmp_path, words, capsys):
    with pytest.raises(SystemExit) as caught:
        main(["deblur", str(shaky), "-o", str(tmp_path / "out"), *words])
    assert caught.value.code == 2
    assert "Accepted: " in capsys.readouterr().err


def test_convert_writes_weights_that_deblur_takes(shaky, tmp_path, lively_checkpoint, capsys):
    source, target = tmp_path / "authors.pt", tmp_path / "mine" / "lite.safetensors"
    network, _ = checkpoint.load(lively_checkpoint)
    names = LAYERS | {
        f"{ours}.{index}.conv{half}": f"{theirs}.stem.{2 * half - 2}"
        for ours, blocks in BLOCKS.items()
        for index, theirs in enumerate(blocks)
        for half in (1, 2)
    }
    layers = {key: key.rpartition(".") for key in network.state_dict()}
    torch.save(
        {f"{names[layer]}.{kind}": network.state_dict()[key] for key, (layer, _, kind) in layers.items()}, source
    )
    assert main(["convert", str(source), "-o", str(target), "--model", "mtrnn-lite"]) == 0
    assert capsys.readouterr().out == f"{source} -> {target} (2,643,308 parameters)\n"
    for weights in (lively_checkpoint, target):
        words = ["--checkpoint", str(weights), "--iterations", "1", "--device", "cpu"]
        assert main(["deblur", str(shaky), "-o", str(tmp_path / f"{weights.stem}.png"), *words]) == 0
    by_ours, by_theirs = (read_image(tmp_path / f"{stem}.png").pixels for stem in ("lively", "lite"))
    assert np.array_equal(by_ours, by_theirs)


def test_the_module_runs_and_its_exit_code_arrives(tmp_path):
    words = ["convert", str(tmp_path / "absent.pt"), "-o", str(tmp_path / "out.safetensors"), "--model", "mtrnn"]
    done = subprocess.run(
        [sys.executable, "-m", "deblur_demo", *words], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1 and done.stdout == ""
    assert (
        done.stderr == f"error: there is no file {tmp_path / 'absent.pt'}. Accepted: a weights file. Check the path.\n"
    )


def test_a_run_at_half_size_gives_a_picture_of_full_size(deblur, shaky, tmp_path):
    assert deblur(shaky, "-o", tmp_path / "half.png", "--size", "half", "--json", tmp_path / "r.json") == 0
    half, blurred = (read_image(path).pixels for path in (tmp_path / "half.png", shaky))
    assert half.shape == blurred.shape and metrics.change(half, blurred) > 0.1
    report = json.loads((tmp_path / "r.json").read_text())
    assert report["size"] == report["files"][0]["verdict"]["size"] == "half"
    with pytest.raises(SystemExit):
        deblur(shaky, "-o", tmp_path / "half.png", "--size", "third")


def test_a_straight_smear_is_told_with_the_model_that_undoes_it():
    found = Verdict(0.66, 0.65, 3.2, 1.15, smear=21.2, advice=("deconvolution",))
    tip = "; try --model richardson-lucy{}, as it looks smeared straight over 21 px"
    for size, full in (("full", ""), ("half", " --size full")):
        assert reports.verdict(replace(found, size=size).facts()).endswith(tip.format(full))


def test_a_straight_smear_is_undone(tmp_path, capsys):
    truth = data.astronaut()[:300, :300]
    for name, picture in (("smeared", cv2.blur(truth, (21, 1))), ("soft", cv2.GaussianBlur(truth, (0, 0), 2))):
        write_image(Photo(picture), tmp_path / f"{name}.png")
        wanted = ["deblur", str(tmp_path / f"{name}.png"), "-o", str(tmp_path / "out.png")]
        assert main([*wanted, "--model", "richardson-lucy"]) == 0
        gain = metrics.psnr(read_image(tmp_path / "out.png").pixels, truth) - metrics.psnr(picture, truth)
        said = capsys.readouterr().out
        assert gain > 1 and "try" not in said if name == "smeared" else gain == 0 and "try a network" in said


def test_a_self_ensemble_is_another_mean_of_nearly_the_same_estimates(deblur, shaky, tmp_path):
    assert deblur(shaky, "-o", tmp_path / "plain.png") == 0
    kept = ("--ensemble", "4", "--steps-dir", tmp_path / "steps", "--json", tmp_path / "r.json")
    assert deblur(shaky, "-o", tmp_path / "averaged.png", *kept) == 0
    plain, averaged = (read_image(tmp_path / f"{name}.png").pixels for name in ("plain", "averaged"))
    blurred = read_image(shaky).pixels
    assert 0 < metrics.change(plain, averaged) < metrics.change(plain, blurred)
    doubt = read_image(next(tmp_path.glob("steps/*/step_01_doubt.png"))).pixels
    assert doubt.shape == blurred.shape and doubt.max() > 0
    start, step, *_ = json.loads((tmp_path / "r.json").read_text())["files"][0]["steps"]
    assert start["maps"] == {} and 0 < step["maps"]["doubt"]["mean"] < step["maps"]["doubt"]["p95"]
    with pytest.raises(SystemExit):
        deblur(shaky, "-o", tmp_path / "averaged.png", "--ensemble", "5")
