"""A clip as the page sees it: every update in order, real network, real files."""

from __future__ import annotations

from fractions import Fraction
from html import unescape
from pathlib import Path
from types import SimpleNamespace

import gradio as gr
import numpy as np
import pytest

from deblur_demo.media.clip import probe, read_frames
from deblur_demo.media.clip_reader import exact
from deblur_demo.media.image import read_image
from deblur_demo.ui import examples, text
from deblur_demo.ui.bench import Bench
from deblur_demo.ui.video import handlers as video_handlers
from deblur_demo.ui.video import layout as video_layout
from deblur_demo.ui.video import text as video_text
from deblur_demo.ui.video.handlers import VideoHandlers

TIMES = [Fraction(ms, 1000) for ms in (0, 33, 66, 200, 233, 500)]  # of ``shaky_clip``


@pytest.fixture
def page(weights, tmp_path, monkeypatch) -> VideoHandlers:
    for pause in ("_BETWEEN_PICTURES", "_BETWEEN_LINES"):
        monkeypatch.setattr(video_handlers, pause, 0)  # every event is told, however fast they come
    with gr.Blocks():
        screen = video_layout.place(1.0)
    return VideoHandlers(screen, Bench(), tmp_path / "cache", examples.CLIPS)


@pytest.fixture
def clip(shaky_clip, tmp_path) -> str:
    path = tmp_path / "My clip.MP4"
    path.write_bytes(shaky_clip.read_bytes())
    return str(path)


def asked(clip, iterations=1, start=0, end=None, previous=None, model="mtrnn-lite"):
    return clip, start, end, "h264", 18, model, iterations, False, "fp32", "auto", "1", "full", previous


def value(update):
    return update["value"] if isinstance(update, dict) and "value" in update else update


def files(page) -> list[Path]:
    return [path for path in page.cache.rglob("*") if path.is_file()] if page.cache.exists() else []


def test_a_run_shows_frames_and_ends_with_both_in_the_player(page, clip):
    s, updates, seen = page.screen, [], []
    for update in page.deblur(*asked(clip)):
        updates.append(update)
        if s.live in update and value(update[s.live]) is not None:
            before, after = (read_image(Path(path)).pixels for path in value(update[s.live]))
            seen.append(np.abs(before.astype(int) - after).mean())
    assert seen and min(seen) > 0, "the newest frame differs from its source"
    lines = " ".join(update[s.job.status] for update in updates if s.job.status in update)
    assert "Loading mtrnn-lite" in lines and "of 6" in lines

    last = updates[-1]
    run, shown = last[s.job.state], value(last[s.player])
    assert video_text.filmed(6, 0)[:14] in last[s.job.status] and last[s.job.run]["interactive"]
    assert shown["times"] == [float(time) for time in TIMES] and shown["offset"] == 0
    assert shown["sound"] and shown["aspect"] == pytest.approx(4 / 3, abs=1e-3)
    assert Path(shown["source"]["path"]).read_bytes() == Path(clip).read_bytes()
    assert value(last[s.download]) == shown["result"]["path"] == str(run.target)
    assert run.target.name == "My_clip_deblurred.mp4" and last[s.download]["label"] == video_text.DOWNLOAD_CLIP
    assert [frame.time for frame in read_frames(run.target)] == TIMES
    assert (
        "6 frames" in value(last[s.figures])
        and "Flicker" in value(last[s.figures])
        and value(last[s.curve]).count("<polyline") == 2
    )
    assert sorted(files(page)) == sorted([run.source, run.target]), "no picture of a frame is left"


def test_an_example_is_taken_as_if_it_had_been_dropped(page):
    s = page.screen
    updates = page.pick_example(None, gr.SelectData(None, {"index": 0, "value": ""}))
    (example,) = examples.CLIPS
    assert Path(updates[s.clip]).read_bytes() == example.clip.read_bytes()
    assert updates == {s.clip: updates[s.clip], **page.look(updates[s.clip], None)}
    assert "480 × 270 pixels, 2 s, 48 frames at 24 a second, silent." in updates[s.about]


