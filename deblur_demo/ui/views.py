"""The parts of the page that are drawn as HTML: header, status, welcome, table of steps."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from deblur_demo.ui import text
from deblur_demo.ui.image_run import StepFile, figures

_FORMATS = {
    "step": "{}",
    "seconds": "{:.2f}",
    "change": "{:.2f}",
    "sharpness": "{:.4g}",
    "psnr": "{:.2f}",
    "ssim": "{:.4f}",
    "mse": "{:.1f}",
}
_SCORES = ("psnr", "ssim", "mse")


def header() -> str:
    return f"<h1>{text.NAME}</h1><p>{text.TAGLINE}</p>"


def welcome(lines: Sequence[tuple[str, str]], title: str = text.EMPTY_TITLE) -> str:
    """What the stage shows before the first run: what to do, and what then happens."""
    steps = "".join(f"<li><strong>{what}</strong><span>{line}</span></li>" for what, line in lines)
    return f'<div class="welcome"><h2>{title}</h2><ol>{steps}</ol></div>'


def status(line: str, kind: str = "idle", fraction: float = 0.0) -> str:
    """One line and a progress bar; its height never changes.

    Args:
        line: plain text; escaped here.
        kind: "idle", "busy", "done" or "error".
        fraction: of the work that is done, [0, 1].
    """
    role = "alert" if kind == "error" else "status"
    percent = round(100 * fraction)
    return (
        f'<div class="status {kind}"><p role="{role}" title="{escape(line)}">{escape(line)}</p>'
        f'<div class="bar" role="progressbar" aria-valuemin="0" aria-valuemax="100" aria-valuenow="{percent}" '
        f'aria-label="{text.PROGRESS}"><i style="width:{percent}%"></i></div></div>'
    )


def table(steps: Sequence[StepFile], shown: int, rows: int, notices: Sequence[str] = ()) -> str:
    """The figures of every step.

    Args:
        steps: as far as they are there.
        shown: index of the step on the slider; its row is marked.
        rows: rows to draw; those of steps still to come are empty, so that nothing jumps.
        notices: what was assumed about the photo; escaped here.
    """
    scored = any(step.psnr is not None for step in steps)
    columns = [name for name in text.COLUMNS if scored or name not in _SCORES]
    head = "".join(
        f'<th scope="col" title="{escape(why)}">{title}</th>' for title, why in map(text.COLUMNS.get, columns)
    )
    best = max((step for step in steps if step.psnr is not None), key=lambda step: step.psnr, default=None)
    body = "".join(_row(step, columns, step.index == shown, step is best) for step in steps)
    blank = "".join(f"<tr><td>{index}</td>{'<td></td>' * (len(columns) - 1)}</tr>" for index in range(len(steps), rows))
    notes = "".join(f"<li>{escape(line)}</li>" for line in notices)
    return (
        f'<div class="figures"><table><caption>{text.TABLE}</caption>'
        f"<thead><tr>{head}</tr></thead><tbody>{body}{blank}</tbody></table></div>"
        + (f'<ul class="notices">{notes}</ul>' if notes else "")
    )


def _row(step: StepFile, columns: Sequence[str], shown: bool, best: bool) -> str:
    values = {**figures(step), "step": step.index}
    if step.index == 0:
        values["seconds"] = None  # reading the file is no iteration
    cells = ""
    for name in columns:
        value = text.NO_VALUE if values[name] is None else _FORMATS[name].format(values[name])
        mark = f' <em class="best">{text.BEST}</em>' if best and name == "psnr" else ""
        cells += f'<th scope="row">{value}</th>' if name == "step" else f"<td>{value}{mark}</td>"
    return f"<tr{' class=shown aria-current=step' if shown else ''}>{cells}</tr>"
