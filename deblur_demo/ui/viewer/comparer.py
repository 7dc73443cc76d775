"""The viewer for many versions of one picture: where its parts lie. How it works is in ``comparer.js``."""

from __future__ import annotations

import json
from html import escape
from pathlib import Path

import gradio as gr

from deblur_demo.ui.viewer import text

_HERE = Path(__file__).parent


def place_comparer(elem_id: str) -> gr.HTML:
    """Put a viewer on the page; its value is as ``compare.views.viewer`` makes it."""
    # The words are written into the page: the library loses further properties with the first update.
    words = {name: escape(word) for name, word in text.COMPARER.items()}
    page = (_HERE / "comparer.html").read_text(encoding="utf-8")
    return gr.HTML(
        None,
        html_template=page.format(**words, words=escape(json.dumps(text.COMPARER))),
        js_on_load=(_HERE / "comparer.js").read_text(encoding="utf-8"),
        apply_default_css=False,
        elem_id=elem_id,
        elem_classes="bare",
    )
