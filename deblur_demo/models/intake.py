"""Weights that a stranger brings: nothing is built or read whole before it is known to be small.

The card says which network to build and the file says how much memory its tensors take, so neither
is believed: settings stay near the variant's own, and the network is built without memory first and
has to have the very tensors that the file's header lists.
"""

from __future__ import annotations

import json
from pathlib import Path

from torch import Size

from deblur_demo.errors import CheckpointError
from deblur_demo.models import checkpoint, registry
from deblur_demo.models.checkpoint import Card

MAX_HEADER = 1 << 20  # bytes; that of the largest network here has a tenth
MAX_CARD = 1 << 18
LARGER = 4  # times its variant's own (or 16) a number in a card's settings may be
_COUNT = 8  # bytes at the beginning of the file that hold the header's length


def admit(weights: Path) -> Card:
    """Check weights and the card beside them as ``checkpoint.load`` does, but carefully.

    Args:
        weights: a file of any content and name; it is deserialised only as safetensors.

    Returns:
        The card.

    Raises:
        CheckpointError: it is not a card with its weights, or of an unusual size.
    """
    checkpoint.check_suffix(weights)
    card = _card(weights)
    wanted = {key: value.shape for key, value in _ghost(card, weights.name).state_dict().items()}
    checkpoint.check_shapes(wanted, _listed(weights), weights.name)
    _, card = checkpoint.load(weights)
    return card


def _card(weights: Path) -> Card:
    path = weights.with_suffix(".json")
    if path.is_file() and path.stat().st_size > MAX_CARD:
        raise CheckpointError(
            f"{path.name} has {path.stat().st_size} bytes",
            f"a card of at most {MAX_CARD}",
            "Use the card of the weights",
        )
    card = checkpoint.read_card(weights)
    own = vars(registry.variant(card.model).settings) if card.model in registry.variants() else {}
    for key, value in card.settings.items():
        if key in own and not _near(value, own[key]):
            raise CheckpointError(
                f"{path.name} sets {key} to {str(value)[:40]}",
                f"about the size of {card.model}'s own, {own[key]}",
                "Use weights of a network of usual size",
            )
    return card


def _near(value: object, own: object) -> bool:
    """Whether a setting is of the kind and about the size of the variant's own."""
    if isinstance(own, (tuple, list)):
        usual = max(own, key=_size, default=0)
        return (
            isinstance(value, list) and len(value) <= LARGER * max(1, len(own)) and all(_near(v, usual) for v in value)
        )
    if isinstance(own, (int, float)) and not isinstance(own, bool):
        number = isinstance(value, (int, float)) and not isinstance(value, bool)
        return number and abs(value) <= LARGER * max(abs(own), 4)
    return isinstance(value, type(own)) and len(str(value)) <= 100


def _size(value: object) -> float:
    return sum(map(_size, value)) if isinstance(value, (tuple, list)) else float(value)


def _ghost(card: Card, name: str):
    """The network that a card describes, without memory behind its weights."""
    network = checkpoint.network_of(card, name, registry.ghost)
    if not network.learned:
        raise CheckpointError(
            f"{card.model} has learned nothing", "weights of a network that learns", "Use it as it is"
        )
    return network


def _listed(weights: Path) -> dict[str, Size]:
    """Names and shapes of the tensors in a file, from its header alone."""
    with open(weights, "rb") as file:
        length = int.from_bytes(file.read(_COUNT), "little")
        if length > min(MAX_HEADER, weights.stat().st_size - _COUNT):
            raise CheckpointError(
                f"{weights.name} begins with a header of {length} bytes",
                f"an intact .safetensors file, header of at most {MAX_HEADER} bytes",
                "Fetch or convert it again",
            )
        header = file.read(length)
    try:
        entries = json.loads(header)
        return {key: Size(entry["shape"]) for key, entry in entries.items() if key != "__metadata__"}
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError, OverflowError) as error:
        raise CheckpointError(
            f"{weights.name} cannot be read: its header is no list of tensors",
            "an intact .safetensors file",
            "Fetch or convert it again",
        ) from error
