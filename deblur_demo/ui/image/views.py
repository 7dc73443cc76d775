"""What is drawn of a photo's steps: the table of their figures."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from deblur_demo.ui import text
from deblur_demo.ui.image import text as image_text
from deblur_demo.ui.image.run import StepFile, figures

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


def table(steps: Sequence[StepFile], shown: int, rows: int, notices: Sequence[str] = ()) -> str:
    """The figures of every step.

    Args:
        steps: as far as they are there.
        shown: index of the step on the slider; its row is marked.
        rows: rows to draw; those of steps still to come are empty, so that nothing jumps.
        notices: what was assumed about the photo; escaped here.
    """
    scored = any(step.psnr is not None for step in steps)
    columns = [name for name in image_text.COLUMNS if scored or name not in _SCORES]
    head = "".join(
        f'<th scope="col" title="{escape(why)}">{title}</th>' for title, why in map(image_text.COLUMNS.get, columns)
    )
    best = max((step for step in steps if step.psnr is not None), key=lambda step: step.psnr, default=None)
    body = "".join(_row(step, columns, step.index == shown, step is best) for step in steps)
    blank = "".join(f"<tr><td>{index}</td>{'<td></td>' * (len(columns) - 1)}</tr>" for index in range(len(steps), rows))
    notes = "".join(f"<li>{escape(line)}</li>" for line in notices)
    return (
        f'<div class="figures"><table><caption>{image_text.TABLE}</caption>'
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
