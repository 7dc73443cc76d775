"""The models screen: which component stands where. What they do is in ``handlers``."""

from __future__ import annotations

from dataclasses import dataclass

import gradio as gr

from deblur_demo import settings
from deblur_demo.ui import shelf, text
from deblur_demo.ui.components import Choice, Files
from deblur_demo.ui.job import place_status
from deblur_demo.ui.models import text as models_text

_SCREEN = "models"


@dataclass(frozen=True)
class ModelsScreen:
    """The components of the models screen, by what they are for."""

    own: gr.State  # what the visitor has loaded: ``shelf.OwnWeights``
    files: Files
    address: gr.Textbox
    load: gr.Button
    loaded: Choice
    unload: gr.Button
    status: gr.HTML
    which: gr.Radio
    cards: gr.HTML
    memory: gr.HTML


def place(hours: float) -> ModelsScreen:
    """Put the screen where the page is being built.

    Args:
        hours: how long weights that a visitor loads are kept.
    """
    own = gr.State((), time_to_live=hours * 3600, delete_callback=shelf.clear)
    with gr.Row(equal_height=False):
        with gr.Column(scale=4, min_width=320):
            loading = _loading(hours)
            memory = gr.HTML(elem_id="models-memory", container=True, padding=True)
        with gr.Column(scale=9, min_width=320):
            which = gr.Radio(
                [(models_text.READY_ONLY, False), (models_text.ALL, True)], value=False, label=models_text.WHICH,
                elem_id="models-which",
            )  # fmt: skip
            cards = gr.HTML(text.MODELS_COMING, elem_id="models-cards", elem_classes="bare")
    return ModelsScreen(own=own, which=which, cards=cards, memory=memory, **loading)


def _loading(hours: float) -> dict[str, gr.components.Component]:
    """How weights come and go; not there where whoever runs the server does not want it."""
    wanted = settings.LOADING.current() == "on"
    with gr.Column(visible=wanted):
        with gr.Group():
            gr.Markdown(models_text.LOAD_TITLE, padding=True, elem_classes="models-title")
            gr.Markdown(models_text.help_with_loading(hours), elem_classes=["hint", "models-help"], padding=True)
        files = Files(label=models_text.FILES, file_count="multiple", height=160, elem_id="models-files")
        address = gr.Textbox(
            label=models_text.ADDRESS, placeholder=models_text.ADDRESS_EXAMPLE, max_lines=1, elem_id="models-address"
        )
        load = gr.Button(models_text.LOAD, variant="primary", elem_id="models-load")
        status = place_status(_SCREEN)
        loaded = Choice(
            [], label=models_text.LOADED, visible=False, filterable=False, interactive=True, elem_id="models-loaded"
        )
        unload = gr.Button(models_text.UNLOAD, visible=False, elem_id="models-unload")
    if not wanted:
        gr.Markdown(models_text.OFF, elem_classes="hint")
    return {"files": files, "address": address, "load": load, "loaded": loaded, "unload": unload, "status": status}
