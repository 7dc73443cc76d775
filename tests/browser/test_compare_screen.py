"""The compare screen in a real browser: two results over each other, one zoom for all, the same crop of each."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from skimage import data

from tests.browser.tabs import go_to

pytestmark = pytest.mark.browser


@pytest.fixture
def screen(visit):
    """The compare screen of a new visitor: ``screen(width, height)``."""

    def open_screen(*size: int, **options):
        page = visit(*size, **options)
        go_to(page, "Compare")
        page.wait_for_selector("#compare-models label")
        return page

    return open_screen


def give(page, path: Path) -> None:
    page.locator("#compare-photo input[type=file]").set_input_files(path)
    page.wait_for_selector(f"#compare-photo img[src$='{path.name}']", state="attached")


def tick(page, group: str, *wanted: str) -> None:
    """Tick exactly these; what a network is for stands behind its name."""
    for label in page.locator(f"#compare-{group} label").all():
        box = label.locator("input")
        if box.is_checked() != (label.inner_text().split("·")[0].strip() in wanted):
            box.click()


def compare(page, *models: str, iterations: tuple[str, ...] = ("1",)) -> None:
    tick(page, "models", *models)
    tick(page, "iterations", *iterations)
    page.click("#compare-run")
    page.wait_for_selector("#compare-status .status:is(.done, .error)")


def pixels(source) -> np.ndarray:
    return np.asarray(Image.open(source).convert("RGB")).astype(int)


def scales(page) -> list[float]:
    """How much larger than in the file the two pictures are."""
    images = "images => images.map(image => image.getBoundingClientRect().width / image.naturalWidth)"
    return page.locator("#comparer .layer img").evaluate_all(images)


def test_the_plan_follows_ticks_that_come_before_its_answer(screen):
    page, held = screen(), []
    tick(page, "models", "mtrnn-lite")
    tick(page, "iterations", "6")
    page.wait_for_selector("#compare-planned:has-text('This makes one result.')")
    page.route("**/run/predict*", lambda route: route.continue_() if held else held.append(route))
    with page.expect_request("**/run/predict*"):
        page.locator("#compare-iterations").get_by_label("1", exact=True).click()
    page.locator("#compare-iterations").get_by_label("2", exact=True).click()
    page.wait_for_timeout(300)
    held[0].continue_()
    page.wait_for_selector("#compare-planned:has-text('This makes 3 results.')")


def test_results_are_wiped_zoomed_and_kept(screen, photo):
    page = screen()
    give(page, photo)
    compare(page, "mtrnn-lite", "wiener", iterations=("1", "3"))
    assert page.locator("#compare-status p").inner_text().startswith("Done: 3 results")
    names = ["Input", "mtrnn-lite × 1", "mtrnn-lite × 3", "wiener"]
    assert page.locator("#comparer .crop b").all_inner_texts() == names
    assert page.locator("#comparer .left option").all_inner_texts() == names
    assert page.locator("#compare-table tbody th").all_inner_texts() == names

    with page.expect_download() as event:
        page.click("#compare-archive")
    with zipfile.ZipFile(event.value.path()) as archive:
        rows = json.loads(archive.read("clock/report.json"))["pictures"]
        files = {row["name"]: pixels(archive.open(f"clock/{row['file']}")) for row in rows}
    assert event.value.suggested_filename == "clock_compared.zip" and list(files) == names

    check_zoom(page)
    check_frame(page)
    check_wipe(page, files)


def check_wipe(page, files: dict[str, np.ndarray]) -> None:
    """Left of the line is one picture, right of it the other, pixel by pixel."""
    page.locator("#comparer .left").select_option("Input")
    page.locator("#comparer .crop", has_text="mtrnn-lite × 3").click()
    assert page.locator("#comparer .right").input_value() == "2"
    page.locator("#comparer .fit").click()
    page.locator("#comparer .whole").click()
    assert page.locator("#comparer .percent").inner_text() == "100 %"
    page.add_style_tag(content="#comparer :is(.lens, .wipe, .tag) { visibility: hidden }")

    def halves() -> list[bool]:
        """Whether the input is on the left, and the result on the right."""
        page.wait_for_timeout(100)
        shot = pixels(io.BytesIO(page.locator("#comparer .view").screenshot()))
        top, left = (side // 2 for side in shot.shape[:2])
        found = []
        for name, first in (("Input", -60), ("mtrnn-lite × 3", 10)):
            wanted = files[name][20:100, 80 + first : 130 + first]
            # Where the middle of the box lies, between pixels or on one, is up to the browser.
            shifts = [(top - 40 + y, left + first + x) for y in (-2, -1, 0, 1, 2) for x in (-2, -1, 0, 1, 2)]
            found.append(any(np.array_equal(shot[y : y + 80, x : x + 50], wanted) for y, x in shifts))
        return found

    assert halves() == [True, True]
    page.locator("#comparer .swap").click()
    assert halves() == [False, False]
    page.locator("#comparer .view").press("x")
    page.locator("#comparer .wipe").evaluate("wipe => wipe.style.visibility = 'visible'")
    page.locator("#comparer .wipe").press("Home")
    assert halves() == [False, True], "only the right one is left"
    page.locator("#comparer .wipe").press("End")
    assert halves() == [True, False]
    for pressed in ("true", "false"):  # the line goes, and the same key brings it back
        page.keyboard.press("d")
        assert page.locator("#comparer .differ").get_attribute("aria-pressed") == pressed
        assert page.evaluate("document.activeElement.matches('#comparer .view')")


def check_zoom(page) -> None:
    """All pictures share one zoom and one place."""
    box = page.locator("#comparer .view").bounding_box()
    fitting = min((box["width"] - 2) / 160, (box["height"] - 2) / 120)
    assert scales(page) == pytest.approx([fitting] * 2, rel=0.01)
    assert page.locator("#comparer .layer img").first.evaluate("image => image.style.imageRendering") == "pixelated"

    places = "images => images.map(image => image.style.transform)"
    page.locator("#comparer .view").focus()
    for key in "+++":
        page.keyboard.press(key)
    assert scales(page) == pytest.approx([fitting * 1.25**3] * 2, rel=0.01)
    before = page.locator("#comparer .crop img").evaluate_all(places)
    assert len(set(before)) == 1 and len(before) == 4
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowDown")
    after = page.locator("#comparer .crop img").evaluate_all(places)
    assert len(set(after)) == 1 and after[0] != before[0]

    x, y = box["x"] + box["width"] / 4, box["y"] + box["height"] / 2
    page.wait_for_timeout(500)  # right after scrolling the wheel belongs to the page
    page.mouse.move(x, y)
    page.mouse.wheel(0, -200)
    page.wait_for_timeout(200)
    assert scales(page) == pytest.approx([fitting * 1.25**3 * np.exp(0.4)] * 2, rel=0.01)
    here = page.locator("#comparer .layer img").evaluate_all(places)
    page.mouse.down()
    page.mouse.move(x + 40, y + 10, steps=4)
    page.mouse.up()
    there = page.locator("#comparer .layer img").evaluate_all(places)
    assert len(set(here)) == len(set(there)) == 1 and here != there
    page.keyboard.press("0")
    assert scales(page) == pytest.approx([fitting] * 2, rel=0.01)


def check_frame(page) -> None:
    """A click shows that place of every result."""
    view = page.locator("#comparer .view")
    box = view.bounding_box()
    place = [box["width"] / 2 + 100, box["height"] / 2 - 60]
    view.click(position={"x": place[0], "y": place[1]})
    frame = page.locator("#comparer .lens").bounding_box()
    middle = [frame["x"] + frame["width"] / 2 - box["x"], frame["y"] + frame["height"] / 2 - box["y"]]
    assert middle == pytest.approx(place, abs=2)


def test_a_bad_file_costs_one_line_and_the_screen_goes_on(screen, tmp_path):
    bad = tmp_path / "holiday.jpg"
    bad.write_text("<html><script>alert(1)</script></html>")
    page = screen()
    give(page, bad)
    compare(page, "wiener")
    line = page.locator("#compare-status .status.error p").inner_text()
    assert "holiday.jpg" in line and "Accepted: JPEG, PNG" in line and "\n" not in line
    page.locator("#compare-examples .thumbnail-item").nth(2).click()  # brings its reference
    page.wait_for_selector("#compare-photo img[src$='cat.jpg']", state="attached")
    page.click("#compare-run")
    page.wait_for_selector("#compare-status .status.done")
    assert "PSNR" in page.locator("#compare-table thead").inner_text()
    assert page.locator("#comparer .crop b").all_inner_texts() == ["Input", "wiener", "Sharp reference"]


def test_cancel_keeps_what_is_finished(screen, tmp_path):
    large = tmp_path / "large.png"
    Image.fromarray(np.tile(data.coffee(), (2, 2, 1))).save(large)
    page = screen()
    give(page, large)
    tick(page, "iterations", "10")
    tick(page, "models", "wiener")
    tick(page, "models", "wiener", "mtrnn-lite")  # the order of ticks is the order of work
    page.click("#compare-run")
    page.wait_for_selector("#compare-status .status p:has-text('2 of 2: mtrnn-lite')")
    page.click("#compare-cancel")
    page.wait_for_selector("#compare-status .status p:has-text('1 of 2 results')")
    assert page.locator("#comparer .crop:not([disabled]) b").all_inner_texts() == ["Input", "wiener"]
    page.wait_for_selector("#compare-archive:not([disabled])")


def test_a_phone_needs_no_sideways_scrolling(screen, photo):
    page = screen(390, 844, is_mobile=True, has_touch=True)
    width = "[document.documentElement.scrollWidth, window.innerWidth]"
    assert page.evaluate(width) == [390, 390]
    give(page, photo)
    compare(page, "mtrnn-lite", "wiener")
    assert page.evaluate(width) == [390, 390]
    before = scales(page)
    page.locator("#comparer .closer").tap()
    assert scales(page) == pytest.approx([1.25 * scale for scale in before], rel=0.01)
    assert page.evaluate(width) == [390, 390]
