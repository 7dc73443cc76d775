"""The edges of controls can be seen: WCAG's contrast of 3 to what is around them, in pixels, light and dark."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

pytestmark = pytest.mark.browser


def luminance(pixels: np.ndarray) -> np.ndarray:
    """Of sRGB pixels, (..., 3), as WCAG has it."""
    parts = pixels / 255
    return np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4) @ (0.2126, 0.7152, 0.0722)


def edge(page, selector: str, place: float) -> float:
    """How much a line down through a control, at this share of its width, stands out from what is above it."""
    box = page.locator(selector).bounding_box()
    clip = {"x": round(box["x"] + place * box["width"]), "y": round(box["y"]) - 4, "width": 1, "height": 26}
    line = luminance(np.asarray(Image.open(io.BytesIO(page.screenshot(clip=clip))).convert("RGB")))[:, 0]
    low, high = np.minimum(line, line[0]), np.maximum(line, line[0])
    return float(((high + 0.05) / (low + 0.05)).max())


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_tick_box_a_track_and_a_thumb_stand_out(visit, scheme):
    page = visit(color_scheme=scheme)
    page.add_style_tag(content="* { transition: none !important }")
    page.locator("#image-iterations input[type=number]").fill("1")
    page.locator("#image-iterations input[type=number]").press("Tab")
    page.locator("h1").click()
    slider, box = "#image-iterations input[type=range]", "#image-auto input[type=checkbox]"
    for name, selector, place in (("thumb", slider, 0.025), ("track", slider, 0.7), ("box", box, 0.5)):
        assert edge(page, selector, place) >= 3, name
    page.hover(box)
    assert edge(page, box, 0.5) >= 3, "with the mouse above it"
