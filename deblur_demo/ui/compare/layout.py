"""The compare screen: which component stands where. What they do is in ``handlers``."""

from __future__ import annotations

from dataclasses import dataclass

import gradio as gr

from deblur_demo import settings
from deblur_demo.ui import examples, text, views
from deblur_demo.ui.compare import text as compare_text
from deblur_demo.ui.components import Choice, Choices, OnePhoto
from deblur_demo.ui.job import JobControls, place_buttons, place_states, place_status
from deblur_demo.ui.knobs import place_runtime, place_truth, sizes
from deblur_demo.ui.viewer.comparer import place_comparer

_SCREEN = "compare"


@dataclass(frozen=True)
class CompareScreen:
    """The components of the compare screen, by what they are for."""

    job: JobControls
    photo: OnePhoto
    examples: gr.HTML
    models: Choices
    iterations: Choices
    sizes: Choices
    planned: gr.Markdown
    truth: OnePhoto
    precision: Choice
    tile: Choice
    ensemble: Choice
    welcome: gr.HTML
    results: gr.Column
    viewer: gr.HTML
    archive: gr.DownloadButton
    table: gr.HTML

    @property
    def asked(self) -> list[gr.components.Component]:
        """Inputs: photo, truth, models, iterations, sizes, precision, tile, ensemble."""
        return [self.photo, self.truth, *self.ticks, self.precision, self.tile, self.ensemble]

    @property
    def ticks(self) -> list[gr.components.Component]:
        """What multiplies the results: models, iterations, sizes."""
        return [self.models, self.iterations, self.sizes]


def place(hours: float) -> CompareScreen:
    """Put the screen where the page is being built.

    Args:
        hours: how long results can be looked at.
    """
    states = place_states(hours)
    with gr.Row(equal_height=False):
        with gr.Column(scale=4, min_width=320):
            sources = _sources()
            buttons = place_buttons(_SCREEN, compare_text.RUN)
            ticks = _ticks()
            with gr.Accordion(text.MORE, open=False, elem_id="compare-more"):
                truth = place_truth("compare-truth")
                runtime = place_runtime()
        with gr.Column(scale=9, min_width=320):
            status = place_status(_SCREEN)
            outputs = _outputs()
    job = JobControls(screen=_SCREEN, status=status, **states, **buttons)
    return CompareScreen(job=job, truth=truth, **sources, **ticks, **runtime, **outputs)


def _sources() -> dict[str, gr.components.Component]:
    photo = OnePhoto(
        label=compare_text.PHOTO, sources=["upload", "clipboard"], type="filepath", image_mode=None, format="png",
        height=250, buttons=[], elem_id="compare-photo",
    )  # fmt: skip
    gr.Markdown(text.EXAMPLES, elem_classes="hint")
    strip = examples.place(examples.BLURRED, "compare-examples")
    return {"photo": photo, "examples": strip}


def _ticks() -> dict[str, gr.components.Component]:
    """What is compared."""
    wanted = settings.ITERATIONS.current()
    numbers = range(int(settings.ITERATIONS.low), int(settings.ITERATIONS.high) + 1)
    with gr.Group():
        # The choices come when the page has opened: to know the networks means to import torch.
        models = Choices([], label=compare_text.MODELS, interactive=True, elem_id="compare-models")
        iterations = Choices(
            [(str(number), number) for number in numbers],
            value=[settings.ITERATIONS.default if wanted == "auto" else wanted], label=compare_text.ITERATIONS,
            info=compare_text.ITERATIONS_HELP, elem_id="compare-iterations",
        )  # fmt: skip
        ticked = Choices(
            sizes(), value=[settings.SIZE.current()], label=text.SIZE, info=compare_text.SIZES_HELP,
            elem_id="compare-sizes",
        )  # fmt: skip
        planned = gr.Markdown(elem_classes="hint", padding=True, elem_id="compare-planned")
    return {"models": models, "iterations": iterations, "sizes": ticked, "planned": planned}


def _outputs() -> dict[str, gr.components.Component]:
    welcome = gr.HTML(views.welcome(compare_text.WELCOME, compare_text.WELCOME_TITLE), elem_classes="bare")
    with gr.Column(visible=False, elem_id="compare-results") as results:
        viewer = place_comparer("comparer")
        archive = gr.DownloadButton(
            compare_text.DOWNLOAD, interactive=False, variant="secondary", elem_id="compare-archive"
        )
        table = gr.HTML(elem_id="compare-table", container=True, padding=True)
        gr.HTML(views.terms(compare_text.COLUMNS.values()))
    return {"welcome": welcome, "results": results, "viewer": viewer, "archive": archive, "table": table}
