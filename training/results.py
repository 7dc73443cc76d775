"""Results as files: CSV, JSON, Markdown and plots of networks x sets x steps, and the page of what is bundled."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from deblur_demo.media.paths import write_text
from deblur_demo.models import checkpoint
from deblur_demo.models.checkpoint import Card
from deblur_demo.models.complexity import gmacs
from training.scores import Scores
from training.targets import check_file, check_folder

TABLES = ("results.csv", "results.json", "results.md")
PLOTS = ("psnr.svg", "ssim.svg", "cost.svg")
SCORED = ("psnr", "ssim", "mse", "seconds")
COLUMNS = ("model", "dataset", "pictures", "parameters", "gmacs", "step", *SCORED)
HEADING = "# What the bundled weights do\n"


@dataclass(frozen=True)
class Result:
    """One network on one set.

    Attributes:
        model: identifier of the variant; where there are several files of one, as much of their path as differs.
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


def result(name: str, weights: Path, dataset: str, pictures: int, scores: Scores) -> Result:
    """A result by the name of the weights, with the costs of their own network counted."""
    network = checkpoint.ghost(weights)
    return Result(name, dataset, pictures, network.parameter_count, gmacs(network), scores)


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
            **{name: getattr(entry.scores, name)[step] for name in SCORED},
        }
        for entry in results
        for step in range(len(entry.scores.psnr))
    ]


def to_csv(results: Sequence[Result]) -> str:
    """``rows`` as CSV with a header."""
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows(results))
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


def check_results(folder: Path | None, page: Path | None) -> None:
    """Refuse, before anything is computed, to write where results cannot go or where something else is.

    Args:
        folder: for ``write`` and the plots.
        page: for ``bundle_page``.

    Raises:
        OutputError: not to be written to, or there are files of these names that no evaluation wrote.
    """
    if folder:
        check_folder(folder)
        table = folder / TABLES[0]
        ours = table.is_file() and table.read_bytes().startswith(",".join(COLUMNS).encode())
        for name in (*TABLES, *PLOTS):
            check_file(folder / name, lambda _: ours, f"of an earlier evaluation, whose {TABLES[0]} would be beside it")
    if page:
        check_file(page, lambda path: path.read_bytes().startswith(HEADING.encode()), "a page of results")


def write(results: Sequence[Result], folder: Path) -> list[Path]:
    """Write ``results.csv``, ``.json`` and ``.md``; gives their paths."""
    whole = json.dumps([asdict(entry) for entry in results], indent=2) + "\n"
    texts = dict(zip(TABLES, (to_csv(results), whole, to_markdown(results)), strict=True))
    for name, text in texts.items():
        write_text(folder / name, text)
    return [folder / name for name in texts]


def bundle_page(results: Sequence[Result], cards: Mapping[str, Card]) -> str:
    """``checkpoints/RESULTS.md``: what is bundled, how good it is, and where that comes from.

    Args:
        results: of every bundled checkpoint on every set.
        cards: of the same checkpoints, by their names in the results.
    """
    head = ["model", "updates", "training", "crops seen", "weak at", "the next hour would go to"]
    origin = [_line(head), _line(["---"] * len(head))]
    for name, card in cards.items():
        recipe = json.loads(card.recipe) if card.recipe.startswith("{") else {}
        seen = f"{card.updates * recipe['batch']:,}" if "batch" in recipe else "not recorded"
        origin.append(_line([f"`{name}`", f"{card.updates:,}", card.hardware, seen, card.limits, card.outlook]))
    return (
        f"{HEADING}\n"
        "Written by `python -m training evaluate checkpoints/*.safetensors --page checkpoints/RESULTS.md`, with a\n"
        "`--pairs` for each set, not by hand; TRAINING.md says what the sets are. PSNR in dB / SSIM on 8-bit RGB,\n"
        "means over a set, the input beside every step. GMACs are a step's, for 256 x 256 pixels. A crop\n"
        "counts once for every iteration that it is trained on.\n\n"
        f"## Quality\n\n{to_markdown(results)}\n## Where they come from\n\n" + "\n".join(origin) + "\n"
    )


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"
