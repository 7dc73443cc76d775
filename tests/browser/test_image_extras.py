"""What the image screen says and gives away after a run: the verdict, the plots, the animations."""

from __future__ import annotations

import io
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image
from skimage import data

from deblur_demo.media.clip import read_frames

pytestmark = pytest.mark.browser


@pytest.fixture
def cup(tmp_path) -> Path:
    """A sharp photo, 300 x 200."""
    path = tmp_path / "cup.png"
    Image.fromarray(data.coffee()[100:300, 150:450]).save(path)
    return path


def run(page, photo: Path, iterations: int) -> None:
    page.locator("#photos input[type=file]").first.set_input_files(photo)
    page.wait_for_selector("#photos .thumbnail-item img")
    page.locator("#image-iterations input[type=number]").fill(str(iterations))
    page.locator("#image-iterations input[type=number]").press("Tab")
    page.click("#image-run")
    page.wait_for_selector("#image-status .status.done")


def test_a_sharp_photo_is_told_apart_and_plots_say_how_it_went(visit, cup):
    page = visit()
    run(page, cup, 3)
    page.wait_for_selector("#image-verdict .verdict:has-text('sharp already')")
    assert page.locator("#image-verdict .verdict").get_attribute("role") == "status"
    assert page.locator("#image-plots figure").count() == 3
    assert page.locator("#image-plots .spectrum polyline").count() == 4
    words = page.locator("#image-plots svg").evaluate_all("plots => plots.map(plot => plot.getAttribute('aria-label'))")
    assert words[0].startswith("Sharpness by iteration: 0: ") and words[0].count(":") == 5
    assert "Step 3: coarse" in words[2]
    page.click("#image-verdict button:has-text('Look at step 1')")
    page.wait_for_selector("#image-viewer .tag.after:text-is('Step 1')")
    page.wait_for_selector("#step-png:has-text('Download step 1')")


def test_a_picture_that_is_still_on_its_way_lends_its_name_to_no_other(visit, cup):
    page, held = visit(), []
    page.route("**/*_step_02.png", lambda route: held.append(route))
    run(page, cup, 2)
    tag, crop = page.locator("#image-viewer .tag.after"), page.locator("#image-viewer .crop", has_text="Step 2")
    assert page.locator("#image-viewer .right").input_value() == "2" and held
    assert tag.inner_text() in ("Input", "Step 1", "")  # of the last picture that came in time, if one did
    assert crop.locator("img").evaluate("image => image.naturalWidth") == 0
    for route in held:
        route.continue_()
    page.wait_for_selector("#image-viewer .tag.after:text-is('Step 2')")
    assert crop.locator("img").evaluate("image => image.decode().then(() => image.naturalWidth)") == 300


@pytest.mark.parametrize(("button", "name"), [("#image-webp", "cup_steps.webp"), ("#image-mp4", "cup_steps.mp4")])
def test_the_animation_is_downloaded_with_every_step(visit, cup, tmp_path, button, name):
    page = visit()
    assert page.locator(button).count() == 0 or page.locator(button).is_hidden()
    run(page, cup, 3)
    with page.expect_download() as event:
        page.click(button)
    assert event.value.suggested_filename == name
    page.wait_for_selector(f"#image-status p:has-text('{name} is ready')")
    event.value.save_as(tmp_path / name)
    if name.endswith(".mp4"):
        frames = [frame.pixels for frame in read_frames(tmp_path / name)]
    else:
        with Image.open(io.BytesIO((tmp_path / name).read_bytes())) as film:
            frames = [np.asarray(film.convert("RGB")) for index in range(film.n_frames) if film.seek(index) is None]
    assert [frame.shape for frame in frames] == [(200, 300, 3)] * 4
    sharp = np.asarray(Image.open(cup)).astype(int)
    assert np.abs(frames[0][:150] - sharp[:150]).mean() < 6


def test_a_long_blur_is_tried_again_at_half_the_size_by_one_click(visit, tmp_path):
    path = tmp_path / "soft.png"
    Image.fromarray(cv2.GaussianBlur(data.coffee(), (0, 0), 10)).save(path)
    page = visit()
    run(page, path, 1)
    page.click("#image-verdict button:has-text('half size')")
    page.wait_for_selector("#image-verdict p:has-text('Restored at half size')")
    page.wait_for_selector("#image-status .status.done")
    assert page.locator("#image-viewer img").first.evaluate("image => image.naturalWidth") == 600
    page.get_by_text("More options").first.click()
    assert "half size" in page.input_value("#image-size input")


def test_a_straight_smear_is_undone_by_one_click(visit, tmp_path):
    path = tmp_path / "smeared.png"
    Image.fromarray(cv2.blur(data.coffee(), (29, 1))).save(path)
    page = visit()
    run(page, path, 4)
    page.click("#image-verdict button:has-text('richardson-lucy')")
    page.wait_for_selector("#image-verdict p:has-text('Less blurred')")
    page.wait_for_selector("#image-status .status.done")
    assert "richardson-lucy" in page.input_value("#image-model input")
    assert "classic filter" in page.inner_text(".about-model >> visible=true")
