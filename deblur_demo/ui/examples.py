"""Photos and a clip one click away, all licence-clean: those that scikit-image brings, and shaken ones of ours."""

from __future__ import annotations

import base64
import importlib.resources
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

import gradio as gr
from gradio.processing_utils import save_file_to_cache

from deblur_demo.ui import text

_OURS = Path(__file__).parent / "pictures"  # where they come from: README.md there
_THEIRS = Path(str(importlib.resources.files("skimage"))) / "data"

_ON_LOAD = """element.addEventListener("click", (event) => {
  const chosen = event.target.closest("button");
  if (chosen) trigger("select", { index: Number(chosen.dataset.index), value: chosen.textContent.trim() });
});"""


@dataclass(frozen=True)
class Example:
    """A photo, with its sharp reference where the truth is known; the thumbnail shows what it is."""

    photo: Path
    caption: str
    thumbnail: Path
    truth: Path | None = None

    def taken(self, cache: Path) -> tuple[str, str | None]:
        """Paths of photo and reference in the page's cache, from where a visitor may have them."""
        return save_file_to_cache(self.photo, str(cache)), self.truth and save_file_to_cache(self.truth, str(cache))


@dataclass(frozen=True)
class ExampleClip:
    clip: Path
    caption: str
    thumbnail: Path


BLURRED = (
    Example(_THEIRS / "clock_motion.png", text.EXAMPLE_CLOCK, _OURS / "clock.webp"),
    Example(_OURS / "coffee.jpg", text.EXAMPLE_COFFEE, _OURS / "coffee.webp", _THEIRS / "coffee.png"),
    Example(_OURS / "cat.jpg", text.EXAMPLE_CAT, _OURS / "cat.webp", _THEIRS / "chelsea.png"),
)
SHARP = (
    Example(_THEIRS / "coffee.png", text.EXAMPLE_COFFEE, _OURS / "sharp_coffee.webp"),
    Example(_THEIRS / "chelsea.png", text.EXAMPLE_CAT, _OURS / "sharp_cat.webp"),
    Example(_THEIRS / "astronaut.png", text.EXAMPLE_ASTRONAUT, _OURS / "sharp_astronaut.webp"),
)
CLIPS = (ExampleClip(_OURS / "coffee.mp4", text.EXAMPLE_CLIP, _OURS / "clip.webp"),)


def is_reference(path: str | None, offered: Sequence[Example]) -> bool:
    """Whether a sharp reference is an example's, and goes when its photo goes; a visitor's own stays."""
    return path is not None and Path(path).name in [example.truth.name for example in offered if example.truth]


def place(offered: Sequence[Example | ExampleClip], elem_id: str) -> gr.HTML:
    """Put a strip of examples on the page; choosing one is its event ``select``, with the index."""
    return gr.HTML(
        strip(offered), js_on_load=_ON_LOAD, apply_default_css=False, elem_id=elem_id, elem_classes="bare"
    )  # fmt: skip


def strip(offered: Sequence[Example | ExampleClip]) -> str:
    """Buttons with a thumbnail and a caption each; the thumbnails come with the page."""
    buttons = "".join(
        f'<button type="button" class="thumbnail-item" data-index="{index}">'
        f'<img src="{_inline(example.thumbnail)}" alt="" width="112" height="72">'
        f'<span class="caption-label">{escape(example.caption)}</span></button>'
        for index, example in enumerate(offered)
    )
    return f'<div class="examples" role="group" aria-label="{text.EXAMPLES_GROUP}">{buttons}</div>'


def _inline(picture: Path) -> str:
    return "data:image/webp;base64," + base64.b64encode(picture.read_bytes()).decode()
