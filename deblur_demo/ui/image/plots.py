"""Plots of a photo's steps: quality against iteration, and the power spectrum of every step (Park 2020, figure 5)."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from deblur_demo.spectrum import frequencies
from deblur_demo.ui.image import text as image_text
from deblur_demo.ui.image.run import Result, StepFile
from deblur_demo.ui.viewer.plot import Plot

_SCORED, _UNSCORED = ("psnr", "ssim"), ("sharpness", "change")
_FORMS = {"psnr": "{:.2f}", "ssim": "{:.3f}", "sharpness": "{:.1f}", "change": "{:.2f}"}
_COARSEST = 1  # ring: the one below holds how light falls across the picture, and would flatten the rest


def plots(result: Result) -> str:
    """All plots of one photo, as far as it is there."""
    return quality(result.steps, result.rows - 1) + spectra(result)


def quality(steps: Sequence[StepFile], most: int) -> str:
    """PSNR and SSIM against the iteration; without a truth, sharpness and change.

    Args:
        steps: as far as they are there.
        most: iterations that the axis has room for, so that nothing moves while they arrive.
    """
    scored = any(step.ssim is not None for step in steps)
    drawn = "".join(_curve(name, steps, most) for name in (_SCORED if scored else _UNSCORED))
    return f'<div class="curves">{drawn}</div>'


def _curve(name: str, steps: Sequence[StepFile], most: int) -> str:
    # Of equal pictures there is no PSNR, and of the input no change.
    points = [(step.index, getattr(step, name)) for step in steps if getattr(step, name) is not None]
    title, why = image_text.CURVES[name]
    return Plot(
        title=title,
        why=why,
        words=image_text.curve(name, points),
        lines={"after": points},
        span=(0, most),
        ends=image_text.axis(most),
        form=_FORMS[name],
        marked=True,
    ).html()


def spectra(result: Result) -> str:
    """Power against frequency: the input, every step, the newest one stronger, and the truth."""
    first, *others = result.steps
    lines, legend = {"before": first.spectrum}, {"before": image_text.step(0)}
    if len(others) > 1:
        lines |= {f"between s{step.index}": step.spectrum for step in others[:-1]}
        legend["between"] = image_text.steps(1, others[-2].index)
    if others:
        lines["after"], legend["after"] = others[-1].spectrum, image_text.step(others[-1].index)
    if result.truth_spectrum:
        lines["truth"], legend["truth"] = result.truth_spectrum, image_text.REFERENCE
    title, why = image_text.SPECTRUM
    named = {legend[name]: line for name, line in lines.items() if name in legend}
    plot = Plot(
        title=title,
        why=why,
        words=image_text.spectrum({name: _thirds(line) for name, line in named.items()}),
        lines={name: _points(line) for name, line in lines.items()},
        span=(float(frequencies()[_COARSEST]), 0.5),
        ends=image_text.FREQUENCIES,
        form=image_text.DECIBELS,
        legend=legend,
    )
    return f'<div class="spectrum">{plot.html()}</div>'


def _points(spectrum: Sequence[float]) -> list[tuple[float, float]]:
    """Of a small picture some rings are empty."""
    pairs = zip(frequencies()[_COARSEST:].tolist(), spectrum[_COARSEST:], strict=True)
    return [(frequency, power) for frequency, power in pairs if not math.isnan(power)]


def _thirds(spectrum: Sequence[float]) -> list[float | None]:
    """Mean power of the coarse, the middle and the fine third."""
    thirds = np.array_split(np.asarray(spectrum[_COARSEST:], dtype=float), 3)
    return [float(np.nanmean(third)) if not np.isnan(third).all() else None for third in thirds]
