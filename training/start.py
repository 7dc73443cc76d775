"""From words on the command line to a run: its recipe, its corpus, and the weights it begins with."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import torch

from deblur_demo.errors import SettingError
from deblur_demo.models import checkpoint
from training.config import Recipe, load_recipe
from training.data.corpus import Corpus, load_corpus
from training.data.samples import MARGIN
from training.loop import Trainer
from training.tables import is_table, read_table


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


def open_corpus(source: Path, recipes: Iterable[Recipe], device: torch.device) -> Corpus:
    """A corpus whose pictures are large enough for the crops of all recipes."""
    largest = max(max(recipe.crop, recipe.late_crop) for recipe in recipes)
    return load_corpus(source, device, least_side=largest + 2 * MARGIN)


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
        return
    if whole is not None:
        trainer.start_from(checkpoint.load(whole)[0])
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
        if not getattr(settings, "first", ""):
            raise SettingError(
                f"{trainer.recipe.model} has no stage 1", "a two-stage network such as mlfa", "Use --init"
            )
        model, card = checkpoint.load(first)
        if card.model != settings.first:
            raise SettingError(f"{first} is {card.model}", f"weights of {settings.first}", "Change --init-first")
        trainer.start_from(model, "first")
