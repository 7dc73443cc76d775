"""A run on the image screen that ends early: stopped by the visitor, by its time or by a closed page."""

from __future__ import annotations

import re
import zipfile
from pathlib import Path

import gradio as gr
import pytest

from deblur_demo.ui import text
from deblur_demo.ui.image.handlers import ImageHandlers
from deblur_demo.ui.image.run import ImageRun
from tests.ui.image_page import asked, files, marked, opened, value


@pytest.fixture
def page(weights, tmp_path) -> ImageHandlers:
    return opened(tmp_path / "cache")


def test_closing_a_run_between_tiles_leaves_nothing(page, shaky):
    run = page.deblur(*asked([shaky], iterations=10))
    for update in run:
        if "Iteration 2" in update.get(page.screen.job.status, ""):
            break
    assert files(page)
    run.close()
    assert not files(page) and not list(page.cache.iterdir())


def stopped(page, words: str, photos, previous=None) -> tuple[dict, ImageRun]:
    """Cancel a run of ten iterations when its status has words; gives the last update and the run."""
    s, run = page.screen, None
    for last in page.deblur(*asked(photos, iterations=10, previous=previous)):
        run = run or last.get(s.job.state)
        if re.search(words, last.get(s.job.status, "")):
            run._unwanted.set()  # what ``stop`` does before it waits
    assert run.ended and last[s.job.run]["interactive"]
    return last, run


def test_cancel_before_the_first_iteration_has_the_last_word_and_leaves_nothing(page, shaky):
    s = page.screen
    last, _ = stopped(page, "Iteration 1", [shaky])
    assert text.CANCELLED in last[s.job.status]
    assert last[s.results] == gr.update(visible=False) and last[s.job.state] is None
    assert not files(page) and not list(page.cache.iterdir())


def test_cancel_before_the_first_iteration_brings_back_what_was_there(page, shaky):
    s = page.screen
    *_, done = page.deblur(*asked([shaky, shaky], iterations=1))
    before = done[s.job.state]
    last, run = stopped(page, "Iteration 1", [shaky], previous=before)
    assert text.CANCELLED in last[s.job.status] and last[s.job.state] is before and before.kept
    for part in (s.viewer, s.table, s.picker, s.photos_zip, s.steps_zip, s.step_png):
        assert last[part] == done[part]
    assert not run.folder.exists() and Path(value(last[s.photos_zip])).is_file()


def test_cancel_keeps_the_steps_that_are_there_in_place_of_the_run_before(page, shaky):
    s = page.screen
    *_, done = page.deblur(*asked([shaky], iterations=1))
    before = done[s.job.state]
    last, run = stopped(page, "Iteration 3", [shaky], previous=before)
    (result,) = run.results
    assert text.CUT.format(index=2) in last[s.job.status] and last[s.job.state] is run and run.kept
    assert [step.index for step in result.steps] == [0, 1, 2] and result.cut and last[s.viewer]["steps"] == 3
    with zipfile.ZipFile(value(last[s.steps_zip])) as archive:
        assert [name for name in archive.namelist() if "step" in name.rpartition("/")[2]] == [
            f"shaky/step_0{index}.png" for index in range(3)
        ]
    assert marked(last, page) == ("2", str(result.steps[2].full)) and not before.kept


@pytest.mark.parametrize(("iteration", "words", "steps"), [
    (1, "Cancelled. 1 photo is finished and kept.", [11]),
    (2, "Cancelled. 1 photo is finished and kept, the next up to iteration 1.", [11, 2]),
])  # fmt: skip
def test_cancelled_among_several_photos_those_that_are_done_are_kept(page, shaky, iteration, words, steps):
    s = page.screen
    last, run = stopped(page, rf"Iteration {iteration} .*2 of 2: shaky.png", [shaky, shaky])
    assert words in last[s.job.status] and last[s.job.state] is run and run.kept
    assert [len(result.steps) for result in run.results] == steps
    assert Path(value(last[s.steps_zip])).is_file() and last[s.viewer]["right"] == steps[-1] - 1
    assert len({Path(name).parent for name in files(page) if "_step_" in name}) == len(steps)


def test_a_run_whose_time_is_over_says_so_and_keeps_what_is_there(page, shaky, monkeypatch):
    monkeypatch.setenv("DEBLUR_JOB_MINUTES", "2")
    s, run = page.screen, None
    for last in page.deblur(*asked([shaky, shaky], iterations=10)):
        run = run or last.get(s.job.state)
        if "Iteration 3" in last.get(s.job.status, ""):
            run._begun -= 120
    assert "has had its 2 min" in last[s.job.status] and "kept" in last[s.job.status]
    assert [len(result.steps) for result in run.results] == [3] and run.kept


def test_a_run_that_never_began_leaves_the_one_before(page, shaky):
    *_, last = page.deblur(*asked([shaky], iterations=1))
    first = last[page.screen.job.state]
    waiting = page.deblur(*asked([shaky], previous=first))
    next(waiting)
    waiting.close()
    assert first.kept