def test_a_part_begins_at_zero_and_knows_where_it_comes_from(page, clip):
    *_, last = page.deblur(*asked(clip, start=0.05, end=0.3))
    shown = value(last[page.screen.player])
    assert shown["times"] == [0, 0.134, 0.167] and shown["offset"] == 0.066
    written = [frame.time for frame in read_frames(last[page.screen.job.state].target)]
    assert written == [time - TIMES[2] for time in TIMES[2:5]]


def test_cancel_keeps_the_finished_part(page, clip):
    s, updates, run = page.screen, [], None
    for update in page.deblur(*asked(clip, iterations=2)):
        updates.append(update)
        run = update.get(s.job.state, run)
        if run is not None and len(run.frames) == 2:
            run._unwanted.set()  # what ``stop`` does before it waits
    last = updates[-1]
    count = len(run.frames)
    assert 2 <= count < 6 and run.ended and run.kept and last[s.job.state] is run
    assert video_text.kept(count, 6) in unescape(last[s.job.status])
    assert last[s.download]["label"] == video_text.DOWNLOAD_PART and value(last[s.download]) == str(run.target)
    assert [frame.time for frame in read_frames(run.target)] == TIMES[:count]
    assert len(value(last[s.player])["times"]) == count and "Flicker" not in value(last[s.figures])


def test_a_part_behind_the_end_is_refused(page, clip):
    with pytest.warns(UserWarning, match="shows nothing from 100 s on"):
        *_, last = page.deblur(*asked(clip, start=100))
    assert "error" in last[page.screen.job.status] and not files(page)


def test_cancel_before_the_first_frame_leaves_nothing(page, clip):
    s, updates, run = page.screen, [], None
    for update in page.deblur(*asked(clip, iterations=3)):
        updates.append(update)
        if run := update.get(s.job.state, run):
            run._unwanted.set()
    assert text.CANCELLED in updates[-1][s.job.status] and updates[-1][s.job.state] is None
    assert not {s.welcome, s.player, s.live} & updates[-1].keys(), "the clip is still there to look at"
    assert not files(page)


def test_a_page_that_is_closed_in_mid_run_leaves_nothing(page, clip):
    s, run = page.screen, None
    updates = page.deblur(*asked(clip, iterations=2))
    for update in updates:
        run = update.get(s.job.state, run)
        if run is not None and run.frames:
            break
    assert files(page)
    updates.close()
    assert run.ended and not files(page)


def test_the_upload_may_expire_while_its_run_goes_on(page, clip):
    for update in page.deblur(*asked(clip)):
        if run := update.get(page.screen.job.state):
            Path(clip).unlink(missing_ok=True)
    assert not Path(clip).exists() and len(list(read_frames(run.target))) == 6 and not run.partial


@pytest.mark.parametrize("content", [b"#EXTM3U\nhttp://localhost/x.ts\n", b"", b"just some text, no video at all"])
def test_a_bad_file_costs_one_line_and_nothing_else(page, clip, tmp_path, content):
    s, bad = page.screen, tmp_path / "holiday.mp4"
    bad.write_bytes(content)
    looked = page.look(str(bad), None)
    assert "holiday.mp4" in looked[s.job.status] and "error" in looked[s.job.status] and looked[s.about] == ""
    with pytest.warns(UserWarning, match="holiday.mp4.*Accepted"):
        *_, last = page.deblur(*asked(str(bad)))
    assert "holiday.mp4" in last[s.job.status] and last[s.job.run]["interactive"] and not files(page)
    *_, last = page.deblur(*asked(clip))
    assert len(last[s.job.state].frames) == 6


