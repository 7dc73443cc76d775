"""The blur lab in a real browser: a path is drawn, a photo shaken, a network works on it, the pair is taken home."""

from __future__ import annotations

import io
import json
import re
import zipfile
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from skimage import data

from deblur_demo import metrics
from tests.browser.tabs import go_to

pytestmark = pytest.mark.browser


@pytest.fixture
def photo(tmp_path) -> Path:
    """A corner of scikit-image's cup of coffee, 160 x 120."""
    path = tmp_path / "cup.png"
    Image.fromarray(data.coffee()[100:220, 200:360]).save(path)
    return path


@pytest.fixture
def lab(visit):
    """Open the page at its blur lab."""

    def open_lab(*size: int, **options):
        page = visit(*size, **options)
        go_to(page, "Blur lab")
        page.wait_for_selector("#lab-pad .frames circle")  # a path by lot is there
        return page

    return open_lab


def give(page, path: Path) -> None:
    page.locator("#lab-photo input[type=file]").set_input_files(path)
    page.wait_for_selector("#lab-photo img")


def draw(page, *corners: tuple[float, float]) -> None:
    """Draw a path with the mouse; corners are shares of the sheet."""
    sheet = page.locator("#lab-pad .sheet")
    sheet.scroll_into_view_if_needed()
    box = sheet.bounding_box()
    places = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in corners]
    page.mouse.move(*places[0])
    page.mouse.down()
    for place in places[1:]:
        page.mouse.move(*place, steps=12)
    page.mouse.up()
    page.wait_for_selector("#lab-pad .origin:has-text('drawn')")


def blur(page) -> None:
    page.click("#lab-blur-run")
    page.wait_for_selector("#lab-status p:has-text('Blurred: ')")


def deblur(page, iterations: int) -> None:
    page.locator("#lab-iterations input[type=number]").fill(str(iterations))
    page.locator("#lab-iterations input[type=number]").press("Tab")
    page.click("#lab-run")
    page.wait_for_selector("#lab-status p:has-text('Done in')")


def downloaded(page, button: str) -> tuple[str, bytes]:
    with page.expect_download() as event:
        page.click(button)
    return event.value.suggested_filename, Path(event.value.path()).read_bytes()


def pixels(source) -> np.ndarray:
    return np.asarray(Image.open(source).convert("RGB"))


def stage(page) -> list[np.ndarray]:
    """Both pictures in the viewer, as files: left and right."""
    links = page.locator("#lab-viewer .layer img").evaluate_all("images => images.map((image) => image.src)")
    return [pixels(io.BytesIO(page.request.get(link).body())) for link in links]


def put(page, side: str, name: str) -> None:
    page.locator(f"#lab-viewer .{side}").first.select_option(name)


def test_a_drawn_path_is_seen_undone_scored_and_taken_home(lab, photo):
    page = lab()
    give(page, photo)
    draw(page, (0.4, 0.5), (0.55, 0.5), (0.55, 0.7))  # 14.4 pixels to the right, then 10.8 down
    assert page.locator("#lab-pad .origin").inner_text() == "drawn, 14 × 11 px"
    page.locator("#lab-level input[type=number]").fill("13")
    page.locator("#lab-level input[type=number]").press("Tab")
    page.wait_for_selector("#lab-pad .sheet[aria-label*='13 of 13']")
    assert page.locator("#lab-pad circle.closed").count() == 0
    blur(page)
    assert page.locator("#lab-viewer .steps").is_hidden()  # no network has worked yet
    blurred, sharp = stage(page)
    assert np.abs(sharp.astype(int) - pixels(photo)).max() <= 1
    psnr = metrics.psnr(blurred, sharp)
    assert psnr < 30 and f"{psnr:.2f} dB" in page.locator("#lab-status p").inner_text()
    names = page.locator("#lab-viewer .crop b").all_inner_texts()
    assert names == ["Blurred", "Sharp", *(f"TL{number}" for number in range(1, 14, 2))]

    name, packed = downloaded(page, "#lab-pair")
    with zipfile.ZipFile(io.BytesIO(packed)) as archive:
        pair = [pixels(archive.open(f"{which}.png")) for which in ("sharp", "blurred")]
        shake = json.loads(archive.read("shake.json"))
    assert name == "cup_pair.zip" and np.array_equal(pair[0], sharp) and np.array_equal(pair[1], blurred)
    path = np.array(shake["path"])
    assert np.ptp(path, axis=0) == pytest.approx([14.4, 10.8], abs=0.5) and shake["level"] == 13
    kernel = page.locator("#lab-kernel img")
    size = kernel.evaluate("image => image.naturalWidth")
    assert f"{size} × {size} px" in page.locator("#lab-kernel p").inner_text() and size >= 2 * 10
    assert downloaded(page, "#lab-recipe") == ("cup_shake.json", json.dumps(shake, indent=2).encode() + b"\n")

    deblur(page, 2)
    assert page.locator("#lab-curves figure").count() == 2
    assert page.locator("#lab-curves figure").first.locator("svg path").count() == 3
    assert page.locator("#lab-table tbody tr").count() == 3
    assert np.array_equal(stage(page)[0], blurred)
    scores = page.locator("#lab-curves figure").first.locator("title").all_text_contents()
    assert scores[0] == f"{psnr:.2f}" and scores[2] == f"{metrics.psnr(stage(page)[1], sharp):.2f}"
    put(page, "left", "Sharp")
    put(page, "right", "TL1")
    assert all(np.array_equal(picture, sharp) for picture in stage(page))
    page.locator("#lab-viewer .crop", has_text="Step 1").click()
    page.wait_for_selector("#lab-table tr.shown th:text-is('1')")
    page.locator("#lab-viewer .steps input").press("ArrowRight")
    page.wait_for_selector("#lab-table tr.shown th:text-is('2')")
    name, packed = downloaded(page, "#lab-steps-zip")
    assert name == "cup_blurred_steps.zip" and len(zipfile.ZipFile(io.BytesIO(packed)).namelist()) == 4


