"""Results as files: CSV, JSON, Markdown and plots of networks x sets x steps, and the page of what is bundled."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from deblur_demo.models import registry
from deblur_demo.models.checkpoint import Card
from deblur_demo.models.complexity import gmacs
from training.scores import Scores


@dataclass(frozen=True)
class Result:
    """One network on one set.

    Attributes:
        model: identifier of the variant.
        dataset: name of the set, with the part of it that was taken.
        pictures: how many there are.
        parameters: trained ones.
        gmacs: multiply-accumulates of one step at 256 x 256, in 10^9.
        scores: means over the set per step.
    """

    model: str
    dataset: str
    pictures: int
    parameters: int
    gmacs: float
    scores: Scores


def result(model: str, dataset: str, pictures: int, scores: Scores) -> Result:
    """A result with the costs of its network counted."""
    blank = registry.blank(model)
    return Result(model, dataset, pictures, blank.parameter_count, gmacs(blank), scores)


def rows(results: Sequence[Result]) -> list[dict]:
    """One row a step, step 0 the blurred input."""
    return [
        {
            "model": entry.model,
            "dataset": entry.dataset,
            "pictures": entry.pictures,
            "parameters": entry.parameters,
            "gmacs": entry.gmacs,
            "step": step,
            **{name: getattr(entry.scores, name)[step] for name in ("psnr", "ssim", "mse", "seconds")},
        }
        for entry in results
        for step in range(len(entry.scores.psnr))
    ]


def to_csv(results: Sequence[Result]) -> str:
    """``rows`` as CSV with a header."""
    table, text = rows(results), io.StringIO()
    writer = csv.DictWriter(text, table[0].keys(), lineterminator="\n")
    writer.writeheader()
    writer.writerows(table)
    return text.getvalue()


def to_markdown(results: Sequence[Result]) -> str:
    """A table a set: a row a network, a column a step, PSNR / SSIM in each cell."""
    parts = []
    for dataset in dict.fromkeys(entry.dataset for entry in results):
        there = [entry for entry in results if entry.dataset == dataset]
        steps = max(len(entry.scores.psnr) for entry in there)
        head = ["model", "parameters", "GMACs", "input", *(f"step {step}" for step in range(1, steps))]
        head += ["gain dB", "s / picture"]
        lines = [f"### {dataset} ({there[0].pictures} pictures)", "", _line(head), _line(["---"] * len(head))]
        for entry in there:
            cells = [f"{p:.2f} / {s:.4f}" for p, s in zip(entry.scores.psnr, entry.scores.ssim, strict=True)]
            cells += [""] * (steps - len(cells))
            costs = [f"`{entry.model}`", f"{entry.parameters:,}", f"{entry.gmacs:.1f}"]
            lines.append(_line([*costs, *cells, f"{entry.scores.gain:+.2f}", f"{sum(entry.scores.seconds):.2f}"]))
        parts.append("\n".join(lines))
    return "\n\n".join(parts) + "\n"


def write(results: Sequence[Result], folder: Path) -> list[Path]:
    """Write ``results.csv``, ``.json`` and ``.md``; gives their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    texts = {
        "results.csv": to_csv(results),
        "results.json": json.dumps([asdict(entry) for entry in results], indent=2) + "\n",
        "results.md": to_markdown(results),
    }
    for name, text in texts.items():
        (folder / name).write_text(text, encoding="utf-8")
    return [folder / name for name in texts]


def bundle_page(results: Sequence[Result], cards: Sequence[Card]) -> str:
    """``checkpoints/RESULTS.md``: what is bundled, how good it is, and where that comes from.

    Args:
        results: of every bundled checkpoint on every set.
        cards: of the same checkpoints.
    """
    head = ["model", "updates", "training", "crops seen", "weak at", "the next hour would go to"]
    origin = [_line(head), _line(["---"] * len(head))]
    for card in cards:
        recipe = json.loads(card.recipe) if card.recipe.startswith("{") else {}
        seen = f"{card.updates * recipe['batch']:,}" if "batch" in recipe else "not recorded"
        origin.append(_line([f"`{card.model}`", f"{card.updates:,}", card.hardware, seen, card.limits, card.outlook]))
    return (
        "# What the bundled weights do\n\n"
        "Written by `python -m training evaluate checkpoints/*.safetensors --page checkpoints/RESULTS.md`, with a\n"
        "`--pairs` for each set, not by hand; TRAINING.md says what the sets are. PSNR in dB / SSIM on 8-bit RGB,\n"
        "means over a set, the input beside every step. GMACs are a step's, for 256 x 256 pixels. A crop\n"
        "counts once for every iteration that it is trained on.\n\n"
        f"## Quality\n\n{to_markdown(results)}\n## Where they come from\n\n" + "\n".join(origin) + "\n"
    )


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"
