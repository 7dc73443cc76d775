"""Whether a state suits the recipe that goes on with it, and what has changed between the two."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, fields, is_dataclass
from pathlib import Path

from torch.optim import Optimizer

from deblur_demo.errors import CheckpointError
from training.config import Recipe
from training.muon import Muon


def recorded(recipe: Recipe) -> str:
    """A recipe as a state keeps it."""
    return json.dumps(asdict(recipe))


def changed(path: Path, record: str, recipe: Recipe) -> list[str]:
    """Entries of a recipe that are no longer those that a state was made with, in words.

    Args:
        path: of the state, for the message.
        record: the recipe it was made with, as ``recorded`` wrote it.
        recipe: the one to go on with.

    Raises:
        CheckpointError: the network is another one.
    """
    before = json.loads(record)
    network = recipe.model, _plain(recipe.settings)
    if network != (before["model"], before["settings"]):
        raise another_run(path, f"its network is {_named(before['model'], before['settings'])}", _named(*network))
    return list(_differences(before, recipe))


def refuse_optimiser(path: Path, state: dict, optimiser: Optimizer) -> None:
    """Refuse the momenta of an optimiser that another one can make nothing of.

    Args:
        path: of the state, for the message.
        state: of an optimiser.
        optimiser: the one to go on with.

    Raises:
        CheckpointError: they are of different kinds.
    """
    names = {True: "muon", False: "adamw"}
    found, wanted = "momentum" in state["param_groups"][0], isinstance(optimiser, Muon)
    if found != wanted:
        raise CheckpointError(
            f"{path} was made with the optimiser {names[found]}",
            f"{names[wanted]}, as in the recipe",
            "Change the recipe, or name another folder with --state and begin with --init best.safetensors",
        )


def another_run(path: Path, reason: str, accepted: str) -> CheckpointError:
    """The error for a state that a run cannot go on from."""
    return CheckpointError(
        f"{path} belongs to another run: {reason}",
        accepted,
        "Name another folder with --state, or delete the file to begin anew",
    )


def _differences(before: dict, now: object, above: str = "") -> Iterator[str]:
    for field in fields(now):
        name, value = above + field.name, getattr(now, field.name)
        if field.name not in before:  # newer than the state
            continue
        if is_dataclass(value):
            yield from _differences(before[field.name], value, f"{name}.")
        elif _plain(value) != before[field.name]:
            yield f"{name} = {json.dumps(value)} instead of {json.dumps(before[field.name])}"


def _plain(value: object) -> object:
    """As JSON hands it back: lists for tuples."""
    return json.loads(json.dumps(value))


def _named(model: str, settings: dict) -> str:
    return model + (f" with {json.dumps(settings)}" if settings else "")
