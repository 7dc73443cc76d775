"""Plans and results of a table as Markdown: ours beside the paper's figures, and a mark for what was not run."""

from __future__ import annotations

import time
from collections.abc import Sequence
from itertools import combinations

import torch
from torch.nn import functional as F

from deblur_demo.runtime.device import Placement, synchronize
from training.budget import Budget
from training.plan import Job
from training.scores import Scores
from training.tables import Table

Found = dict[str, list[dict[str, Scores]]]


def plan_table(table: Table, jobs: Sequence[Job], speed: float, minutes: float | None, seeds: int) -> str:
    """What would be run, and what it costs.

    Args:
        table: the paper's.
        jobs: its rows.
        speed: multiply-accumulates a second that this machine can reach.
        minutes: of a scaled run, None for whole schedules.
        seeds: of a scaled run.
    """
    trained = [job for job in jobs if job.trained]
    most = min(job.recipe.updates for job in trained)
    if minutes is not None:
        each = sum(job.gmacs for job in trained) * 1e9 * seeds / speed
        most = max(1, min(most, int(60 * minutes / each)))
    lines = [
        "| row | network | parameters | updates | batch x crop | GMAC an update | PMAC | hours |",
        "|---" * 8 + "|",
    ]
    total = 0.0
    for job in jobs:
        if job.row.quoted:
            continue
        if job not in trained:
            cells = [job.reason or f"weights of {job.row.weights_of}", *[""] * 6]
        else:
            recipe = job.recipe
            updates = recipe.updates if minutes is None else most
            peta = job.gmacs * updates / 1e6 * (1 if minutes is None else seeds)
            total += peta
            cells = [recipe.model, f"{job.parameters:,}", f"{updates:,}", f"{recipe.batch} x {recipe.crop}"]
            cells += [f"{job.gmacs:,.2f}", f"{peta:,.3g}", f"{peta * 1e15 / speed / 3600:,.3g}"]
        lines.append("| " + " | ".join([job.row.label, *cells]) + " |")
    cost = (
        f"In all {total:,.3g} PMAC, {total * 1e15 / speed / 3600:,.3g} hours at the {speed / 1e9:,.0f} GMAC/s that a "
        "bare convolution reaches here; networks and making their data take more."
    )
    if minutes is not None:
        cost += " The time is shared out after timing each row: no row gets more updates than another."
    parts = (f"# {table.title}", table.note, beyond(jobs), "\n".join(lines), cost)
    return "\n\n".join(part for part in parts if part)


def result_table(table: Table, jobs: Sequence[Job], found: Found, scaled: str) -> str:
    """What came out.

    Args:
        table: the paper's.
        jobs: its rows.
        found: scores of every seed of a row; none where it was not run.
        scaled: how the run was scaled down, "" for whole schedules.
    """
    sets = list(next((seeds[0] for seeds in found.values() if seeds), {}))
    head = ["row", "parameters", *(f"paper: {name}" for name in table.columns), *(f"ours: {name}" for name in sets)]
    lines = ["| " + " | ".join([*head, "gain dB"]) + " |", "|---" * (len(head) + 1) + "|"]
    for job in jobs:
        seeds = found.get(job.row.id, [])
        cells = [job.row.label, f"{job.parameters:,}" if job.recipe else ""]
        cells += [_paper(job.row.paper.get(name)) for name in table.columns]
        if seeds:
            cells += [_spread([scores[name] for scores in seeds]) for name in sets]
            cells.append(f"{_mean([scores[name].gain for scores in seeds for name in sets]):+.2f}")
        else:
            cells += [f"not run: {job.reason or 'the run ended first'}"] + [""] * len(sets)
        lines.append("| " + " | ".join(cells) + " |")
    parts = [f"# {table.title}", table.note, beyond(jobs), scaled, _inputs(found, sets), "\n".join(lines)]
    parts.append(_order(table, jobs, found))
    return "\n\n".join(part for part in parts if part) + "\n"


