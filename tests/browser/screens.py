"""What tests do on every screen alike: give it something, let it work, and look at all of it."""

from __future__ import annotations

from pathlib import Path

from tests.browser.tabs import go_to

SCREENS = {"image": "Image", "video": "Video", "compare": "Compare", "lab": "Blur lab", "models": "Models"}
HERE = Path(__file__).parent


def script(name: str) -> str:
    """A function for the browser, of the scripts beside this file."""
    colours, body = ((HERE / file).read_text(encoding="utf-8") for file in ("colours.js", name))
    return "() => {\n" + colours + body + "}"


def open_screen(page, screen: str) -> None:
    """Go to a screen, and open all that can be folded out on it."""
    go_to(page, SCREENS[screen])
    there = {"models": "#models-cards article", "compare": "#compare-models label", "lab": "#lab-blur-run"}
    page.wait_for_selector(there.get(screen, f"#{screen}-run"))
    for fold in page.locator(f"#{screen}-more > button, #{screen}-shake-more > button, #{screen}-cards summary").all():
        fold.click()


def work(page, screen: str, clip: Path) -> None:
    """Deblur an example once, on the screen that is open; a clip of the caller's on the one for clips."""
    if screen == "video":
        page.locator("#clip input[type=file]").set_input_files(clip)
        page.wait_for_selector("#player .player:visible")
    else:
        page.click(f"#{screen}-examples button:has-text('Coffee')".replace("image-", ""))
        place = {"image": "photos", "compare": "compare-photo", "lab": "lab-photo"}[screen]
        page.wait_for_selector(f"#{place} img[src*=coffee]")
    if screen == "compare":
        for number in ("1", "6"):
            page.locator("#compare-iterations").get_by_label(number, exact=True).click()
    else:
        page.locator(f"#{screen}-iterations input[type=number]").fill("1")
        page.locator(f"#{screen}-iterations input[type=number]").press("Tab")
    if screen == "lab":
        page.click("#lab-blur-run")
        page.wait_for_selector("#lab-status .status.done")
    page.click(f"#{screen}-run")
    if screen == "lab":
        page.wait_for_selector("#lab-steps-zip:not([disabled])")
    page.wait_for_selector(f"#{screen}-status .status.done")