def test_a_palm_on_the_sheet_draws_nothing(lab):
    page = lab()
    draw(page, (0.3, 0.5), (0.7, 0.5))
    alone = page.locator("#lab-pad .origin").inner_text()
    palm = """node => node.addEventListener("pointerdown", () => {
        const { x, y, width, height } = node.getBoundingClientRect();
        const there = { pointerId: 77, clientX: x + 0.1 * width, clientY: y + 0.9 * height };
        for (const name of ["pointermove", "pointerup"]) node.dispatchEvent(new PointerEvent(name, there));
    })"""
    page.locator("#lab-pad .sheet").evaluate(palm)
    draw(page, (0.3, 0.5), (0.7, 0.5))
    assert page.locator("#lab-pad .origin").inner_text() == alone


def test_a_late_answer_does_not_take_away_what_was_drawn_meanwhile(lab):
    page = lab()
    page.route("**/gradio_api/**", lambda route: (page.wait_for_timeout(1000), route.continue_()))
    shift = page.locator("#lab-shift input[type=number]")
    with page.expect_response("**/gradio_api/**"):
        shift.fill("60")
        shift.press("Tab")
        draw(page, (0.5, 0.2), (0.5, 0.8))
    page.unroute_all(behavior="wait")
    page.wait_for_timeout(500)
    origin = page.locator("#lab-pad .origin")
    assert re.match(r"drawn, 0 × \d+ px", origin.inner_text())
    exposed = page.locator("#lab-pad .frames .open").count()
    page.locator("#lab-level input[type=number]").fill("5")
    page.locator("#lab-level input[type=number]").press("Tab")
    page.wait_for_function("before => document.querySelectorAll('#lab-pad .frames .open').length < before", arg=exposed)
    assert origin.inner_text().startswith("drawn")
    with page.expect_response("**/gradio_api/**"):
        shift.fill("80")
        shift.press("Tab")
    page.wait_for_selector("#lab-pad .origin:has-text('random')")


def test_the_dice_need_no_mouse_and_an_export_repeats_the_shake(lab, photo, tmp_path):
    page = lab()
    give(page, photo)
    shown = page.locator("#lab-pad polyline.whole")
    first = shown.get_attribute("points")
    page.locator("#lab-pad .lot").focus()
    page.keyboard.press("Enter")
    page.wait_for_function(
        "first => document.querySelector('#lab-pad .whole').getAttribute('points') != first", arg=first
    )
    blur(page)
    _, recipe = downloaded(page, "#lab-recipe")
    (tmp_path / "shake.json").write_bytes(recipe)
    before = stage(page)[0]
    draw(page, (0.2, 0.2), (0.8, 0.8))
    page.click("#lab-shake-more > button")
    page.locator("#lab-upload input[type=file]").set_input_files(tmp_path / "shake.json")
    page.wait_for_selector("#lab-status p:has-text('The shake is loaded')")
    assert page.locator("#lab-seed input").input_value() == str(json.loads(recipe)["seed"])
    blur(page)
    assert metrics.psnr(stage(page)[0], before) > 50


