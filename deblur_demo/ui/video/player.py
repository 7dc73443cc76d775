"""The player for source and result of a clip: where its parts lie, and what it is told to show.

How it works is in ``player.js``. The UI library's own player shows one video, and asks a third
party for a program as soon as it is on the page.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from fractions import Fraction
from html import escape
from pathlib import Path

import gradio as gr
from gradio.data_classes import FileData

from deblur_demo.media.clip_types import ClipInfo
from deblur_demo.ui.video import text as video_text

_HERE = Path(__file__).parent


def place_player(elem_id: str) -> gr.HTML:
    """Put a player on the page.

    Its events ``first`` and ``last`` carry ``seconds``, where the visitor wants a part to begin or end.
    """
    # The words are written into the page: the library loses further properties with the first update.
    words = {name: escape(word) for name, word in video_text.PLAYER.items()}
    page = (_HERE / "player.html").read_text(encoding="utf-8")
    return gr.HTML(
        None,
        html_template=page.format(**words, words=escape(json.dumps(video_text.PLAYER))),
        js_on_load=(_HERE / "player.js").read_text(encoding="utf-8"),
        apply_default_css=False,
        visible=False,
        elem_id=elem_id,
        elem_classes="bare",
    )


def source_alone(info: ClipInfo, file: Path) -> dict:
    """What the player shows before the first run."""
    return {**_shape(info), "source": _file(file), "result": None, "offset": 0.0, "times": []}


def source_and_result(info: ClipInfo, file: Path, result: Path, times: Sequence[Fraction], offset: Fraction) -> dict:
    """What the player shows after a run.

    Args:
        info, file: the source.
        result: the restored clip.
        times: when the result's frames begin, in seconds of the result.
        offset: seconds of the source at which the result begins.
    """
    rounded = [round(float(time), 4) for time in times]
    files = {"source": _file(file), "result": _file(result)}
    return {**_shape(info), **files, "offset": float(offset), "times": rounded}


def _shape(info: ClipInfo) -> dict:
    aspect = Fraction(info.width, info.height) * info.pixel_aspect
    return {"aspect": round(float(aspect), 4), "rate": float(info.rate), "sound": bool(info.sounds)}


def _file(path: Path) -> dict:
    """A file as the UI library hands it to the browser: with an address, added on its way."""
    return FileData(path=str(path)).model_dump()
