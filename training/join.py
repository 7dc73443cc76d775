"""Two stages that were trained one after the other become one network."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from deblur_demo.errors import SettingError
from deblur_demo.models import checkpoint, registry
from deblur_demo.models.checkpoint import Card
from deblur_demo.models.golden import golden
from training.derive import check_weights
from training.start import load_first


def join(second: Path, first: Path, target: Path) -> Card:
    """Write a two-stage network.

    Args:
        second: stage 2 alone, trained with the setting ``first = ""``.
        first: stage 1.
        target: .safetensors file to write; the card beside it names the data of both.

    Returns:
        The new card.

    Raises:
        SettingError: the files are no such stages.
        OutputError: see ``check_weights``.
        CheckpointError: a file is not what it should be.
    """
    check_weights(target, second, first)
    alone, card = checkpoint.load(second)
    if card.settings.get("first") != "" or alone.traits.frames == 1:
        raise SettingError(
            f"{second} is not a stage 2 alone", 'weights trained with first = "" and three frames', "Name another file"
        )
    settings = {name: value for name, value in card.settings.items() if name != "first"}
    whole = registry.build(card.model, **settings).eval()
    stage1, its_card = load_first(whole, first)
    whole.first.load_state_dict(stage1.state_dict())
    whole.second.load_state_dict(alone.second.state_dict())
    data = tuple(dict.fromkeys((*its_card.data, *card.data)))
    return checkpoint.save(whole, target, replace(card, settings=settings, data=data, metrics={}, golden=golden(whole)))