def test_an_edit_of_the_shake_after_a_blur_is_said(lab, photo):
    """What is on the stage, and deblurred, is the old one."""
    page = lab()
    page.click("#lab-shake-more > button")
    give(page, photo)
    knobs = {"Exposure": "5", "Length of a random path": "40", "Moving objects": "1", "Noise": "2",
             "Brightest light": "3", "Seed": "8"}  # fmt: skip

    def turn(name: str) -> None:
        field = page.get_by_label(f"number input for {name}" if name != "Seed" else name)
        field.fill(knobs[name])
        field.press("Tab")

    edits = {name: partial(turn, name) for name in knobs}
    edits["dice"] = partial(page.click, "#lab-pad .lot")
    edits["pen"] = partial(draw, page, (0.4, 0.5), (0.6, 0.5))
    edits["dice"]()
    page.wait_for_timeout(500)
    assert page.locator("#lab-status p").inner_text() == "Ready.", "there is no blur yet"
    for edit in edits.values():
        blur(page)
        edit()
        page.wait_for_selector("#lab-status p:has-text('The shake has changed. “Blur it” blurs with the new one')")
    before = stage(page)[0]
    deblur(page, 1)
    assert np.array_equal(stage(page)[0], before)


def test_bad_files_cost_one_line_and_the_lab_goes_on(lab, photo, tmp_path):
    bad = tmp_path / "holiday.jpg"
    bad.write_text("<html><script>alert(1)</script></html>")
    page = lab()
    page.click("#lab-blur-run")
    page.wait_for_selector("#lab-status .status.error")
    assert "No photo" in page.locator("#lab-status p").inner_text()
    page.locator("#lab-photo input[type=file]").set_input_files(bad)
    page.wait_for_selector("#lab-photo button[aria-label='Remove Image']")
    page.click("#lab-blur-run")
    page.wait_for_selector("#lab-status p:has-text('holiday.jpg')")
    line = page.locator("#lab-status p").inner_text()
    assert "Accepted: JPEG, PNG" in line and "\n" not in line
    (tmp_path / "shake.json").write_text('{"path": [[0, 0], [1e9, 0]]}')
    page.click("#lab-shake-more > button")
    page.locator("#lab-upload input[type=file]").set_input_files(tmp_path / "shake.json")
    page.wait_for_selector("#lab-status p:has-text('path')")
    page.locator("#lab-photo button[aria-label='Remove Image']").click()
    give(page, photo)
    blur(page)


def test_cancel_keeps_the_steps_that_are_there(lab, cache, tmp_path):
    large = tmp_path / "large.png"
    Image.fromarray(data.coffee()).save(large)
    page = lab()
    give(page, large)
    blur(page)
    before = set(cache.glob("deblur-run-*"))
    page.locator("#lab-iterations input[type=number]").fill("10")
    page.locator("#lab-iterations input[type=number]").press("Tab")
    page.click("#lab-run")
    page.wait_for_selector("#lab-status p:text-matches('Iteration [2-9]')")  # a busy browser may skip one
    assert page.locator("#lab-blur-run").is_disabled()
    page.click("#lab-cancel")
    page.wait_for_selector("#lab-status p:has-text('Cancelled after iteration')")
    page.wait_for_selector("#lab-run:not([disabled])")
    last = int(re.search(r"iteration (\d+)", page.locator("#lab-status p").inner_text())[1])
    page.wait_for_function(f"document.querySelectorAll('#lab-viewer .crop').length === {9 + last}")
    assert len(set(cache.glob("deblur-run-*")) - before) == 1 and page.locator("#lab-steps").is_visible()


def test_a_finger_draws_on_a_phone_without_sideways_scrolling(lab, photo):
    page = lab(390, 844, is_mobile=True, has_touch=True)
    width = "[document.documentElement.scrollWidth, window.innerWidth]"
    assert page.evaluate(width) == [390, 390]
    give(page, photo)
    sheet = page.locator("#lab-pad .sheet")
    sheet.scroll_into_view_if_needed()
    box = sheet.bounding_box()
    session = page.context.new_cdp_session(page)
    for index in range(12):
        place = {"x": box["x"] + box["width"] * (0.3 + index / 30), "y": box["y"] + box["height"] / 2}
        kind = "touchStart" if index == 0 else "touchMove"
        session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": [place]})
    session.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    page.wait_for_selector("#lab-pad .origin:has-text('drawn, 35 × 0 px')")
    blur(page)
    deblur(page, 1)
    assert page.evaluate(width) == [390, 390]
    assert page.locator("#lab-status").bounding_box()["y"] < 844
