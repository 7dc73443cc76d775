"""Weights of one network become a start for another of the same layers: cheap ones for an expensive network."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from deblur_demo.errors import CheckpointError, OutputError, SettingError
from deblur_demo.models import checkpoint, registry
from deblur_demo.models.checkpoint import Card
from deblur_demo.models.contract import Restorer
from deblur_demo.models.golden import golden
from deblur_demo.models.zoo.atrous import AtrousNet
from deblur_demo.models.zoo.mtrnn import MTRNN
from deblur_demo.models.zoo.multitemporal import FAITHFUL, MultiTemporal
from training.targets import check_apart, check_file


class Route(NamedTuple):
    """How weights are carried over, and which of the card's settings stay behind."""

    carry: Callable[[Restorer, Restorer], None]
    left: tuple[str, ...] = ()


ROUTES = {
    ("mtrnn-lite", "mtrnn"): Route(MTRNN.unfold_from, left=("unshuffle", "mean")),
    ("atrous-10-3f-s", "brehm-stage1-s"): Route(AtrousNet.still_from),
    **{(name, f"mt-{name}"): Route(MultiTemporal.convert_from) for name in FAITHFUL},
}


def derive(source: Path, name: str, target: Path) -> Card:
    """Write a network with weights of another.

    Args:
        source: weights of the other, with their card.
        name: of the network to write, see ``ROUTES``.
        target: .safetensors file to write; the card beside it names the same data.

    Returns:
        The new card.

    Raises:
        SettingError: there is no way from the one to the other.
        OutputError: see ``check_weights``.
        CheckpointError: the file is not what it should be.
    """
    check_weights(target, source)
    model, card = checkpoint.load(source)
    route = ROUTES.get((card.model, name))
    if route is None:
        ways = ", ".join(f"{to} of {of}" for of, to in ROUTES)
        raise SettingError(f"{name} cannot be made of {card.model}", ways, "Name one of these with its file")
    settings = {name: value for name, value in card.settings.items() if name not in route.left}
    derived = registry.build(name, **settings).eval()
    route.carry(derived, model)
    recipe = f"{name} made of {card.model}: {card.recipe}"
    card = replace(card, model=name, settings=settings, recipe=recipe, metrics={}, golden=golden(derived))
    return checkpoint.save(derived, target, card)


def check_weights(target: Path, *sources: Path) -> None:
    """Refuse to write weights where nothing could load them, or over something else.

    Args:
        target: the file; its card comes beside it, its folder is made if need be.
        sources: weights that these are made of.

    Raises:
        OutputError: it has not the suffix of weights, is a source, is there without a card, or has something beside it
            that is none.
    """
    if target.suffix != ".safetensors":
        raise OutputError(f"{target} is no name for weights", "<name>.safetensors", "Change -o")
    for source in sources:
        check_apart(target, source)
    for path, what in ((target, "weights with a card"), (target.with_suffix(".json"), "a card of weights")):
        check_file(path, lambda _: _has_card(target), what)


def _has_card(weights: Path) -> bool:
    try:
        checkpoint.read_card(weights)
    except CheckpointError:
        return False
    return True
