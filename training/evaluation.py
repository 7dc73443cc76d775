"""Networks on sets of pairs and along clips: scored, printed, and written as tables, plots and a page."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from deblur_demo.errors import SettingError
from deblur_demo.media.paths import write_text
from deblur_demo.models import checkpoint, registry
from deblur_demo.pipeline import equipped
from deblur_demo.runtime.deblurrer import Deblurrer
from training.clip_scores import frames_table, score_clip
from training.results import Result, bundle_page, check_results, result, write
from training.scores import Scores, mean, pairs_in, read_pairs, score, score_each
from training.sets import NamedSet, blur_of, distinct, named_sets, tails


def evaluate(options: argparse.Namespace) -> None:
    """Score every file of weights on every set and clip, print the tables, and write what was asked for.

    Args:
        options: those of ``python -m training evaluate``.

    Raises:
        SettingError: neither a set nor a clip, or none of the networks' kind of blur.
        OutputError: results would replace what is none.
    """
    if not (options.pairs or options.clip):
        raise SettingError("there is nothing to evaluate on", "--pairs or --clip, or both", "Name a folder of pairs")
    sets, clips = named_sets(options.pairs, with_range=True), named_sets(options.clip, with_range=True)
    files = _named(options.weights)
    cards = {name: checkpoint.read_card(weights) for name, weights in files.items()}
    fitting = {name: _fitting(name, card.model, sets, len(files) == 1) for name, card in cards.items()}
    if not (clips or any(fitting.values())):
        raise SettingError(
            "no set has a kind of blur that these networks are for",
            "a set of their kind, or a single network",
            "Name another set, or one file",
        )
    check_results(options.out, options.page)
    results: list[Result] = []
    for name, weights in files.items():
        for each in fitting[name]:
            pairs = pairs_in(each.folder, each.chosen)
            scores = list(score_each(open_weights(weights, options), pairs, options.iterations))
            print(f"{name} on {each.name}\n{table(mean(scores))}")
            results.append(result(name, weights, each.name, len(scores), mean(scores)))
        for each in clips:
            pairs = pairs_in(each.folder, each.chosen)
            clip = score_clip(open_weights(weights, options), pairs, options.iterations)
            print(f"{name} along {each.name}\n{table(clip.mean)}\n\n{frames_table(clip)}")
            results.append(result(name, weights, f"{each.name} along the clip", len(clip.names), clip.mean))
    if options.out:
        from training.plots import draw  # a plotting library takes a second to import

        print(*write(results, options.out), *draw(results, options.out), sep="\n")
    if options.page:
        write_text(options.page, bundle_page(results, cards))
        print(options.page)


def _named(files: Sequence[Path]) -> dict[str, Path]:
    """Files of weights by their network, or by as much of their path as tells those of one network apart."""
    labels = [[checkpoint.read_card(path).model, *tails(path.with_suffix(""))] for path in files]
    return dict(zip(distinct(labels), files, strict=True))


def _fitting(name: str, model: str, sets: Sequence[NamedSet], alone: bool) -> list[NamedSet]:
    """The sets of a network's kind of blur; all of them for one that is not compared with others."""
    fitting = [each for each in sets if alone or blur_of(each.folder) in registry.variant(model).trained_for]
    for each in sets:
        if each not in fitting:
            print(f"{name} is not for {blur_of(each.folder)} blur: {each.name} is left out")
    return fitting


def open_weights(weights: Path, options: argparse.Namespace) -> Deblurrer:
    """A checkpoint, placed for evaluation.

    Args:
        weights: ``.safetensors`` with its card.
        options: ``device``, ``precision``, ``tile``, and maybe ``ensemble`` and ``size``.
    """
    model, _ = checkpoint.load(weights)
    asked = {name: getattr(options, name) for name in ("ensemble", "size") if hasattr(options, name)}
    return Deblurrer(equipped(model, **asked), options.device, options.precision, options.tile)


def score_all(weights: Path, sets: Sequence[NamedSet], options: argparse.Namespace) -> dict[str, Scores]:
    """Score one checkpoint on every set, by the sets' names.

    Args:
        weights: ``.safetensors`` with its card.
        sets: of pairs.
        options: as for ``open_weights``, and maybe ``iterations``.
    """
    deblurrer, iterations = open_weights(weights, options), getattr(options, "iterations", None)
    return {each.name: score(deblurrer, read_pairs(each.folder, each.chosen), iterations) for each in sets}


def table(scores: Scores) -> str:
    """Scores as a Markdown table, a row per step."""
    rows = ["| step | PSNR dB | SSIM | MSE | seconds |", "|---|---|---|---|---|"]
    steps = zip(scores.psnr, scores.ssim, scores.mse, scores.seconds, strict=True)
    rows += [f"| {i} | {psnr:.2f} | {ssim:.4f} | {mse:.1f} | {s:.3f} |" for i, (psnr, ssim, mse, s) in enumerate(steps)]
    return "\n".join(rows)
