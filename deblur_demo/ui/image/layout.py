"""The image screen: which component stands where. What they do is in ``handlers``."""

from __future__ import annotations

from dataclasses import dataclass

import gradio as gr

from deblur_demo.media.image import ACCEPTED_SUFFIXES
from deblur_demo.ui import examples, text, views
from deblur_demo.ui.components import Choice, OnePhoto, Photos
from deblur_demo.ui.image import text as image_text
from deblur_demo.ui.job import JobControls, place_buttons, place_states, place_status
from deblur_demo.ui.knobs import Knobs, place_link, place_model, place_runtime, place_size, place_truth
from deblur_demo.ui.viewer.comparer import place_comparer

_SCREEN = "image"
_TIPS = """element.addEventListener("click", (event) => {
  const { knob, value } = event.target.closest("button")?.dataset ?? {};
  if (knob !== "step") return knob && trigger("tip", { knob, value });
  const steps = document.querySelector("#image-viewer .steps input");
  steps.value = value;
  steps.dispatchEvent(new Event("input"));
});"""


@dataclass(frozen=True)
class ImageScreen:
    """The components of the image screen, by what they are for."""

    job: JobControls
    knobs: Knobs
    photos: Photos
    examples: gr.HTML
    webcam_toggle: gr.Button
    webcam: OnePhoto
    truth: OnePhoto
    metadata: gr.Checkbox
    welcome: gr.HTML
    results: gr.Column
    picker: Choice
    photos_zip: gr.DownloadButton
    verdict: gr.HTML
    viewer: gr.HTML
    step_png: gr.DownloadButton
    steps_zip: gr.DownloadButton
    webp: gr.Button
    mp4: gr.Button
    film: gr.File
    table: gr.HTML
    plots: gr.HTML


def place(hours: float) -> ImageScreen:
    """Put the screen where the page is being built.

    Args:
        hours: how long results can be looked at.
    """
    states = place_states(hours)
    with gr.Row(equal_height=False):
        with gr.Column(scale=4, min_width=320):
            sources = _sources()
            buttons = place_buttons(_SCREEN)
            knobs = place_model(_SCREEN)
            with gr.Accordion(text.MORE, open=False, elem_id="image-more"):
                truth = place_truth("truth")
                knobs |= place_size(_SCREEN) | place_runtime()
                metadata = gr.Checkbox(False, label=image_text.METADATA, info=image_text.METADATA_HELP)
            knobs |= place_link(_SCREEN)
        with gr.Column(scale=9, min_width=320):
            status = place_status(_SCREEN)
            outputs = _outputs()
    job = JobControls(screen=_SCREEN, status=status, **states, **buttons)
    return ImageScreen(job=job, knobs=Knobs(_SCREEN, **knobs), truth=truth, metadata=metadata, **sources, **outputs)


def _sources() -> dict[str, gr.components.Component]:
    """Where photos come from."""
    photos = Photos(
        label=image_text.PHOTOS, interactive=True, type="filepath", format="png", file_types=list(ACCEPTED_SUFFIXES),
        sources=["upload", "clipboard"], height=250, object_fit="contain", buttons=[], elem_id="photos",
    )  # fmt: skip
    with gr.Row(elem_id="sources"):
        gr.Markdown(text.EXAMPLES, elem_classes="hint")
        webcam_toggle = gr.Button(image_text.WEBCAM, size="sm", scale=0, min_width=130, elem_id="webcam-toggle")
    strip = examples.place(examples.BLURRED, "examples")
    webcam = OnePhoto(
        label=image_text.WEBCAM, sources=["webcam"], type="filepath", image_mode=None, format="png", visible=False,
        buttons=[], height=260, elem_id="webcam",
    )  # fmt: skip
    return {"photos": photos, "examples": strip, "webcam_toggle": webcam_toggle, "webcam": webcam}


def _outputs() -> dict[str, gr.components.Component]:
    welcome = gr.HTML(views.welcome(image_text.WELCOME), elem_classes="bare")
    with gr.Column(visible=False, elem_id="image-results") as results:
        picker = Choice(
            label=image_text.RESULTS_OF, visible=False, filterable=False, interactive=True, elem_id="picker"
        )
        photos_zip = gr.DownloadButton(image_text.DOWNLOAD_PHOTOS, visible=False, elem_id="photos-zip")
        verdict = gr.HTML(elem_id="image-verdict", elem_classes="bare", js_on_load=_TIPS)
        viewer = place_comparer("image-viewer")
        with gr.Row():
            step_png = gr.DownloadButton(
                image_text.download_step(1), interactive=False, min_width=140, elem_id="step-png"
            )
            steps_zip = gr.DownloadButton(text.DOWNLOAD_STEPS, interactive=False, min_width=140, elem_id="steps-zip")
        with gr.Row():
            webp = gr.Button(image_text.WEBP, interactive=False, min_width=140, elem_id="image-webp")
            mp4 = gr.Button(image_text.MP4, interactive=False, min_width=140, elem_id="image-mp4")
        film = gr.File(visible=False)  # made when it is asked for, and then fetched by a script
        with gr.Accordion(image_text.NUMBERS, open=True, elem_id="image-numbers"):
            table = gr.HTML(elem_id="table")
            plots = gr.HTML(elem_id="image-plots")
            gr.HTML(views.terms([*image_text.COLUMNS.values(), image_text.SPECTRUM]))
    return {
        "welcome": welcome, "results": results, "picker": picker, "photos_zip": photos_zip, "verdict": verdict,
        "viewer": viewer, "step_png": step_png, "steps_zip": steps_zip, "webp": webp, "mp4": mp4, "film": film,
        "table": table, "plots": plots,
    }  # fmt: skip
