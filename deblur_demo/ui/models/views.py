"""What is drawn of models: a card for each, and what is in memory. Whatever a card says is escaped."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

from deblur_demo.errors import CheckpointError
from deblur_demo.ui import knobs, text
from deblur_demo.ui.bench import is_fetched
from deblur_demo.ui.models import text as models_text

if TYPE_CHECKING:
    from deblur_demo.models.checkpoint import Card
    from deblur_demo.pipeline import Job
    from deblur_demo.ui.shelf import OwnWeights


@dataclass(frozen=True)
class Entry:
    """A model on screen.

    Attributes:
        name: for a person.
        row: of ``catalogue.models``, of the variant that it is.
        card: of its weights, None where there are none.
        own: whether the visitor brought the weights.
    """

    name: str
    row: dict
    card: Card | None
    own: bool = False


def entries(own: Sequence[OwnWeights], everything: bool) -> list[Entry]:
    """What is shown: the visitor's own, what runs, and if wanted ``everything``."""
    from deblur_demo import catalogue, pipeline
    from deblur_demo.models import checkpoint

    rows = [{**row, "gmacs": catalogue.counted_gmacs(row["id"])} for row in catalogue.models()]
    found = []
    for weights in own:
        try:
            found.append(Entry(weights.name, knobs.row_of(weights.choice, costs=True), weights.card, own=True))
        except CheckpointError:  # deleted by now, as promised, or while they are read
            continue
    for row in catalogue.by_use(rows, pipeline.default_model()):
        if row["ready"] or everything:
            path = row["checkpoint"] if row["ready"] else None
            found.append(Entry(row["id"], row, path and checkpoint.read_card(Path(path))))
    return found


def cards(shown: Sequence[Entry]) -> str:
    """All cards; those that run are wide, because they have figures."""
    return f'<div class="models">{"".join(map(_card, shown))}</div>'


def memory(used: int, free: int, at_hand: Sequence[tuple[Job, int]], own: Sequence[OwnWeights]) -> str:
    """What the process takes, and which networks are loaded; other visitors' weights go without their names."""
    names = {weights.weights: weights.name for weights in own}
    lines = [
        models_text.at_hand(names.get(job.checkpoint, job.model), job.precision, size)
        for job, size in reversed(at_hand)
    ]
    listed = "".join(f"<li>{escape(line)}</li>" for line in lines)
    below = f"<p>{models_text.AT_HAND}</p><ul>{listed}</ul>" if lines else f"<p>{models_text.NOTHING_AT_HAND}</p>"
    return f'<div class="memory"><h3>{models_text.MEMORY}</h3><p>{models_text.memory(used, free)}</p>{below}</div>'


def _card(entry: Entry) -> str:
    row, card = entry.row, entry.card
    kind, badge = _kind(entry)
    traits = {
        "parameters": f"{row['parameters']:,}" if row["parameters"] else text.NO_VALUE,
        "gmacs": text.rounded(row["gmacs"], 3) if row["gmacs"] else text.NO_VALUE,
        "steps": models_text.steps(row["steps"], row["max_steps"]),
        "frames": str(row["frames"]),
        "trained_for": row["trained_for"],
    }
    why = {"gmacs": f' title="{models_text.GMACS_HELP}"'}
    listed = "".join(
        f"<div><dt{why.get(key, '')}>{models_text.CARD[key]}</dt><dd>{escape(value)}</dd></div>"
        for key, value in traits.items()
    )
    variant = f'<p class="variant">{models_text.WEIGHTS_OF.format(model=row["id"])}</p>' if entry.own else ""
    parts = [
        f'<header><h3>{escape(entry.name)}</h3><span class="badge">{badge}</span></header>{variant}',
        f'<p class="paper">{escape(row["paper"])}</p><dl class="traits">{listed}</dl>',
    ]
    if row["problem"]:
        parts.append(f'<p class="limits">{escape(row["problem"])}</p>')
    if not row["ready"]:
        parts.append(_needs(row["needs"]))
    if card is not None:
        parts += [_figures(name, scores) for name, scores in card.metrics.items()]
        if card.limits:
            parts.append(f'<p class="limits"><strong>{models_text.LIMITS}</strong> {escape(card.limits)}</p>')
        parts.append(_details(card))
    return f'<article class="{kind}">{"".join(parts)}</article>'


def _kind(entry: Entry) -> tuple[str, str]:
    """Class and badge of a card."""
    if entry.own:
        return "own", models_text.YOURS
    if not entry.row["ready"]:
        return "missing", models_text.MISSING
    if not entry.row["parameters"]:
        return "classic", models_text.CLASSIC
    return "ready", models_text.FETCHED if is_fetched(entry.row) else models_text.READY


def _needs(sentence: str) -> str:
    """The commands that lead to weights, one below the other."""
    commands = re.findall(r"python -m .+?(?=, or python|$)", sentence)
    listed = "".join(f"<pre><code>{escape(command)}</code></pre>" for command in commands)
    return f'<div class="needs"><p>{models_text.MISSING_HELP}</p>{listed}</div>'


def _figures(name: str, scores: dict[str, list[float]]) -> str:
    """PSNR and SSIM after every iteration, the blurred input first."""
    length = max((len(curve) for curve in scores.values()), default=0)
    head = "".join(f'<th scope="col">{number or models_text.BEFORE}</th>' for number in range(length))
    digits = {"psnr": 2, "ssim": 3}
    rows = "".join(
        f'<tr><th scope="row">{escape(score.upper())}</th>'
        + "".join(f"<td>{value:.{digits.get(score, 3)}f}</td>" for value in curve)
        + "</tr>"
        for score, curve in scores.items()
    )
    caption = models_text.FIGURES.format(name=escape(name))
    return (
        f'<div class="figures"><table><caption><span>{caption}</span></caption><thead><tr>'
        f'<th scope="col">{models_text.ITERATION}</th>{head}</tr></thead><tbody>{rows}</tbody></table></div>'
    )


def _details(card: Card) -> str:
    """What few people look up."""
    listed = ""
    for key, title in models_text.DETAILS.items():
        value = getattr(card, key)
        lines = [f"{name} = {setting}" for name, setting in value.items()] if isinstance(value, dict) else value
        lines = list(lines) if isinstance(lines, (list, tuple)) else [str(lines)] if lines else []
        shown = "".join(f"<dd>{escape(line)}</dd>" for line in lines)
        listed += f"<div><dt>{title}</dt>{shown}</div>" if shown else ""
    return f"<details><summary>{models_text.MORE}</summary><dl>{listed}</dl></details>"
