"""The blur lab as the page sees it: real shakes, a real network, real files."""

from __future__ import annotations

import json
import re
import zipfile
from pathlib import Path
from types import SimpleNamespace

import gradio as gr
import numpy as np
import pytest
from skimage import data

from deblur_demo import metrics, settings
from deblur_demo.lab import LEVELS, Shake, path_by_lot, shake_photo
from deblur_demo.media.image import Photo, read_image, write_image
from deblur_demo.ui import examples, text
from deblur_demo.ui.bench import Bench
from deblur_demo.ui.lab import layout as lab_layout
from deblur_demo.ui.lab import text as lab_text
from deblur_demo.ui.lab.handlers import LabHandlers
from deblur_demo.ui.lab.pad import sheet

PATH = [[0, 0], [6, 3], [12, -2]]


@pytest.fixture
def page(weights, tmp_path) -> LabHandlers:
    with gr.Blocks():
        screen = lab_layout.place(1.0)
    return LabHandlers(screen, Bench(), tmp_path / "cache", examples.SHARP)


@pytest.fixture
def sharp(tmp_path) -> str:
    write_image(Photo(data.coffee()[100:180, 200:320].copy()), tmp_path / "My cup.png")
    return str(tmp_path / "My cup.png")


def asked(photo, path=PATH, drawn=True, seed=0, shift=24, level=9, objects=0, noise=0, steps=None, before=None):
    return photo, sheet(path, level, drawn), seed, shift, level, objects, noise, 1, steps, before


def knobs(shaken, iterations=2, before=None, model="mtrnn-lite"):
    return shaken, model, iterations, False, "fp32", "auto", "1", "full", before


def shown(update, page) -> dict[str, Path | None]:
    """The viewer's pictures by name; None where one is still to come."""
    pictures = update[page.screen.viewer]["pictures"]
    return {picture["name"]: picture["file"] and Path(picture["file"]["path"]) for picture in pictures}


def value(update):
    return update["value"] if isinstance(update, dict) and "value" in update else update


def files(page) -> list[Path]:
    return [path for path in page.cache.rglob("*") if path.is_file()] if page.cache.exists() else []


@pytest.fixture
def shaken(page, sharp):
    """A page after a shake, and its run."""
    *_, last = page.blur(*asked(sharp))
    return page, last[page.screen.blurring.state]


def test_a_drawn_path_becomes_the_labs_own_pair(page, sharp):
    s = page.screen
    updates = list(page.blur(*asked(sharp, noise=1, seed=3)))
    wanted = shake_photo(read_image(Path(sharp)), Shake(path=PATH, seed=3, noise=1))
    last = updates[-1]
    pictures = shown(last, page)
    assert list(pictures) == ["Blurred", "Sharp", *(f"TL{n}" for n in LEVELS)] and last[s.viewer]["right"] == 1
    truth = {"Blurred": wanted.blurred, "Sharp": wanted.sharp, **{f"TL{n}": wanted.levels[n] for n in LEVELS}}
    for name, path in pictures.items():
        assert np.array_equal(read_image(path).pixels, truth[name].pixels), name
    size = wanted.kernel.shape[0]
    assert f"{size} × {size} px" in last[s.kernel] and "data:image/png" in last[s.kernel]
    psnr = metrics.psnr(wanted.blurred.pixels, wanted.sharp.pixels)
    assert f"{psnr:.2f} dB" in last[s.blurring.status] and "done" in last[s.blurring.status]
    assert last[s.blurring.run]["interactive"] and last[s.deblurring.run]["interactive"]
    assert last[s.results] == gr.update(visible=True) and last[s.steps] == gr.update(visible=False)


def test_the_export_holds_the_pair_and_the_recipe_that_repeats_it(shaken, sharp):
    _, run = shaken
    assert run.pair.name == "My_cup_pair.zip" and run.recipe.name == "My_cup_shake.json"
    with zipfile.ZipFile(run.pair) as archive:
        assert sorted(archive.namelist()) == ["blurred.png", "shake.json", "sharp.png"]
        assert archive.read("blurred.png") == run.blurred.read_bytes()
        assert archive.read("sharp.png") == run.sharp.read_bytes()
        recipe = archive.read("shake.json").decode()
    assert recipe == run.recipe.read_text()
    again = shake_photo(read_image(Path(sharp)), Shake.from_json(recipe))
    assert np.array_equal(again.blurred.pixels, read_image(run.blurred).pixels)


