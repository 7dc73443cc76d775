"""The field's plots: quality against iteration, spectra, quality against cost (Park 2020, figures 6, 5 and 2)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import matplotlib

matplotlib.use("svg")  # files only: no window, no display needed

from matplotlib import pyplot  # the backend has to be chosen first
from matplotlib.axes import Axes

from deblur_demo.spectrum import frequencies
from training.results import PLOTS, Result
from training.sets import distinct

SIZE = (6.4, 4.2)  # inches


def draw(results: Sequence[Result], folder: Path) -> list[Path]:
    """Draw every plot as SVG; gives their paths.

    ``psnr.svg`` and ``ssim.svg``: a line for each network and set. ``cost.svg``: PSNR gain against
    parameters and against seconds. ``spectrum_<model>_<set>.svg``: a line a step, the truth dashed.
    """
    paths = []
    psnr, ssim, cost = (folder / name for name in PLOTS)
    for path, title in ((psnr, "PSNR (dB)"), (ssim, "SSIM")):
        figure, axes = pyplot.subplots(figsize=SIZE)
        for entry in results:
            axes.plot(getattr(entry.scores, path.stem), marker="o", label=_label(entry))
        _finish(axes, "iteration (0: blurred input)", title)
        paths.append(_save(figure, path))

    figure, (left, right) = pyplot.subplots(1, 2, figsize=(2 * SIZE[0], SIZE[1]), sharey=True)
    for entry in results:
        left.plot(entry.parameters / 1e6, entry.scores.gain, "o", label=_label(entry))
        right.plot(sum(entry.scores.seconds), entry.scores.gain, "o", label=_label(entry))
    _finish(left, "million parameters", "PSNR above the blurred input (dB)")
    _finish(right, "seconds a picture", "")
    paths.append(_save(figure, cost))

    for entry, name in zip(results, _spectra(results), strict=True):
        figure, axes = pyplot.subplots(figsize=SIZE)
        *steps, truth = entry.scores.spectra
        for step, spectrum in enumerate(steps):
            axes.plot(frequencies(), spectrum, label=f"step {step}" if step else "blurred")
        axes.plot(frequencies(), truth, "k--", label="sharp")
        _finish(axes, "frequency (cycles / pixel)", "power (dB)")
        paths.append(_save(figure, folder / f"{name}.svg"))
    return paths


def _spectra(results: Sequence[Result]) -> list[str]:
    """Names of files for the spectra; two that differ in signs alone are numbered."""
    names = [
        "".join(letter if letter.isalnum() or letter in "-_" else "_" for letter in f"{entry.model}_{entry.dataset}")
        for entry in results
    ]
    return distinct([[f"spectrum_{name}", f"spectrum_{name}_{number}"] for number, name in enumerate(names, 1)])


def _label(entry: Result) -> str:
    return f"{entry.model}, {entry.dataset}"


def _finish(axes: Axes, across: str, up: str) -> None:
    axes.set_xlabel(across)
    axes.set_ylabel(up)
    axes.grid(alpha=0.3)
    axes.legend(fontsize="small")


def _save(figure: pyplot.Figure, path: Path) -> Path:
    figure.tight_layout()
    figure.savefig(path)
    pyplot.close(figure)
    return path