def scaling(jobs: Sequence[Job], written: Sequence[Job], share: Budget, minutes: float, machine: str) -> str:
    """One paragraph on how a run differs from the paper's."""
    trained = [job for job in jobs if job.recipe and not job.row.weights_of]
    paper = {job.row.id: job.recipe for job in written if job.recipe}
    most = max(paper[job.row.id].updates for job in trained)
    changes = {}
    for name in ("model", "batch", "crop", "rate"):
        pairs = dict.fromkeys((getattr(job.recipe, name), getattr(paper[job.row.id], name)) for job in trained)
        changes[name] = [f"{name} {new} for {old}" for new, old in pairs if new != old]
    if any(job.recipe.settings != paper[job.row.id].settings for job in trained):
        changes["settings"] = ["smaller settings"]
    if any(job.recipe.schedule.kind == "plateau" for job in trained):
        changes["schedule"] = ["schedule cosine for plateau, as nothing is validated on the way"]
    listed = "; ".join(change for group in changes.values() for change in group)
    return (
        f"**Scaled down**: {share.updates:,} updates a row instead of up to {most:,} "
        f"({100 * share.updates / most:.2g} %), {share.seeds} seed{'s' * (share.seeds > 1)}, {minutes:g} min on "
        f"{machine}{'; ' + listed if listed else ''}. Figures can be compared with one another, not with the paper's, "
        "and a difference below the spread means nothing."
    )


def beyond(jobs: Sequence[Job]) -> str:
    """What the recipes do that no paper says, in a sentence."""
    recipe = next(job.recipe for job in jobs if job.trained)
    return (
        f"Ours in every row: gradients are clipped at a norm of {recipe.clip:g}, and weights are averaged "
        f"({recipe.ema:g}) for the test."
    )


def sizes(jobs: Sequence[Job]) -> str:
    """Batch and crop of the rows: "2 x 64", or all that occur."""
    return ", ".join(dict.fromkeys(f"{job.recipe.batch} x {job.recipe.crop}" for job in jobs if job.trained))


def conv_speed(placement: Placement) -> float:
    """Multiply-accumulates a second of a 3x3 convolution of 128 maps, forward and backward, at its best."""
    options = {"device": placement.device, "dtype": placement.dtype}
    x = torch.rand(1, 128, 64, 64, **options).contiguous(memory_format=torch.channels_last).requires_grad_()
    weight = torch.rand(128, 128, 3, 3, **options).requires_grad_()

    def call() -> float:
        start = time.perf_counter()
        F.conv2d(x, weight, padding=1).sum().backward()
        synchronize(placement.device)
        return time.perf_counter() - start

    call()  # loads libraries and chooses an algorithm, which takes a GPU seconds
    best, end = call(), time.perf_counter() + 0.5
    while time.perf_counter() < end:
        best = min(best, call())
    return 3 * 64 * 64 * 128 * 128 * 9 / best


def _paper(figures: list[float] | None) -> str:
    return "" if figures is None else f"{figures[0]:.2f} / {figures[1]:.3f}"


def _spread(scores: Sequence[Scores]) -> str:
    psnr, ssim = [one.psnr[-1] for one in scores], [one.ssim[-1] for one in scores]
    around = f" ± {(max(psnr) - min(psnr)) / 2:.2f}" if len(scores) > 1 else ""
    return f"{_mean(psnr):.2f}{around} / {_mean(ssim):.3f} ({len(scores)})"


def _inputs(found: Found, sets: Sequence[str]) -> str:
    seeds = next((seeds for seeds in found.values() if seeds), None)
    if seeds is None:
        return "Nothing was run."
    inputs = ", ".join(f"{name} {seeds[0][name].psnr[0]:.2f} dB / {seeds[0][name].ssim[0]:.3f}" for name in sets)
    return (
        f"Blurred input: {inputs}. Ours: PSNR in dB after the last iteration, ± half the distance between the lowest "
        "and the highest seed, / SSIM (seeds); gain above the input."
    )


def _order(table: Table, jobs: Sequence[Job], found: Found) -> str:
    """How many pairs of rows stand in the paper's order."""
    if not table.columns:
        return ""
    column = "GoPro" if "GoPro" in table.columns else table.columns[-1]  # what most rows were trained for
    rows = [
        (job.row.paper[column][0], _mean([scores.gain for seed in found[job.row.id] for scores in seed.values()]))
        for job in jobs
        if found.get(job.row.id) and column in job.row.paper
    ]
    pairs = [(a, b) for a, b in combinations(rows, 2) if a[0] != b[0]]
    if not pairs:
        return ""
    alike = sum((a[0] < b[0]) == (a[1] < b[1]) for a, b in pairs)
    return f"Of {len(pairs)} pairs of rows, {alike} stand in the order of the paper's {column} column."


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)
