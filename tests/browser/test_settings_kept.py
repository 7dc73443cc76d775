"""Settings that outlive the page: in the browser's memory, and in a link."""

from __future__ import annotations

import pytest

from deblur_demo.ui import text
from tests.browser.tabs import go_to

pytestmark = pytest.mark.browser

ITERATIONS = "#{}-iterations input[type=number]"
MODEL = "#{}-model input"


def settled(page, screen: str = "image") -> None:
    """Wait until the models are there."""
    page.wait_for_function("id => document.querySelector(id)?.value", arg=MODEL.format(screen))


def knobs(page, screen: str = "image") -> tuple[str, str, bool]:
    settled(page, screen)
    auto = page.locator(f"#{screen}-auto input[type=checkbox]").is_checked()
    return page.input_value(MODEL.format(screen)), page.input_value(ITERATIONS.format(screen)), auto


def test_a_reload_keeps_settings(visit, console):
    page = visit()
    model, iterations, auto = knobs(page)
    assert (iterations, auto) == ("6", False)
    page.fill(ITERATIONS.format("image"), "3")
    page.press(ITERATIONS.format("image"), "Tab")
    page.get_by_text("More options").first.click()
    page.get_by_label("Tile").first.fill("512")
    page.get_by_label("Tile").first.press("Enter")
    page.wait_for_timeout(500)
    assert page.evaluate("Object.keys(localStorage).filter(key => key.startsWith('deblur'))") == ["deblur-demo-image"]
    page.reload()
    assert knobs(page) == (model, "3", False)
    page.get_by_text("More options").first.click()
    assert page.get_by_label("Tile").first.input_value() == "512"
    go_to(page, "Video")
    assert knobs(page, "video")[1] == "6"  # each screen has its own

    page.evaluate("localStorage.setItem('deblur-demo-image', 'no:sense')")
    page.reload()
    assert knobs(page) == (model, "6", False)
    assert "Error reading from localStorage" in console.pop()  # the UI library's word about the nonsense


def test_a_link_opens_its_screen_with_its_settings(visit, address):
    page = visit()
    page.goto(f"{address}/?screen=video&iterations=2&model=wiener")
    page.wait_for_selector("#video-run:visible")
    assert knobs(page, "video")[:2] == (f"wiener · {text.CLASSIC}", "2")
    page.goto(f"{address}/?iterations=auto&tile=<b>&model=nobody")
    page.wait_for_selector("#image-status .status.error")
    line = page.locator("#image-status p").inner_text()
    assert "tile is '<b>'" in line and "No trained weights of nobody" in line
    model, _, auto = knobs(page)
    assert model.startswith("mtrnn-lite") and auto
    assert page.locator("#image-run").is_visible()
    page.goto(f"{address}/?screen=attic")
    page.wait_for_selector("#image-status .status.error:has-text('attic')")
    page.goto(f"{address}/?screen=models")
    page.wait_for_selector("#models-cards .models")


def test_a_copied_link_holds_the_settings(visit, address):
    page = visit()
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    settled(page)
    page.fill(ITERATIONS.format("image"), "4")
    page.press(ITERATIONS.format("image"), "Tab")
    page.click("#image-copy")
    page.wait_for_selector("#image-link p:has-text('Copied')")
    assert page.locator("#image-link input").is_hidden()
    link = page.evaluate("navigator.clipboard.readText()")
    wanted = "screen=image&model=mtrnn-lite&iterations=4&precision=auto&tile=auto&ensemble=1&size=full"
    assert link == f"{address}/?{wanted}"
    page.goto(link)
    assert knobs(page)[1] == "4"


def test_without_a_clipboard_the_link_stands_in_a_field(visit, address):
    page = visit(390, 844, is_mobile=True, has_touch=True)
    page.add_init_script("Object.defineProperty(navigator, 'clipboard', { value: undefined })")
    page.reload()
    settled(page)
    page.locator("#image-copy").tap()
    field = page.locator("#image-link input")
    field.wait_for(state="visible")
    assert field.input_value().startswith(f"{address}/?screen=image&model=")
    assert page.evaluate("getSelection().toString()") == field.input_value()
    assert page.evaluate("document.documentElement.scrollWidth") == 390
