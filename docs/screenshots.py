"""Makes the README's pictures in docs/screens/: starts the app, uses every screen, and looks at it.

    python docs/screenshots.py            # all of them, some minutes on two cores
    python docs/screenshots.py lab models

Needs Playwright (requirements-dev.txt) and Chromium. The words on the page are looked up where the page has them.
"""

from __future__ import annotations

import io
import math
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from deblur_demo.ui import text
from deblur_demo.ui.compare import text as compare_text
from deblur_demo.ui.lab import text as lab_text
from deblur_demo.ui.models import text as models_text
from docs import serving

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

PICTURES = Path(__file__).parent / "screens"
PHONE = (390, 844)
WIDE = (1280, 900)
QUALITY = 80  # of the pictures, WebP
PATIENCE = 600_000  # ms, for a result on a busy machine


def image(page: Page) -> None:
    choose(page, "#examples", text.EXAMPLE_COFFEE, "#photos")
    page.click("#image-run")
    finished(page, "image")
    put_frame(page, "#image-viewer", 0.42, 0.5)  # the rim of the cup


def video(page: Page) -> None:
    go_to(page, text.VIDEO_SCREEN)
    page.click("#video-examples button")
    page.locator("#player video:visible").first.wait_for()
    number = page.locator("#video-iterations input[type=number]")
    number.fill("2")
    number.press("Tab")
    page.click("#video-run")
    finished(page, "video")
    page.wait_for_function("[...document.querySelectorAll('#player video')].every((video) => video.readyState > 3)")
    for _ in range(10):  # a frame in motion
        page.click("#player .forward")


def compare(page: Page) -> None:
    go_to(page, compare_text.SCREEN)
    choose(page, "#compare-examples", text.EXAMPLE_COFFEE, "#compare-photo")
    page.locator("#compare-models").get_by_label("richardson-lucy").click()
    page.locator("#compare-iterations").get_by_label("2", exact=True).click()
    page.click("#compare-run")
    finished(page, "compare")
    put_frame(page, "#comparer", 0.42, 0.5)


def lab(page: Page) -> None:
    go_to(page, lab_text.SCREEN)
    choose(page, "#lab-examples", text.EXAMPLE_ASTRONAUT, "#lab-photo")
    draw(page, "#lab-pad .sheet")
    page.click("#lab-blur-run")
    finished(page, "lab")
    page.click("#lab-run")
    page.locator("#lab-curves .curve:visible").first.wait_for()
    finished(page, "lab")
    put_frame(page, "#lab-viewer", 0.42, 0.22)  # the face


def models(page: Page) -> None:
    go_to(page, models_text.SCREEN)
    page.locator("#models-cards article:visible").first.wait_for()


@dataclass(frozen=True)
class Shot:
    """A picture of a screen.

    Attributes:
        screen: as a link names it.
        use: what is done before it is taken.
        rows: pixels of the page that it shows, from the top on; None: what the window shows.
        window: width and height.
        scheme: of colours, "light" or "dark".
    """

    screen: str
    use: Callable[[Page], None]
    rows: int | None = None
    window: tuple[int, int] = WIDE
    scheme: str = "light"


SHOTS = {
    "image": Shot("image", image, 1060),
    "image_phone": Shot("image", image, window=PHONE, scheme="dark"),
    "video": Shot("video", video, 1060),
    "compare": Shot("compare", compare, 1296, scheme="dark"),
    "lab": Shot("lab", lab, 1392),
    "models": Shot("models", models, 1176),
}


def take(browser: Browser, address: str, name: str) -> Path:
    """Use a screen as a new visitor, and keep what it looks like then."""
    shot, target = SHOTS[name], PICTURES / f"{name}.webp"
    width, height = shot.window
    phone = shot.window == PHONE
    context = browser.new_context(
        viewport={"width": width, "height": height}, color_scheme=shot.scheme, is_mobile=phone, has_touch=phone,
        device_scale_factor=2 if phone else 1,
    )  # fmt: skip
    page = context.new_page()
    page.set_default_timeout(PATIENCE)
    page.goto(address)
    page.wait_for_function("document.querySelector('#image-model input')?.value")  # the models are known
    shot.use(page)
    page.mouse.move(0, 0)
    page.wait_for_function("[...document.images].every((image) => image.complete)")
    page.wait_for_timeout(1000)  # what slides and fades has come to rest
    clip = shot.rows and {"x": 0, "y": 0, "width": width, "height": shot.rows}
    with Image.open(io.BytesIO(page.screenshot(full_page=bool(clip), clip=clip or None))) as picture:
        picture.convert("RGB").save(target, quality=QUALITY, method=6)
    context.close()
    return target


def go_to(page: Page, screen: str) -> None:
    page.get_by_role("tab", name=screen, exact=True).click()


def choose(page: Page, strip: str, example: str, place: str) -> None:
    """Take an example, and wait until its photo is there."""
    page.locator(strip).get_by_role("button", name=example).click()
    page.locator(f"{place} img[src*='gradio_api/file']").first.wait_for()


def finished(page: Page, screen: str) -> None:
    page.wait_for_selector(f"#{screen}-run:not([disabled])")
    page.wait_for_selector(f"#{screen}-status .status.done")


def put_frame(page: Page, viewer: str, across: float, down: float) -> None:
    """Put the frame of the crops to a place of the picture, in parts of its width and height, seen as a whole."""
    box = page.locator(f"{viewer} .layer.before img").bounding_box()
    page.mouse.click(box["x"] + across * box["width"], box["y"] + down * box["height"])


def draw(page: Page, sheet: str) -> None:
    """Shake a camera with the mouse: a slight bow, downwards to the right."""
    box = page.locator(sheet).bounding_box()
    for moment in range(25):
        part = moment / 24
        across, down = 0.42 + 0.16 * part, 0.4 + 0.2 * part + 0.03 * math.sin(math.pi * part)
        page.mouse.move(box["x"] + across * box["width"], box["y"] + down * box["height"])
        if moment == 0:
            page.mouse.down()
        page.wait_for_timeout(15)
    page.mouse.up()


def main() -> None:
    from playwright.sync_api import sync_playwright

    PICTURES.mkdir(exist_ok=True)
    with (
        tempfile.TemporaryDirectory() as folder,  # nothing of this user's: the weights are the bundled ones
        serving.app({"DEBLUR_CACHE": folder, "GRADIO_TEMP_DIR": folder}) as address,
        sync_playwright() as driver,
    ):
        browser = driver.chromium.launch(executable_path=serving.chromium(), args=["--no-sandbox"])
        for name in sys.argv[1:] or SHOTS:
            target = take(browser, address, name)
            print(target.name, target.stat().st_size, flush=True)
        browser.close()


if __name__ == "__main__":
    main()
