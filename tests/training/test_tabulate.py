"""What stands around the figures of a table: how fast the machine is, and how a run differs from the paper's."""

from __future__ import annotations

from dataclasses import replace

import pytest
from torch.nn import functional

from deblur_demo.runtime.device import place
from training import tabulate
from training.budget import Budget
from training.plan import plan
from training.rows import shortened
from training.tables import named_table
from training.tabulate import conv_speed, scaling


def test_a_machine_is_judged_by_its_best_call_and_not_by_the_first(monkeypatch: pytest.MonkeyPatch):
    """The first loads what it needs for 100 seconds, of a clock of its own; later ones take 0.25 or 0.125."""
    now, convolve, costs = 0.0, functional.conv2d, iter((100.0, 0.25, 0.125, 0.25, 0.25))

    def convolved(*inputs, **options):
        nonlocal now
        now += next(costs)
        return convolve(*inputs, **options)

    monkeypatch.setattr(tabulate.F, "conv2d", convolved)
    monkeypatch.setattr(tabulate.time, "perf_counter", lambda: now)
    assert conv_speed(place("cpu", "fp32")) == 3 * 64 * 64 * 128 * 128 * 9 / 0.125


def test_where_nothing_is_validated_a_plateau_becomes_a_cosine_and_is_said():
    jobs = plan(named_table("brehm-table-4"), scaled=False)
    recipe = next(job.recipe for job in jobs if job.trained)
    assert recipe.schedule.kind == "plateau"
    short = replace(shortened(recipe, 100), warmup=1)
    rates = [short.rate_at(update) / recipe.rate for update in (0, 50, 100)]
    assert rates == pytest.approx([1, 0.5, 0])
    note = scaling(jobs, jobs, Budget(updates=100, seeds=1, pictures=1), 10, "a toaster")
    assert "; schedule cosine for plateau, as nothing is validated on the way" in note
    others = plan(named_table("park-table-1"), scaled=False)
    assert "plateau" not in scaling(others, others, Budget(updates=100, seeds=1, pictures=1), 10, "a toaster")
