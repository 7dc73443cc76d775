"""From words on the command line to a run: its recipe, its corpus, and the weights it begins with."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from deblur_demo.errors import SettingError
from deblur_demo.models import checkpoint, registry
from deblur_demo.models.checkpoint import Card
from deblur_demo.models.contract import Restorer
from deblur_demo.runtime.device import place
from training.config import Recipe, load_recipe
from training.data.corpus import Corpus, load_corpus
from training.data.samples import MARGIN
from training.loop import BEST, Trainer
from training.machine import Machine
from training.state import state_file
from training.tables import is_table, read_table

if TYPE_CHECKING:
    from training.scores import Pair


def read_recipe(path: Path, row: str | None = None, **overrides: object) -> Recipe:
    """A recipe from a file of its own, or a row of a table's file.

    Args:
        path: a file of training/recipes.
        row: which row of a table.
        overrides: fields that the command line changes; None leaves a field alone.

    Raises:
        SettingError: not a recipe, no such row, or a row of what has none.
    """
    if is_table(path):
        return read_table(path).recipe(row, **overrides)
    if row is not None:
        raise SettingError(f"{path} is one recipe, without rows", "no --row", "Leave --row out")
    return load_recipe(path, **overrides)


def open_corpus(source: Path, recipes: Iterable[Recipe], device: torch.device, limit: int | None = None) -> Corpus:
    """A corpus whose pictures are large enough for the crops of all recipes, and its clips long enough for any of them.

    ``limit`` as for ``load_corpus``.
    """
    windows = [(recipe, registry.ghost(recipe.model, **recipe.settings).traits.frames) for recipe in recipes]
    # Of a pair no run cuts out a larger square; those of photos have room for motion, too.
    largest = max(recipe.largest_crop + 2 * recipe.neighbours.border(frames) for recipe, frames in windows)
    shortest = min(recipe.span(frames) for recipe, frames in windows)
    return load_corpus(source, device, largest + 2 * MARGIN, largest, shortest, limit)


def open_run(
    options: argparse.Namespace,
    data: Path,
    folder: Path,
    compiled: bool,
    shard: int | None = None,
    limit: int | None = None,
) -> Trainer:
    """The run that a command line describes, begun or taken up again.

    Args:
        options: what ``train`` and ``go`` have in common.
        data: of the corpus.
        folder: of the run.
        compiled, shard: as for ``Trainer``.
        limit: as for ``load_corpus``.

    Raises:
        SettingError: a run left weights there that this one would overwrite, or the rate waits for
            validations that there are none of.
    """
    if (folder / BEST).is_file() and state_file(folder) is None:
        raise SettingError(
            f"{folder / BEST} is there already, without a state to go on from",
            "the folder of a run, or one without weights",
            "Name another with --state, or move the weights and their card away",
        )
    recipe = read_recipe(
        options.recipe,
        options.row,
        updates=options.updates,
        batch=options.batch,
        seed=options.seed,
        loss={"vgg16": str(options.vgg16)} if options.vgg16 else None,
    )
    if not options.validation:
        refuse_plateau(recipe, options.recipe)
    placement = place(options.device, options.precision)
    machine = Machine(placement.device, placement.precision)
    corpus = open_corpus(data, [recipe], machine.device, limit)
    trainer = Trainer(recipe, corpus, folder, machine.device, compiled, placement.precision, shard)
    if trainer.machine.main and trainer.changes:
        print(f"{folder} goes on with another recipe: {', '.join(trainer.changes)}")
    initialise(trainer, options.init, options.init_first)
    return trainer


def refuse_plateau(recipe: Recipe, path: Path) -> None:
    """Refuse, where nothing is validated, a rate that would wait for it for ever.

    Args:
        recipe: of the run.
        path: its file, for the message.

    Raises:
        SettingError: its schedule falls on plateaus.
    """
    if recipe.schedule.kind == "plateau":
        raise SettingError(
            f"{path}: schedule: kind is plateau, which waits for validations, and there are none",
            "train or go with --validation, or another schedule",
            "Name a set, or change the recipe",
        )


def read_sets(folders: Sequence[Path]) -> dict[str, list[Pair]]:
    """Validation sets by name."""
    if not folders:
        return {}
    from training.scores import read_pairs  # needs OpenCV, which training alone does not

    return {str(folder): read_pairs(folder) for folder in folders}


def initialise(trainer: Trainer, whole: Path | None, first: Path | None) -> None:
    """Give a new run its first weights; one that goes on has its own.

    Args:
        trainer: the run.
        whole: weights of the same network.
        first: weights of a network that becomes stage 1 of a two-stage one. None: where the recipe
            freezes that stage, the bundled weights of its network.

    Raises:
        SettingError: the network has no stage 1, or a frozen one would stay random.
        CheckpointError: a file is not what it should be.
    """
    if trainer.update > 0:
        given = [str(path) for path in (whole, first) if path is not None]
        if given and trainer.machine.main:
            print(f"{trainer.folder} goes on from its own state, not from {' and '.join(given)}")
        return
    if whole is not None:
        trainer.start_from(*checkpoint.load(whole))
    settings = trainer.model.settings
    if first is None and whole is None and "first" in trainer.recipe.freeze:
        first = checkpoint.find(settings.first)
        if first is None:
            raise SettingError(
                f"the recipe freezes stage 1 of {trainer.recipe.model}, which has no weights yet",
                f"--init-first FILE, weights of {settings.first}",
                f"Train {settings.first} first",
            )
    if first is not None:
        trainer.start_from(*load_first(trainer.model, first), "first")


def load_first(network: Restorer, path: Path) -> tuple[Restorer, Card]:
    """Weights for stage 1 of a two-stage network, with their card.

    Raises:
        SettingError: the network has no stage 1, or the weights are of another network.
        CheckpointError: the file is not what it should be.
    """
    wanted = getattr(network.settings, "first", "")
    if not wanted:
        raise SettingError(f"{path} is for a stage 1, which this network lacks", "a two-stage network such as mlfa",
                           "Leave it out")  # fmt: skip
    model, card = checkpoint.load(path)
    if card.model != wanted:
        raise SettingError(f"{path} is {card.model}", f"weights of {wanted}", "Name another file")
    return model, card
