"""The page: which component stands where. What they do is in ``handlers``."""

from __future__ import annotations

import importlib.resources
from dataclasses import dataclass
from pathlib import Path

import gradio as gr
from gradio.utils import get_upload_folder

from deblur_demo import settings
from deblur_demo.media.image import ACCEPTED_SUFFIXES
from deblur_demo.ui import api, text, views
from deblur_demo.ui.bench import Bench
from deblur_demo.ui.components import OnePhoto, Photos
from deblur_demo.ui.handlers import ImageHandlers
from deblur_demo.ui.runs import Run

_SWEEP_SECONDS = 300


@dataclass(frozen=True)
class Example:
    """A photo one click away, with its sharp reference where the truth is known."""

    photo: Path
    caption: str
    truth: Path | None = None


@dataclass(frozen=True)
class ImageScreen:
    """The components of the image screen, by what they are for."""

    run_state: gr.State
    photos: Photos
    examples: gr.Gallery
    webcam_toggle: gr.Button
    webcam: OnePhoto
    model: gr.Dropdown
    about_model: gr.Markdown
    iterations: gr.Slider
    auto: gr.Checkbox
    precision: gr.Dropdown
    tile: gr.Dropdown
    truth: OnePhoto
    metadata: gr.Checkbox
    run: gr.Button
    cancel: gr.Button
    status: gr.HTML
    welcome: gr.HTML
    results: gr.Column
    picker: gr.Dropdown
    compare: gr.ImageSlider
    scrubber: gr.Slider
    step_png: gr.DownloadButton
    steps_zip: gr.DownloadButton
    strip: gr.Gallery
    table: gr.HTML


def build() -> gr.Blocks:
    """Build the whole page with its API; nothing is loaded and no port is opened.

    Raises:
        SettingError: an environment variable holds a value that its setting refuses.
    """
    hours = settings.CACHE_HOURS.current()
    bench, cache = Bench(), Path(get_upload_folder())
    with gr.Blocks(
        title=text.NAME, analytics_enabled=False, delete_cache=(_SWEEP_SECONDS, round(hours * 3600)), fill_width=True
    ) as page:
        gr.HTML(views.header(), elem_id="header")
        ImageHandlers(_image_screen(hours), bench, cache, examples()).bind(page)
        gr.Markdown(text.PRIVACY.format(hours=text.hours(hours)), elem_id="privacy")
        api.add(bench, cache)
    # The queue is the only way to the device: direct calls that would step past it are closed.
    return page.queue(max_size=settings.QUEUE_LENGTH.current(), api_open=False)


def examples() -> tuple[Example, ...]:
    """Licence-clean photos: one that scikit-image brings, and two shaken ones of ours (see examples/README.md)."""
    theirs = Path(str(importlib.resources.files("skimage"))) / "data"
    ours = Path(__file__).parent / "examples"
    return (
        Example(theirs / "clock_motion.png", text.EXAMPLE_CLOCK),
        Example(ours / "coffee.jpg", text.EXAMPLE_COFFEE, theirs / "coffee.png"),
        Example(ours / "cat.jpg", text.EXAMPLE_CAT, theirs / "chelsea.png"),
    )


def _image_screen(hours: float) -> ImageScreen:
    run_state = gr.State(time_to_live=hours * 3600, delete_callback=_discard)
    with gr.Row(equal_height=False):
        with gr.Column(scale=4, min_width=320):
            inputs = _inputs()
        with gr.Column(scale=9, min_width=320, elem_id="stage"):
            outputs = _outputs()
    return ImageScreen(run_state=run_state, **inputs, **outputs)


def _inputs() -> dict[str, gr.components.Component]:
    return {**_sources(), **_actions(), **_knobs()}


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
        buttons=[], elem_id="examples",
    )  # fmt: skip
    webcam = OnePhoto(
        label=text.WEBCAM, sources=["webcam"], type="filepath", image_mode=None, format="png", visible=False,
        buttons=[], height=260, elem_id="webcam",
    )  # fmt: skip
    return {"photos": photos, "examples": strip, "webcam_toggle": webcam_toggle, "webcam": webcam}


