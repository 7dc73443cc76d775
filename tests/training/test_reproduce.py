"""A table reproduced at a tiny scale, the paper's figures beside ours; and two recipes raced."""

from __future__ import annotations

import csv
import json
import time
from dataclasses import fields, replace
from pathlib import Path

import pytest
import torch

from deblur_demo.errors import SettingError
from deblur_demo.runtime.device import place
from training import tables
from training.__main__ import main
from training.budget import Budget, Timing, Wanted, budget, refuse_hopeless, share_out
from training.compare import Course, table
from training.config import Recipe
from training.data.corpus import load_corpus
from training.plan import lighter, plan
from training.rows import Bench, run, shortened, spread
from training.scores import Scores, read_pairs
from training.tables import Row, Table, named_table
from training.tabulate import plan_table, result_table, scaling, sizes

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
    wanted = Wanted(pictures=10, seeds=2, updates=92_000)
    share = budget(timings, wanted, seconds=200)
    # A fifth of 170 s for two seeds of a picture a second; what is left by 0.4 s an update of both rows.
    assert share == Budget(updates=int((170 - 2 * (3 + 10)) / 0.8), seeds=2, pictures=10)
    short = budget(timings, wanted, seconds=25)
    assert short.seeds == 1 and short.pictures == 4 and short.updates == int((21.25 - 3 - 4) / 0.4)
    assert budget(timings, wanted, 10**7).updates == 92_000
    assert budget(timings, wanted, 3).updates == 0


def test_pictures_to_test_on_are_spread_over_clips():
    clips = ["abcde", "fghij", "klmno"]
    assert spread(clips, 1) == [("fghij", [2])]
    assert spread(clips, 5) == [(clip, [2]) for clip in clips]
    assert spread(clips, 10) == [(clip, [1, 2, 3]) for clip in clips]
    assert spread(clips, None) == spread(clips, 99) == [(clip, [0, 1, 2, 3, 4]) for clip in clips]
    assert spread(list("abcd"), 2) == [("b", [0]), ("d", [0])]


def test_rows_get_lighter_alike():
    jobs = plan(named_table("brehm-table-2"), scaled=True)
    steps = [sizes(jobs)]
    while lighter(jobs) != jobs:
        jobs = lighter(jobs)
        steps.append(sizes(jobs))
    # A batch of 2 holds a photo and a pair, so it stays.
    assert steps == ["2 x 64", "2 x 32"]
    assert [job.recipe.settings for job in jobs] == [
        job.recipe.settings for job in plan(named_table("brehm-table-2"), scaled=True)
    ]
    sides = [sizes(plan(named_table("park-table-1"), scaled=True))]
    rows = plan(named_table("park-table-1"), scaled=True)
    for _ in range(4):
        rows = lighter(rows)
        sides.append(sizes(rows))
    assert sides == ["4 x 96", "4 x 48", "4 x 32", "2 x 32", "2 x 32"]
    grid = plan(named_table("bologna-carlo-grid"), scaled=True)
    assert sizes(lighter(lighter(grid))) == "2 x 32"


class Clock:
    """Seconds left of a run in which timing a row takes five of its updates, and nothing else any time."""

    def __init__(self, seconds: float, per_pixel: float):
        self.seconds, self.per_pixel, self.timed = seconds, per_pixel, []

    def measure(self, recipe: Recipe) -> Timing:
        update = self.per_pixel * recipe.batch * recipe.crop**2
        self.seconds -= 5 * update
        self.timed.append(f"{recipe.model} {recipe.batch} x {recipe.crop}")
        return Timing(0.0, update, 1e-6)

    def left(self) -> float:
        return self.seconds


def test_crops_shrink_where_too_few_updates_would_fit():
    jobs = plan(named_table("park-table-1"), scaled=True)
    wanted = Wanted(pictures=4, seeds=2, updates=92_000)
    second = 1 / (4 * 96**2)  # a pixel's, where an update takes a second

    plenty = Clock(1000, second)
    same, share = share_out(jobs, plenty.measure, wanted, plenty.left)
    assert same == jobs and share.updates == int((1000 - 6 * 5) * 0.85 / 12) and share.seeds == 2
    assert len(plenty.timed) == 6, "every row is timed, and once"

    tight = Clock(200, second)
    smaller, share = share_out(jobs, tight.measure, wanted, tight.left)
    # 170 s are left after timing: 24 updates of 6 rows; crops of a quarter give four times that, so batches stay.
    assert sizes(smaller) == "4 x 48" and len(tight.timed) == 12
    assert share.updates == int((170 - 6 * 1.25) * 0.85 / (2 * 6 * 0.25)) and share.seeds == 2

    # Where timing alone takes a quarter of the time, it goes on with the smallest.
    short = Clock(100, second)
    assert sizes(share_out(jobs, short.measure, wanted, short.left)[0]) == "2 x 32"
    assert short.timed[4:6] == ["mtrnn-lite 4 x 96", "mtrnn-lite 2 x 32"] and len(short.timed) == 5 + 6

    kept = Clock(200, second)
    assert sizes(share_out(jobs, kept.measure, wanted, kept.left, may_shrink=False)[0]) == "4 x 96"


