"""``/deblur_clip``: a stable name, typed inputs, every value checked by the server."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import gradio as gr

from deblur_demo import settings
from deblur_demo.ui import text
from deblur_demo.ui.answers import one_line_errors
from deblur_demo.ui.bench import DEVICE_QUEUE, Bench
from deblur_demo.ui.components import OneFile
from deblur_demo.ui.order import ClipOrder
from deblur_demo.ui.video import text as video_text
from deblur_demo.ui.video.run import VideoRun


def add(bench: Bench, cache: Path) -> None:
    """Add the endpoint to the page that is being built.

    Args:
        bench: where the networks are.
        cache: folder for the files of a run.
    """

    def deblur_clip(clip, model, iterations, start, end, codec, crf, precision, tile, ensemble="1", size="full"):
        """Make a blurred clip sharper, frame by frame; its sound, its frame times and its rotation stay.

        Args:
            clip: The clip: MP4, MOV, WebM, MKV, AVI, MPEG-TS, FLV, OGG or animated GIF. An upload to this server.
            model: Identifier of a network that `models` lists as ready, for example mtrnn-lite. Empty: the default.
            iterations: How often a multi-temporal network is applied to each frame: 1 to 10, or auto. 1 or 2 are quick.
            start: Where the part to take begins, in seconds, 0 or more.
            end: Where it ends, in seconds, or end for the end of the clip.
            codec: Of the result: h264, vp9, av1 or auto.
            crf: Quality of the result, 1 to 51: smaller is better and larger in bytes; 18 looks like the source.
            precision: Number format: auto, fp32, bf16 or fp16.
            tile: Side of a tile in pixels, 0 to 16384; 0: the frame in one piece; auto: what fits in memory.
            ensemble: Orientations to restore and average, 1, 4 or 8: a little better, as many times as slow.
            size: To restore at: full, half (straight smears beyond 30 px) or quarter (60); the result is full size.

        Returns:
            the restored clip as MP4
            figures of every frame, flicker before and after, and notices
        """
        knobs = {
            "model": model, "iterations": iterations, "precision": precision, "tile": tile, "ensemble": ensemble,
            "size": size,
        }  # fmt: skip
        yield from _deblur_clip(bench, cache, clip, start, end, codec, crf, knobs)

    with gr.Group(visible=False):
        inputs = [
            OneFile(label=video_text.CLIP),
            gr.Textbox("", label=text.MODEL),
            gr.Textbox(str(settings.ITERATIONS.current()), label=text.ITERATIONS),
            gr.Textbox(str(settings.START.default), label=video_text.START),
            gr.Textbox(str(settings.END.default), label=video_text.END),
            gr.Textbox(settings.CODEC.current(), label=video_text.CODEC),
            gr.Textbox(str(settings.CRF.current()), label=video_text.CRF),
            gr.Textbox(settings.PRECISION.current(), label=text.PRECISION),
            gr.Textbox(str(settings.TILE.current()), label=text.TILE),
            gr.Textbox(settings.ENSEMBLE.current(), label=text.ENSEMBLE),
            gr.Textbox(settings.SIZE.current(), label=text.SIZE),
        ]
        outputs = [gr.File(label=video_text.DOWNLOAD_CLIP), gr.JSON(label=video_text.CLIP_TABLE)]
        gr.Button(text.RUN).click(deblur_clip, inputs, outputs, api_name="deblur_clip", **DEVICE_QUEUE)


def _deblur_clip(
    bench: Bench, cache: Path, clip: str | None, start: object, end: object, codec: object, crf: object, knobs: dict
) -> Iterator[tuple[str | None, dict]]:
    """While it runs, the report says how far it is; the file comes with the last answer."""
    from deblur_demo import clips

    run = None
    with one_line_errors():
        try:
            order = ClipOrder.of(clip, start, end, codec, crf, **knobs)
            run = VideoRun(cache, order.clip.source, trimmed=order.clip.start > 0)
            for event in run.while_wanted(bench.deblur_clip(order.to(run.source, run.target), order.job)):
                run.note(event)
                if isinstance(event, clips.FrameReport):
                    yield None, {"done": len(run.frames), "of": run.begun.frames}
            run.settle()
            yield str(run.target), run.figures()
        finally:
            if run is not None:
                run.end()
