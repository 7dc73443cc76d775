"""The image screen: which component stands where. What they do is in ``image_handlers``."""

from __future__ import annotations

import importlib.resources
from dataclasses import dataclass
from pathlib import Path

import gradio as gr

from deblur_demo.media.image import ACCEPTED_SUFFIXES
from deblur_demo.ui import text, views
from deblur_demo.ui.components import OnePhoto, Photos
from deblur_demo.ui.job import JobControls, place_buttons, place_states, place_status
from deblur_demo.ui.knobs import Knobs, place_model, place_runtime, place_truth

_SCREEN = "image"


@dataclass(frozen=True)
class Example:
    """A photo one click away, with its sharp reference where the truth is known."""

    photo: Path
    caption: str
    truth: Path | None = None


@dataclass(frozen=True)
class ImageScreen:
    """The components of the image screen, by what they are for."""

    job: JobControls
    knobs: Knobs
    photos: Photos
    examples: gr.Gallery
    webcam_toggle: gr.Button
    webcam: OnePhoto
    truth: OnePhoto
    metadata: gr.Checkbox
    welcome: gr.HTML
    results: gr.Column
    picker: gr.Dropdown
    compare: gr.ImageSlider
    scrubber: gr.Slider
    step_png: gr.DownloadButton
    steps_zip: gr.DownloadButton
    strip: gr.Gallery
    table: gr.HTML


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
                knobs |= place_runtime()
                metadata = gr.Checkbox(False, label=text.METADATA, info=text.METADATA_HELP)
        with gr.Column(scale=9, min_width=320):
            status = place_status(_SCREEN)
            outputs = _outputs()
    job = JobControls(screen=_SCREEN, status=status, **states, **buttons)
    return ImageScreen(job=job, knobs=Knobs(**knobs), truth=truth, metadata=metadata, **sources, **outputs)


def examples() -> tuple[Example, ...]:
    """Licence-clean photos: one that scikit-image brings, and two shaken ones of ours (see examples/README.md)."""
    theirs = Path(str(importlib.resources.files("skimage"))) / "data"
    ours = Path(__file__).parent / "examples"
    return (
        Example(theirs / "clock_motion.png", text.EXAMPLE_CLOCK),
        Example(ours / "coffee.jpg", text.EXAMPLE_COFFEE, theirs / "coffee.png"),
        Example(ours / "cat.jpg", text.EXAMPLE_CAT, theirs / "chelsea.png"),
    )


def _sources() -> dict[str, gr.components.Component]:
    """Where photos come from."""
    photos = Photos(
        label=text.PHOTOS, interactive=True, type="filepath", format="png", file_types=list(ACCEPTED_SUFFIXES),
        sources=["upload", "webcam", "clipboard"], height=250, object_fit="contain", buttons=[], elem_id="photos",
    )  # fmt: skip
    with gr.Row(elem_id="sources"):
        gr.Markdown(text.EXAMPLES, elem_classes="hint")
        webcam_toggle = gr.Button(text.WEBCAM, size="sm", scale=0, min_width=130, elem_id="webcam-toggle")
    strip = gr.Gallery(
        [(str(example.photo), example.caption) for example in examples()],
        show_label=False, interactive=False, format="png", height=90, allow_preview=False, object_fit="cover",
        buttons=[], elem_id="examples", elem_classes="examples",
    )  # fmt: skip
    webcam = OnePhoto(
        label=text.WEBCAM, sources=["webcam"], type="filepath", image_mode=None, format="png", visible=False,
        buttons=[], height=260, elem_id="webcam",
    )  # fmt: skip
    return {"photos": photos, "examples": strip, "webcam_toggle": webcam_toggle, "webcam": webcam}


def _outputs() -> dict[str, gr.components.Component]:
    welcome = gr.HTML(views.welcome(text.IMAGE_WELCOME), elem_classes="bare")
    with gr.Column(visible=False, elem_id="image-results") as results:
        picker = gr.Dropdown(label=text.RESULTS_OF, visible=False, filterable=False, interactive=True, elem_id="picker")
        compare = gr.ImageSlider(
            label=text.compare(0), type="filepath", format="png", interactive=False, height="var(--stage)",
            max_height=10_000, buttons=["fullscreen"], elem_id="compare", elem_classes="pair",
        )  # fmt: skip
        scrubber = gr.Slider(
            0, 1, 0, step=1, precision=0, label=text.SCRUBBER, info=text.SCRUBBER_HELP, interactive=False, buttons=[],
            elem_id="scrubber",
        )  # fmt: skip
        strip = gr.Gallery(
            show_label=False, interactive=False, format="png", allow_preview=False, object_fit="cover", height=108,
            buttons=[], elem_id="strip", elem_classes="strip",
        )  # fmt: skip
        with gr.Row():
            step_png = gr.DownloadButton(text.download_step(1), interactive=False, min_width=140, elem_id="step-png")
            steps_zip = gr.DownloadButton(text.DOWNLOAD_STEPS, interactive=False, min_width=140, elem_id="steps-zip")
        table = gr.HTML(elem_id="table", container=True, padding=True)
    return {
        "welcome": welcome, "results": results, "picker": picker, "compare": compare, "scrubber": scrubber,
        "step_png": step_png, "steps_zip": steps_zip, "strip": strip, "table": table,
    }  # fmt: skip
