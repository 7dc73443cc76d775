"""The bench: which networks stay loaded, and who waits for whom."""

from __future__ import annotations

import shutil
from threading import Event, Thread

from deblur_demo import pipeline
from deblur_demo.pipeline import Job
from deblur_demo.ui.bench import Bench


def test_the_bench_keeps_two_networks(weights):
    bench = Bench(kept=2)
    jobs = [Job(model=name) for name in ("mtrnn-lite", "wiener", "richardson-lucy")]
    first = bench.deblurrer(jobs[0])
    assert bench.deblurrer(Job(model="mtrnn-lite", iterations=2)) is first
    second = bench.deblurrer(jobs[1])
    assert bench.deblurrer(jobs[0]) is first
    bench.deblurrer(jobs[2])  # the second, used least recently, goes
    assert bench.deblurrer(jobs[0]) is first and bench.deblurrer(jobs[1]) is not second


def test_weights_that_were_deleted_leave_the_memory(tmp_path, lively_checkpoint):
    for suffix in (".safetensors", ".json"):
        shutil.copy(lively_checkpoint.with_suffix(suffix), tmp_path / f"mine{suffix}")
    bench, mine = Bench(), tmp_path / "mine.safetensors"
    bench.deblurrer(Job(model="mtrnn-lite", checkpoint=mine))
    bench.deblurrer(Job(model="wiener"))
    assert [job.checkpoint for job, _ in bench.loaded()] == [mine, None]
    mine.unlink()
    assert [job.model for job, _ in bench.loaded()] == ["wiener"]


def test_nobody_who_looks_waits_for_weights_that_are_on_their_way(weights, monkeypatch):
    bench, asked, arrived, open_deblurrer = Bench(), Event(), Event(), pipeline.open_deblurrer
    bench.deblurrer(Job(model="wiener"))

    def from_far_away(job: Job):
        asked.set()
        assert arrived.wait(60)
        return open_deblurrer(job)

    monkeypatch.setattr(pipeline, "open_deblurrer", from_far_away)
    fetching = Thread(target=bench.deblurrer, args=[Job(model="mtrnn-lite")])
    fetching.start()
    assert asked.wait(60)
    assert [job.model for job, _ in bench.loaded()] == ["wiener"]
    bench.forget("no such weights")
    arrived.set()
    fetching.join()
    assert [job.model for job, _ in bench.loaded()] == ["wiener", "mtrnn-lite"]
