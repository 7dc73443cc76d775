"""One photo through a network, as a screen follows it: a status line for every tile, a result for every step."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from typing import TYPE_CHECKING

import gradio as gr

from deblur_demo.media.paths import shown
from deblur_demo.ui import text, views
from deblur_demo.ui.image.recipe import Recipe
from deblur_demo.ui.image.run import ImageRun, Result
from deblur_demo.ui.order import ImageOrder
from deblur_demo.ui.pace import Pace
from deblur_demo.ui.runs import Cancelled

if TYPE_CHECKING:
    from deblur_demo.pipeline import StepReport
    from deblur_demo.runtime.deblurrer import Deblurrer


def follow(
    run: ImageRun, order: ImageOrder, deblurrer: Deblurrer, number: int = 1, pace: Pace | None = None
) -> Iterator[str | Result]:
    """Deblur one photo of an order into a run.

    Args:
        run: gets the photo's steps and their ZIP; nothing of a photo that fails, or is cancelled before its first.
        order: what was asked for.
        deblurrer: the network, placed on its device.
        number: which of the order's photos, from 1.
        pace: of all of them, as far as they are done; None: this is the only one.

    Yields:
        The status line as HTML, per tile; all about the photo so far, per step.

    Raises:
        DeblurError: the photo cannot be read or restored.
        Cancelled: the run was asked to stop.
    """
    from deblur_demo.pipeline import StepReport, deblur_image
    from deblur_demo.verdict import judge

    path, count = order.photos[number - 1], len(order.photos)
    photo, truth = order.read(path)
    most, last = order.iterations(deblurrer)
    pace = pace or Pace(most)
    name = text.of_several(number, count, shown(path))
    run.begin(path.name, most + 1, truth, deblurrer.model.traits.maps, Recipe.of(order.job, deblurrer))
    first = newest = wish = None
    yield views.status(text.running(1, last, name=name), "busy", pace.fraction)
    try:
        try:
            for event in run.while_wanted(deblur_image(photo, deblurrer, order.job.iterations, truth)):
                if isinstance(event, StepReport):
                    first, newest = first or event, event
                    yield _added(run, event)
                else:
                    pace.tile(event)
                    line = text.running(event.index, last, event.tile, event.tiles, pace.remaining, name, count > 1)
                    yield views.status(line, "busy", pace.fraction)
        except Cancelled as cancelled:
            if newest is None or newest.index == 0:
                raise
            wish = cancelled  # what the visitor has seen of it, and may have found good enough, stays
        more = deblurrer.model.traits.adjustable(order.job.iterations)
        scores = [step.psnr for step in run.results[-1].steps]
        verdict = judge(first, newest, more, order.job.size, deblurrer.model.learned, scores)
        run.finish(verdict, cut=wish is not None)
    except Exception:
        run.drop()
        raise
    if wish is not None:
        raise wish


def _added(run: ImageRun, report: StepReport) -> Result:
    """All about the photo with one more step; what that has to say is told to the visitor."""
    known = run.results[-1].notices
    run.add(report)
    for notice in run.results[-1].notices[len(known) :]:
        gr.Info(escape(notice))
    return run.results[-1]
