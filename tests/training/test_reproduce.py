"""A table reproduced at a tiny scale, the paper's figures beside ours; and two recipes raced."""

from __future__ import annotations

import csv
import json
import time
from dataclasses import fields
from pathlib import Path

import pytest
import torch

from deblur_demo.errors import SettingError
from training import tables
from training.__main__ import main
from training.compare import Course, table
from training.rows import Budget, Timing, budget, plan, run, shortened
from training.scores import Scores
from training.tables import Row, Table, named_table
from training.tabulate import plan_table, result_table, scaling

CPU = torch.device("cpu")

TOY = """
title = "Toy 2020, table 9: two networks"
note = "A note."
columns = ["GoPro"]

[base]
model = "carlo-s"
updates = 40
batch = 2
crop = 32
warmup = 4

[base.schedule]
kind = "step"
every = 20

[scaled]
settings = { layers = 2, filters = 4 }

[scaled.camera]
jpeg_share = 0.0

[[row]]
id = "he"
label = "He"
paper = { GoPro = [30.0, 0.9] }
[row.recipe]
settings = { init = "he" }

[[row]]
id = "he-ensemble"
label = "He (ensemble)"
paper = { GoPro = [31.0, 0.91] }
weights_of = "he"
ensemble = 4

[[row]]
id = "features"
label = "with features"
needs_vgg16 = true
[row.recipe]
loss = { perceptual = 0.1 }

[[row]]
id = "other"
label = "Other"
quoted = true
paper = { GoPro = [29.0, 0.8] }
"""


