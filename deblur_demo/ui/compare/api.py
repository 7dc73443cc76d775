"""The API of the compare screen: ``/compare`` with typed inputs, every value checked by the server."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import gradio as gr

from deblur_demo import settings
from deblur_demo.ui import text
from deblur_demo.ui.answers import one_line_errors
from deblur_demo.ui.bench import DEVICE_QUEUE, Bench
from deblur_demo.ui.compare import text as compare_text
from deblur_demo.ui.compare.contest import Trouble, compete
from deblur_demo.ui.compare.order import CompareOrder
from deblur_demo.ui.compare.run import CompareRun, Picture
from deblur_demo.ui.components import OneFile

_MODELS = "mtrnn-lite, wiener, richardson-lucy"


def add(bench: Bench, cache: Path) -> None:
    """Add the endpoint to the page that is being built.

    Args:
        bench: where the networks are.
        cache: folder for the files of a run.
    """

    def compare(image, models, iterations, truth=None, precision="auto", tile="auto", ensemble="1", sizes="full"):
        """Compare models, numbers of iterations, or sizes to restore at, on one photo.

        Args:
            image: The photo: JPEG, PNG, WebP, TIFF or BMP, in 8 or 16 bits. An upload to this server.
            models: Identifiers that the tool for models lists as ready, separated by commas.
            iterations: How often each multi-temporal network is applied: numbers from 1 to 10, separated by commas.
            truth: The same photo, sharp, to measure against; left out where there is none.
            precision: Number format: auto, fp32, bf16 or fp16.
            tile: Side of a tile in pixels, 0 to 16384; 0: the photo in one piece; auto: what fits in memory.
            ensemble: Orientations to restore and average, 1, 4 or 8: a little better, as many times as slow.
            sizes: To restore at: full, half (straight smears beyond 30 px), quarter (60), separated by commas.

        Returns:
            a ZIP with all results
            the figures of the input and of each result
        """
        knobs = {"precision": precision, "tile": tile, "ensemble": ensemble}
        yield from _compare(bench, cache, image, truth, _words(models), _words(iterations), _words(sizes), knobs)

    with gr.Group(visible=False):
        inputs = [
            OneFile(label=compare_text.PHOTO),
            gr.Textbox(_MODELS, label=compare_text.MODELS),
            gr.Textbox(str(settings.ITERATIONS.default), label=compare_text.ITERATIONS),
            OneFile(label=text.TRUTH),
            gr.Textbox(settings.PRECISION.current(), label=text.PRECISION),
            gr.Textbox(str(settings.TILE.current()), label=text.TILE),
            gr.Textbox(settings.ENSEMBLE.current(), label=text.ENSEMBLE),
            gr.Textbox(settings.SIZE.current(), label=text.SIZE),
        ]
        outputs = [gr.File(label=compare_text.DOWNLOAD), gr.JSON(label=compare_text.TABLE)]
        gr.Button(compare_text.RUN).click(compare, inputs, outputs, api_name="compare", **DEVICE_QUEUE)


def _compare(
    bench: Bench,
    cache: Path,
    image: str | None,
    truth: str | None,
    models: list[str],
    iterations: list[str],
    sizes: list[str],
    knobs: dict,
) -> Iterator[tuple[str | None, list[dict]]]:
    """The report grows with every result; the ZIP comes with the last answer."""
    run = None
    with one_line_errors():
        try:
            order = CompareOrder.of(image, truth, models, iterations, sizes, **knobs)
            run, report = CompareRun(cache, order.photo, order.results), []
            for news in compete(run, order, bench):
                if isinstance(news, Picture):
                    report = [*report, asdict(news.figures)]
                elif isinstance(news, Trouble):
                    gr.Warning(news.line)
                yield None, report
            run.pack()
            yield str(run.archive), report
        finally:
            if run is not None:
                run.end()


def _words(line: str) -> list[str]:
    return [word.strip() for word in str(line).split(",") if word.strip()]
