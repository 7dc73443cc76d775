"""What the image screen says of the blur, and the animation it makes: sentences, files, refusals."""

from __future__ import annotations

import json
import re
import resource
import zipfile
from dataclasses import replace

import gradio as gr
import pytest
from PIL import Image
from skimage import data

from deblur_demo.media.clip import read_frames
from deblur_demo.media.image import Photo, write_image
from deblur_demo.ui import examples, text
from deblur_demo.ui.bench import Bench
from deblur_demo.ui.image import layout as image_layout
from deblur_demo.ui.image import text as image_text
from deblur_demo.ui.image import views as image_views
from deblur_demo.ui.image.afterwards import Afterwards
from deblur_demo.ui.image.handlers import ImageHandlers
from deblur_demo.verdict import SIZES, Verdict

BLURRED = Verdict(0.66, 0.65, 3.2, 1.15, 1.47)


@pytest.fixture(scope="module")
def done(weights_folder, tmp_path_factory):
    """A page, and the run of a sharp photo on it: two iterations of a network that does little."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DEBLUR_CACHE", str(weights_folder))
        folder = tmp_path_factory.mktemp("page")
        write_image(Photo(data.coffee()[:160, :240]), folder / "my cup.png")
        with gr.Blocks():
            screen = image_layout.place(1.0)
        page = ImageHandlers(screen, Bench(), folder / "cache", examples.BLURRED)
        inputs = [str(folder / "my cup.png")], None, False, "mtrnn-lite", 2, False, "fp32", "auto", "1", "full", None
        yield page, list(page.deblur(*inputs))


@pytest.fixture
def run(done):
    page, updates = done
    return updates[-1][page.screen.job.state]


@pytest.fixture
def offers(done) -> Afterwards:
    page, _ = done
    return Afterwards(page.screen)


def test_the_photo_is_judged_at_once_and_the_run_when_it_is_over(done, run):
    page, updates = done
    said = [update[page.screen.verdict] for update in updates if page.screen.verdict in update]
    (result,) = run.results
    assert f"blur estimate {result.blur:.2f}" in said[0] and "This photo looks" in said[0]
    words = re.sub("<[^>]+>", "", said[-1]).replace("&#x27;", "'")
    assert said[-1] != said[0] and image_text.verdict(result.verdict) == words
    with zipfile.ZipFile(result.archive) as archive:
        facts = json.loads(archive.read("my_cup/report.json"))["verdict"]
    assert facts["blur_before"] == result.blur and facts["change"] == pytest.approx(result.verdict.change)


def test_plots_come_with_the_first_step(done, run):
    page, updates = done
    drawn = [update[page.screen.plots] for update in updates if page.screen.plots in update]
    assert len(drawn) == 4 and all(html.count("<figure") == 3 for html in drawn)
    assert [html.count("<polyline") for html in drawn] == [3, 4, 5, 5]
    assert len(run.results[0].steps[1].spectrum) == 48


@pytest.mark.parametrize("suffix", [".webp", ".mp4"])
def test_an_animation_is_made_once_and_shows_every_step(done, run, offers, suffix):
    page, _ = done
    made = offers.make_film(suffix, run, None)
    path = run.results[0].steps[0].full.with_name(f"my_cup_steps{suffix}")
    assert made[page.screen.film] == str(path) and f"my_cup_steps{suffix} is ready" in made[page.screen.job.status]
    if suffix == ".webp":
        with Image.open(path) as film:
            assert (film.n_frames, film.size) == (3, (240, 160))
    else:
        assert [frame.pixels.shape for frame in read_frames(path)] == [(160, 240, 3)] * 3
    before = path.stat().st_mtime_ns
    offers.make_film(suffix, run, None)
    assert path.stat().st_mtime_ns == before


def test_a_full_disk_costs_one_line(done, run, offers):
    page, _ = done
    for path in run.folder.rglob("*_steps.webp"):
        path.unlink()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
    try:
        made = offers.make_film(".webp", run, None)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert made[page.screen.film] is None and "my_cup_steps.webp cannot be written" in made[page.screen.job.status]


def test_an_expired_run_has_no_animation(done, offers):
    page, _ = done
    made = offers.make_film(".webp", None, None)
    assert made[page.screen.film] is None and text.EXPIRED in made[page.screen.job.status]


@pytest.mark.parametrize("size", ["full", "half", "quarter"])
def test_a_tip_sets_the_size_that_it_names(done, run, offers, size):
    s = done[0].screen
    taken = offers.take_tip(run, None, ["x/my cup.png"], False, clicked("size", size))
    assert taken.keys() == {s.knobs.size, s.job.status} and taken[s.knobs.size] == size
    assert "error" not in taken[s.job.status], "an error of before would keep the photo from being run"
    found = replace(run.results[0], verdict=replace(BLURRED, advice=(SIZES[size],)))
    assert f'data-knob="size" data-value="{size}">Try it at {size} size</button>' in image_views.verdict(found)


def test_a_tip_sets_the_model_that_it_names_at_full_size(done, run, offers):
    knobs = done[0].screen.knobs
    taken = offers.take_tip(run, None, ["x/my cup.png"], False, clicked("model", "richardson-lucy"))
    assert (taken[knobs.model], taken[knobs.size]) == ("richardson-lucy", "full")
    assert "classic filter" in taken[knobs.about] and taken[knobs.iterations]["interactive"]
    found = replace(run.results[0], verdict=replace(BLURRED, smear=35.6, advice=("deconvolution",)))
    button = 'data-knob="model" data-value="richardson-lucy">Try it with richardson-lucy</button>'
    assert f"{button}: it looks smeared straight over 36 px" in image_views.verdict(found)


def test_a_tip_is_for_the_photo_that_it_was_said_of(done, run, offers):
    s = done[0].screen
    for photos in ([], None, ["x/other.png"], ["x/my cup.png", "x/other.png"]):
        refused = offers.take_tip(run, 0, photos, False, clicked("size", "half"))
        assert "my cup.png is not the photo above" in refused[s.job.status]
    assert text.EXPIRED in offers.take_tip(None, None, ["x/my cup.png"], False, clicked("size", "half"))[s.job.status]
    for knob, accepted in (("size", "full or half or quarter"), ("model", "No trained weights")):
        refused = offers.take_tip(run, None, ["x/my cup.png"], False, clicked(knob, "bold"))
        assert refused.keys() == {s.job.status} and accepted in refused[s.job.status]


def clicked(knob: str, value: str) -> gr.EventData:
    return gr.EventData(None, {"knob": knob, "value": value})


def test_only_a_photo_on_its_own_is_run_again(run):
    found = replace(run.results[0], verdict=replace(BLURRED, advice=("half_size",)))
    alone, among_others = image_views.verdict(found), image_views.verdict(found, alone=False)
    assert "<button" in alone and "<button" not in among_others and "Try it at half size" in among_others
    assert "<button" not in image_views.verdict(replace(run.results[0], verdict=BLURRED))


def test_a_tip_goes_to_a_step_of_any_photo(run):
    found = replace(run.results[0], verdict=Verdict(0.31, 0.3, 2.0, 1.05, advice=("first_step",)))
    for alone in (True, False):
        assert 'data-knob="step" data-value="1">Look at step 1</button>, too' in image_views.verdict(found, alone)


@pytest.mark.parametrize(
    ("found", "words"),
    [
        (
            Verdict(0.21, 0.2, 0.4, 1.0),
            "Next to nothing changed: the photo was sharp already (blur estimate 0.21).",
        ),
        (
            Verdict(0.31, 0.3, 2.0, 1.05),
            "The photo was sharp already (blur estimate 0.31). Its edges are 5 % steeper.",
        ),
        (
            Verdict(0.31, 0.3, 2.0, 1.05, -0.4, advice=("first_step",)),
            "The photo was sharp already (blur estimate 0.31). Its edges are 5 % steeper. "
            "It is 0.40 dB farther from the sharp reference than before. "
            "Look at step 1, too: where little is to be done, the others can do too much.",
        ),
        (
            Verdict(0.45, 0.44, 2.0, 0.9),
            "The photo was only slightly blurred (blur estimate 0.45). Its edges are 10 % softer.",
        ),
        (
            replace(BLURRED, change=0.6, gain=None, advice=("half_size",)),
            "Next to nothing changed although the photo is blurred (blur estimate 0.66). "
            "Try it at half size if it is smeared straight: long smears are half as long there.",
        ),
        (
            replace(BLURRED, blur_after=0.5, gain=None, size="half", advice=("full_size",)),
            "Restored at half size. Less blurred: the estimate fell from 0.66 to 0.50, edges are 15 % steeper. "
            "Try it at full size: no smear in it is too long for that, and fine detail is restored there.",
        ),
        (
            replace(BLURRED, smear=22.4, gain=None, advice=("deconvolution",)),
            "Most of the blur is left (blur estimate 0.65): edges are 15 % steeper. "
            "Try it with richardson-lucy: it looks smeared straight over 22 px, which that undoes.",
        ),
        (
            replace(BLURRED, change=0, gain=None, advice=("network",)),
            "Next to nothing changed although the photo is blurred (blur estimate 0.66). "
            "Try it with mtrnn-lite: no straight smear was found to undo.",
        ),
        (
            replace(BLURRED, advice=("more_iterations",)),
            "Most of the blur is left (blur estimate 0.65): edges are 15 % steeper. "
            "It is 1.47 dB closer to the sharp reference than before. Try more iterations.",
        ),
        (
            replace(BLURRED, blur_after=0.5, gain=-0.2),
            "Less blurred: the estimate fell from 0.66 to 0.50, edges are 15 % steeper. "
            "It is 0.20 dB farther from the sharp reference than before.",
        ),
        (
            Verdict(None, None, 2.0, 1.0, 0.01),
            "Changed by 2.0 of 255 levels on average. It is as close to the sharp reference as before.",
        ),
    ],
)
def test_the_sentences(found, words):
    assert image_text.verdict(found) == words


def test_the_result_may_have_lost_its_edges():
    assert "(blur estimate –)" in image_text.verdict(replace(BLURRED, blur_after=None))
