"""A run as the page sees it: every update in order, real network, real files."""

from __future__ import annotations

import json
import re
import shutil
import zipfile
from pathlib import Path
from types import SimpleNamespace

import gradio as gr
import numpy as np
import pytest

from deblur_demo.media.image import Photo, read_image, write_image
from deblur_demo.pipeline import Job
from deblur_demo.ui import text, views
from deblur_demo.ui.image import text as image_text
from deblur_demo.ui.image import views as image_views
from deblur_demo.ui.image.afterwards import Afterwards
from deblur_demo.ui.image.handlers import ImageHandlers
from deblur_demo.ui.image.run import ImageRun
from tests.ui.image_page import asked, files, marked, opened, value


@pytest.fixture
def page(weights, tmp_path) -> ImageHandlers:
    return opened(tmp_path / "cache")


def test_a_run_shows_every_step_and_ends_with_all_of_them(page, shaky, sharp_photo, tmp_path):
    write_image(sharp_photo, tmp_path / "sharp.png")
    s = page.screen
    updates = list(page.deblur(*asked([shaky], truth=str(tmp_path / "sharp.png"))))
    shown = [update[s.viewer] for update in updates if s.viewer in update]
    assert [viewer["right"] for viewer in shown] == [0, 1, 2, 3, 3]
    names = ["Input", "Step 1", "Step 2", "Step 3", "Reference"]
    for viewer in shown:
        assert [picture["name"] for picture in viewer["pictures"]] == names and viewer["steps"] == 4
        there = [picture["file"] is not None for picture in viewer["pictures"]]
        assert there == [index <= viewer["right"] or index == 4 for index in range(5)]
    assert (shown[0]["width"], shown[0]["height"]) == (72, 48)
    lines = " ".join(update[s.job.status] for update in updates if s.job.status in update)
    assert "Iteration 1 of 3" in lines and "Iteration 3 of 3" in lines

    last = updates[-1]
    (result,) = last[s.job.state].results
    pictures = [read_image(step.full).pixels.astype(int) for step in result.steps]
    assert np.array_equal(pictures[0], read_image(shaky).pixels)
    moves = [np.abs(after - before).mean() for before, after in zip(pictures, pictures[1:], strict=False)]
    assert moves == pytest.approx([step.change for step in result.steps[1:]], abs=0.3) and min(moves) > 0
    assert all(step.psnr > 10 for step in result.steps)
    assert [picture["file"]["path"] for picture in shown[-1]["pictures"][:4]] == [
        str(step.shown) for step in result.steps
    ]
    assert shown[-1]["pictures"][2]["note"] == f"{result.steps[2].psnr:.2f} dB"
    assert last[s.job.run]["interactive"] and not last[s.job.cancel]["interactive"]
    assert "PSNR" in last[s.table] and result.archive.exists()


def look(index) -> SimpleNamespace:
    """What the viewer tells when the visitor puts a picture on its right."""
    return SimpleNamespace(index=index)


def test_row_and_download_follow_the_viewer(page, shaky):
    s = page.screen
    *_, last = page.deblur(*asked([shaky]))
    run = last[s.job.state]
    steps = run.results[0].steps
    assert marked(last, page) == ("3", str(steps[3].full))
    for index in (3, 0, 1):
        moved = page.pick_step(run, None, look(index))
        assert marked(moved, page) == (str(index), str(steps[index].full)) and s.viewer not in moved
    for index in (4, 99, -1):  # the reference, or nothing: the step that was looked at stays
        assert page.pick_step(run, None, look(index)) == {s.table: gr.skip()} and run.picked == 1
    run.discard()
    for expired in (page.pick_step(run, None, look(1)), page.pick_photo(run, 0), page.pick_step(None, None, look(1))):
        assert text.EXPIRED in expired[s.job.status] and s.table not in expired


def test_a_choice_among_the_pictures_of_the_run_before_marks_nothing(page):
    """They are on the stage until the next run has something to show."""
    s, run = page.screen, ImageRun(page.cache)
    assert page.pick_step(run, None, look(1)) == {s.table: gr.skip()}
    run.begin("shaky.png")
    assert page.pick_step(run, None, look(1)) == {s.table: gr.skip()}


