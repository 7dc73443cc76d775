"""The video screen: which component stands where. What they do is in ``handlers``."""

from __future__ import annotations

from dataclasses import dataclass

import gradio as gr

from deblur_demo import settings
from deblur_demo.ui import examples, text, views
from deblur_demo.ui.components import Choice, Knob, OneFile, OptionalNumber
from deblur_demo.ui.job import JobControls, place_buttons, place_states, place_status
from deblur_demo.ui.knobs import Knobs, place_link, place_model, place_runtime, place_size
from deblur_demo.ui.video import text as video_text
from deblur_demo.ui.video.player import place_player

_SCREEN = "video"
_SUFFIXES = [
    ".mp4",
    ".m4v",
    ".mov",
    ".webm",
    ".mkv",
    ".avi",
    ".ts",
    ".m2ts",
    ".mts",
    ".flv",
    ".ogv",
    ".ogg",
    ".3gp",
    ".gif",
]


@dataclass(frozen=True)
class VideoScreen:
    """The components of the video screen, by what they are for."""

    job: JobControls
    knobs: Knobs
    clip: OneFile
    examples: gr.HTML
    about: gr.Markdown
    start: gr.Number
    end: OptionalNumber
    codec: Choice
    crf: Knob
    welcome: gr.HTML
    live: gr.ImageSlider
    player: gr.HTML
    results: gr.Column
    download: gr.DownloadButton
    curve: gr.HTML
    figures: gr.HTML


def place(hours: float) -> VideoScreen:
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
            with gr.Accordion(text.MORE, open=False, elem_id="video-more"):
                written = _written()
                knobs |= place_size(_SCREEN) | place_runtime()
            knobs |= place_link(_SCREEN)
        with gr.Column(scale=9, min_width=320):
            status = place_status(_SCREEN)
            outputs = _outputs()
    job = JobControls(screen=_SCREEN, status=status, **states, **buttons)
    return VideoScreen(job=job, knobs=Knobs(_SCREEN, **knobs), **sources, **written, **outputs)


def _sources() -> dict[str, gr.components.Component]:
    """Where the clip comes from, and which part of it is taken."""
    clip = OneFile(label=video_text.CLIP, file_types=_SUFFIXES, height=140, elem_id="clip")
    with gr.Row(elem_classes="sources"):
        gr.Markdown(video_text.EXAMPLES, elem_classes="hint")
        strip = examples.place(examples.CLIPS, "video-examples")
    about = gr.Markdown(elem_id="about-clip", elem_classes="hint")
    with gr.Row(elem_id="trim"):
        start = gr.Number(0, label=video_text.START, precision=3, step=0.1, min_width=100, elem_id="start", buttons=[])
        end = OptionalNumber(
            None, label=video_text.END, precision=3, step=0.1, min_width=100, elem_id="end", buttons=[]
        )
    return {"clip": clip, "examples": strip, "about": about, "start": start, "end": end}


def _written() -> dict[str, gr.components.Component]:
    """How the result is written."""
    codec = Choice(
        [(video_text.CODECS[word], word) for word in settings.CODEC.words], value=settings.CODEC.current(),
        label=video_text.CODEC, info=video_text.CODEC_HELP, filterable=False,
    )  # fmt: skip
    crf = Knob(
        settings.CRF.low, settings.CRF.high, settings.CRF.current(), step=1, precision=0, label=video_text.CRF,
        info=video_text.CRF_HELP, buttons=[],
    )  # fmt: skip
    return {"codec": codec, "crf": crf}


def _outputs() -> dict[str, gr.components.Component]:
    welcome = gr.HTML(views.welcome(video_text.WELCOME), elem_classes="bare")
    live = gr.ImageSlider(
        label=video_text.NEWEST, type="filepath", format="png", interactive=False, height="var(--stage)",
        max_height=10_000, buttons=[], visible=False, elem_id="live", elem_classes="pair",
    )  # fmt: skip
    player = place_player("player")
    with gr.Column(visible=False, elem_id="video-results") as results:
        download = gr.DownloadButton(video_text.DOWNLOAD_CLIP, variant="primary", elem_id="clip-file")
        curve = gr.HTML(elem_id="video-curve", container=True, padding=True)
        figures = gr.HTML(elem_id="video-figures", container=True, padding=True)
        gr.HTML(views.terms([*video_text.CLIP_ROWS.values(), (video_text.CHANGE, video_text.CHANGE_HELP)]))
    return {
        "welcome": welcome, "live": live, "player": player, "results": results, "download": download, "curve": curve,
        "figures": figures,
    }  # fmt: skip
