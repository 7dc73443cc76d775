"""Photos one click away, all licence-clean: those that scikit-image brings, and shaken ones of ours."""

from __future__ import annotations

import importlib.resources
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import gradio as gr

from deblur_demo.ui import text

_OURS = Path(__file__).parent / "pictures"  # where they come from: README.md there
_THEIRS = Path(str(importlib.resources.files("skimage"))) / "data"


@dataclass(frozen=True)
class Example:
    """A photo, with its sharp reference where the truth is known."""

    photo: Path
    caption: str
    truth: Path | None = None


BLURRED = (
    Example(_THEIRS / "clock_motion.png", text.EXAMPLE_CLOCK),
    Example(_OURS / "coffee.jpg", text.EXAMPLE_COFFEE, _THEIRS / "coffee.png"),
    Example(_OURS / "cat.jpg", text.EXAMPLE_CAT, _THEIRS / "chelsea.png"),
)
SHARP = (
    Example(_THEIRS / "coffee.png", text.EXAMPLE_COFFEE),
    Example(_THEIRS / "chelsea.png", text.EXAMPLE_CAT),
    Example(_THEIRS / "astronaut.png", text.EXAMPLE_ASTRONAUT),
)


def place(offered: Sequence[Example], elem_id: str) -> gr.Gallery:
    """Put a strip of examples on the page; choosing one is an event."""
    return gr.Gallery(
        [(str(example.photo), example.caption) for example in offered],
        show_label=False, interactive=False, format="png", height=90, allow_preview=False, object_fit="cover",
        buttons=[], elem_id=elem_id, elem_classes="examples",
    )  # fmt: skip
