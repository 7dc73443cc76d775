"""Champion against challenger: new weights are bundled only if they are better on every set, or worth a small loss."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from statistics import mean

from deblur_demo.errors import SettingError
from deblur_demo.models import checkpoint, registry
from deblur_demo.models.golden import golden
from training.evaluation import score_all
from training.sets import NamedSet, blur_of, is_blurred, named_sets

WORDS = ("licence", "hardware", "limits", "outlook")  # of a card, that a run does not know or knows in part


def promote(weights: Path, options: argparse.Namespace, bundled: Path | None = None) -> str:
    """Copy a challenger over the champion if its last step is better on every set.

    Where there is no champion, it is compared with the blurred input, on the sets of its kind of blur. Where
    ``options.give`` says so, it may lose less than that many dB on a set if it gains on the average of them.

    Args:
        weights: the challenger, with its card.
        options: as in ``score_all``, with ``pairs``, ``give``, and maybe words for the card, see ``WORDS``.
        bundled: folder of the champions; None: the project's.

    Returns:
        One line that says what was decided, and why.

    Raises:
        SettingError: there is neither a champion nor a set of the network's kind of blur.
    """
    model, card = checkpoint.load(weights)
    target = (bundled or checkpoint.BUNDLED) / f"{card.model}.safetensors"
    sets = named_sets(options.pairs, with_range=False)
    of_its_kind = [each.name for each in sets if _is_for(card.model, each)]
    if not (target.is_file() or of_its_kind):
        raise SettingError(
            f"no set is of {registry.variant(card.model).trained_for} blur, which {card.model} is for",
            "a set of its kind of blur, since there is no champion to compare with",
            "Name one with --pairs",
        )
    challenger = score_all(weights, sets, options)
    if target.is_file():
        verdict, rival = "kept", "the champion"
        goals = {name: scores.psnr[-1] for name, scores in score_all(target, sets, options).items()}
    else:
        verdict, rival = "not bundled", "the input"
        goals = {name: challenger[name].psnr[0] for name in of_its_kind}
    won = {name: challenger[name].psnr[-1] - goal for name, goal in goals.items()}
    worst = min(won, key=won.get)
    if not (won[worst] > -options.give and mean(won.values()) > 0):  # nor does a NaN, of infinite PSNRs, win
        return (
            f"{card.model} {verdict}: on {worst} the challenger reaches {challenger[worst].psnr[-1]:.3f} dB, "
            f"{rival} {goals[worst]:.3f} dB"
        )
    metrics = {
        name: {"psnr": [round(v, 3) for v in scores.psnr], "ssim": [round(v, 4) for v in scores.ssim]}
        for name, scores in challenger.items()
    }
    words = {name: getattr(options, name, None) or getattr(card, name) for name in WORDS}
    checkpoint.save(model, target, replace(card, metrics=metrics, golden=golden(model), **words))
    gains = ", ".join(f"{name} {scores.gain:+.2f} dB" for name, scores in challenger.items())
    return f"{card.model} bundled: {gains} over the input"


def _is_for(model: str, each: NamedSet) -> bool:
    """Whether a network is worth nothing if it does not improve the pictures of a set."""
    return is_blurred(each.folder) and blur_of(each.folder) in registry.variant(model).trained_for
