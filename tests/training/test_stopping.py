"""Told to end: what a signal does to a go, to the rows of a table and to recipes that take turns."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from deblur_demo.runtime.device import place
from training.budget import Budget
from training.compare import race
from training.config import Recipe
from training.data.corpus import Corpus
from training.deadline import WISHES, Deadline
from training.loop import Onlooker, Trainer
from training.plan import Job
from training.rows import Bench, run
from training.scores import Pair, Scores
from training.tables import Row

CPU = torch.device("cpu")
SMALL = {"layers": 2, "filters": 4}


@pytest.fixture
def small(recipe: Recipe) -> Recipe:
    return replace(recipe, model="carlo-s", settings=SMALL, updates=10**6, batch=2, late_crop=0, clip=1.0)


@pytest.fixture
def pair(corpus: Corpus) -> Pair:
    return Pair("pair", *(side[:, :64, :64].permute(1, 2, 0).numpy() for side in corpus.pairs[0][0]))


class Told(Onlooker):
    """Sends Ctrl-C with the first batch."""

    def batch(self, loss: float, rate: float) -> None:
        os.kill(os.getpid(), signal.SIGINT)


def when(ready: Callable[[], bool]) -> None:
    """Send SIGTERM from beside, once it is time for it."""

    def wait() -> None:
        while not ready():
            time.sleep(0.05)
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=wait, daemon=True).start()


@pytest.mark.parametrize("wish", WISHES)
def test_every_wish_to_end_is_heard_and_afterwards_all_is_as_before(wish: int):
    before = [signal.getsignal(number) for number in WISHES]
    with Deadline(10) as deadline:
        assert not deadline.within(0)
        os.kill(os.getpid(), wish)
        assert deadline.terminated and deadline.within(0)
    assert [signal.getsignal(number) for number in WISHES] == before


def test_a_second_interruption_ends_at_once():
    with pytest.raises(KeyboardInterrupt), Deadline(10):
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGTERM)
        os.kill(os.getpid(), signal.SIGINT)


def test_what_is_ignored_stays_ignored():
    """As under nohup."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with Deadline(10) as deadline:
            os.kill(os.getpid(), signal.SIGHUP)
            assert not deadline.terminated
    finally:
        signal.signal(signal.SIGHUP, before)


def test_a_go_says_whether_it_was_told_to_end(small: Recipe, corpus: Corpus, tmp_path: Path):
    assert Trainer(small, corpus, tmp_path, CPU).run(0, {}) is False
    trainer = Trainer(small, corpus, tmp_path, CPU)
    assert trainer.run(10, {}, onlooker=Told) is True
    again = Trainer(small, corpus, tmp_path, CPU)
    assert again.update == trainer.update == 8 and again.train_batch() == trainer.train_batch()


def test_a_row_that_was_cut_off_is_left_out(small: Recipe, corpus: Corpus, pair: Pair, tmp_path: Path):
    lengths = {"a": 4, "b": 10**6, "c": 4}
    jobs = [Job(Row(name, name), replace(small, updates=updates)) for name, updates in lengths.items()]
    bench = Bench(corpus, {"own": [[pair]]}, place("cpu", "fp32"), tmp_path)
    when((tmp_path / "b-seed0/log").is_dir)  # the second row has begun
    said = []
    found = run(jobs, bench, None, time.monotonic() + 600, said.append)
    assert {row: len(seeds) for row, seeds in found.items()} == {"a": 1, "b": 0, "c": 0}
    assert said[-1].startswith("cut off by a signal") and not (tmp_path / "c-seed0").exists()
    # A whole schedule goes on from there.
    assert Trainer(jobs[1].recipe, corpus, tmp_path / "b-seed0", CPU).update > 0


class Interrupted(Bench):
    """Sends SIGTERM while a row is evaluated."""

    def evaluate(self, *arguments) -> dict[str, Scores]:
        os.kill(os.getpid(), signal.SIGTERM)
        return super().evaluate(*arguments)


def test_a_row_that_is_trained_counts_and_the_next_is_not_begun(small: Recipe, corpus: Corpus, pair: Pair, tmp_path):
    jobs = [Job(Row(name, name), replace(small, updates=4)) for name in "ab"]
    bench = Interrupted(corpus, {"own": [[pair]]}, place("cpu", "fp32"), tmp_path)
    found = run(jobs, bench, Budget(updates=4, seeds=2, pictures=1), time.monotonic() + 600)
    assert {row: len(seeds) for row, seeds in found.items()} == {"a": 1, "b": 0}
    assert [path.name for path in tmp_path.iterdir()] == ["a-seed0-4"]


def test_recipes_in_turns_count_up_to_the_last_whole_turn(small: Recipe, corpus: Corpus, pair: Pair, tmp_path, capsys):
    runs = [Trainer(replace(small, updates=n), corpus, tmp_path / str(n), CPU) for n in (4, 10**6)]
    when(lambda: runs[1].update > 0)  # the first run has come to its end, and the second never does
    courses = race(runs, ["A", "B"], [pair], seconds=10**6, slices=2)
    assert [[point[1] for point in course.points] for course in courses] == [[0], [0]]
    printed = capsys.readouterr().out.splitlines()
    assert printed[2].startswith("A: ") and "update 4" in printed[2] and printed[3].startswith("cut off by a signal")
    assert all((tmp_path / str(n) / "state.pt").is_file() for n in (4, 10**6))