def test_what_the_visitor_looks_at_stays_marked_while_steps_arrive(page, shaky):
    s, seen = page.screen, []
    for update in page.deblur(*asked([shaky], previous=None)):
        if s.job.state in update and update[s.job.state] is not None:
            run = update[s.job.state]
        if s.table in update:
            seen.append(marked(update, page)[0])
            assert update[s.table].count("<tr") == 5, "rows of steps to come are reserved"
            if len(seen) == 2:
                moved = page.pick_step(run, None, look(0))
                assert marked(moved, page)[0] == "0" and moved[s.table].count("<tr") == 5
    assert seen == ["0", "1", "0", "0", "0"]


def test_a_bad_file_costs_one_line_and_nothing_else(page, shaky, tmp_path):
    (tmp_path / "bad.png").write_text("<html></html>")
    with pytest.warns(UserWarning, match="bad.png.*Accepted"):
        *_, last = page.deblur(*asked([str(tmp_path / "bad.png")]))
    assert "bad.png" in last[page.screen.job.status] and last[page.screen.job.run]["interactive"]
    assert not files(page)
    *_, last = page.deblur(*asked([shaky], iterations=1))
    assert len(last[page.screen.job.state].results[0].steps) == 2


def test_where_there_is_no_room_for_the_zip_the_photos_stay(page, shaky):
    s, run = page.screen, None
    for update in page.deblur(*asked([shaky, shaky], iterations=1)):
        run, last = update.get(s.job.state) or run, update
        if run is not None:
            (run.folder / "deblurred.zip").mkdir(exist_ok=True)
    assert last[s.photos_zip] == gr.update(value=None, visible=False) and last[s.picker]["visible"]
    assert last[s.job.state].kept and last[s.job.run]["interactive"]


def test_of_several_photos_the_good_ones_are_done(page, shaky, tmp_path):
    s = page.screen
    (tmp_path / "bad.png").write_bytes(b"")
    write_image(Photo(np.full((20, 24, 3), 90, np.uint8)), tmp_path / "grey.png")
    with pytest.warns(UserWarning, match="bad.png"):
        *_, last = page.deblur(*asked([shaky, str(tmp_path / "bad.png"), str(tmp_path / "grey.png")], iterations=1))
    run = last[s.job.state]
    assert [result.name for result in run.results] == ["shaky.png", "grey.png"]
    assert last[s.picker]["choices"] == [("1. shaky.png", 0), ("2. grey.png", 1)]
    assert text.finished(1, 0, 2, 3)[:20] in last[s.job.status]
    assert re.search("<li>bad.png is empty.*</li>", last[s.job.status]), "what pops up is gone by now"
    offers = Afterwards(s)
    for later in (offers.begin_film(run), offers.make_film(".webp", run, 0)):
        assert "<li>bad.png" in later[s.job.status]
    first = page.pick_photo(run, 0)
    assert value(first[s.steps_zip]).endswith("shaky_steps.zip") and first[s.viewer]["right"] == 1
    assert marked(first, page) == ("1", str(run.results[0].steps[1].full))


def test_photos_that_fail_are_escaped_and_most_of_many_folded_up(page, shaky):
    run = ImageRun(page.cache)
    assert image_views.failures(run) == image_views.failures(None) == ""
    run.failures += [f"<b>{number}" for number in range(9)]
    listed = image_views.failures(run)
    assert "<b>" not in listed and [int(number) for number in re.findall(r"&lt;b&gt;(\d)", listed)] == list(range(9))
    seen, _, folded = listed.partition("<details>")
    assert seen.count("&lt;b&gt;") == 5 and "<summary>and 4 more</summary>" in folded
    run.discard()


def test_the_status_of_a_batch_tells_the_time_of_all_and_the_name_last(page, shaky):
    s = page.screen
    updates = list(page.deblur(*asked([shaky, shaky, shaky], iterations=2)))
    lines = [re.search("<p.*?>(.*?)</p>", update[s.job.status])[1] for update in updates if s.job.status in update]
    told = [line for line in lines if "left" in line]
    assert len(told) == 6 and all(
        re.fullmatch(r"Iteration \d of 2, about .* left for all, \d of 3: .*", x) for x in told
    )
    shares = [int(share) for update in updates for share in re.findall(r'valuenow="(\d+)"', str(update.values()))]
    assert [share for share in shares if share] == sorted(share for share in shares if share) and 17 in shares


