"""The mean of the weights of several runs that began alike: better than each, at the cost of one."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from deblur_demo.errors import SettingError
from deblur_demo.models import checkpoint
from deblur_demo.models.checkpoint import UNLICENSED, Card
from deblur_demo.models.golden import golden
from training.derive import check_weights


def mix(sources: Sequence[Path], target: Path, shares: Sequence[float] | None = None) -> Card:
    """Write the weighted mean of weights, as in model soups (Wortsman 2022).

    It is worth something only where a straight line between them leads through good weights, as it does
    between runs from the same start, and between them and that start.

    Args:
        sources: two or more .safetensors files of one network, with their cards.
        target: .safetensors file to write. Its card names the data of all, the sum of their updates, and their licence
            if it is the same of all.
        shares: of each, above 0; divided by their sum. None: the same of all.

    Returns:
        The new card.

    Raises:
        SettingError: they are not of one network, or not one share for each.
        OutputError: see ``check_weights``.
        CheckpointError: a file is not what it should be.
    """
    check_weights(target, *sources)
    shares = [1.0] * len(sources) if shares is None else shares
    if len(sources) < 2 or len(shares) != len(sources):
        found = f"there are {len(sources)} files and {len(shares)} shares"
        raise SettingError(found, "two files or more, and a share for each", "Change --shares")
    if not all(0 < share < float("inf") for share in shares):
        raise SettingError(f"the shares are {', '.join(map(str, shares))}", "numbers above 0", "Change --shares")
    models, cards = zip(*map(checkpoint.load, sources), strict=True)
    for source, card in zip(sources, cards, strict=True):
        if (card.model, card.settings) != (cards[0].model, cards[0].settings):
            raise SettingError(
                f"{source} is {_called(card)}, {sources[0]} is {_called(cards[0])}",
                "weights of one network with the same settings",
                "Leave one of them out",
            )
    parts = [share / sum(shares) for share in shares]
    weights = [model.state_dict() for model in models]
    mean = {name: sum(part * each[name] for part, each in zip(parts, weights, strict=True)) for name in weights[0]}
    models[0].load_state_dict(mean)
    licences = {card.licence for card in cards}
    card = replace(
        cards[0],
        licence=cards[0].licence if len(licences) == 1 else UNLICENSED,
        data=tuple(dict.fromkeys(line for card in cards for line in card.data)),
        recipe="; ".join(f"{part:.3g} of: {card.recipe}" for part, card in zip(parts, cards, strict=True)),
        updates=sum(card.updates for card in cards),
        hardware="; ".join(dict.fromkeys(filter(None, (card.hardware for card in cards)))),
        metrics={},
        golden=golden(models[0]),
    )
    return checkpoint.save(models[0], target, card)


def _called(card: Card) -> str:
    return f"{card.model} {json.dumps(card.settings)}" if card.settings else card.model
