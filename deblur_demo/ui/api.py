"""The API: stable names, typed inputs, every value checked by the server.

``/deblur_image`` deblurs one photo, ``/deblur_clip`` one clip; ``/models`` lists the networks. The
README shows all three.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import gradio as gr

from deblur_demo import settings
from deblur_demo.errors import DeblurError
from deblur_demo.ui import text
from deblur_demo.ui.bench import DEVICE_QUEUE, Bench
from deblur_demo.ui.components import OneFile
from deblur_demo.ui.image_run import ImageRun, figures
from deblur_demo.ui.order import ClipOrder, ImageOrder
from deblur_demo.ui.video_run import VideoRun

_log = logging.getLogger(__name__)


def add(bench: Bench, cache: Path) -> None:
    """Add the endpoints to the page that is being built.

    Args:
        bench: where the networks are.
        cache: folder for the files of a run.
    """

    def deblur_image(image, model, iterations, precision, tile, truth=None, keep_metadata=False, ensemble="1"):
        """Make a blurred photo sharper, iteration by iteration.

        Args:
            image: The photo: JPEG, PNG, WebP, TIFF or BMP, in 8 or 16 bits. An upload to this server.
            model: Identifier of a network that `models` lists as ready, for example mtrnn-lite. Empty: the default.
            iterations: How often a multi-temporal network is applied: 1 to 10, usually 6, or auto to stop by itself.
            precision: Number format: auto, fp32, bf16 or fp16.
            tile: Side of a tile in pixels, 0 to 16384; 0: the photo in one piece; auto: what fits in memory.
            truth: The same photo, sharp, to measure against; left out where there is none.
            keep_metadata: Whether the place (GPS) and the maker's note stay in the result.
            ensemble: Orientations to restore and average, 1, 4 or 8: a little better, as many times as slow.

        Returns:
            the restored photo as PNG
            for the input (index 0) and every iteration: seconds, change in 8-bit levels, sharpness (steeper
            edges), and PSNR in dB, SSIM and MSE where there is a truth
        """
        knobs = {
            "model": model, "iterations": iterations, "precision": precision, "tile": tile, "ensemble": ensemble,
        }  # fmt: skip
        yield from _deblur_image(bench, cache, image, knobs, truth, keep_metadata)

    def deblur_clip(clip, model, iterations, start, end, codec, crf, precision, tile, ensemble="1"):
        """Make a blurred clip sharper, frame by frame; its sound, its frame times and its rotation stay.

        Args:
            clip: The clip: MP4, MOV, WebM, MKV, AVI, MPEG-TS, FLV, OGG or animated GIF. An upload to this server.
            model: Identifier of a network that `models` lists as ready, for example mtrnn-lite. Empty: the default.
            iterations: How often a multi-temporal network is applied to each frame: 1 to 10, or auto. 1 or 2 are quick.
            start: Where the part to take begins, in seconds, 0 or more.
            end: Where it ends, in seconds, or end for the end of the clip.
            codec: Of the result: h264, vp9, av1 or auto.
            crf: Quality of the result, 0 to 51: smaller is better and larger in bytes; 18 looks like the source.
            precision: Number format: auto, fp32, bf16 or fp16.
            tile: Side of a tile in pixels, 0 to 16384; 0: the frame in one piece; auto: what fits in memory.
            ensemble: Orientations to restore and average, 1, 4 or 8: a little better, as many times as slow.

        Returns:
            the restored clip as MP4
            figures of every frame, flicker before and after, and notices
        """
        knobs = {
            "model": model, "iterations": iterations, "precision": precision, "tile": tile, "ensemble": ensemble,
        }  # fmt: skip
        yield from _deblur_clip(bench, cache, clip, start, end, codec, crf, knobs)

    def models() -> list[dict]:
        """List the networks.

        Returns:
            for each: id, parameters, gmacs, frames, steps, max_steps, trained_for, paper, whether it is ready to use,
            and of its weights: file, figures (PSNR and SSIM after every iteration) and licence
        """
        from deblur_demo import catalogue

        # Where the weights lie on the server is nobody's business.
        return [{**row, "checkpoint": row["checkpoint"] and Path(row["checkpoint"]).name} for row in catalogue.models()]

    with gr.Group(visible=False):
        inputs = [
            OneFile(label=text.PHOTOS),
            gr.Textbox("", label=text.MODEL),
            gr.Textbox(str(settings.ITERATIONS.current()), label=text.ITERATIONS),
            gr.Textbox(settings.PRECISION.current(), label=text.PRECISION),
            gr.Textbox(str(settings.TILE.current()), label=text.TILE),
            OneFile(label=text.TRUTH),
            gr.Checkbox(False, label=text.METADATA),
            gr.Textbox(settings.ENSEMBLE.current(), label=text.ENSEMBLE),
        ]
        outputs = [gr.File(label=text.RESTORED), gr.JSON(label=text.TABLE)]
        gr.Button(text.RUN).click(deblur_image, inputs, outputs, api_name="deblur_image", **DEVICE_QUEUE)
        inputs = [
            OneFile(label=text.CLIP),
            gr.Textbox("", label=text.MODEL),
            gr.Textbox(str(settings.ITERATIONS.current()), label=text.ITERATIONS),
            gr.Textbox(str(settings.START.default), label=text.START),
            gr.Textbox(str(settings.END.default), label=text.END),
            gr.Textbox(settings.CODEC.current(), label=text.CODEC),
            gr.Textbox(str(settings.CRF.current()), label=text.CRF),
            gr.Textbox(settings.PRECISION.current(), label=text.PRECISION),
            gr.Textbox(str(settings.TILE.current()), label=text.TILE),
            gr.Textbox(settings.ENSEMBLE.current(), label=text.ENSEMBLE),
        ]
        outputs = [gr.File(label=text.DOWNLOAD_CLIP), gr.JSON(label=text.CLIP_TABLE)]
        gr.Button(text.RUN).click(deblur_clip, inputs, outputs, api_name="deblur_clip", **DEVICE_QUEUE)
    gr.api(models, api_name="models", queue=False)


def _deblur_image(
    bench: Bench, cache: Path, image: str | None, knobs: dict, truth: str | None, keep_metadata: bool
) -> Iterator[tuple[str | None, list[dict]]]:
    """The report grows with every step; the file comes with the last answer."""
    from deblur_demo import pipeline

    run = None
    with one_line_errors():
        try:
            order = ImageOrder.of([image] if image else [], truth, keep_metadata, **knobs)
            photo, truth = order.read(order.photos[0])
            deblurrer = bench.deblurrer(order.job)
            run = ImageRun(cache)
            run.begin(order.photos[0].name)
            newest, report = None, []
            for event in pipeline.deblur_image(photo, deblurrer, order.job.iterations, truth):
                if isinstance(event, pipeline.StepReport):
                    newest, report = event, [*report, figures(event)]
                yield None, report
            restored = run.add(newest).full
            run.done = True
            yield str(restored), report
        finally:
            if run is not None:
                run.end()


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
            for event in bench.deblur_clip(order.to(run.source, run.target), order.job):
                run.note(event)
                if isinstance(event, clips.FrameReport):
                    yield None, {"done": len(run.frames), "of": run.begun.frames}
            run.settle()
            yield str(run.target), run.figures()
        finally:
            if run is not None:
                run.end()


@contextmanager
def one_line_errors() -> Iterator[None]:
    """Answer whatever is wrong in one line.

    Raises:
        gr.Error: in place of any other error.
    """
    try:
        yield
    except DeblurError as error:
        raise gr.Error(str(error), print_exception=False) from error
    except Exception as error:
        _log.exception("an API call failed")
        raise gr.Error(text.UNEXPECTED, print_exception=False) from error
