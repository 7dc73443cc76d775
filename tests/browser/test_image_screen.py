"""The image screen in a real browser: a photo goes in, three steps come out, files are downloaded."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from skimage import data

pytestmark = pytest.mark.browser


@pytest.fixture
def photo(tmp_path) -> Path:
    """A corner of scikit-image's moving clock, 160 x 120."""
    path = tmp_path / "clock.png"
    Image.fromarray(data.clock()[90:210, 120:280]).save(path)
    return path


def give(page, *paths: Path) -> None:
    """Put photos on the page, as a visitor does who has some there already or not."""
    if page.locator("#photos button[aria-label=Clear]").count():
        page.locator("#photos button[aria-label=Clear]").click()
    page.locator("#photos input[type=file]").first.set_input_files(paths)
    page.wait_for_selector("#photos .thumbnail-item img")


def run(page, iterations: int) -> None:
    page.locator("#image-iterations input[type=number]").fill(str(iterations))
    page.locator("#image-iterations input[type=number]").press("Tab")
    page.click("#image-run")


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
    assert page.locator("#compare img").count() == 2
    natural = "images => images.map(image => [image.complete, image.naturalWidth, image.naturalHeight])"
    assert page.locator("#compare img").evaluate_all(natural) == [[True, 160, 120]] * 2
    left, right = (page.locator("#compare img").nth(side).bounding_box() for side in (0, 1))
    assert left == pytest.approx(right, abs=0.5)  # one exactly over the other
    assert page.locator("#strip .thumbnail-item").count() == 4
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

    page.locator("#scrubber input[type=range]").focus()
    page.keyboard.press("ArrowLeft")
    page.wait_for_selector("#compare label:has-text('Step 2')")
    page.wait_for_selector("#step-png:has-text('step 2')")
    assert page.locator("#table tr.shown th").inner_text() == "2"
    name, png = downloaded(page, "#step-png")
    assert name == "clock_step_02.png" and np.array_equal(pixels(io.BytesIO(png)), steps[2])

    page.locator("#strip .thumbnail-item").nth(1).click()
    page.wait_for_selector("#compare label:has-text('Step 1')")
    assert page.locator("#scrubber input[type=range]").input_value() == "1"


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


def test_cancel_stops_and_leaves_nothing(visit, cache, tmp_path):
    before = set(cache.glob("deblur-run-*"))
    large = tmp_path / "large.png"
    Image.fromarray(np.tile(data.coffee(), (2, 2, 1))).save(large)
    page = visit()
    give(page, large)
    run(page, 10)
    page.wait_for_selector("#image-status .status p:has-text('Iteration')")
    assert len(set(cache.glob("deblur-run-*")) - before) == 1
    page.click("#image-cancel")
    page.wait_for_selector("#image-status .status p:has-text('Cancelled')")
    page.wait_for_selector(".welcome:visible")
    for _ in range(300):
        if set(cache.glob("deblur-run-*")) == before:
            break
        page.wait_for_timeout(100)
    assert set(cache.glob("deblur-run-*")) == before
    page.wait_for_selector("#image-run:not([disabled])")


def test_a_run_that_waits_for_its_turn_can_be_cancelled(visit, photo, tmp_path):
    large = tmp_path / "large.png"
    Image.fromarray(np.tile(data.coffee(), (2, 2, 1))).save(large)
    first, second = visit(), visit()
    give(first, large)
    run(first, 10)
    first.wait_for_selector("#image-status .status p:has-text('Iteration')")
    give(second, photo)
    second.click("#image-run")
    second.wait_for_selector("#image-cancel:not([disabled])")
    second.click("#image-cancel")
    second.wait_for_selector("#image-status .status p:has-text('Cancelled')")
    second.wait_for_selector("#image-run:not([disabled])")
    assert "Cancelled" not in first.locator("#image-status p").inner_text()
    first.click("#image-cancel")
    first.wait_for_selector("#image-status .status p:has-text('Cancelled')")
    second.click("#image-run")
    second.wait_for_selector("#image-status .status.done")


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
            const parts = ["#compare", "#scrubber", "#strip", "#step-png", "#table"];
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
    assert page.locator("#image-status").bounding_box()["y"] < 844  # the stage has come into view


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
