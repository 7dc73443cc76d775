"""Champion against challenger: new weights are bundled only if they are better on every set."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

from deblur_demo.errors import SettingError
from deblur_demo.models import checkpoint
from deblur_demo.models.golden import golden
from deblur_demo.runtime.deblurrer import Deblurrer
from deblur_demo.runtime.ensemble import SelfEnsemble
from training.scores import Pair, Scores, read_pairs, score


def open_weights(weights: Path, options: argparse.Namespace) -> Deblurrer:
    """A checkpoint, placed for evaluation.

    Args:
        weights: ``.safetensors`` with its card.
        options: ``device``, ``precision``, ``tile``, and maybe ``ensemble``.
    """
    model, _ = checkpoint.load(weights)
    versions = int(getattr(options, "ensemble", 1))
    if versions > 1:
        model = SelfEnsemble(model, versions)
    return Deblurrer(model, options.device, options.precision, options.tile)


def score_all(weights: Path, options: argparse.Namespace) -> dict[str, Scores]:
    """Score one checkpoint on every set of ``options.pairs``, by the folder's name.

    Args:
        weights: ``.safetensors`` with its card.
        options: as for ``open_weights``, ``pairs`` (see ``named_pairs``), and maybe ``iterations``.
    """
    deblurrer = open_weights(weights, options)
    sets = dict(map(named_pairs, options.pairs))
    return {name: score(deblurrer, pairs, getattr(options, "iterations", None)) for name, pairs in sets.items()}


def promote(weights: Path, options: argparse.Namespace, bundled: Path = checkpoint.BUNDLED) -> str:
    """Copy a challenger over the champion if its last step is better on every set.

    Args:
        weights: the challenger, with its card.
        options: as in ``score_all``, and maybe ``hardware`` for the card.
        bundled: folder of the champions.

    Returns:
        One line that says what was decided, and why.
    """
    model, card = checkpoint.load(weights)
    target = bundled / f"{card.model}.safetensors"
    challenger = score_all(weights, options)
    if target.is_file():
        champion = score_all(target, options)
        for name, scores in challenger.items():
            if scores.psnr[-1] <= champion[name].psnr[-1]:
                return (
                    f"{card.model} kept: on {name} the challenger reaches {scores.psnr[-1]:.3f} dB, "
                    f"the champion {champion[name].psnr[-1]:.3f} dB"
                )
    metrics = {
        name: {"psnr": [round(v, 3) for v in scores.psnr], "ssim": [round(v, 4) for v in scores.ssim]}
        for name, scores in challenger.items()
    }
    hardware = getattr(options, "hardware", None) or card.hardware
    checkpoint.save(model, target, replace(card, metrics=metrics, hardware=hardware, golden=golden(model)))
    gains = ", ".join(f"{name} {scores.gain:+.2f} dB" for name, scores in challenger.items())
    return f"{card.model} bundled: {gains} over the blurred input"


def table(scores: Scores) -> str:
    """Scores as a Markdown table, a row per step."""
    rows = ["| step | PSNR dB | SSIM | seconds |", "|---|---|---|---|"]
    steps = zip(scores.psnr, scores.ssim, scores.seconds, strict=True)
    rows += [f"| {i} | {psnr:.2f} | {ssim:.4f} | {seconds:.3f} |" for i, (psnr, ssim, seconds) in enumerate(steps)]
    return "\n".join(rows)


def named_pairs(text: str) -> tuple[str, list[Pair]]:
    """The pairs that ``"FOLDER"``, ``"FOLDER@0:5"`` or ``"FOLDER@::4"`` stands for, with the folder's name.

    Raises:
        SettingError: what follows the @ is not a slice.
        InputError: the folder has no such pairs.
    """
    folder, chosen = folder_and_slice(text)
    return folder.name, read_pairs(folder, chosen)


def folder_and_slice(text: str) -> tuple[Path, slice]:
    """What ``"FOLDER"`` or ``"FOLDER@start:stop:step"`` names; a SettingError if that is not a slice."""
    folder, _, part = text.partition("@")
    try:
        chosen = slice(*(int(number) if number else None for number in part.split(":"))) if part else slice(None)
    except (ValueError, TypeError) as error:
        raise SettingError(f"{folder} is cut by @{part}", "FOLDER@start:stop:step", "Write FOLDER@0:5, say") from error
    return Path(folder), chosen
