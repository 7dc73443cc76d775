"""What is drawn of a comparison: the table, and what the viewer is told to show."""

from __future__ import annotations

from collections.abc import Callable
from html import escape

from deblur_demo.ui import text
from deblur_demo.ui.compare import text as compare_text
from deblur_demo.ui.compare.run import CompareRun, Figures, Picture
from deblur_demo.ui.viewer import comparer
from deblur_demo.ui.viewer import text as viewer_text

_FORMATS = {
    "seconds": "{:.2f}",
    "parameters": "{:,}",
    "gmacs": "{:,.1f}",
    "steps": "{}",
    "change": "{:.2f}",
    "psnr": "{:.2f}",
    "ssim": "{:.4f}",
}
_BEST: dict[str, tuple[Callable, str]] = {
    "seconds": (min, compare_text.FASTEST),
    "psnr": (max, text.BEST),
    "ssim": (max, text.BEST),
}


def table(run: CompareRun) -> str:
    """The figures of the input and of every result; rows of those still to come are empty, so that nothing jumps."""
    scored = run.truth is not None
    columns = [name for name in compare_text.COLUMNS if scored or name not in ("psnr", "ssim")]
    head = "".join(
        f'<th scope="col" title="{escape(why)}">{title}</th>' for title, why in map(compare_text.COLUMNS.get, columns)
    )
    results = [picture.figures for picture in run.results]
    rivals = [figures for figures in results if figures.change]  # what changes nothing wins nothing
    rows = "".join(_row(picture.figures, columns, rivals) for picture in run.pictures)
    waiting = run.expected[len(run.results) :]
    rows += "".join(_row(Figures(name), columns, rivals, pending=True) for name in waiting)
    notes = "".join(f"<li>{escape(line)}</li>" for line in (*_shrunk(run), *_unchanged(results), *run.notices))
    return (
        f'<div class="figures"><table><caption>{compare_text.TABLE}</caption>'
        f"<thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>"
        + (f'<ul class="notices">{notes}</ul>' if notes else "")
    )


def viewer(run: CompareRun) -> dict:
    """What the viewer shows: pictures in order, the input first, the truth last, the best one on the right."""
    shown = [_shown(picture) for picture in run.pictures]
    waiting = [comparer.picture(name) for name in run.expected[len(run.results) :]]
    truth = [_shown(run.truth)] if run.truth else []
    return comparer.shown([*shown, *waiting, *truth], run.pictures.index(run.best) if run.best else None)


def _shown(picture: Picture) -> dict:
    figures = picture.figures
    return comparer.picture(figures.name, compare_text.note(figures.psnr, figures.seconds), picture.shown)


def _shrunk(run: CompareRun) -> list[str]:
    return [viewer_text.shrunk(run.scale)] if run.scale < 1 else []


def _unchanged(results: list[Figures]) -> list[str]:
    names = [figures.name for figures in results if figures.change == 0]
    return [compare_text.unchanged(names)] if names else []


def _row(figures: Figures, columns: list[str], rivals: list[Figures], pending: bool = False) -> str:
    cells = f'<th scope="row">{escape(figures.name)}</th>'
    for name in columns[1:]:
        value = getattr(figures, name)
        if name in ("parameters", "gmacs") and not value:  # classic filters have learned nothing
            value = None
        shown = "" if pending else text.NO_VALUE if value is None else _FORMATS[name].format(value)
        cells += f"<td>{shown}{_mark(name, figures, rivals)}</td>"
    return f"<tr>{cells}</tr>"


def _mark(name: str, figures: Figures, rivals: list[Figures]) -> str:
    """Says so where a result is the best of several."""
    if name not in _BEST or figures not in rivals or len(rivals) < 2:
        return ""
    choose, word = _BEST[name]
    values = [getattr(result, name) for result in rivals]
    best = None not in values and getattr(figures, name) == choose(values)
    return f' <em class="best">{word}</em>' if best else ""
