"""``/deblur_image``: a stable name, typed inputs, every value checked by the server."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import gradio as gr

from deblur_demo import settings
from deblur_demo.ui import text
from deblur_demo.ui.answers import one_line_errors
from deblur_demo.ui.bench import DEVICE_QUEUE, Bench
from deblur_demo.ui.components import OneFile
from deblur_demo.ui.image import text as image_text
from deblur_demo.ui.image.run import ImageRun, figures
from deblur_demo.ui.order import ImageOrder


def add(bench: Bench, cache: Path) -> None:
    """Add the endpoint to the page that is being built.

    Args:
        bench: where the networks are.
        cache: folder for the files of a run.
    """

    def deblur_image(
        image, model, iterations, precision, tile, truth=None, keep_metadata=False, ensemble="1", size="full"
    ):
        """Make a blurred photo sharper, iteration by iteration.

        Args:
            image: The photo: JPEG, PNG, WebP, TIFF or BMP, in 8 or 16 bits. An upload to this server.
            model: Identifier of a network that `models` lists as ready, for example mtrnn-lite. Empty: the default.
            iterations: How often a multi-temporal network is applied: 1 to 10, usually 6, or auto to stop by itself.
            precision: Number format: auto, fp32, bf16 or fp16.
            tile: Side of a tile in pixels, 0 to 16384; 0: the photo in one piece; auto: what fits in memory.
            truth: The same photo, sharp, to measure against; left out where there is none.
            keep_metadata: Whether place (GPS), owner, serial numbers, comment and maker's note stay in the result.
            ensemble: Orientations to restore and average, 1, 4 or 8: a little better, as many times as slow.
            size: To restore at: full, half (straight smears beyond 30 px) or quarter (60); the result is full size.

        Returns:
            the restored photo as PNG
            for the input (index 0) and every iteration: seconds, change in 8-bit levels, sharpness (steeper
            edges), PSNR in dB, SSIM and MSE where there is a truth, and mean and p95 of its maps: doubt, how far
            the orientations of an ensemble disagree in 8-bit levels, and guidance of SGENet; of the input and of
            the last step blur, an estimate: sharp photos have up to 0.42, blurred ones 0.5 to 0.9
        """
        knobs = {
            "model": model, "iterations": iterations, "precision": precision, "tile": tile, "ensemble": ensemble,
            "size": size,
        }  # fmt: skip
        yield from _deblur_image(bench, cache, image, knobs, truth, keep_metadata)

    with gr.Group(visible=False):
        inputs = [
            OneFile(label=image_text.PHOTOS),
            gr.Textbox("", label=text.MODEL),
            gr.Textbox(str(settings.ITERATIONS.current()), label=text.ITERATIONS),
            gr.Textbox(settings.PRECISION.current(), label=text.PRECISION),
            gr.Textbox(str(settings.TILE.current()), label=text.TILE),
            OneFile(label=text.TRUTH),
            gr.Checkbox(False, label=image_text.METADATA),
            gr.Textbox(settings.ENSEMBLE.current(), label=text.ENSEMBLE),
            gr.Textbox(settings.SIZE.current(), label=text.SIZE),
        ]
        outputs = [gr.File(label=image_text.RESTORED), gr.JSON(label=image_text.TABLE)]
        gr.Button(text.RUN).click(deblur_image, inputs, outputs, api_name="deblur_image", **DEVICE_QUEUE)


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
            for event in run.while_wanted(pipeline.deblur_image(photo, deblurrer, order.job.iterations, truth)):
                if isinstance(event, pipeline.StepReport):
                    newest, report = event, [*report, {**figures(event), "blur": event.blur if not report else None}]
                yield None, report
            report[-1]["blur"] = newest.blur
            restored = run.add(newest).full
            run.done = True
            yield str(restored), report
        finally:
            if run is not None:
                run.end()