@pytest.fixture
def toy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of recipes with one small table."""
    folder = tmp_path / "recipes"
    folder.mkdir()
    (folder / "toy.toml").write_text(TOY)
    monkeypatch.setattr(tables, "RECIPES", folder)
    return folder


def rising(gain: float) -> Scores:
    """Scores of one step from 20 dB upwards."""
    kept = {field.name: [] for field in fields(Scores)}
    return Scores(**{**kept, "psnr": [20.0, 20.0 + gain], "ssim": [0.5, 0.6]})


def cells(text: str, label: str) -> list[str]:
    (line,) = [line for line in text.splitlines() if line.startswith(f"| {label} |")]
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_a_table_is_filled_in(toy: Path, corpus_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture):
    pairs, out = corpus_folder / "gopro/GOPR0372_07_00", tmp_path / "out"
    command = ["reproduce", "toy", "--minutes", "5", "--data", str(corpus_folder), "--out", str(out)]
    assert main([*command, "--pairs", f"{pairs}@0:1", "--device", "cpu", "--precision", "fp32"]) == 0
    printed, text = capsys.readouterr().out, (out / "toy.md").read_text()
    assert text in printed
    assert "**Scaled down**: 40 updates a row" in text and "2 seeds" in text and "smaller settings" in text
    assert "A note." in text and "Of 1 pairs of rows" in text
    paper, ours = cells(text, "He")[2:4]
    assert paper == "30.00 / 0.900" and ours.endswith("(2)") and "±" in ours
    assert "not run: needs --vgg16 FILE" in cells(text, "with features")
    assert cells(text, "Other")[2:4] == ["29.00 / 0.800", "not run: another network's figure"]
    results = json.loads((out / "toy.json").read_text())
    he, ensemble = results["he"], results["he-ensemble"]
    assert len(he) == len(ensemble) == 2 and results["other"] == []
    one, other = (seed["GOPR0372_07_00"]["psnr"][1] for seed in he)
    assert one != other, "seeds differ"
    assert f"{(one + other) / 2:.2f} ± {abs(one - other) / 2:.2f}" in ours
    assert he[0]["GOPR0372_07_00"]["psnr"] != ensemble[0]["GOPR0372_07_00"]["psnr"]
    folders = [path.name for path in out.glob("he-seed*")]
    assert len({name.rsplit("-", 1)[1] for name in folders}) == 1, "both seeds have the same number of updates"


def test_a_dry_run_stops_at_the_plan(capsys: pytest.CaptureFixture):
    assert main(["reproduce", "park-table-1", "--dry-run", "--device", "cpu"]) == 0
    out = capsys.readouterr().out
    row = cells(out, "(c) TS 4, 4 iterations, ResL I0, RFM")
    # 24.13 GMAC an iteration on 256 x 256, three times for forward and backward, 16 crops.
    assert row[1:5] == ["mtrnn", "2,635,523", "92,000", "16 x 256"]
    assert float(row[5].replace(",", "")) == pytest.approx(3 * 16 * 24.13, rel=1e-3)
    assert "not run" not in out and "ours:" not in out


def test_a_hidden_table_says_why(capsys: pytest.CaptureFixture):
    assert main(["reproduce", "brehm-table-3"]) == 0
    assert "never published" in capsys.readouterr().out


def test_without_pictures_nothing_is_trained(capsys: pytest.CaptureFixture):
    assert main(["reproduce", "bologna-table-1", "--minutes", "1", "--device", "cpu"]) == 1
    captured = capsys.readouterr()
    assert "CARLO_NET" in captured.out and "--data" in captured.err


def test_time_is_shared_out_equally():
    timings = [Timing(fixed=1.0, update=0.1, picture=0.5), Timing(fixed=2.0, update=0.3, picture=0.5)]
    share = budget(timings, pictures=10, seconds=200, most_seeds=2, longest=92_000)
    # A fifth of 180 s for two seeds of a picture a second; what is left by 0.4 s an update of both rows.
    assert share == Budget(updates=int((180 - 2 * (3 + 10)) / 0.8), seeds=2, pictures=10)
    short = budget(timings, pictures=10, seconds=25, most_seeds=2, longest=92_000)
    assert short.seeds == 1 and short.pictures == 4 and short.updates == int((22.5 - 3 - 4) / 0.4)
    assert budget(timings, 10, 10**7, 2, 92_000).updates == 92_000
    with pytest.raises(SettingError, match="--minutes"):
        budget(timings, 10, 5, 2, 92_000)


def test_a_schedule_shrinks_with_its_updates():
    recipe = shortened(named_table("park-table-1").recipe("a"), 460)
    rates = [recipe.rate_at(update) for update in (0, 50, 229, 230, 459)]
    assert rates == pytest.approx([2e-4 / 46, 2e-4, 2e-4, 1e-4, 1e-4])


def test_a_row_that_time_ran_out_for_is_marked():
    table = Table("T", columns=("GoPro",), base={"model": "carlo-s"}, row=(Row("a", "A"), Row("b", "B")))
    jobs = plan(table, scaled=False)
    assert run(jobs, None, None, deadline=time.monotonic() - 1) == {"a": [], "b": []}
    found = {"a": [{"own": rising(2.0)}], "b": []}
    text = result_table(table, jobs, found, "")
    assert cells(text, "A")[-2:] == ["22.00 / 0.600 (1)", "+2.00"]
    assert cells(text, "B")[-2:] == ["not run: out of time", ""]


def test_the_order_of_rows_is_compared_with_the_papers():
    rows = tuple(
        Row(name, name, paper={"GoPro": [psnr, 0.9]}) for name, psnr in (("a", 30.0), ("b", 31.0), ("c", 32.0))
    )
    table = Table("T", columns=("GoPro",), base={"model": "carlo-s"}, row=rows)
    gains = {"a": 1.0, "b": 3.0, "c": 2.0}
    found = {name: [{"own": rising(gain)}] for name, gain in gains.items()}
    assert "Of 3 pairs of rows, 2 stand" in result_table(table, plan(table, False), found, "")


def test_a_scaled_run_says_what_it_scaled():
    table = named_table("park-table-2")
    text = scaling(plan(table, True), plan(table, False), Budget(920, 2, 5), 30, "two cores")
    for words in ("920 updates a row instead of up to 92,000 (1 %)", "2 seeds", "30 min on two cores"):
        assert words in text
    for words in ("model mtrnn-lite for mtrnn", "batch 4 for 16", "crop 96 for 256", "smaller settings"):
        assert words in text
    assert "PMAC" in plan_table(table, plan(table, True), 1e12, minutes=30, seeds=2)


def test_two_recipes_are_raced(corpus_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture):
    for name, rate in (("slow", 0.0), ("fast", 1e-3)):
        (tmp_path / f"{name}.toml").write_text(
            f'model = "carlo-s"\nupdates = 500\nbatch = 2\ncrop = 32\nrate = {rate}\nwarmup = 1\nclip = 1.0\n'
            "settings = { layers = 2, filters = 8 }\n"
        )
    command = ["compare", str(tmp_path / "slow.toml"), str(tmp_path / "fast.toml"), "--data", str(corpus_folder)]
    command += [
        "--minutes",
        "20",
        "--updates",
        "60",
        "--slices",
        "2",
        "--out",
        str(tmp_path / "out"),
        "--device",
        "cpu",
    ]
    command += ["--pairs", f"{corpus_folder / 'gopro/GOPR0372_07_00'}@0:1"]
    assert main(command) == 0
    with open(tmp_path / "out/compare.csv", newline="") as file:
        points = list(csv.DictReader(file))
    slow, fast = ([float(p["psnr"]) for p in points if p["recipe"].endswith(name)] for name in ("slow", "fast"))
    assert len(slow) == len(fast) == 3 and slow[0] == fast[0], "both begin with the same weights"
    assert slow[0] == slow[2] and fast[2] > fast[0] + 0.3
    assert {int(p["updates"]) for p in points} == {0, 60}, "both come to their end long before the time does"
    assert "<svg" in (tmp_path / "out/compare.svg").read_text()
    assert cells((tmp_path / "out/compare.md").read_text(), "B fast")[2:4] == ["60", f"{fast[2]:.3f}"]
    assert main(command) == 1, "a run that is there is not gone on with"
    assert "holds a run already" in capsys.readouterr().err


def test_when_a_course_reaches_another():
    slow = Course("slow", [(0.0, 0, 20.0), (10.0, 50, 22.0), (20.0, 90, 23.0)])
    assert slow.reaches(21.0) == 5.0 and slow.reaches(22.5) == 15.0 and slow.reaches(20.0) == 0.0
    assert slow.reaches(24.0) is None
    assert "reaches 23.000 dB after" in table([slow]) and "| 20 s |" in table([slow])
