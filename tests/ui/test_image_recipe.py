"""What is said of how a result was made."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from deblur_demo.pipeline import Job, open_deblurrer
from deblur_demo.ui.image import text
from deblur_demo.ui.image.recipe import Recipe


def made(done: int | None, iterations: int | str | None = 3, **knobs: object) -> str:
    return text.made("clock.jpg", Recipe(Job("mtrnn-lite", **knobs), iterations), done)


@pytest.mark.parametrize(("knobs", "words"), [
    ({}, ""),
    ({"size": "quarter", "precision": "bf16"}, ", at quarter size, bf16"),
    ({"ensemble": "8", "tile": 0}, ", 8 copies, in one piece"),
    ({"checkpoint": "/cache/0123/my-own.safetensors"}, ""),
])  # fmt: skip
def test_settings_that_are_as_always_go_without_saying(knobs, words):
    model = "mtrnn-lite with my-own" if "checkpoint" in knobs else "mtrnn-lite"
    assert made(3, **knobs) == f"clock.jpg: {model}, 3 iterations{words}."


def test_iterations_are_those_to_come_and_then_those_that_there_are():
    assert made(None) == made(3) == "clock.jpg: mtrnn-lite, 3 iterations."
    assert made(1, 1) == "clock.jpg: mtrnn-lite, 1 iteration."
    assert made(2) == "clock.jpg: mtrnn-lite, 2 of 3 iterations."
    assert made(None, "auto") == f"clock.jpg: mtrnn-lite, {text.AUTO}."
    assert made(2, "auto") == f"clock.jpg: mtrnn-lite, 2 iterations, {text.AUTO}."
    assert made(1, None) == "clock.jpg: mtrnn-lite."


def test_a_long_name_fits_a_line_of_a_phone():
    recipe = Recipe(Job("mtrnn-lite"), 3)
    assert text.made("PXL_20240512_181203482.jpg", recipe, 3).startswith("PXL_20240512_181203482.jpg: ")
    name, _, _ = text.made("W" * 120 + "_old.jpg", recipe, 3).partition(":")
    assert len(name) == 28 and name.endswith("…WWWW_old.jpg")


def test_a_report_names_weights_but_not_their_folder_and_the_format_that_they_ran_in(lively_checkpoint):
    job = Job("mtrnn-lite", device="cpu", checkpoint=lively_checkpoint)
    facts = Recipe.of(job, open_deblurrer(job)).facts()
    assert facts["checkpoint"] == lively_checkpoint.name and str(lively_checkpoint.parent) not in json.dumps(facts)
    assert facts["device"] == "cpu" and facts["precision"] in ("fp32", "bf16")
    assert Recipe(replace(job, precision="auto"), 3).facts()["precision"] == "auto", "a borrowed GPU decides"


def test_a_filter_of_one_step_has_no_number_of_iterations():
    job = Job("wiener", device="cpu", iterations=6)
    assert Recipe.of(job, open_deblurrer(job)).facts()["iterations"] is None
