"""What a comparison was asked for, checked by the server before anything runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING

from deblur_demo import settings
from deblur_demo.errors import InputError, LimitError, SettingError
from deblur_demo.media.image import Photo, read_image
from deblur_demo.ui import shelf, text
from deblur_demo.ui.compare import text as compare_text
from deblur_demo.ui.knobs import is_iterative
from deblur_demo.ui.order import checked, uploaded

if TYPE_CHECKING:
    from deblur_demo.pipeline import Job


@dataclass(frozen=True)
class Entrant:
    """One run of one network, of which several steps may be results.

    Attributes:
        name: of the network, for a person.
        job: how it runs; its iterations are the most that are wanted.
        fetched: whether its weights have to be fetched from the Hub first.
        wanted: steps that are results; empty: the last one alone, whichever it is.
    """

    name: str
    job: Job
    fetched: bool
    wanted: tuple[int, ...]

    @property
    def results(self) -> list[str]:
        """Names of its results."""
        return [compare_text.contender(self.name, steps, self.job.size) for steps in self.wanted or (None,)]


@dataclass(frozen=True)
class CompareOrder:
    """A photo, and what is to be made of it.

    Attributes:
        photo: uploaded file.
        truth: uploaded file of the same picture, sharp, or None.
        entrants: in the order in which they run.
    """

    photo: Path
    truth: Path | None
    entrants: tuple[Entrant, ...]

    @classmethod
    def of(
        cls,
        photo: str | None,
        truth: str | None,
        models: Sequence[str],
        iterations: Sequence[object],
        sizes: Sequence[str] = (settings.SIZE.default,),
        **knobs: object,
    ) -> CompareOrder:
        """Check every value, wherever it came from.

        Args:
            photo, truth: paths of uploaded files.
            models: identifiers; one that is named twice runs once.
            iterations: numbers of iterations of those networks that leave the choice.
            sizes: to restore at, as in ``settings``; each goes with every network.
            knobs: precision, tile and ensemble as in ``order.checked``.

        Raises:
            SettingError, CheckpointError: see ``order.checked``; or nothing is to be done.
            InputError: no photo, or one that is gone.
            LimitError: too many results.
        """
        if not photo:
            raise InputError(*text.NO_PHOTO)
        if not models:
            raise SettingError(*compare_text.NO_MODELS)
        numbers = {settings.ITERATIONS.parse(number) for number in iterations}
        if "auto" in numbers:
            raise SettingError(*compare_text.AUTO_ITERATIONS)
        if not sizes:
            raise SettingError(*compare_text.NO_SIZES)
        limit = settings.MAX_CONTENDERS.current()
        entrants, count = [], 0
        for model, size in product(dict.fromkeys(models), dict.fromkeys(sizes)):
            # One run gives every number of iterations up to its own.
            job, fetched = checked(model, max(numbers, default=1), size=size, **knobs)
            wanted = tuple(sorted(numbers)) if is_iterative(model) else ()
            if is_iterative(model) and not wanted:
                raise SettingError(*compare_text.NO_ITERATIONS)
            name = compare_text.own(shelf.name_of(model)) if shelf.is_own(model) else model
            entrants.append(Entrant(name, job, fetched, wanted))
            count += len(entrants[-1].results)
            if count > limit:
                asked = results_of(models, numbers, sizes)
                raise LimitError(*text.fill(compare_text.TOO_MANY, count=asked, limit=limit))
        return cls(uploaded(photo), uploaded(truth) if truth else None, tuple(entrants))

    @property
    def results(self) -> list[str]:
        """Names of all results, in the order in which they come."""
        return [name for entrant in self.entrants for name in entrant.results]

    def read(self) -> tuple[Photo, Photo | None]:
        """The photo, and the sharp reference if there is one."""
        return read_image(self.photo), self.truth and read_image(self.truth)


def results_of(models: Sequence[str], iterations: Sequence[object], sizes: Sequence[str]) -> int:
    """How many results a choice makes."""
    return len(set(sizes)) * sum(len(set(iterations)) if is_iterative(model) else 1 for model in dict.fromkeys(models))
