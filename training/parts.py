"""Parts of a network that are frozen or learn at a rate of their own (stage 1 below stage 2, say)."""

from __future__ import annotations

from deblur_demo.errors import SettingError
from deblur_demo.models.contract import Restorer
from training.config import Recipe
from training.typed import nearest


def parameter_groups(model: Restorer, recipe: Recipe) -> tuple[list[float], list[dict]]:
    """Freeze what the recipe freezes, and group the rest by its share of the learning rate.

    Args:
        model: the network; parameters of frozen parts want no gradient afterwards.
        recipe: its ``freeze`` and ``rates`` name parts by the beginning of a parameter's name.

    Returns:
        The groups' shares of the rate, and the groups as an optimiser takes them.

    Raises:
        SettingError: the network has no such part, or nothing is left to train.
    """
    names = [name for name, _ in model.named_parameters()]
    for part in (*recipe.freeze, *recipe.rates):
        if not any(name.startswith(part) for name in names):
            parts = sorted({name.split(".")[0] for name in names})
            raise SettingError(f"{recipe.model} has no part {part!r}", ", ".join(parts), nearest(part, parts))
    groups: dict[float, list] = {}
    for name, weight in model.named_parameters():
        if name.startswith(recipe.freeze):
            weight.requires_grad_(False)
            continue
        given = [part for part in recipe.rates if name.startswith(part)]
        share = float(recipe.rates[max(given, key=len)]) if given else 1.0
        groups.setdefault(share, []).append(weight)
    if not groups:
        raise SettingError(
            f"freeze = {list(recipe.freeze)} leaves nothing to train", "fewer parts", "Correct the recipe"
        )
    return list(groups), [{"params": weights} for weights in groups.values()]
