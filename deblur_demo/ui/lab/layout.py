"""The blur lab: which component stands where. What they do is in ``handlers``."""

from __future__ import annotations

from dataclasses import dataclass

import gradio as gr

from deblur_demo import settings
from deblur_demo.ui import examples, text, views
from deblur_demo.ui.components import Knob, OneFile, OnePhoto
from deblur_demo.ui.image import text as image_text
from deblur_demo.ui.job import JobControls, place_buttons, place_states, place_status
from deblur_demo.ui.knobs import Knobs, place_model, place_runtime, place_size
from deblur_demo.ui.lab import text as lab_text
from deblur_demo.ui.lab.pad import place_pad
from deblur_demo.ui.viewer.comparer import place_comparer

_SCREEN = "lab"


@dataclass(frozen=True)
class LabScreen:
    """The components of the blur lab, by what they are for."""

    blurring: JobControls
    deblurring: JobControls
    knobs: Knobs
    photo: OnePhoto
    examples: gr.HTML
    pad: gr.HTML
    shift: Knob
    level: Knob
    objects: Knob
    noise: Knob
    saturation: Knob
    seed: gr.Number
    upload: OneFile
    welcome: gr.HTML
    results: gr.Column
    viewer: gr.HTML
    kernel: gr.HTML
    pair: gr.DownloadButton
    recipe: gr.DownloadButton
    steps: gr.Column
    curves: gr.HTML
    table: gr.HTML
    steps_zip: gr.DownloadButton

    @property
    def shake(self) -> list[gr.components.Component]:
        """Inputs: path, seed, shift, level, objects, noise, saturation."""
        return [self.pad, self.seed, self.shift, self.level, self.objects, self.noise, self.saturation]


def place(hours: float) -> LabScreen:
    """Put the screen where the page is being built.

    Args:
        hours: how long results can be looked at.
    """
    blurring, deblurring = place_states(hours), place_states(hours)
    with gr.Row(equal_height=False):
        with gr.Column(scale=4, min_width=320):
            shake = _sources() | _shake()
            blurring |= place_buttons(f"{_SCREEN}-blur", lab_text.BLUR)
            knobs = place_model(_SCREEN)
            with gr.Accordion(text.MORE, open=False, elem_id="lab-more"):
                knobs |= place_size(_SCREEN) | place_runtime()
        with gr.Column(scale=9, min_width=320):
            status = place_status(_SCREEN)
            welcome = gr.HTML(views.welcome(lab_text.WELCOME, lab_text.EMPTY_TITLE), elem_classes="bare")
            with gr.Column(visible=False, elem_id="lab-results") as results:
                deblurring |= place_buttons(_SCREEN, lab_text.DEBLUR)
                viewer = place_comparer("lab-viewer")
                gr.Markdown(lab_text.LEVELS_HELP, elem_id="lab-levels-help", elem_classes="hint")
                outputs = _steps() | _blur()
    return LabScreen(
        blurring=JobControls(screen=_SCREEN, status=status, **blurring),
        deblurring=JobControls(screen=_SCREEN, status=status, **deblurring),
        knobs=Knobs(_SCREEN, **knobs),
        welcome=welcome,
        results=results,
        viewer=viewer,
        **shake,
        **outputs,
    )


def _sources() -> dict[str, gr.components.Component]:
    """Where the photo comes from."""
    photo = OnePhoto(
        label=lab_text.PHOTO, sources=["upload", "clipboard"], type="filepath", image_mode=None, format="png",
        height=190, buttons=[], elem_id="lab-photo",
    )  # fmt: skip
    gr.Markdown(lab_text.EXAMPLES, elem_classes="hint")
    strip = examples.place(examples.SHARP, "lab-examples")
    return {"photo": photo, "examples": strip}


def _shake() -> dict[str, gr.components.Component]:
    """How it is blurred."""
    pad = place_pad("lab-pad", settings.LEVEL.default)
    with gr.Group():
        level = _slider(settings.LEVEL, lab_text.LEVEL, lab_text.LEVEL_HELP, step=2, elem_id="lab-level")
        shift = _slider(settings.SHIFT, lab_text.SHIFT, lab_text.SHIFT_HELP, step=1, elem_id="lab-shift")
    with gr.Accordion(lab_text.MORE, open=False, elem_id="lab-shake-more"):
        objects = _slider(settings.OBJECTS, lab_text.OBJECTS, lab_text.OBJECTS_HELP, step=1)
        noise = _slider(settings.NOISE, lab_text.NOISE, lab_text.NOISE_HELP, step=0.5)
        saturation = _slider(settings.SATURATION, lab_text.SATURATION, lab_text.SATURATION_HELP, step=0.5)
        seed = gr.Number(
            settings.SEED.default, precision=0, label=lab_text.SEED, info=lab_text.SEED_HELP, buttons=[],
            elem_id="lab-seed",
        )  # fmt: skip
        upload = OneFile(label=lab_text.UPLOAD, file_types=[".json"], height=110, elem_id="lab-upload")
    return {
        "pad": pad, "level": level, "shift": shift, "objects": objects, "noise": noise, "saturation": saturation,
        "seed": seed, "upload": upload,
    }  # fmt: skip


def _slider(knob: settings.Setting, label: str, info: str, step: float, **kw) -> Knob:
    return Knob(knob.low, knob.high, knob.default, step=step, label=label, info=info, buttons=[], **kw)


def _steps() -> dict[str, gr.components.Component]:
    """What the network made of it."""
    with gr.Column(visible=False, elem_id="lab-steps") as steps:
        curves = gr.HTML(elem_id="lab-curves", container=True, padding=True)
        table = gr.HTML(elem_id="lab-table", container=True, padding=True)
        gr.HTML(views.terms(image_text.COLUMNS.values()))
        steps_zip = gr.DownloadButton(text.DOWNLOAD_STEPS, interactive=False, elem_id="lab-steps-zip")
    return {"steps": steps, "curves": curves, "table": table, "steps_zip": steps_zip}


def _blur() -> dict[str, gr.components.Component]:
    """The kernel, and what can be taken home."""
    with gr.Row(equal_height=False):
        with gr.Column(min_width=300):
            kernel = gr.HTML(elem_id="lab-kernel", container=True, padding=True)
        with gr.Column(min_width=220):
            pair = gr.DownloadButton(lab_text.PAIR, elem_id="lab-pair")
            recipe = gr.DownloadButton(lab_text.RECIPE, elem_id="lab-recipe")
    return {"kernel": kernel, "pair": pair, "recipe": recipe}
