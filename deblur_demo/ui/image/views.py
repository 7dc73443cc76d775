"""What is shown of a photo's steps: the viewer's pictures, and the table of their figures."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from deblur_demo.ui import text
from deblur_demo.ui.image import text as image_text
from deblur_demo.ui.image.recipe import Recipe
from deblur_demo.ui.image.run import ImageRun, Result, StepFile, figures
from deblur_demo.ui.viewer import comparer
from deblur_demo.ui.viewer import text as viewer_text

_FORMATS = {
    "step": "{}",
    "seconds": "{:.2f}",
    "change": "{:.2f}",
    "sharpness": "{:.2f}",
    "psnr": "{:.2f}",
    "ssim": "{:.4f}",
    "mse": "{:.1f}",
}
_SCORES = ("psnr", "ssim", "mse")
_FAILURES = 5  # photos that are named at once, of those that could not be done


def viewer(
    result: Result, given: str = image_text.INPUT_STEP, sharp: str = image_text.REFERENCE, more: Sequence[dict] = ()
) -> dict:
    """What the viewer shows: the steps, the newest on the right, its maps and the truth.

    What is still to come has its place.

    Args:
        result: as far as it is there.
        given, sharp: names of the input and of the truth.
        more: other pictures for the end of the row.
    """
    names = [given, *(image_text.step(index) for index in range(1, result.rows))]
    steps = [
        comparer.picture(name, image_text.note(step.psnr, step.change), step.shown)
        for name, step in zip(names, result.steps, strict=False)
    ]
    waiting = [comparer.picture(name) for name in names[len(steps) :]]
    maps = [_map(name, result.steps[-1]) for name in result.maps]
    truth = [comparer.picture(sharp, path=result.truth)] if result.truth else []
    told = [] if result.recipe is None else [_caption(result, result.recipe)]
    told += [image_text.MAPS[name].told for name in result.maps]
    if "doubt" not in result.maps:
        told.append(image_text.NO_DOUBT)
    return comparer.shown([*steps, *waiting, *maps, *truth, *more], len(steps) - 1, result.rows, " ".join(told))


def _caption(result: Result, recipe: Recipe) -> str:
    """What made what is shown: while it goes on with the iterations to come, then with those that there are."""
    return image_text.made(result.name, recipe, None if result.verdict is None else result.steps[-1].index)


def _map(name: str, step: StepFile) -> dict:
    """A map of the newest step; the input has none yet."""
    words, path = image_text.MAPS[name], step.drawn.get(name)
    if path is None:
        return comparer.picture(words.name)
    note = image_text.map_note(step.map_figures[name]["mean"])
    return comparer.picture(words.name, note, path, (image_text.map_title(name, step.index), words.low, words.high))


def verdict(result: Result, alone: bool = True) -> str:
    """What the run did to the photo, in words; while it goes on, whether the photo is blurred.

    Args:
        result: as far as it is there.
        alone: whether it is the only photo, so that it may be run again with another setting.
    """
    line = image_text.photo_is(result.blur) if result.verdict is None else image_text.verdict(result.verdict)
    html = escape(line)
    for knob, doer in image_text.DOERS.items():
        if alone or knob == "step":
            html = doer.sub(rf'<button type="button" data-knob="{knob}" data-value="\1">\g<0></button>', html)
    return f'<p class="verdict" role="status">{html}</p>'


def failures(run: ImageRun | None) -> str:
    """What stands below the status: of several photos those that could not be done, most of many folded up."""
    items = [f"<li>{escape(line)}</li>" for line in (run.failures if run else ())]
    first, rest = "".join(items[:_FAILURES]), items[_FAILURES:]
    if rest:
        folded = f"<details><summary>{image_text.more(len(rest))}</summary><ul>{''.join(rest)}</ul></details>"
        first += f"<li>{folded}</li>"
    return f'<ul class="failures">{first}</ul>' if items else ""


def table(result: Result, shown: int | None) -> str:
    """The figures of every step, empty rows for those still to come, and what was assumed about the photo.

    Args:
        result: as far as it is there.
        shown: index of the step in the viewer; its row is marked.
    """
    steps = result.steps
    scored = any(step.ssim is not None for step in steps)
    columns = [name for name in image_text.COLUMNS if scored or name not in _SCORES]
    head = "".join(
        f'<th scope="col" title="{escape(why)}">{title}</th>' for title, why in map(image_text.COLUMNS.get, columns)
    )
    best = max((step for step in steps if step.psnr is not None), key=lambda step: step.psnr, default=None)
    body = "".join(_row(step, columns, step.index == shown, step is best) for step in steps)
    blank = "".join(
        f"<tr><td>{index}</td>{'<td></td>' * (len(columns) - 1)}</tr>" for index in range(len(steps), result.rows)
    )
    shrunk = [viewer_text.shrunk(result.scale)] if result.scale < 1 else []
    notes = "".join(f"<li>{escape(line)}</li>" for line in (*shrunk, *result.notices))
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
