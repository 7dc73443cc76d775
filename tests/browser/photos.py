"""What a visitor does on the image screen: give photos, and run."""

from __future__ import annotations

from pathlib import Path


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
