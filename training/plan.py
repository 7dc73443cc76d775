"""The rows of a paper's table as planned: with the recipe and the cost of each."""

from __future__ import annotations

import json
from dataclasses import dataclass, fields, replace
from functools import cache
from pathlib import Path

from deblur_demo.models import registry
from deblur_demo.models.complexity import gmacs
from training.config import Recipe
from training.tables import Row, Table

LEAST_CROP = 32  # pixels; below it a row would learn borders


@dataclass(frozen=True)
class Job:
    """A row with the recipe that it will be trained by, None where nothing is trained for it.

    Attributes:
        reason: why nothing is trained and nothing can be evaluated; "" where it can.
    """

    row: Row
    recipe: Recipe | None
    reason: str = ""

    @property
    def trained(self) -> bool:
        """Whether it is trained, and not another row's weights evaluated in another way."""
        return self.recipe is not None and not self.reason and not self.row.weights_of

    @property
    def parameters(self) -> int | None:
        """Trained parameters, None for a row that has no network here."""
        return None if self.recipe is None else _counted(self.recipe)[0]

    @property
    def gmacs(self) -> float:
        """Multiply-accumulates of an update in 10^9: forward once, backward twice as much."""
        return 3 * self.recipe.batch * _counted(self.recipe)[1]


def plan(table: Table, scaled: bool, vgg16: Path | None = None) -> list[Job]:
    """The rows of a table with their recipes, as written or as in a scaled run."""
    jobs = []
    for row in table.row:
        reason = ""
        if row.quoted:
            reason = "another network's figure"
        elif row.needs_vgg16 and vgg16 is None:
            reason = "needs --vgg16 FILE"
        loss = {"vgg16": str(vgg16)} if row.needs_vgg16 and vgg16 else None
        recipe = None if row.quoted else table.recipe(row.weights_of or row.id, scaled, loss=loss)
        jobs.append(Job(row, recipe, reason))
    return jobs


def lighter(jobs: list[Job]) -> list[Job]:
    """The same rows on crops of half the side; where they are small already, in batches of half the size.

    All rows change alike, so that they still see the same data. What can be made no lighter comes
    back as it is: a batch keeps a crop for every kind of sample that the recipe names.
    """
    smaller = [_changed(job, crop=max(LEAST_CROP, job.recipe.crop // 32 * 16)) if job.recipe else job for job in jobs]
    if smaller != jobs:
        return smaller
    return [_changed(job, batch=max(_kinds(job.recipe), job.recipe.batch // 2)) if job.recipe else job for job in jobs]


def _changed(job: Job, **sizes: int) -> Job:
    # A row that is smaller than that already stays as it is.
    least = {name: min(size, getattr(job.recipe, name)) for name, size in sizes.items()}
    return replace(job, recipe=replace(job.recipe, **least, late_crop=0))


def _kinds(recipe: Recipe) -> int:
    return sum(getattr(recipe.shares, kind.name) > 0 for kind in fields(recipe.shares))


def _counted(recipe: Recipe) -> tuple[int, float]:
    """Parameters of the recipe's network, and 10^9 multiply-accumulates of one crop forward."""
    return _count(recipe.model, json.dumps(recipe.settings, sort_keys=True), recipe.crop)


@cache
def _count(model: str, settings: str, crop: int) -> tuple[int, float]:
    network = registry.ghost(model, **json.loads(settings))
    stages = 1 if network.traits.iterative else network.traits.steps
    return network.parameter_count, stages * gmacs(network, crop, crop)
