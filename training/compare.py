"""Two recipes or more side by side: the same data order, PSNR against the wall time that each has trained for.

The recipes take turns in short slices, so that whatever else the machine does slows all of them
alike. Time spent on scoring counts for none of them.
"""

from __future__ import annotations

import argparse
import csv
import math
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import matplotlib
import torch

from deblur_demo.errors import SettingError
from deblur_demo.models.contract import Traits
from deblur_demo.runtime.device import place
from training.data.validation import write_validation
from training.deadline import Deadline, GivenUp
from training.loop import Trainer
from training.scores import Pair, fitted, pairs_in, quick_psnr
from training.sets import folder_and_slice
from training.start import initialise, open_corpus, read_recipe, refuse_plateau

matplotlib.use("svg")  # files only: no window, no display needed

from matplotlib import pyplot

DATA = ("shares", "motion", "camera", "gaussian", "neighbours", "augment", "seed", "batch", "crop")


@dataclass
class Course:
    """One recipe's way up.

    Attributes:
        name: for the legend.
        points: (seconds trained, updates, PSNR of the last step in dB).
    """

    name: str
    points: list[tuple[float, int, float]] = field(default_factory=list)

    def reaches(self, psnr: float) -> float | None:
        """Seconds after which it has this PSNR, between two points in proportion; None if never."""
        for (early, _, low), (late, _, high) in zip(self.points, self.points[1:], strict=False):
            if high >= psnr:
                return early if low >= psnr else early + (late - early) * (psnr - low) / (high - low)
        return None


def compare(arguments: argparse.Namespace) -> None:
    """Carry the command out; its flags are in ``training/__main__.py``."""
    if arguments.slices < 1:
        raise SettingError(f"slices is {arguments.slices}", "a whole number from 1", "Change --slices")
    recipes = [read_recipe(path, updates=arguments.updates) for path in arguments.recipes]
    for recipe, path in zip(recipes, arguments.recipes, strict=True):
        refuse_plateau(recipe, path)
    placement = place(arguments.device, arguments.precision)
    folder = arguments.out or Path("runs/compare")
    corpus = open_corpus(arguments.data, recipes, placement.device)
    pairs = _pairs(arguments, folder)
    names = [f"{chr(ord('A') + index)} {path.stem}" for index, path in enumerate(arguments.recipes)]
    runs = []
    for name, recipe in zip(names, recipes, strict=True):
        run = folder / name.replace(" ", "-")
        if (run / "state.pt").exists():
            raise SettingError(f"{run} holds a run already", "a folder without one", "Delete it, or name another --out")
        runs.append(Trainer(recipe, corpus, run, placement.device, precision=placement.precision))
        initialise(runs[-1], None, None)
    courses = race(runs, names, pairs, 60 * arguments.minutes, arguments.slices)
    if not courses[0].points:
        return
    for recipe, name in zip(recipes[1:], names[1:], strict=True):
        others = [key for key in DATA if getattr(recipe, key) != getattr(recipes[0], key)]
        if others:
            print(f"{name} does not see the same data as {names[0]}: {', '.join(others)} differ")
    text = table(courses)
    (folder / "compare.md").write_text(text, encoding="utf-8")
    write_csv(courses, folder / "compare.csv")
    draw(courses, folder / "compare.svg")
    print(f"\n{text}\n{folder}/compare.md, .csv and .svg")


def race(
    runs: Sequence[Trainer], names: Sequence[str], pairs: Sequence[Pair], seconds: float, slices: int
) -> list[Course]:
    """Train all runs for the same time, in turns, and score their averages after every slice, until a signal ends it.

    Args:
        runs: fresh ones.
        names: theirs.
        pairs: to score on.
        seconds: of training for each.
        slices: turns of each.

    Returns:
        A course for each, without the turn that a signal cut off.
    """
    # All are scored on the same pixels, those that suit every network.
    align = math.lcm(*(run.model.traits.align for run in runs))
    shown = [fitted(pair, Traits(halo=0, align=align)) for pair in pairs]
    courses, spent = [Course(name) for name in names], [0.0] * len(runs)

    def turn(index: int, until: float, deadline: Deadline) -> tuple[float, int, float]:
        """The point that a run comes to after so many seconds."""
        run = runs[index]
        while spent[index] < until and run.update < run.recipe.updates and not deadline.terminated:
            start = time.monotonic()
            run.train_batch()
            if run.device.type == "cuda":
                torch.cuda.synchronize()
            spent[index] += time.monotonic() - start
        with run.machine.autocast():
            steps = run.recipe.iterations or run.model.traits.steps
            psnr = quick_psnr(run.average, deadline.watch(shown), steps)[-1]
        print(f"{names[index]}: {spent[index]:.0f} s, update {run.update}, {psnr:.3f} dB", flush=True)
        return spent[index], run.update, psnr

    try:
        with Deadline(math.inf) as deadline:
            for number in range(slices + 1):
                points = [turn(index, seconds * number / slices, deadline) for index in range(len(runs))]
                for course, point in zip(courses, points, strict=True):
                    course.points.append(point)
    except GivenUp:
        print("cut off by a signal: this turn is left out, and so is what was to follow", flush=True)
    for run in runs:
        run.save()
    return courses


def table(courses: Sequence[Course]) -> str:
    """Final figures as Markdown, and when each recipe was where the first one ended."""
    goal = courses[0].points[-1][2]
    lines = [
        f"| recipe | seconds | updates | PSNR dB | gain dB | reaches {goal:.3f} dB after |",
        "|---|---|---|---|---|---|",
    ]
    for course in courses:
        seconds, updates, psnr = course.points[-1]
        when = course.reaches(goal)
        reached = "not" if when is None else f"{when:.0f} s"
        gain = psnr - course.points[0][2]
        lines.append(f"| {course.name} | {seconds:.0f} | {updates:,} | {psnr:.3f} | {gain:+.3f} | {reached} |")
    return "\n".join(lines) + "\n\nGain above the untrained network, which hands its input through or nearly so.\n"


def write_csv(courses: Sequence[Course], path: Path) -> None:
    """All points: recipe, seconds, updates, psnr."""
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["recipe", "seconds", "updates", "psnr"])
        for course in map(asdict, courses):
            writer.writerows([course["name"], *point] for point in course["points"])


def draw(courses: Sequence[Course], path: Path) -> None:
    """PSNR against wall time, a line a recipe, as SVG."""
    figure, axes = pyplot.subplots(figsize=(6.4, 4.2))
    for course in courses:
        axes.plot(
            [point[0] / 60 for point in course.points], [point[2] for point in course.points], "o-", label=course.name
        )
    axes.set_xlabel("minutes of training")
    axes.set_ylabel("PSNR (dB)")
    axes.grid(alpha=0.3)
    axes.legend(fontsize="small")
    figure.tight_layout()
    figure.savefig(path)
    pyplot.close(figure)


def _pairs(arguments: argparse.Namespace, folder: Path) -> list[Pair]:
    if arguments.pairs:
        return [pair for text in arguments.pairs for pair in pairs_in(*folder_and_slice(text))]
    target = folder / "validation"
    write_validation(arguments.data, target, side=192)  # also what an interrupted run left half-written
    return list(pairs_in(target))
