"""A run's folder and its end: stopped when asked, nothing left behind."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from pathlib import Path

import pytest

from deblur_demo.errors import OutputError
from deblur_demo.ui import runs
from deblur_demo.ui.runs import Cancelled, Run, expire, is_gone, safe_stem, sweep, sweep_forever
from deblur_demo.ui.video.run import VideoRun


def finished(root: Path) -> Run:
    run = Run(root)
    run.done = True
    run.end()
    return run


def test_discarding_leaves_nothing(tmp_path):
    run = Run(tmp_path)
    (run.folder / "file").write_bytes(b"x")
    run.discard()
    run.discard()
    assert not list(tmp_path.iterdir())


def test_files_that_a_page_may_be_asking_for_stay_for_a_moment(tmp_path, monkeypatch):
    monkeypatch.undo()  # what makes them go at once in other tests
    monkeypatch.setattr(runs, "LINGER", 0.3)
    run = Run(tmp_path)
    run.done = True
    run.leave()
    assert run.folder.exists() and not run.kept
    while run.folder.exists():
        time.sleep(0.05)


@pytest.mark.parametrize("staged", [False, True])
@pytest.mark.parametrize("done", [False, True])
def test_the_run_before_stays_until_another_ends_with_a_result(tmp_path, staged, done):
    before, run = finished(tmp_path), Run(tmp_path)
    run.replace(before, None)
    if staged:
        run.on_stage()
    assert before.kept
    run.done = done
    run.end()
    assert run.kept is run.folder.exists() is done
    assert before.kept is before.folder.exists() is not done


@pytest.mark.parametrize("done", [False, True])
def test_what_is_done_is_kept(tmp_path, done):
    run = Run(tmp_path)
    run.done = done
    run.end()
    assert run.kept is run.folder.exists() is done
    assert asyncio.run(run.stop()) is False  # too late


def test_a_run_that_goes_on_does_not_expire(tmp_path):
    run = Run(tmp_path)
    assert not is_gone(run)
    run.done = True
    expire(run)
    assert run.folder.exists()
    run.end()
    assert not is_gone(run)
    expire(run)
    assert not run.folder.exists() and is_gone(run)
    expire(None)
    assert is_gone(None)


def test_stopping_waits_for_the_end_and_closes_the_job(tmp_path):
    run, seen = Run(tmp_path), []
    begun = threading.Event()

    def job():
        try:
            for number in range(1000):
                yield number
                time.sleep(0.01)
        finally:
            seen.append("closed")

    def work():
        try:
            for number in run.while_wanted(job()):
                seen.append(number)
                begun.set()
        except Cancelled:
            seen.append("cancelled")
        finally:
            run.end()

    worker = threading.Thread(target=work)
    worker.start()
    begun.wait()
    assert asyncio.run(run.stop()) is True and run.ended
    assert seen[-2:] == ["closed", "cancelled"] and len(seen) < 900
    worker.join()
    assert not run.folder.exists()


def test_who_waits_for_the_end_takes_no_thread_from_it(tmp_path):
    run = Run(tmp_path)

    async def many() -> list:
        return await asyncio.gather(*(run.stop() for _ in range(100)), asyncio.to_thread(run.end))

    assert asyncio.run(many()) == [True] * 100 + [None]


def test_the_sweep_takes_old_runs_that_have_ended_only(tmp_path):
    old, new, going, foreign = finished(tmp_path).folder, finished(tmp_path), Run(tmp_path), tmp_path / "somebody-else"
    foreign.mkdir()
    past = time.time() - 3700  # the default is an hour
    for folder in (old, new.folder, going.folder, foreign):
        os.utime(folder, (past, past))
    new.touch()
    sweep(tmp_path)
    assert sorted(tmp_path.iterdir()) == sorted([new.folder, going.folder, foreign])
    going.done = True
    going.end()
    sweep(tmp_path)
    assert sorted(tmp_path.iterdir()) == sorted([new.folder, foreign])


def test_the_sweep_takes_what_came_of_uploads_that_broke_off(tmp_path):
    old, arriving = tmp_path / "tmpabcd1234", tmp_path / "tmpefgh5678"
    for path in (old, arriving):
        path.write_bytes(b"half of a photo")
    os.utime(old, (time.time() - 3700,) * 2)
    sweep(tmp_path)
    assert list(tmp_path.iterdir()) == [arriving]


def test_an_upload_lasts_as_long_as_the_run_that_keeps_it(tmp_path):
    upload, run = tmp_path / "photo.jpg", Run(tmp_path)
    upload.write_bytes(b"x")
    kept = run.keep(upload, "photos/001/photo.jpg")
    upload.unlink()
    assert kept.read_bytes() == b"x" and kept.name == upload.name and kept.is_relative_to(run.folder)
    run.end()
    assert not kept.exists()


def test_a_clip_that_cannot_be_kept_leaves_nothing(tmp_path):
    with pytest.raises(OutputError, match="clip.mp4 cannot be written"):
        VideoRun(tmp_path, tmp_path / "uploads" / "clip.mp4")
    assert not list(tmp_path.iterdir())


def test_the_sweep_takes_uploads_that_outlived_the_cache(tmp_path):
    old, new = (tmp_path / (letter * 64) for letter in "ab")
    for folder, seconds in ((old, 3700), (new, 3500)):
        folder.mkdir()
        (folder / "photo.jpg").write_bytes(b"x")
        for path in (folder / "photo.jpg", folder):
            os.utime(path, (time.time() - seconds,) * 2)
    sweep(tmp_path)
    assert list(tmp_path.iterdir()) == [new]


def test_an_upload_that_was_chosen_again_stays(tmp_path):
    """The library touches its file then, and nothing else."""
    folder = tmp_path / ("a" * 64)
    folder.mkdir()
    (folder / "photo.jpg").write_bytes(b"x")
    os.utime(folder, (time.time() - 7300,) * 2)
    sweep(tmp_path)
    assert (folder / "photo.jpg").is_file()


def test_a_server_sweeps_without_a_visitor(tmp_path):
    threading.Thread(target=sweep_forever, args=(tmp_path, 0.02), daemon=True).start()
    for _ in range(2):
        folder = finished(tmp_path).folder
        os.utime(folder, (time.time() - 3700,) * 2)
        latest = time.monotonic() + 30
        while folder.exists() and time.monotonic() < latest:
            time.sleep(0.01)
        assert not folder.exists()


def test_an_unwritable_cache_is_said(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OutputError, match="cannot be written"):
        Run(tmp_path / "file")


@pytest.mark.parametrize(
    ("name", "stem"),
    [
        ("../../x", "x"),
        (r"C:\x.png", "x"),
        ("a\0b.png", "a_b"),
        ("-i", "i"),
        ("y" * 300 + ".png", "y" * 60),
        ("\u202egnp.exe", "gnp"),
        ("😀.png", "photo"),
        ("", "photo"),
        ("holiday.2024.jpg", "holiday.2024"),
        ("夏休み 写真.jpg", "夏休み_写真"),
        ("Mu\u0308nchen.jpg", "München"),
    ],
)
def test_names_are_made_safe(name, stem):
    assert safe_stem(name) == stem
