"""What the page's own script says: of a picture that the browser cannot show, and of a camera that does not come."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image
from skimage import data

from tests.browser.tabs import go_to

pytestmark = pytest.mark.browser

HERE = "img => { const box = img.getBoundingClientRect(); return box.width > 100 && box.height > 60; }"


@pytest.fixture
def tiff(tmp_path) -> Path:
    path = tmp_path / "my 100% cup.tiff"
    Image.fromarray(data.coffee()[100:220, 200:360]).save(path)
    Image.open(path).save(tmp_path / "other.tiff")
    return path


@pytest.mark.parametrize(
    ("screen", "frame", "examples"),
    [("Image", "photos", "examples"), ("Compare", "compare-photo", "compare-examples")],
)
def test_a_photo_that_the_browser_cannot_show_is_named(visit, tiff, screen, frame, examples):
    page = visit()
    go_to(page, screen)
    page.locator(f"#{frame} input[type=file]").first.set_input_files(tiff)
    page.wait_for_selector(f"#{frame} img[alt*='no preview']")
    shown = page.locator(f"#{frame} img")
    name, _, line = shown.get_attribute("alt").partition(": ")
    assert name.startswith("my 100") and name.endswith("cup.tiff") and line == "no preview in this browser"
    assert shown.evaluate(HERE)
    if page.locator(f"#{frame} button[aria-label='Remove Image']").count():
        page.locator(f"#{frame} input[type=file]").first.set_input_files(tiff.with_name("other.tiff"))
        page.wait_for_selector(f"#{frame} img[alt^='other.tiff: ']")
    page.click(f"#{examples} button:has-text('Coffee')")
    page.wait_for_selector(f"#{frame} img[src*=coffee]")
    page.wait_for_function("frame => !document.querySelector(`#${frame} img`).alt", arg=frame)


def test_a_camera_that_is_not_there_is_said(visit):
    """The console stays silent, too."""
    page = visit()
    page.click("#webcam-toggle")
    page.wait_for_selector("#webcam [role=alert]", state="detached")
    for _ in range(2):
        page.locator("#webcam button:has-text('Webcam')").click()
        page.wait_for_selector("#webcam [role=alert]:has-text('No camera was found.')")
        page.wait_for_timeout(300)
        assert page.locator("#webcam [role=alert]").count() == 1
    page.click("#webcam-toggle:has-text('Close the webcam')")
    page.wait_for_selector("#webcam", state="detached")