def _actions() -> dict[str, gr.components.Component]:
    with gr.Row():
        run = gr.Button(text.RUN, variant="primary", scale=3, min_width=120, elem_id="run")
        cancel = gr.Button(text.CANCEL, interactive=False, scale=1, min_width=90, elem_id="cancel")
    return {"run": run, "cancel": cancel}


def _knobs() -> dict[str, gr.components.Component]:
    """Model, iterations, and what few people change."""
    with gr.Group():
        # The choices come when the page has opened: to know the networks means to import torch.
        model = gr.Dropdown([], label=text.MODEL, filterable=False, interactive=True, elem_id="model")
        about_model = gr.Markdown(text.MODELS_COMING, elem_id="about-model", elem_classes="hint", padding=True)
    wanted = settings.ITERATIONS.current()
    with gr.Group():
        iterations = gr.Slider(
            settings.ITERATIONS.low, settings.ITERATIONS.high,
            settings.ITERATIONS.default if wanted == "auto" else wanted, step=1, precision=0,
            label=text.ITERATIONS, info=text.ITERATIONS_HELP, interactive=wanted != "auto", buttons=[],
            elem_id="iterations",
        )  # fmt: skip
        auto = gr.Checkbox(wanted == "auto", label=text.AUTO, info=text.AUTO_HELP, elem_id="auto")
    with gr.Accordion(text.MORE, open=False, elem_id="more"):
        truth = OnePhoto(
            label=text.TRUTH, sources=["upload"], type="filepath", image_mode=None, format="png", buttons=[],
            height=170, elem_id="truth",
        )  # fmt: skip
        gr.Markdown(text.TRUTH_HELP, elem_classes="hint")
        precision = gr.Dropdown(
            list(settings.PRECISION.words), value=settings.PRECISION.current(), label=text.PRECISION,
            info=text.PRECISION_HELP, filterable=False,
        )  # fmt: skip
        tile = gr.Dropdown(
            [*settings.TILE.words, "0", "256", "512", "1024"], value=str(settings.TILE.current()), label=text.TILE,
            info=text.TILE_HELP, allow_custom_value=True,
        )  # fmt: skip
        metadata = gr.Checkbox(False, label=text.METADATA, info=text.METADATA_HELP)
    return {
        "model": model, "about_model": about_model, "iterations": iterations, "auto": auto, "truth": truth,
        "precision": precision, "tile": tile, "metadata": metadata,
    }  # fmt: skip


def _outputs() -> dict[str, gr.components.Component]:
    status = gr.HTML(views.status(text.READY), elem_id="status")
    welcome = gr.HTML(views.welcome(), elem_id="welcome")
    with gr.Column(visible=False, elem_id="results") as results:
        picker = gr.Dropdown(label=text.RESULTS_OF, visible=False, filterable=False, interactive=True, elem_id="picker")
        compare = gr.ImageSlider(
            label=text.compare(0), type="filepath", format="png", interactive=False, height="var(--stage)",
            max_height=10_000, buttons=["fullscreen"], elem_id="compare",
        )  # fmt: skip
        scrubber = gr.Slider(
            0, 1, 0, step=1, precision=0, label=text.SCRUBBER, info=text.SCRUBBER_HELP, interactive=False, buttons=[],
            elem_id="scrubber",
        )  # fmt: skip
        strip = gr.Gallery(
            show_label=False, interactive=False, format="png", allow_preview=False, object_fit="cover", height=108,
            buttons=[], elem_id="strip",
        )  # fmt: skip
        with gr.Row():
            step_png = gr.DownloadButton(text.download_step(1), interactive=False, min_width=140, elem_id="step-png")
            steps_zip = gr.DownloadButton(text.DOWNLOAD_STEPS, interactive=False, min_width=140, elem_id="steps-zip")
        table = gr.HTML(elem_id="table", container=True, padding=True)
    return {
        "status": status, "welcome": welcome, "results": results, "picker": picker, "compare": compare,
        "scrubber": scrubber, "step_png": step_png, "steps_zip": steps_zip, "strip": strip, "table": table,
    }  # fmt: skip


def _discard(run: Run | None) -> None:
    if run is not None:
        run.discard()
