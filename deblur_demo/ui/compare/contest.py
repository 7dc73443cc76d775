"""The contest itself: one photo through one network after another, for the page and for the API."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from deblur_demo.errors import DeblurError, InputError
from deblur_demo.ui import text
from deblur_demo.ui.bench import Bench
from deblur_demo.ui.compare import text as compare_text
from deblur_demo.ui.compare.order import CompareOrder, Entrant
from deblur_demo.ui.compare.run import CompareRun, Figures, Picture
from deblur_demo.ui.pace import Pace

if TYPE_CHECKING:
    from deblur_demo.media.image import Photo
    from deblur_demo.runtime.deblurrer import Deblurrer


@dataclass(frozen=True)
class Progress:
    """How far it is: a line for a person, and the part of the work that is done."""

    line: str
    fraction: float


@dataclass(frozen=True)
class Trouble:
    """One network failed, the others go on; what to tell."""

    line: str


def compete(run: CompareRun, order: CompareOrder, bench: Bench) -> Iterator[Progress | Trouble | Picture]:
    """Make every result of an order.

    Args:
        run: gets the pictures.
        order: what was asked for.
        bench: where the networks are.

    Yields:
        Progress with every tile, a picture when it is there (the input first), trouble where there is some.

    Raises:
        DeblurError: the photo cannot be read, or no network brought a result.
        Cancelled: the run was asked to stop.
    """
    photo, truth = order.read()
    count, failed = len(order.entrants), None
    for number, entrant in enumerate(order.entrants):
        yield Progress(text.loading(entrant.name, entrant.fetched), number / count)
        try:
            deblurrer = bench.deblurrer(entrant.job)
            name = text.of_several(number + 1, count, entrant.name)
            for news in _enter(run, entrant, deblurrer, photo, truth, name):
                yield replace(news, fraction=(number + news.fraction) / count) if isinstance(news, Progress) else news
        except InputError:  # the pictures themselves are at fault
            raise
        except DeblurError as error:
            failed = error
            run.expect(name for other in order.entrants[number + 1 :] for name in other.results)
            yield Trouble(compare_text.FAILED.format(name=entrant.name, error=error))
    if failed is not None and not run.results:
        raise failed
    run.complete = True


def _enter(
    run: CompareRun, entrant: Entrant, deblurrer: Deblurrer, photo: Photo, truth: Photo | None, name: str
) -> Iterator[Progress | Picture]:
    """One network on the photo; fractions are of its own work."""
    from deblur_demo import metrics
    from deblur_demo.pipeline import StepReport, deblur_image

    wanted = entrant.wanted or (deblurrer.model.traits.steps,)
    names, pace, seconds = iter(entrant.results), Pace(wanted[-1]), 0.0
    gmacs = _gmacs(entrant, deblurrer)
    yield Progress(text.running(1, wanted[-1], name=name), 0.0)
    for event in run.while_wanted(deblur_image(photo, deblurrer, entrant.job.iterations, truth)):
        if not isinstance(event, StepReport):
            pace.tile(event)
            line = text.running(event.index, wanted[-1], event.tile, event.tiles, pace.remaining, name)
            yield Progress(line, pace.fraction)
            continue
        seconds += event.seconds
        if event.index == 0 and not run.pictures:
            yield run.begin(event, truth)
        elif event.index in wanted:
            figures = Figures(
                name=next(names),
                model=entrant.job.model,
                steps=event.index,
                seconds=seconds,
                parameters=deblurrer.model.parameter_count,
                gmacs=gmacs * event.index,
                change=metrics.change(event.photo.pixels, photo.pixels),
                psnr=event.psnr,
                ssim=event.ssim,
                mse=event.mse,
            )
            yield run.add(figures, event.photo)


def _gmacs(entrant: Entrant, deblurrer: Deblurrer) -> float:
    """Of one step. A visitor's weights may be of another size than their variant."""
    from deblur_demo import catalogue
    from deblur_demo.models import complexity

    if entrant.job.checkpoint is not None:
        return complexity.gmacs(deblurrer.model)
    return catalogue.gmacs(entrant.job.model) * entrant.job.effort