def test_what_made_a_result_is_said_beside_it_and_in_its_zip(page, shaky):
    s = page.screen
    *asking, _ = asked([shaky, shaky], iterations=2, ensemble="4")
    asking[7], asking[9] = "256", "half"
    *_, last = page.deblur(*asking, None)
    assert last[s.viewer]["told"].startswith(
        "shaky.png: mtrnn-lite, 2 iterations, at half size, 4 copies, fp32, tiles of "
    )
    first = page.pick_photo(last[s.job.state], 0)
    assert "2 iterations" in first[s.viewer]["told"], "whatever the pickers say by now"
    with zipfile.ZipFile(value(first[s.steps_zip])) as archive:
        report = json.loads(archive.read("shaky/report.json"))
    made = {
        name: report[name] for name in ("model", "checkpoint", "iterations", "precision", "tile", "ensemble", "size")
    }
    assert made == {
        "model": "mtrnn-lite", "checkpoint": None, "iterations": 2, "precision": "fp32", "tile": 256, "ensemble": "4",
        "size": "half",
    }  # fmt: skip
    assert report["device"] in ("cpu", "cuda", "mps")


def test_photos_of_a_long_batch_outlive_their_uploads(page, shaky, tmp_path):
    s, uploads = page.screen, [tmp_path / name for name in ("a.png", "b.png", "c.png")]
    for upload in uploads:
        shutil.copy(shaky, upload)
    for update in page.deblur(*asked(list(map(str, uploads)), iterations=1)):
        if s.viewer in update:  # the first photo has begun
            for upload in uploads:
                upload.unlink(missing_ok=True)
    assert [result.name for result in update[s.job.state].results] == ["a.png", "b.png", "c.png"]
    assert "done" in update[s.job.status]


def test_choices_on_a_stage_that_is_about_to_change_are_let_go(page, shaky):
    s, run = page.screen, ImageRun(page.cache)
    offers = Afterwards(s)
    assert page.pick_photo(run, 3) == {s.table: gr.skip()}
    assert offers.make_film(".webp", run, 3) == {s.job.status: gr.skip(), s.film: None}
    assert offers.take_tip(run, 3, [shaky], False, None) == {s.job.status: gr.skip()}
    run.end()
    for update in page.deblur(*asked([shaky, shaky], iterations=1)):
        if s.photos_zip in update and s.picker in update and update[s.picker].get("choices"):
            run = update[s.job.state]  # still writing the last word, while the browser has the picker of the run before
            assert run.done and not run.ended and marked(page.pick_step(run, 7, look(0)), page)[0] == "0"
    assert marked(page.pick_step(run, 7, look(1)), page) == ("1", str(run.results[-1].steps[1].full))


def test_when_every_photo_is_bad_nothing_is_kept(page, tmp_path):
    for name in ("a.png", "b.png"):
        (tmp_path / name).write_bytes(b"no")
    with pytest.warns(UserWarning):
        *_, last = page.deblur(*asked([str(tmp_path / "a.png"), str(tmp_path / "b.png")]))
    assert last[page.screen.job.state] is None and not files(page)
    status = last[page.screen.job.status]
    assert image_text.NONE_DONE.format(count=2) in status and "<li>a.png" in status and "<li>b.png" in status


def test_the_next_run_replaces_the_last_but_a_refused_one_does_not(page, shaky, tmp_path):
    s = page.screen
    *_, last = page.deblur(*asked([shaky], iterations=1))
    first = last[s.job.state]
    with pytest.warns(UserWarning, match="No photo"):
        *_, refused = page.deblur(*asked([], previous=first))
    assert first.folder.exists() and s.job.state not in refused
    (tmp_path / "bad.png").write_text("<html></html>")
    with pytest.warns(UserWarning, match="bad.png"):
        *_, refused = page.deblur(*asked([str(tmp_path / "bad.png")], previous=first))
    assert first.kept and refused[s.job.state] is first and not {s.viewer, s.results} & refused.keys()
    *_, last = page.deblur(*asked([shaky], iterations=1, previous=first))
    assert not first.folder.exists() and last[s.job.state].folder.exists()


def test_auto_stops_by_itself_and_reserves_the_most(page, shaky):
    updates = list(page.deblur(*asked([shaky], iterations=1, auto=True)))
    tables = [update[page.screen.table] for update in updates if page.screen.table in update]
    assert tables[0].count("<tr") == 8  # head, input, the network's own six iterations
    assert 2 <= len(updates[-1][page.screen.job.state].results[0].steps) <= 7