def test_an_exported_shake_fills_in_every_knob(page, tmp_path):
    s = page.screen
    shake = Shake(path=PATH, seed=7, shift=30, level=11, objects=2, noise=0.5, saturation=3)
    (tmp_path / "shake.json").write_text(shake.to_json())
    loaded = page.repeat(str(tmp_path / "shake.json"))
    assert loaded[s.pad] == sheet(PATH, 11, drawn=True, strokes=None)
    assert [loaded[knob] for knob in s.shake[1:]] == [7, 30, 11, 2, 0.5, 3]
    (tmp_path / "shake.json").write_text(json.dumps({"seed": 5}))
    loaded = page.repeat(str(tmp_path / "shake.json"))
    assert loaded[s.pad] == sheet(path_by_lot(5, 24), 9, strokes=None) and not loaded[s.pad]["drawn"]


@pytest.mark.parametrize("content", ["", "[]", '{"path": [[0, 0], [9e9, 0]]}', '{"level": 4}', "\x00", "[" * 10**5])
def test_a_shake_that_makes_no_sense_costs_one_line(page, tmp_path, content):
    (tmp_path / "shake.json").write_text(content)
    with pytest.warns(UserWarning, match="Accepted"):
        loaded = page.repeat(str(tmp_path / "shake.json"))
    assert "error" in loaded[page.screen.blurring.status] and page.screen.pad not in loaded


def test_by_lot_the_sheet_shows_the_path_that_is_taken(page, sharp):
    s = page.screen
    drawn = sheet(PATH, 9, drawn=True, strokes=3)
    thrown = page.throw_dice(drawn, 20, 13)
    seed, shown = thrown[s.seed], thrown[s.pad]
    assert not shown["drawn"] and shown["level"] == 13 and page.throw_dice(drawn, 20, 13)[s.seed] != seed
    assert shown["strokes"] == 3, "what is drawn from now on is newer"
    *_, last = page.blur(*asked(sharp, shown["points"], drawn=False, seed=seed, shift=20, level=13))
    taken = last[s.blurring.state].shake
    assert taken.seed == seed and np.allclose(taken.path, shown["points"], atol=1e-3)
    blank = sheet((), 9)
    assert page.lot(blank, None, 24, 9)[s.pad] == page.lot(blank, 0, 24, 9)[s.pad] == sheet(path_by_lot(0, 24), 9)
    assert page.lot(blank, 0, 250, None)[s.pad] == sheet(path_by_lot(0, 200), 1), "as the sliders will say"
    assert page.sow(shown, seed + 1, 20, 13)[s.pad] == sheet(path_by_lot(seed + 1, 20), 13, strokes=3)
    assert page.sow(drawn, seed + 1, 20, 13)[s.pad] == gr.skip(), "it is for the noise, too"


def test_every_shake_that_may_be_exported_fits_the_sliders(page, sharp):
    s = page.screen
    for slider, setting in ((s.level, settings.LEVEL), (s.shift, settings.SHIFT), (s.objects, settings.OBJECTS)):
        assert (slider.minimum, slider.maximum) == (setting.low, setting.high)
    *_, last = page.blur(*asked(sharp, level=1))
    assert "both pictures are equal" in last[s.blurring.status] and last[s.blurring.run]["interactive"]


def test_a_run_can_be_stopped_from_the_first_moment_on(page, sharp):
    """While a network loads, too; what is stopped then gives both buttons back."""
    s = page.screen
    *_, last = page.blur(*asked(sharp))
    for job, updates in (
        (s.blurring, page.blur(*asked(sharp))),
        (s.deblurring, page.deblur(*knobs(last[s.blurring.state]))),
    ):
        begun = next(updates)
        begun[job.state]._unwanted.set()  # what ``stop`` does before it waits
        *_, ended = updates
        assert text.CANCELLED in ended[job.status]
        assert ended[s.blurring.run]["interactive"] and ended[s.deblurring.run]["interactive"]


