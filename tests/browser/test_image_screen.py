"""The image screen in a real browser: a photo goes in, three steps come out, files are downloaded."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from deblur_demo.media.heat import paint
from tests.browser.photos import give, run

pytestmark = pytest.mark.browser


def downloaded(page, button: str) -> tuple[str, bytes]:
    with page.expect_download() as event:
        page.click(button)
    return event.value.suggested_filename, Path(event.value.path()).read_bytes()


def pixels(source) -> np.ndarray:
    return np.asarray(Image.open(source).convert("RGB")).astype(int)


def test_a_photo_becomes_three_steps_to_look_at_and_to_keep(visit, photo):
    page = visit()
    give(page, photo)
    run(page, 3)
    page.wait_for_selector("#image-status .status.done")
    layers = page.locator("#image-viewer .layer img")
    page.wait_for_selector("#image-viewer .layer.after img[alt='Step 3']")
    decoded = "images => Promise.all(images.map(image => image.decode().then(() => image.naturalWidth)))"
    assert layers.evaluate_all(decoded) == [160, 160]
    left, right = (layers.nth(side).bounding_box() for side in (0, 1))
    assert left == pytest.approx(right, abs=0.5)  # one exactly over the other
    assert page.locator("#image-viewer .crop b").all_inner_texts() == ["Input", "Step 1", "Step 2", "Step 3"]
    assert page.locator("#table tbody tr").count() == 4
    page.wait_for_selector("#step-png:has-text('step 3')")

    given = pixels(photo)
    name, png = downloaded(page, "#step-png")
    assert name == "clock_step_03.png" and png.startswith(b"\x89PNG")
    last = pixels(io.BytesIO(png))
    assert last.shape == given.shape and np.abs(last - given).mean() > 0.05
    name, packed = downloaded(page, "#steps-zip")
    with zipfile.ZipFile(io.BytesIO(packed)) as archive:
        steps = [pixels(archive.open(f"clock/step_{index:02d}.png")) for index in range(4)]
        assert len(archive.namelist()) == 5  # and the report
    assert name == "clock_steps.zip"
    assert np.array_equal(steps[0], given) and np.array_equal(steps[3], last)
    assert not np.array_equal(steps[1], steps[2])

    check_steps(page, steps)
    check_crops(page, steps)
    check_difference(page, steps)


def check_steps(page, steps: list[np.ndarray]) -> None:
    """Slider, crops and keys put a step on the right; the row and the download follow."""
    slider = page.locator("#image-viewer .steps input")
    slider.focus()
    page.keyboard.press("ArrowLeft")
    assert page.locator("#image-viewer .right").input_value() == "2"
    page.wait_for_selector("#step-png:has-text('step 2')")
    assert page.locator("#table tr.shown th").inner_text() == "2"
    name, png = downloaded(page, "#step-png")
    assert name == "clock_step_02.png" and np.array_equal(pixels(io.BytesIO(png)), steps[2])

    page.locator("#image-viewer .crop", has_text="Step 1").click()
    assert slider.input_value() == "1" and slider.get_attribute("aria-valuetext") == "Step 1"
    page.wait_for_selector("#table tr.shown th:text-is('1')")
    page.locator("#image-viewer .view").press(".")
    page.locator("#image-viewer .view").press(".")
    page.locator("#image-viewer .view").press(".")  # there is no fourth
    assert slider.input_value() == "3"
    page.wait_for_selector("#table tr.shown th:text-is('3')")


def check_crops(page, steps: list[np.ndarray]) -> None:
    """Every crop shows the same place of its step, pixel by pixel, and it is where the frame stands."""
    page.locator("#image-viewer .whole").click()
    page.locator("#image-viewer .view").press("ArrowRight")
    windows = page.locator("#image-viewer .crop .window")
    corner = "image => image.style.transform.match(/-?[0-9.]+/g).slice(0, 2).map(Number)"
    ((x, y),) = {tuple(windows.nth(index).locator("img").evaluate(corner)) for index in range(4)}
    left, top = max(0, round(x)) + 12, max(0, round(y)) + 12  # past the round corners
    for index, step in enumerate(steps):
        shot = pixels(io.BytesIO(windows.nth(index).screenshot()))
        wanted = step[top - round(y) :, left - round(x) :][:60, :60]
        # Where a crop begins on the screen, between pixels or on one, is up to the browser.
        shifts = [(top + down, left + across) for down in (-2, -1, 0, 1, 2) for across in (-2, -1, 0, 1, 2)]
        assert any(np.array_equal(shot[a : a + 60, b : b + 60], wanted) for a, b in shifts), index
    page.locator("#image-viewer .fit").click()


def check_difference(page, steps: list[np.ndarray]) -> None:
    """The difference of any two is shown in the colours of the legend."""
    view, button = page.locator("#image-viewer .view"), page.locator("#image-viewer .differ")
    page.locator("#image-viewer .whole").click()
    page.add_style_tag(content="#image-viewer :is(.lens, .wipe, .tag) { visibility: hidden }")

    def shot() -> np.ndarray:
        page.wait_for_timeout(100)
        whole = pixels(io.BytesIO(view.screenshot()))
        top, left = (whole.shape[0] - 120) // 2, (whole.shape[1] - 160) // 2
        return whole[top + 4 : top + 116, left + 4 : left + 156]

    plain = shot()
    view.press("d")
    assert button.get_attribute("aria-pressed") == "true" and page.locator("#image-viewer .legend").is_visible()
    assert "32 levels" in page.locator("#image-viewer .legend").get_attribute("aria-label")
    apart = shot()
    wanted = paint(np.abs(steps[3] - steps[0]) @ (0.299, 0.587, 0.114), 32).astype(int)[4:116, 4:156]
    assert np.abs(apart - plain).mean() > 10 and wanted.max() > 40
    nearest = min(
        np.abs(np.roll(apart, (y, x), (0, 1)) - wanted)[4:-4, 4:-4].mean() for y in (-1, 0, 1) for x in (-1, 0, 1)
    )
    assert nearest < 4  # the browser works in whole levels
    page.locator("#image-viewer .left").select_option("Step 3")
    assert shot().max() == 0, "a step differs in nothing from itself"
    button.click()
    assert button.get_attribute("aria-pressed") == "false" and shot().max() > 100


def test_the_visitors_choice_stays_while_steps_arrive(visit, large):
    page = visit()
    give(page, large)
    run(page, 6)
    page.wait_for_selector("#image-viewer .crop:not([disabled]) b:has-text('Step 1')")
    page.locator("#image-viewer .crop", has_text="Input").click()
    page.wait_for_selector("#step-png:has-text('the input')")
    page.wait_for_selector("#image-viewer .crop:not([disabled]) b:has-text('Step 3')")
    assert page.locator("#image-viewer .right").input_value() == "0"
    assert page.locator("#table tr.shown th").inner_text() == "0"
    page.click("#image-cancel")
    page.wait_for_selector("#image-status .status p:has-text('Cancelled')")


def test_an_ensemble_shows_where_it_is_in_doubt(visit, photo):
    page = visit()
    give(page, photo)
    assert page.locator("#image-viewer .told").count() == 0  # nothing is shown yet
    page.click("#image-more > button")
    page.get_by_label("Self-ensemble").first.click()
    page.get_by_role("option", name="4 copies").click()
    run(page, 2)
    page.wait_for_selector("#image-status .status.done")
    page.wait_for_selector("#image-viewer .crop:not([disabled]) b:has-text('Doubt')")
    assert page.locator("#image-viewer .crop b").all_inner_texts() == ["Input", "Step 1", "Step 2", "Doubt"]
    assert "detail is a guess" in page.locator("#image-viewer .told").inner_text()
    assert page.locator("#image-viewer .legend").is_hidden()
    page.locator("#image-viewer .crop", has_text="Doubt").click()
    legend = page.locator("#image-viewer .legend")
    assert legend.is_visible() and "Doubt after step 2" in legend.get_attribute("aria-label")
    assert page.locator("#image-viewer .differ").is_disabled()
    link = page.locator("#image-viewer .layer.after img").evaluate("image => image.src")
    colours = pixels(io.BytesIO(page.request.get(link).body()))
    _, packed = downloaded(page, "#steps-zip")
    with zipfile.ZipFile(io.BytesIO(packed)) as archive:
        kept = pixels(archive.open("clock/step_02_doubt.png"))
        figures = json.loads(archive.read("clock/report.json"))["steps"][2]["maps"]["doubt"]
    assert np.array_equal(colours, kept) and colours.max() > 40
    assert 0 < figures["mean"] < figures["p95"]


def test_a_bad_file_costs_one_line_and_the_page_goes_on(visit, photo, tmp_path):
    bad = tmp_path / "holiday.jpg"
    bad.write_text("<html><script>alert(1)</script></html>")
    page = visit()
    page.locator("#photos input[type=file]").first.set_input_files(bad)
    page.wait_for_selector("#photos .thumbnail-item")
    run(page, 1)
    page.wait_for_selector("#image-status .status.error")
    line = page.locator("#image-status .status p").inner_text()
    assert "holiday.jpg" in line and "Accepted: JPEG, PNG" in line and "\n" not in line
    page.wait_for_selector("[data-testid=toast-body]")
    give(page, photo)
    page.click("#image-run")
    page.wait_for_selector("#image-status .status.done")
    assert page.locator("#table tbody tr").count() == 2


def test_an_example_brings_its_reference(visit):
    page = visit()
    page.locator("#examples .thumbnail-item").nth(2).click()
    page.wait_for_selector("#photos .thumbnail-item img")
    run(page, 1)
    page.wait_for_selector("#image-status .status.done")
    assert "PSNR" in page.locator("#table thead").inner_text()
    assert float(page.locator("#table tbody tr").first.locator("td").nth(3).inner_text().split()[0]) > 20


def test_nothing_jumps_while_steps_arrive(visit, photo):
    page = visit()
    give(page, photo)
    page.evaluate(
        """() => {
          window.seen = new Set();
          const look = () => {
            const parts = [".view", ".steps", ".crops"].map((part) => "#image-viewer " + part);
            parts.push("#step-png", "#table");
            const boxes = parts.map((part) => document.querySelector(part)?.getBoundingClientRect());
            if (boxes.every((box) => box?.height > 0))
              window.seen.add(boxes.map((box) => [box.top + scrollY, box.bottom + scrollY].map(Math.round)).join());
            requestAnimationFrame(look);
          };
          look();
        }"""
    )
    run(page, 4)
    page.wait_for_selector("#image-status .status.done")
    page.wait_for_timeout(300)
    assert len(page.evaluate("[...window.seen]")) == 1


def test_a_phone_needs_no_sideways_scrolling(visit, photo):
    page = visit(390, 844, is_mobile=True, has_touch=True)
    width = "[document.documentElement.scrollWidth, window.innerWidth]"
    assert page.evaluate(width) == [390, 390]
    give(page, photo)
    run(page, 3)
    page.wait_for_selector("#image-status .status.done")
    assert page.evaluate(width) == [390, 390]
    assert page.locator("#image-status").bounding_box()["y"] == pytest.approx(12, abs=1)  # all of the stage is in view


def test_nobody_else_is_asked_for_anything(visit, address, photo):
    page = visit()
    foreign = []
    page.on("request", lambda request: foreign.append(request.url))
    page.reload()
    page.wait_for_selector("#image-run")
    give(page, photo)
    run(page, 1)
    page.wait_for_selector("#image-status .status.done")
    assert foreign and [url for url in foreign if not url.startswith((address, "data:", "blob:"))] == []
