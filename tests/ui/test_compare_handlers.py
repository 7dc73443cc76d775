"""A comparison as the page sees it: real networks, real files, every figure held against the pipeline's."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from types import SimpleNamespace

import gradio as gr
import numpy as np
import pytest

from deblur_demo import catalogue, metrics
from deblur_demo.errors import InputError, LimitError, SettingError
from deblur_demo.media.image import Photo, read_image, write_image
from deblur_demo.pipeline import Job, StepReport, deblur_image, open_deblurrer
from deblur_demo.ui import examples, text
from deblur_demo.ui.bench import Bench
from deblur_demo.ui.compare import layout as compare_layout
from deblur_demo.ui.compare import text as compare_text
from deblur_demo.ui.compare.handlers import CompareHandlers
from deblur_demo.ui.compare.order import CompareOrder, results_of
from tests.ui.links import request

EVERY = ["mtrnn-lite", "wiener", "richardson-lucy"]


@pytest.fixture
def page(weights, tmp_path) -> CompareHandlers:
    with gr.Blocks():
        screen = compare_layout.place(1.0)
    return CompareHandlers(screen, Bench(), tmp_path / "cache", examples.BLURRED)


@pytest.fixture
def sharp(tmp_path, sharp_photo) -> str:
    write_image(sharp_photo, tmp_path / "sharp.png")
    return str(tmp_path / "sharp.png")


def asked(photo, models=("mtrnn-lite",), iterations=(1,), truth=None, previous=None, sizes=("full",)):
    return photo, truth, list(models), list(iterations), list(sizes), "fp32", "auto", "1", previous


def names(update, page) -> list[tuple[str, bool]]:
    return [(picture["name"], picture["file"] is not None) for picture in update[page.screen.viewer]["pictures"]]


def test_every_model_and_number_becomes_a_result(page, shaky, sharp, sharp_photo):
    s = page.screen
    updates = list(page.run(*asked(shaky, EVERY, [3, 1], truth=sharp)))
    run = updates[-1][s.job.state]
    wanted = ["mtrnn-lite × 1", "mtrnn-lite × 3", "wiener", "richardson-lucy × 1", "richardson-lucy × 3"]
    assert [picture.figures.name for picture in run.results] == wanted

    growing = [names(update, page) for update in updates if s.viewer in update]
    assert [sum(there for _, there in shown) for shown in growing] == [2, 3, 4, 5, 6, 7, 7]
    assert all([name for name, _ in shown] == ["Input", *wanted, "Sharp reference"] for shown in growing)

    for model in ("mtrnn-lite", "richardson-lucy"):
        events = deblur_image(
            read_image(Path(shaky)), open_deblurrer(Job(model=model, precision="fp32")), 3, sharp_photo
        )
        steps = {event.index: event for event in events if isinstance(event, StepReport)}
        for number in (1, 3):
            picture = next(p for p in run.results if p.figures.name == f"{model} × {number}")
            pixels = read_image(picture.full).pixels
            assert np.abs(pixels.astype(int) - steps[number].photo.pixels).max() <= 1
            assert picture.figures.psnr == pytest.approx(steps[number].psnr, abs=0.01)
            assert picture.figures.ssim == pytest.approx(steps[number].ssim, abs=1e-3)
            assert picture.figures.change == pytest.approx(
                metrics.change(pixels, read_image(Path(shaky)).pixels), abs=0.01
            )
            assert picture.figures.gmacs == pytest.approx(catalogue.gmacs(model) * number)
    one, three = run.results[:2]
    assert 0 < one.figures.seconds < three.figures.seconds and one.figures.parameters == 2_643_308


def test_results_say_the_size_that_they_were_made_at(page, shaky, shaky_photo):
    *_, last = page.run(*asked(shaky, ["mtrnn-lite", "wiener"], [1, 2], sizes=["full", "half"]))
    results = last[page.screen.job.state].results
    assert [result.figures.name for result in results] == [
        "mtrnn-lite × 1", "mtrnn-lite × 2", "mtrnn-lite × 1, half size", "mtrnn-lite × 2, half size",
        "wiener", "wiener, half size",
    ]  # fmt: skip
    assert results[3].figures.gmacs == pytest.approx(2 * catalogue.gmacs("mtrnn-lite") / 4)
    full, half = (read_image(results[index].full).pixels.astype(int) for index in (1, 3))
    assert full.shape == half.shape == shaky_photo.pixels.shape and np.abs(full - half).max() > 1


def test_the_best_is_marked_and_shown(page, shaky, sharp):
    *_, last = page.run(*asked(shaky, EVERY, [2], truth=sharp))
    run, table = last[page.screen.job.state], last[page.screen.table]
    best = max(run.results, key=lambda picture: picture.figures.psnr)
    assert last[page.screen.viewer]["right"] == run.pictures.index(best)
    row = next(row for row in table.split("<tr>") if f">{best.figures.name}<" in row)
    assert f'{best.figures.psnr:.2f} <em class="best">best</em>' in row
    assert table.count(">fastest<") == 1 and table.count(">best<") == 2  # PSNR and SSIM


def test_without_a_truth_there_are_no_scores(page, shaky):
    *_, last = page.run(*asked(shaky, ["wiener", "mtrnn-lite"]))
    assert "PSNR" not in last[page.screen.table] and last[page.screen.viewer]["right"] is None
    assert [name for name, _ in names(last, page)] == ["Input", "wiener", "mtrnn-lite × 1"]


def test_results_that_are_equal_to_the_input_are_named_and_win_nothing(page, sharp):
    """Richardson-Lucy undoes a straight motion, and here it is given none."""
    *_, last = page.run(*asked(sharp, ["mtrnn-lite", "richardson-lucy"], [1, 2]))
    changes = {picture.figures.name: picture.figures.change for picture in last[page.screen.job.state].results}
    assert {name for name, change in changes.items() if change == 0} == {"richardson-lucy × 1", "richardson-lucy × 2"}
    assert compare_text.unchanged(["richardson-lucy × 1", "richardson-lucy × 2"]) in last[page.screen.table]
    fastest = [row for row in last[page.screen.table].split("<tr>") if ">fastest<" in row]
    assert len(fastest) == 1 and ">mtrnn-lite × 1<" in fastest[0]


def test_the_zip_holds_every_result_and_its_figures(page, shaky, sharp):
    *_, last = page.run(*asked(shaky, EVERY, [1], truth=sharp))
    run = last[page.screen.job.state]
    with zipfile.ZipFile(last[page.screen.archive]["value"]) as archive:
        report = json.loads(archive.read("shaky/report.json"))
        assert len(archive.namelist()) == 5
        for row, picture in zip(report["pictures"], run.pictures, strict=True):
            assert archive.read(f"shaky/{row['file']}") == picture.full.read_bytes()
            assert row["psnr"] == picture.figures.psnr and row["steps"] == picture.figures.steps
    assert report["photo"] == "shaky.png" and "sharp" not in " ".join(archive.namelist())


def test_where_there_is_no_room_for_the_zip_the_results_stay(page, shaky):
    s = page.screen
    for update in page.run(*asked(shaky, ["wiener"])):
        run, last = update.get(s.job.state), update
        if run is not None:
            (run.folder / "shaky_compared.zip").mkdir(exist_ok=True)
    assert last[s.archive] == gr.update(value=None, interactive=False) and last[s.job.run]["interactive"]
    assert last[s.job.state].kept and len(last[s.viewer]["pictures"]) == 2


def test_cancel_keeps_what_is_finished(page, shaky):
    s, run = page.screen, None
    for update in page.run(*asked(shaky, ["wiener", "mtrnn-lite"], [10])):
        last = update
        run = update.get(s.job.state) or run
        if "Iteration 3" in update.get(s.job.status, ""):
            run._unwanted.set()  # what ``stop`` does before it waits
    assert [picture.figures.name for picture in run.results] == ["wiener"]
    assert compare_text.kept(1, 2) in last[s.job.status] and Path(last[s.archive]["value"]).is_file()
    assert run.ended and run.kept
    run.discard()
    assert not list(page.cache.iterdir())


def test_cancel_before_the_first_result_leaves_nothing(page, shaky):
    s, run = page.screen, None
    for update in page.run(*asked(shaky, ["mtrnn-lite"], [10])):
        last = update
        run = update.get(s.job.state) or run
        if "Iteration 2" in update.get(s.job.status, ""):
            run._unwanted.set()
    assert text.CANCELLED in last[s.job.status] and last[s.job.state] is None
    assert last[s.welcome]["visible"] and not list(page.cache.iterdir())


def test_a_network_that_fails_does_not_stop_the_others(page, shaky, monkeypatch, weights_folder):
    order = asked(shaky, ["mtrnn-lite", "wiener"], [1, 2])
    updates = page.run(*order)
    next(updates)  # the order is checked
    monkeypatch.setenv("DEBLUR_CACHE", "/nowhere")
    monkeypatch.setattr("deblur_demo.models.checkpoint.BUNDLED", Path("/nowhere"))
    with pytest.warns(UserWarning, match="mtrnn-lite: there are no trained weights"):
        *_, last = updates
    run = last[page.screen.job.state]
    assert [picture.figures.name for picture in run.results] == run.expected == ["wiener"]
    assert compare_text.finished(1, 0)[:15] in last[page.screen.job.status]


@pytest.mark.parametrize("content", [b"", b"<html></html>"])
def test_a_bad_file_costs_one_line_and_nothing_else(page, tmp_path, content):
    (tmp_path / "bad.png").write_bytes(content)
    with pytest.warns(UserWarning, match="bad.png.*Accepted"):
        *_, last = page.run(*asked(str(tmp_path / "bad.png")))
    assert "bad.png" in last[page.screen.job.status] and last[page.screen.job.run]["interactive"]
    assert last[page.screen.job.state] is None and not list(page.cache.iterdir())


def test_a_reference_of_another_size_is_refused_once(page, shaky, tmp_path):
    write_image(Photo(np.zeros((10, 10, 3), np.uint8)), tmp_path / "other.png")
    with pytest.warns(UserWarning, match="sharp reference is 10x10") as caught:
        *_, last = page.run(*asked(shaky, EVERY, truth=str(tmp_path / "other.png")))
    assert sum("10x10" in str(warning.message) for warning in caught) == 1
    assert "10x10" in last[page.screen.job.status]


def test_large_pictures_are_shown_smaller_and_kept_whole(page, shaky, monkeypatch):
    monkeypatch.setenv("DEBLUR_PREVIEW_MEGAPIXELS", "0.01")
    write_image(Photo(np.full((200, 300, 3), 90, np.uint8)), Path(shaky))
    *_, last = page.run(*asked(shaky, ["wiener"]))
    run = last[page.screen.job.state]
    height, width = read_image(run.results[0].shown).pixels.shape[:2]
    assert (last[page.screen.viewer]["width"], last[page.screen.viewer]["height"]) == (width, height)
    assert height * width <= 10_000 and read_image(run.results[0].full).pixels.shape == (200, 300, 3)
    assert f"{round(100 * run.scale)} %" in last[page.screen.table]


def test_sixteen_bits_stay_sixteen(page, shaky, shaky_photo):
    write_image(Photo(shaky_photo.pixels.astype(np.uint16) * 257), Path(shaky))
    *_, last = page.run(*asked(shaky, ["mtrnn-lite"]))
    assert read_image(last[page.screen.job.state].results[0].full).pixels.dtype == np.uint16


def test_the_next_run_replaces_the_last_but_a_refused_one_does_not(page, shaky):
    *_, last = page.run(*asked(shaky, ["wiener"]))
    first = last[page.screen.job.state]
    with pytest.warns(UserWarning, match="No photo"):
        *_, refused = page.run(*asked(None, previous=first))
    assert first.kept and page.screen.job.state not in refused
    list(page.run(*asked(shaky, ["wiener"], previous=first)))
    assert not first.folder.exists()


@pytest.mark.parametrize(
    ("models", "iterations", "error", "named"),
    [
        ([], [1], SettingError, "No model"),
        (["mtrnn-lite"], [], SettingError, "No number"),
        (["mtrnn-lite"], ["auto"], SettingError, "auto"),
        (["mtrnn-lite"], [0], SettingError, "iterations is '0'"),
        (["mtrnn-lite"], ["6;rm"], SettingError, "6;rm"),
        (["mtrnn-lite"], ["nan"], SettingError, "nan"),
        (["mtrnm"], [1], SettingError, "Did you mean 'mtrnn'"),
        (["mtrnn-lite"], range(1, 10), LimitError, "9 results were asked for. Accepted: at most 8"),
    ],
)
def test_the_server_refuses_what_makes_no_sense(weights, shaky, models, iterations, error, named):
    with pytest.raises(error) as caught:
        CompareOrder.of(shaky, None, models, iterations)
    assert named in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize(("sizes", "named"), [([], "No size"), (["half", "third"], "size is 'third'")])
def test_sizes_are_checked(weights, shaky, sizes, named):
    with pytest.raises(SettingError, match=named):
        CompareOrder.of(shaky, None, ["mtrnn-lite"], [1], sizes)


def test_no_photo_is_refused(weights):
    with pytest.raises(InputError, match="No photo"):
        CompareOrder.of(None, None, ["wiener"], [1])


def test_the_owner_of_a_server_sets_the_most(weights, shaky, monkeypatch):
    monkeypatch.setenv("DEBLUR_MAX_CONTENDERS", "2")
    assert len(CompareOrder.of(shaky, None, ["mtrnn-lite"], [1, 2]).results) == 2
    with pytest.raises(LimitError, match="at most 2"):
        CompareOrder.of(shaky, None, ["mtrnn-lite", "wiener"], [1, 2])


def test_what_is_ticked_is_counted(page):
    offered = page.offer_models([6], ["full"])
    picker = offered[page.screen.models]
    assert picker["value"] == EVERY and set(picker["value"]) <= {value for _, value in picker["choices"]}
    assert all(row["ready"] for row in catalogue.models() if row["id"] in dict(map(reversed, picker["choices"])))
    assert offered[page.screen.planned] == compare_text.planned(3, 8)
    one = ["full"]
    assert results_of(EVERY, [1, 2, 6], one) == 7 and results_of(EVERY, [], one) == 1 and results_of([], [1], one) == 0
    assert results_of(EVERY, [1, 2, 6], ["full", "half"]) == 14 and results_of(EVERY, [1], []) == 0
    assert "value" not in page.offer_own([], EVERY)[page.screen.models], "ticks that are made meanwhile stay"
    assert page.offer_own([], [*EVERY, "own:gone"])[page.screen.models]["value"] == EVERY
    assert "at most 8" in page.plan(EVERY, [1, 2, 3, 4, 5], one)[page.screen.planned]


def test_a_link_ticks_what_it_names(page):
    s = page.screen
    wishes = "model=mtrnn-lite&iterations=2&size=half&precision=fp32&tile=256&ensemble=4"
    linked = page.offer_models([6], ["full"], request(f"screen=compare&{wishes}"))
    assert linked[s.models]["value"] == EVERY and linked[s.planned] == compare_text.planned(3, 8)
    assert (linked[s.iterations], linked[s.sizes]) == ([2], ["half"])
    assert (linked[s.precision], linked[s.tile], linked[s.ensemble]) == ("fp32", "256", "4")
    unlinked = page.offer_models([6], ["full"], request(wishes))
    assert unlinked == page.offer_models([6], ["full"]) and s.iterations not in unlinked, "ticks made meanwhile stay"


def test_an_examples_reference_goes_with_it(page):
    chosen = page.pick_example(SimpleNamespace(index=1))
    photo, truth = chosen[page.screen.photo], chosen[page.screen.truth]
    assert read_image(Path(photo)).pixels.shape == read_image(Path(truth)).pixels.shape
    assert page.change_photo(truth)[page.screen.truth] is None
    assert page.change_photo("/uploads/mine.png")[page.screen.truth] == gr.skip()