def test_two_iterations_are_scored_against_the_truth(shaken):
    page, run = shaken
    s = page.screen
    updates = list(page.deblur(*knobs(run)))
    viewers = [update for update in updates if s.viewer in update]
    names = ["Blurred", "Step 1", "Step 2", "Sharp", *(f"TL{n}" for n in LEVELS)]
    assert [update[s.viewer]["right"] for update in viewers] == [0, 1, 2, 2]
    assert all(list(shown(update, page)) == names and update[s.viewer]["steps"] == 3 for update in viewers)
    assert shown(viewers[0], page)["Step 1"] is None
    last = updates[-1]
    assert shown(last, page)["Step 2"].name == "My_cup_blurred_step_02.png"
    assert np.array_equal(read_image(shown(last, page)["Sharp"]).pixels, read_image(run.sharp).pixels)
    steps = last[s.deblurring.state].results[0].steps
    truth = read_image(run.sharp).pixels
    scores = [metrics.psnr(read_image(step.full).pixels, truth) for step in steps]
    assert [step.psnr for step in steps] == pytest.approx(scores) and scores[0] == pytest.approx(run.psnr)
    assert last[s.curves].count("<polyline") == 2 and last[s.curves].count("<path") == 6
    assert f"<title>{scores[2]:.2f}</title>" in last[s.curves] and f"{scores[2]:.2f}" in last[s.table]
    assert f"{scores[0]:.2f} → {scores[2]:.2f} dB" in last[s.deblurring.status]
    assert last[s.blurring.run]["interactive"]
    first = next(update for update in updates if s.curves in update)
    assert first[s.table].count("<tr") == 4 and "iteration 2" in first[s.curves], "room for steps to come"


def test_the_marked_row_follows_the_viewer(shaken):
    page, run = shaken
    s = page.screen
    assert page.pick_step(run, None, SimpleNamespace(index=4))[s.table] == gr.skip()
    *_, last = page.deblur(*knobs(run, iterations=1))
    steps = last[s.deblurring.state]
    for index in (0, 1):
        table = page.pick_step(run, steps, SimpleNamespace(index=index))[s.table]
        marked = table.partition("aria-current=step")[2]
        assert marked.startswith(f'><th scope="row">{index}</th>') and table.count("aria-current") == 1
    assert page.pick_step(run, steps, SimpleNamespace(index=5))[s.table] == gr.skip(), "the levels are no steps"
    run.discard()
    expired = page.pick_step(run, steps, SimpleNamespace(index=1))
    assert text.EXPIRED in expired[s.blurring.status] and s.table not in expired


def test_what_is_shown_of_a_large_photo_is_smaller(page, tmp_path, monkeypatch):
    monkeypatch.setenv("DEBLUR_PREVIEW_MEGAPIXELS", "0.01")
    write_image(Photo(data.coffee()[100:220, 200:380].copy()), tmp_path / "cup.png")
    *_, last = page.blur(*asked(str(tmp_path / "cup.png")))
    assert re.search(r"shown at 6\d % of their size", last[page.screen.viewer]["told"])
    height, width = read_image(last[page.screen.blurring.state].blurred).pixels.shape[:2]
    sizes = {read_image(path).pixels.shape for path in shown(last, page).values()}
    assert len(sizes) == 1 and max(sizes)[0] * max(sizes)[1] <= 10_000 < height * width


def stopped(page, run, iteration: int) -> dict:
    """Cancel ten iterations at one of them; gives the last update."""
    s, updates = page.screen, []
    for update in page.deblur(*knobs(run, iterations=10)):
        updates.append(update)
        if f"Iteration {iteration}" in update.get(s.deblurring.status, ""):
            next(update[s.deblurring.state] for update in updates if s.deblurring.state in update)._unwanted.set()
    assert updates[-1][s.blurring.run]["interactive"] and updates[-1][s.deblurring.run]["interactive"]
    return updates[-1]


