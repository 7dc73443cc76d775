"""The parts of the page that are drawn as HTML: header, status, welcome."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

from deblur_demo.ui import text


def header() -> str:
    """Name and purpose; hidden, what a page says that takes the place of one with a run, see ``page.js``."""
    return f'<h1>{text.NAME}</h1><p>{text.TAGLINE}</p><p id="ended" hidden>{text.ENDED}</p>'


def welcome(lines: Sequence[tuple[str, str]], title: str = text.EMPTY_TITLE) -> str:
    """What the stage shows before the first run: what to do, and what then happens."""
    steps = "".join(f"<li><strong>{what}</strong><span>{line}</span></li>" for what, line in lines)
    return f'<div class="welcome"><h2>{title}</h2><ol>{steps}</ol></div>'


def terms(meanings: Iterable[tuple[str, str]]) -> str:
    """What the figures mean, folded up: a tooltip says it to a mouse alone."""
    items = "".join(f"<dt>{escape(term)}</dt><dd>{escape(meaning)}</dd>" for term, meaning in meanings)
    return f'<details class="terms"><summary>{text.TERMS}</summary><dl>{items}</dl></details>'


def status(line: str, kind: str = "idle", fraction: float = 0.0) -> str:
    """One line and a progress bar; its height never changes.

    Args:
        line: plain text; escaped here.
        kind: "idle", "busy", "done" or "error".
        fraction: of the work that is done, [0, 1].
    """
    role = "alert" if kind == "error" else "status"
    live = ' aria-live="off"' if kind == "busy" else ""  # not every tile is read aloud
    percent = round(100 * fraction)
    return (
        f'<div class="status {kind}"><p role="{role}"{live} title="{escape(line)}">{escape(line)}</p>'
        f'<div class="bar" role="progressbar" aria-valuemin="0" aria-valuemax="100" aria-valuenow="{percent}" '
        f'aria-label="{text.PROGRESS}" aria-valuetext="{escape(line)}"><i style="width:{percent}%"></i></div></div>'
    )


def is_busy(status: str) -> bool:
    """Whether a status line, as ``status`` drew it, says that something goes on."""
    return status.startswith('<div class="status busy">')
