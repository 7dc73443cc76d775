"""Weights of MT-RNN that fold the image become weights that do not: a cheap start for an expensive network."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from deblur_demo.errors import SettingError
from deblur_demo.models import checkpoint, registry
from deblur_demo.models.checkpoint import Card
from deblur_demo.models.golden import golden
from deblur_demo.models.zoo.mtrnn import MTRNN


def unfold(folded: Path, target: Path) -> Card:
    """Write ``mtrnn`` with the weights of ``mtrnn-lite`` (see ``MTRNN.unfold_from``).

    Args:
        folded: weights of the latter.
        target: .safetensors file to write; the card beside it names the same data.

    Returns:
        The new card.

    Raises:
        SettingError: the weights fold no image.
        CheckpointError: the file is not what it should be.
    """
    model, card = checkpoint.load(folded)
    if not isinstance(model, MTRNN) or model.settings.unshuffle == 1:
        raise SettingError(f"{folded} folds no image", "weights of mtrnn-lite", "Name another file")
    settings = {name: value for name, value in card.settings.items() if name not in ("unshuffle", "mean")}
    whole = registry.build("mtrnn", **settings).eval()
    whole.unfold_from(model)
    recipe = f"{card.model}, unfolded: {card.recipe}"
    card = replace(card, model="mtrnn", settings=settings, recipe=recipe, metrics={}, golden=golden(whole))
    return checkpoint.save(whole, target, card)
