"""The viewer for many versions of one picture: where its parts lie, and what it is told to show.

How it works is in ``comparer.js`` (what is on screen) and ``hands.js`` (mouse, fingers and keys).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from html import escape
from pathlib import Path

import gradio as gr
from gradio.data_classes import FileData

from deblur_demo import settings
from deblur_demo.media import heat
from deblur_demo.media.image import Photo, write_image
from deblur_demo.media.shrink import shrink
from deblur_demo.ui.viewer import text

_HERE = Path(__file__).parent
_DIFFERENCE = 32  # levels of 8 bits that get the brightest colour of a difference
_TOGETHER = 64  # megapixels of all pictures: a browser that shows them takes four bytes a pixel


def place_comparer(elem_id: str) -> gr.HTML:
    """Put a viewer on the page; its value is as ``shown`` makes it.

    Its event ``picked`` carries ``index``: which picture the visitor has put on the right.
    """
    # The words are written into the page: the library loses further properties with the first update.
    words = {name: escape(word) for name, word in text.COMPARER.items()}
    page = (_HERE / "comparer.html").read_text(encoding="utf-8")
    return gr.HTML(
        None,
        html_template=page.format(
            **words, **_heat(), heat_id=f"{elem_id}-heat", words=escape(json.dumps(text.COMPARER))
        ),
        js_on_load="\n".join((_HERE / name).read_text(encoding="utf-8") for name in ("comparer.js", "hands.js")),
        apply_default_css=False,
        elem_id=elem_id,
        elem_classes="bare",
    )


def shown(pictures: Sequence[dict], right: int | None = None, steps: int = 0, told: str = "") -> dict:
    """What the viewer shows.

    Args:
        pictures: from ``picture``; the first is there and stands for the size of all.
        right: index of the one to show on the right of the first until the visitor chooses; None:
            the last that has a note.
        steps: how many of the first are the steps of one run; a slider goes through them.
        told: a line below them.
    """
    from PIL import Image

    with Image.open(pictures[0]["file"]["path"]) as first:
        width, height = first.size
    return {
        "width": width, "height": height, "right": right, "steps": steps, "told": told, "pictures": list(pictures),
    }  # fmt: skip


def picture(name: str, note: str = "", path: Path | None = None, legend: Sequence[str] | None = None) -> dict:
    """One picture, as the UI library hands it to the browser: with an address, added on its way.

    Args:
        name: none of the others has it, and it stays the same when the file changes.
        note: a few words below it.
        path: None while it is still to come.
        legend: of colours made by ``heat.paint``: what they show, the darkest, the brightest.
    """
    file = None if path is None else FileData(path=str(path)).model_dump()
    return {"name": name, "note": note, "file": file, "legend": legend and list(legend)}


def megapixels_each(count: int) -> float:
    """How large pictures may be of which a viewer shows so many."""
    return min(settings.PREVIEW_MEGAPIXELS.current(), _TOGETHER / count)


def shown_file(photo: Photo, full: Path, megapixels: float) -> Path:
    """What a viewer shows of a picture that is in the file ``full``: that file, or a smaller PNG written beside it."""
    small = shrink(photo, megapixels)
    if small is photo:
        return full
    path = full.with_name(f"{full.stem}_shown.png")
    write_image(small, path)
    return path


def _heat() -> dict[str, str]:
    """The colours of ``heat`` as numbers of an SVG filter, and as a gradient of a style sheet."""
    channels = zip(("red", "green", "blue"), zip(*heat.COLOURS, strict=True), strict=True)
    tables = {name: " ".join(f"{value / 255:.4f}" for value in values) for name, values in channels}
    gradient = ", ".join(f"rgb({red} {green} {blue})" for red, green, blue in heat.COLOURS)
    luma = " ".join(f"{255 / _DIFFERENCE * weight:.4f}" for weight in (0.299, 0.587, 0.114))
    return {**tables, "gradient": gradient, "luma": f"{luma} 0 0", "brightest": str(_DIFFERENCE)}
