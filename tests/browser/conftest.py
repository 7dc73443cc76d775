"""A real Chromium, and the app as a process of its own."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from skimage import data

from docs import serving

# What the UI library's own upload bar says whenever it closes its stream, after every upload, and the two errors that
# it logs where it asks how far an upload has come before the server has heard of it; not ours to mend.
EXPECTED = ("Method not implemented.", "Response")
UPLOAD_PROGRESS = "/gradio_api/upload_progress?"
FLAGS = ("--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-dev-shm-usage")


@pytest.fixture(scope="session")
def chromium():
    """The browser; its tests are skipped where there is none."""
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    binary = serving.chromium()
    if binary is None:
        pytest.skip("no Chromium on this machine")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=binary, args=list(FLAGS))
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def cache(tmp_path_factory) -> Path:
    """Where the app keeps the files of its runs."""
    return tmp_path_factory.mktemp("gradio")


@pytest.fixture(scope="session")
def address(chromium, cache, tmp_path_factory):
    """Where the app answers, with the bundled weights."""
    fetched = tmp_path_factory.mktemp("nothing")
    with serving.app({"DEBLUR_CACHE": str(fetched), "GRADIO_TEMP_DIR": str(cache)}) as where:
        yield where


@pytest.fixture
def console():
    """What pages have said on their console: errors and warnings. A test that provokes one takes it from the list."""
    said: list[str] = []
    yield said
    assert said == []


@pytest.fixture
def visit(chromium, address, console):
    """Open the page as a visitor of its own: ``visit(width=1440, height=1000)``; its console has to stay silent.

    With ``address`` it is the page of another app.
    """
    contexts = []

    def listen(message) -> None:
        url = message.location.get("url", "")
        if message.type in ("error", "warning") and message.text not in EXPECTED and UPLOAD_PROGRESS not in url:
            console.append(f"{message.type}: {message.text} ({url})")

    def open_page(width: int = 1440, height: int = 1000, address: str = address, **options):
        context = chromium.new_context(viewport={"width": width, "height": height}, **options)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(120_000)
        page.on("console", listen)
        page.on("pageerror", lambda error: console.append(f"uncaught: {error}"))
        page.goto(address)
        page.wait_for_selector("#image-run")
        return page

    yield open_page
    for context in contexts:
        context.close()


@pytest.fixture
def photo(tmp_path) -> Path:
    """A corner of scikit-image's moving clock, 160 x 120."""
    path = tmp_path / "clock.png"
    Image.fromarray(data.clock()[90:210, 120:280]).save(path)
    return path


@pytest.fixture
def large(tmp_path) -> Path:
    """Four times scikit-image's cup of coffee, 1200 x 800, to be busy with for a while."""
    path = tmp_path / "large.png"
    Image.fromarray(np.tile(data.coffee(), (2, 2, 1))).save(path)
    return path