@pytest.mark.parametrize(
    ("order", "words"),
    [(asked(None), "No clip"), (asked("x.mp4", start=3, end=2), "is empty"), (asked("x.mp4", start=-1), "start is")],
)
def test_what_makes_no_sense_is_refused_and_the_last_result_stays(page, clip, order, words):
    s = page.screen
    *_, last = page.deblur(*asked(clip))
    first = last[s.job.state]
    order = (clip if order[0] else None, *order[1:-1], first)
    with pytest.warns(UserWarning, match=words):
        *_, refused = page.deblur(*order)
    assert words in unescape(refused[s.job.status]) and first.kept


def test_the_next_run_replaces_the_last(page, clip):
    s = page.screen
    *_, last = page.deblur(*asked(clip))
    *_, after = page.deblur(*asked(clip, end=0.1, previous=last[s.job.state]))
    assert not last[s.job.state].kept and after[s.job.state].kept and len(after[s.job.state].frames) == 3


def test_a_run_without_a_frame_leaves_the_result_before(page, clip):
    s = page.screen
    *_, last = page.deblur(*asked(clip))
    first = last[s.job.state]
    with pytest.warns(UserWarning, match="shows nothing from 7 s on"):
        *_, refused = page.deblur(*asked(clip, start=7, previous=first))
    assert first.kept and refused[s.job.state] is first and not {s.player, s.results} & refused.keys()


@pytest.mark.parametrize("rate", [Fraction(24), Fraction(30), Fraction(30000, 1001), Fraction(25), Fraction(120)])
def test_a_part_begins_and_ends_at_the_frames_that_are_shown(page, rate):
    times = [index / rate for index in range(200)]
    for here, begin in enumerate(times):
        event = SimpleNamespace(seconds=float(begin))
        start, end = page.begin_here(event)[page.screen.start], page.end_here(event)[page.screen.end]
        assert [time for time in times if exact(start) <= time] == times[here:]
        assert [time for time in times if time < exact(end)] == times[:here]


def test_a_clip_is_described_and_shown_as_soon_as_it_is_there(page, clip):
    s = page.screen
    looked = page.look(clip, None)
    info = probe(Path(clip))
    assert looked[s.about].startswith("64 × 48 pixels, ") and "6 frames at " in looked[s.about]
    assert f"{info.seconds:.3g} s" in looked[s.about] and looked[s.about].endswith("with sound.")
    assert looked[s.start] == 0 and looked[s.end] is None
    shown = value(looked[s.player])
    assert shown["source"]["path"] == clip and shown["result"] is None and looked[s.player]["visible"]
    assert page.forget(None)[s.welcome] == gr.update(visible=True)


def test_the_next_clip_leaves_what_was_made_of_the_last(page, clip, tmp_path):
    s = page.screen
    *_, last = page.deblur(*asked(clip))
    run = last[s.job.state]
    looked = page.look(clip, run)
    assert value(looked[s.player])["result"] is None and looked[s.results]["visible"]
    assert looked[s.download] == gr.update(label=f"Download {run.target.name}, made before")
    assert not looked[s.curve]["visible"] and not looked[s.figures]["visible"]
    (tmp_path / "bad.mp4").write_bytes(b"no clip")
    for put_away in (page.forget(run), page.look(str(tmp_path / "bad.mp4"), run)):
        for part in (s.player, s.results, s.download, s.curve, s.figures):
            assert put_away[part] == last[part]
    run.discard()
    assert page.look(clip, run)[s.results] == page.forget(run)[s.results] == gr.update(visible=False)


def test_a_new_clip_leaves_the_stage_to_the_run_that_is_on_it(page, clip):
    s, run = page.screen, None
    updates = page.deblur(*asked(clip))
    for update in updates:
        run = update.get(s.job.state, run)
        if run is not None:
            break
    looked = page.look(clip, run)
    assert s.player not in looked and s.job.status not in looked and "6 frames" in looked[s.about]
    updates.close()
    assert s.player in page.look(clip, run)
