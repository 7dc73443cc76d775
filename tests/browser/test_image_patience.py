"""The image screen when it takes long: cancelled, behind others, without a place in the queue, far away."""

from __future__ import annotations

import re
import zipfile

import pytest

from docs import serving
from tests.browser.photos import give, run

pytestmark = pytest.mark.browser


def test_cancel_stops_and_keeps_the_steps_that_are_there(visit, cache, large):
    before = set(cache.glob("deblur-run-*"))
    page = visit()
    give(page, large)
    run(page, 10)
    page.wait_for_selector("#image-status .status p:text-matches('Iteration [2-9]')")  # a busy browser may skip one
    page.click("#image-cancel")
    page.wait_for_selector("#image-status .status p:has-text('Cancelled after iteration')")
    page.wait_for_selector("#image-run:not([disabled])")
    assert len(set(cache.glob("deblur-run-*")) - before) == 1, "it is there to be looked at"
    last = int(re.search(r"iteration (\d+)", page.locator("#image-status p").inner_text())[1])
    assert 1 <= last < 10 and page.locator("#image-viewer .crop img[src]").count() == last + 1
    assert page.locator("#image-viewer .right").input_value() == str(last)
    with page.expect_download() as download:
        page.click("#steps-zip")
    with zipfile.ZipFile(download.value.path()) as archive:
        assert len(archive.namelist()) == last + 2, "every step, and the report"


def test_a_page_that_is_loaded_anew_says_that_its_run_ended(visit, large, console):
    page = visit()
    give(page, large)
    run(page, 10)
    page.wait_for_selector("#image-status .status.busy p:has-text('Iteration')")
    page.reload()
    page.wait_for_selector("#image-status .status.error p:has-text('its run ended')")
    assert page.is_visible(".welcome") and page.is_enabled("#image-run")
    page.reload()
    page.wait_for_selector("#image-status .status.idle p:has-text('Ready')")
    page.wait_for_timeout(1000)
    assert page.locator("#image-status .status.idle").count() == 1, "it is said once"
    # What the UI library says of its own hanging up.
    console[:] = [line for line in console if "AbortError" not in line and "Connection errored out" not in line]


def test_a_run_that_waits_for_its_turn_can_be_cancelled(visit, photo, large):
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


def test_a_run_for_which_the_queue_has_no_room_says_so_and_may_be_asked_for_again(visit, photo, large, console):
    with serving.app({"DEBLUR_QUEUE_LENGTH": "1"}) as address:
        first, second, third = (visit(address=address) for _ in range(3))
        for page, picture in ((first, large), (second, photo), (third, photo)):
            give(page, picture)
        run(first, 10)
        first.wait_for_selector("#image-status .status p:has-text('Iteration')")
        second.click("#image-run")
        second.wait_for_selector("#image-status .progress-text:has-text('queue')")
        third.click("#image-run")
        third.wait_for_selector("#image-status .status.error:has-text('too much to do')")
        assert third.is_disabled("#image-cancel") and third.is_enabled("#image-run")
        assert "error" not in second.locator("#image-status .status").get_attribute("class")
        first.click("#image-cancel")
        second.wait_for_selector("#image-status .status.done")
        third.click("#image-run")
        third.wait_for_selector("#image-status .status.done")
        for page in (first, second, third):
            page.close()  # before its app, which it would miss aloud
    assert "503 (Service Unavailable)" in console.pop()


def slow_down(page) -> None:
    slow = {"offline": False, "latency": 1500, "downloadThroughput": -1, "uploadThroughput": -1}
    page.context.new_cdp_session(page).send("Network.emulateNetworkConditions", slow)


def test_on_a_slow_connection_the_last_step_picked_counts(visit, photo):
    page = visit()
    give(page, photo)
    run(page, 6)
    page.wait_for_selector("#image-status .status.done")
    page.wait_for_selector("#step-png:has-text('step 6')")
    slow_down(page)
    page.locator("#image-viewer .view").focus()
    for _ in range(4):
        page.keyboard.press(",")
        page.wait_for_timeout(500)
    page.wait_for_selector("#step-png:has-text('step 2')")
    page.wait_for_timeout(4000)  # for answers that are late
    assert "step 2" in page.locator("#step-png").inner_text() and page.locator("#table tr.shown th").inner_text() == "2"


def test_on_a_slow_connection_the_last_model_picked_is_described(visit):
    page = visit()
    page.wait_for_function("document.querySelector('#image-model input').value == 'mtrnn-lite'")
    slow_down(page)
    for model in ("brehm-stage1-s", "sgenet-s"):
        page.locator("#image-model input").click()
        page.locator(f"[role=option][aria-label^='{model}']").first.click()
    page.locator(".about-model:visible", has_text="1.2 million parameters, 13.2 GMACs").first.wait_for()