def test_what_cannot_be_done_is_refused():
    jobs = plan(named_table("park-table-1"), scaled=True)
    wanted = Wanted(pictures=4, seeds=2, updates=92_000)
    for seconds in (14, 31):  # not even enough to time the rows; a second left after that
        clock = Clock(seconds, 1 / (4 * 96**2))
        with pytest.raises(SettingError, match="too few for 4 updates of each of 6 rows.*Raise --minutes"):
            share_out(jobs, clock.measure, wanted, clock.left, may_shrink=False)
    with pytest.raises(SettingError, match="--minutes"):
        refuse_hopeless(plan(named_table("brehm-table-2"), scaled=False), 1e10, 90, may_shrink=False)
    refuse_hopeless(plan(named_table("brehm-table-2"), scaled=True), 1e10, 90)


def test_it_is_refused_before_anything_is_trained(
    toy: Path, corpus_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture
):
    command = ["reproduce", "toy", "--minutes", "0.0001", "--data", str(corpus_folder), "--out", str(tmp_path / "out")]
    assert main([*command, "--device", "cpu", "--precision", "fp32"]) == 1
    assert "Raise --minutes" in capsys.readouterr().err
    assert not list((tmp_path / "out").glob("*-seed*"))


def test_no_seeds_are_refused(capsys: pytest.CaptureFixture):
    assert main(["reproduce", "park-table-1", "--minutes", "9", "--seeds", "0", "--dry-run", "--device", "cpu"]) == 1
    assert capsys.readouterr().err == "error: seeds is 0. Accepted: a whole number from 1. Change --seeds.\n"


def test_rows_that_share_weights_are_timed_once(toy: Path):
    jobs = plan(named_table("toy"), scaled=True)
    clock = Clock(1e6, 1e-3)
    wanted = Wanted(pictures=2, seeds=1, updates=40)
    assert share_out(jobs, clock.measure, wanted, clock.left)[1] == Budget(updates=40, seeds=1, pictures=2)
    assert clock.timed == ["carlo-s 2 x 32"], "the row without its file of weights is not timed either"


def test_a_schedule_shrinks_with_its_updates():
    recipe = shortened(replace(named_table("park-table-1").recipe("a"), warmup=500), 460)
    rates = [recipe.rate_at(update) for update in (0, 50, 229, 230, 459)]
    assert rates == pytest.approx([2e-4 / 46, 2e-4, 2e-4, 1e-4, 1e-4])


def test_the_first_seed_is_carried_through_and_further_ones_as_time_allows(
    toy: Path, corpus_folder: Path, tmp_path: Path
):
    jobs = plan(named_table("toy"), scaled=True)
    pairs = read_pairs(corpus_folder / "gopro/GOPR0372_07_00", slice(0, 1))
    bench = Bench(load_corpus(corpus_folder, CPU), {"own": [pairs]}, place("cpu", "fp32"), tmp_path)
    found = run(jobs, bench, Budget(updates=2, seeds=2, pictures=1), deadline=time.monotonic() - 1)
    assert {row: len(seeds) for row, seeds in found.items()} == {"he": 1, "he-ensemble": 1, "features": 0, "other": 0}


def test_a_row_that_was_not_run_is_marked():
    table = Table("T", columns=("GoPro",), base={"model": "carlo-s"}, row=(Row("a", "A"), Row("b", "B")))
    found = {"a": [{"own": rising(2.0)}], "b": []}
    text = result_table(table, plan(table, scaled=False), found, "")
    assert cells(text, "A")[-2:] == ["22.00 / 0.600 (1)", "+2.00"]
    assert cells(text, "B")[-2:] == ["not run: the run ended first", ""]
    assert "clipped at a norm of 0.2" in text and "averaged (0.999)" in text


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
    for name, rate in (("slow", 1e-30), ("fast", 1e-3)):
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
