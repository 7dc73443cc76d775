"""The sheet on which a camera's path is drawn: where its parts lie, and what it is told to show.

How it works is in ``pad.js``.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from html import escape
from pathlib import Path

import gradio as gr

from deblur_demo.ui.lab import text as lab_text

_HERE = Path(__file__).parent


def place_pad(elem_id: str, level: int) -> gr.HTML:
    """Put a sheet on the page; its value is as ``sheet`` makes it.

    Its event ``lot`` says that another path by lot is wanted, ``drawn`` that the visitor has drawn one.
    """
    words = {name: escape(word) for name, word in lab_text.PAD.items()}
    page = (_HERE / "pad.html").read_text(encoding="utf-8")
    return gr.HTML(
        sheet((), level),
        html_template=page.format(**{**words, "words": escape(json.dumps(lab_text.PAD))}),
        js_on_load=(_HERE / "pad.js").read_text(encoding="utf-8"),
        apply_default_css=False,
        elem_id=elem_id,
        elem_classes="bare",
    )


def sheet(points: Sequence[Sequence[float]], level: int, drawn: bool = False, strokes: int | None = 0) -> dict:
    """What the sheet shows.

    Args:
        points: (x, y) in pixels of the photo, evenly spaced in time.
        level: frames of 13 that are exposed, the middle ones.
        drawn: whether the path is the visitor's own.
        strokes: how often the visitor had drawn when this was asked for; the sheet keeps what was drawn
            since. None: it is shown whatever was drawn.
    """
    return {"points": [list(point) for point in points], "level": int(level), "drawn": drawn, "strokes": strokes}


def strokes(value: object) -> int:
    """How often a visitor has drawn on a sheet that came from a browser."""
    counted = value.get("strokes") if isinstance(value, dict) else 0
    return counted if isinstance(counted, int) else 0


def drawn_points(value: object) -> object:
    """The path in a sheet that came from a browser, unchecked; empty if it was drawn by lot."""
    return value.get("points") if isinstance(value, dict) and value.get("drawn") else ()