def test_cancel_before_the_first_iteration_leaves_the_blur(shaken):
    page, run = shaken
    s, kept = page.screen, files(page)
    last = stopped(page, run, 1)
    assert text.CANCELLED in last[s.deblurring.status] and last[s.deblurring.state] is None
    assert list(shown(last, page))[:3] == ["Blurred", "Sharp", "TL1"] and last[s.steps] == gr.update(visible=False)
    assert sorted(files(page)) == sorted(kept)


def test_cancel_keeps_the_steps_that_are_there(shaken):
    page, run = shaken
    s = page.screen
    last = stopped(page, run, 3)
    assert text.CUT.format(index=2) in last[s.deblurring.status] and last[s.deblurring.state].kept
    assert list(shown(last, page))[:4] == ["Blurred", "Step 1", "Step 2", "Sharp"] and last[s.steps]["visible"]
    assert Path(last[s.steps_zip]["value"]).is_file() and last[s.curves].count("<polyline") == 2


def test_cancel_in_mid_shake_leaves_nothing(page, sharp):
    s, updates = page.screen, []
    for update in page.blur(*asked(sharp)):
        updates.append(update)
        if update.get(s.blurring.state):
            update[s.blurring.state]._unwanted.set()
    assert text.CANCELLED in updates[-1][s.blurring.status] and s.results not in updates[-1]
    assert updates[-1][s.blurring.state] is None and not files(page) and not list(page.cache.iterdir())


def test_a_new_shake_replaces_the_old_one_and_its_steps(shaken, sharp):
    page, run = shaken
    s = page.screen
    *_, last = page.deblur(*knobs(run, iterations=1))
    steps = last[s.deblurring.state]
    assert run.kept and steps.kept
    *_, last = page.blur(*asked(sharp, level=13, steps=steps, before=run))
    assert not run.folder.exists() and not steps.folder.exists() and last[s.blurring.state].kept
    assert last[s.deblurring.state] is None and last[s.steps] == gr.update(visible=False)
    assert {path.parent for path in files(page)} == {last[s.blurring.state].folder}


def test_what_makes_no_sense_is_refused_and_the_last_blur_stays(shaken, sharp):
    page, run = shaken
    for change, words in (
        ({"path": [[0, 0], [900, 0]]}, "across 900 pixels"),
        ({"path": "<script>"}, "no list of points"),
        ({"level": 4}, "odd number"),
        ({"level": 15}, "level is"),
        ({"objects": 9}, "objects is"),
        ({"noise": float("nan")}, "noise is"),
        ({"seed": -1}, "seed is"),
    ):
        order = list(asked(sharp, before=run, **{name: v for name, v in change.items() if name != "path"}))
        order[1] = {**order[1], "points": change.get("path", PATH)}
        with pytest.warns(UserWarning, match=words):
            *_, refused = page.blur(*order)
        assert words in refused[page.screen.blurring.status] and run.kept and page.screen.results not in refused


def test_no_photo_and_a_bad_one_cost_one_line(page, sharp, tmp_path):
    s = page.screen
    (tmp_path / "bad.png").write_text("<html></html>")
    for photo, words in ((None, lab_text.NO_PHOTO[0]), (str(tmp_path / "bad.png"), "bad.png")):
        with pytest.warns(UserWarning, match="Accepted"):
            *_, last = page.blur(*asked(photo))
        assert words in last[s.blurring.status] and "error" in last[s.blurring.status] and not files(page)
    *_, last = page.blur(*asked(sharp))
    assert last[s.blurring.state].kept


def test_without_a_blur_there_is_nothing_to_deblur(page):
    for run in (None, SimpleNamespace(kept=False)):
        with pytest.warns(UserWarning, match=lab_text.NO_BLUR[0]):
            *_, last = page.deblur(*knobs(run))
        assert lab_text.NO_BLUR[0] in last[page.screen.deblurring.status]


def test_an_example_can_be_shaken(page):
    chosen = page.pick_example(SimpleNamespace(index=2))
    assert read_image(Path(chosen[page.screen.photo])).pixels.shape == (512, 512, 3)
