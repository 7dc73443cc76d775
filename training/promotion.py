"""Champion against challenger: new weights are bundled only if they are better on every set, or worth a small loss."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from statistics import mean

from deblur_demo.models import checkpoint
from deblur_demo.models.golden import golden
from training.evaluation import score_all

WORDS = ("licence", "hardware", "limits", "outlook")  # of a card, that a run does not know or knows in part


def promote(weights: Path, options: argparse.Namespace, bundled: Path | None = None) -> str:
    """Copy a challenger over the champion if its last step is better on every set.

    Where ``options.give`` says so, it may lose less than that many dB on a set if it gains on the average of them.

    Args:
        weights: the challenger, with its card.
        options: as in ``score_all``, and maybe words for the card, see ``WORDS``.
        bundled: folder of the champions; None: the project's.

    Returns:
        One line that says what was decided, and why.
    """
    model, card = checkpoint.load(weights)
    target = (bundled or checkpoint.BUNDLED) / f"{card.model}.safetensors"
    challenger = score_all(weights, options)
    if target.is_file():
        champion = score_all(target, options)
        won = {name: scores.psnr[-1] - champion[name].psnr[-1] for name, scores in challenger.items()}
        worst = min(won, key=won.get)
        if won[worst] <= -options.give or mean(won.values()) <= 0:
            return (
                f"{card.model} kept: on {worst} the challenger reaches {challenger[worst].psnr[-1]:.3f} dB, "
                f"the champion {champion[worst].psnr[-1]:.3f} dB"
            )
    metrics = {
        name: {"psnr": [round(v, 3) for v in scores.psnr], "ssim": [round(v, 4) for v in scores.ssim]}
        for name, scores in challenger.items()
    }
    words = {name: getattr(options, name, None) or getattr(card, name) for name in WORDS}
    checkpoint.save(model, target, replace(card, metrics=metrics, golden=golden(model), **words))
    gains = ", ".join(f"{name} {scores.gain:+.2f} dB" for name, scores in challenger.items())
    return f"{card.model} bundled: {gains} over the input"
