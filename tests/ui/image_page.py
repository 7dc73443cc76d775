"""The image screen, without a browser: what is asked of it, and what is looked at in its answers."""

from __future__ import annotations

import re
from pathlib import Path

import gradio as gr

from deblur_demo.ui import examples
from deblur_demo.ui.bench import Bench
from deblur_demo.ui.image import layout as image_layout
from deblur_demo.ui.image.handlers import ImageHandlers


def opened(cache: Path) -> ImageHandlers:
    """A screen whose runs have their files in a folder."""
    with gr.Blocks():
        screen = image_layout.place(1.0)
    return ImageHandlers(screen, Bench(), cache, examples.BLURRED)


def asked(photos, iterations=3, truth=None, previous=None, auto=False, model="mtrnn-lite", ensemble="1"):
    return photos, truth, False, model, iterations, auto, "fp32", "auto", ensemble, "full", previous


def value(update):
    return update["value"] if isinstance(update, dict) else update


def files(page) -> list[str]:
    return [str(path) for path in page.cache.rglob("*") if path.is_file()] if page.cache.exists() else []


def marked(update, page) -> tuple[str, str]:
    """The step whose row is marked, and the file that can be downloaded."""
    row = update[page.screen.table].partition("aria-current=step")[2]
    return re.search(r"<th.*?>(\d+)</th>", row)[1], value(update[page.screen.step_png])