def test_sixteen_bits_stay_sixteen(page, tmp_path, shaky_photo):
    write_image(Photo(shaky_photo.pixels.astype(np.uint16) * 257), tmp_path / "deep.png")
    *_, last = page.deblur(*asked([str(tmp_path / "deep.png")], iterations=1))
    restored = read_image(last[page.screen.job.state].results[0].steps[1].full).pixels
    assert restored.dtype == np.uint16 and (restored % 257 != 0).any()


def test_an_examples_reference_goes_with_it_and_a_visitors_stays(page):
    s = page.screen
    chosen = page.pick_example(SimpleNamespace(index=1))
    (photo,), truth = chosen[s.photos], chosen[s.truth]
    assert read_image(photo).pixels.shape == read_image(truth).pixels.shape
    assert page.change_photos(truth)[s.truth] is None
    assert page.change_photos("/uploads/mine.png")[s.truth] == gr.skip()
    snapped = page.take_snapshot([photo], "/uploads/snapshot.png", truth)
    assert snapped[s.photos] == [photo, "/uploads/snapshot.png"] and snapped[s.truth] is None
    assert page.count_photos([photo], truth)[s.truth] == gr.skip()
    for others in (None, [], [photo, photo]):
        assert page.count_photos(others, truth)[s.truth] is None
        assert page.count_photos(others, "/uploads/mine.png")[s.truth] == gr.skip()
    assert page.pick_example(SimpleNamespace(index=0))[s.truth] is None


def test_a_job_that_the_queue_refuses_waits_no_longer(page):
    job = page.screen.job
    refused = job.refused(views.status(text.WAITING))
    assert text.REFUSED in refused[job.status] and refused[job.run]["interactive"]
    assert not refused[job.cancel]["interactive"]
    for last_word in (views.status(text.STOPPING, "busy"), views.status(text.CANCELLED), views.status("Well", "done")):
        assert job.refused(last_word) == {job.status: gr.skip()}


def test_a_job_that_breaks_off_leaves_the_buttons_to_their_visitor(page):
    job = page.screen.job
    broken = job.refused(job.working(views.status(text.running(1, 6), "busy"))[job.status])
    assert text.UNEXPECTED in broken[job.status] and broken[job.run]["interactive"]


def test_the_doubt_of_an_ensemble_has_its_place_from_the_start(page, shaky):
    s = page.screen
    updates = list(page.deblur(*asked([shaky], iterations=2, ensemble="4")))
    viewers = [update[s.viewer] for update in updates if s.viewer in update]
    for index, viewer in enumerate(viewers):
        assert [picture["name"] for picture in viewer["pictures"]] == ["Input", "Step 1", "Step 2", "Doubt"]
        assert viewer["right"] == min(index, 2) and viewer["steps"] == 3 and "detail is a guess" in viewer["told"]
    doubts = [viewer["pictures"][3] for viewer in viewers]
    assert doubts[0]["file"] is None and doubts[1]["legend"][0] == "Doubt after step 1"
    result = updates[-1][s.job.state].results[0]
    mean = result.steps[2].map_figures["doubt"]["mean"]
    assert doubts[3]["note"] == f"mean {mean:.2f}" and mean > 0
    assert doubts[3]["file"]["path"] == str(result.steps[2].drawn["doubt"])
    assert doubts[3]["legend"] == ["Doubt after step 2", "0", "8 levels or more"]
    assert page.pick_step(updates[-1][s.job.state], None, look(3)) == {s.table: gr.skip()}, "a map is no step"

    *_, plain = page.deblur(*asked([shaky], iterations=1))
    assert "Self-ensemble" in plain[s.viewer]["told"] and len(plain[s.viewer]["pictures"]) == 2


def test_guidance_is_shown_where_the_model_has_it(page, shaky):
    from deblur_demo.pipeline import StepReport, deblur_image, open_deblurrer
    from deblur_demo.ui.image import views
    from deblur_demo.ui.image.run import ImageRun

    deblurrer = open_deblurrer(Job("sgenet-s", device="cpu", precision="fp32", untrained=True))
    run, photo = ImageRun(page.cache), read_image(Path(shaky))
    run.begin("shaky.png", rows=3, maps=deblurrer.model.traits.maps)
    for event in deblur_image(photo, deblurrer):
        if isinstance(event, StepReport):
            run.add(event)
    *_, last = views.viewer(run.results[0])["pictures"]
    assert last["name"] == "Guidance" and last["note"].startswith("mean 0.")
    assert read_image(Path(last["file"]["path"])).pixels.shape == photo.pixels.shape
