"""Networks on sets of pairs and along clips: scored, printed, and written as tables, plots and a page."""

from __future__ import annotations

import argparse
from pathlib import Path

from deblur_demo.errors import SettingError
from deblur_demo.models import checkpoint, registry
from deblur_demo.pipeline import equipped
from deblur_demo.runtime.deblurrer import Deblurrer
from training.clip_scores import frames_table, score_clip
from training.results import Result, bundle_page, result, write
from training.scores import Pair, Scores, blur_of, mean, pairs_in, read_pairs, score, score_each


def evaluate(options: argparse.Namespace) -> None:
    """Score every file of weights on every set and clip, print the tables, and write what was asked for.

    Args:
        options: those of ``python -m training evaluate``.

    Raises:
        SettingError: neither a set nor a clip.
    """
    if not (options.pairs or options.clip):
        raise SettingError("there is nothing to evaluate on", "--pairs or --clip, or both", "Name a folder of pairs")
    results: list[Result] = []
    for weights in options.weights:
        model = checkpoint.read_card(weights).model
        for text in options.pairs:
            blur = blur_of(folder_and_slice(text)[0])
            if len(options.weights) > 1 and blur not in registry.variant(model).trained_for:
                print(f"{weights.stem} is not for {blur} blur: {Path(text).name} is left out")
                continue
            pairs = pairs_in(*folder_and_slice(text))
            scores = list(score_each(open_weights(weights, options), pairs, options.iterations))
            print(f"{weights.stem} on {Path(text).name}\n{table(mean(scores))}")
            results.append(result(model, Path(text).name, len(scores), mean(scores)))
        for text in options.clip:
            folder, chosen = folder_and_slice(text)
            clip = score_clip(open_weights(weights, options), pairs_in(folder, chosen), options.iterations)
            print(f"{weights.stem} along {Path(text).name}\n{table(clip.mean)}\n\n{frames_table(clip)}")
            results.append(result(model, f"{Path(text).name} along the clip", len(clip.names), clip.mean))
    if options.out:
        from training.plots import draw  # a plotting library takes a second to import

        print(*write(results, options.out), *draw(results, options.out), sep="\n")
    if options.page:
        cards = [checkpoint.read_card(weights) for weights in options.weights]
        options.page.write_text(bundle_page(results, cards), encoding="utf-8")
        print(options.page)


def open_weights(weights: Path, options: argparse.Namespace) -> Deblurrer:
    """A checkpoint, placed for evaluation.

    Args:
        weights: ``.safetensors`` with its card.
        options: ``device``, ``precision``, ``tile``, and maybe ``ensemble`` and ``size``.
    """
    model, _ = checkpoint.load(weights)
    asked = {name: getattr(options, name) for name in ("ensemble", "size") if hasattr(options, name)}
    return Deblurrer(equipped(model, **asked), options.device, options.precision, options.tile)


def score_all(weights: Path, options: argparse.Namespace) -> dict[str, Scores]:
    """Score one checkpoint on every set of ``options.pairs``, by the folder's name.

    Args:
        weights: ``.safetensors`` with its card.
        options: as for ``open_weights``, ``pairs`` (see ``named_pairs``), and maybe ``iterations``.
    """
    deblurrer = open_weights(weights, options)
    sets = dict(map(named_pairs, options.pairs))
    return {name: score(deblurrer, pairs, getattr(options, "iterations", None)) for name, pairs in sets.items()}


def table(scores: Scores) -> str:
    """Scores as a Markdown table, a row per step."""
    rows = ["| step | PSNR dB | SSIM | MSE | seconds |", "|---|---|---|---|---|"]
    steps = zip(scores.psnr, scores.ssim, scores.mse, scores.seconds, strict=True)
    rows += [f"| {i} | {psnr:.2f} | {ssim:.4f} | {mse:.1f} | {s:.3f} |" for i, (psnr, ssim, mse, s) in enumerate(steps)]
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
