"""The knobs of every screen: what is offered, what is said about a network."""

from __future__ import annotations

import gradio as gr
import pytest

from deblur_demo import catalogue
from deblur_demo.pipeline import default_model
from deblur_demo.ui import knobs, text


@pytest.fixture
def controls(weights) -> knobs.Knobs:
    with gr.Blocks():
        return knobs.Knobs("some", **knobs.place_model("some"), **knobs.place_size("some"), **knobs.place_runtime())


def test_the_picker_offers_every_model_those_that_run_first(controls):
    offered = controls.offer_models()
    names = [name for _, name in offered[controls.model]["choices"]]
    rows = catalogue.models()
    ready = [row["id"] for row in rows if row["ready"]]
    assert sorted(names[: len(ready)]) == sorted(ready) and sorted(names) == sorted(row["id"] for row in rows)
    assert offered[controls.model]["value"] == names[0] == default_model()
    assert "million parameters" in offered[controls.about]
    assert all(text.NEEDS_TRAINING in label for label, name in offered[controls.model]["choices"] if name not in ready)


def test_the_picker_says_what_is_for_clips_for_gaussian_blur_or_a_classic_filter(controls):
    labels = [label for label, _ in controls.offer_models()[controls.model]["choices"]]
    wanted = ["mtrnn-lite", "mlfa-lite · for clips", "kaist · for Gaussian blur", "wiener · classic filter"]
    assert [label for label in labels if label in wanted] == wanted
    assert "kaist-3f · needs training" in labels


def test_a_network_of_fixed_steps_offers_no_iterations(controls):
    assert controls.pick_model("wiener", False)[controls.iterations] == gr.update(interactive=False)
    assert controls.pick_model("mtrnn-lite", False)[controls.iterations] == gr.update(interactive=True)
    assert controls.set_auto("mtrnn-lite", True)[controls.iterations] == gr.update(interactive=False)


def test_a_number_is_asked_for_before_the_networks_are_there_unless_a_link_says_auto(controls):
    assert controls.set_auto(None, True)[controls.iterations] == gr.update(interactive=False)
    assert controls.set_auto(None, False)[controls.iterations] == gr.update(interactive=True)


def test_a_picker_left_before_the_networks_are_there_says_nothing(controls):
    assert controls.pick_model(None, False) == {controls.about: gr.skip()}


def test_a_network_for_clips_is_said_to_be_one():
    row = {**knobs.row_of("mlfa-s"), "ready": True, "gmacs": 43.8}
    assert "trained for motion blur in video." in text.about_model(row, False)
    assert "trained for Gaussian blur." in text.about_model({**row, "trained_for": "Gaussian"}, False)


def test_the_line_about_a_network_says_what_it_costs_and_needs(controls):
    about = controls.pick_model("dmphn", False)[controls.about]
    assert f"{catalogue.gmacs('dmphn'):.3g} GMACs a step at 256 × 256" in about
    assert "`python -m deblur_demo fetch dmphn-gopro`" in about
    assert about.count("\n- `python") == 2 and "- `python -m training train" in about
    assert "GMACs" not in controls.pick_model("wiener", False)[controls.about]


def test_commands_stand_one_below_the_other():
    marked = text.commands("needs training: python -m training train A --data FOLDER, or python -m deblur_demo fetch x")
    assert marked == "needs training:\n- `python -m training train A --data FOLDER`\n- `python -m deblur_demo fetch x`"


def test_all_that_was_asked_is_handed_on():
    asked = knobs.asked("mtrnn", 3, False, "fp32", "256", "4", "half")
    wanted = {"model": "mtrnn", "iterations": 3, "precision": "fp32", "tile": "256", "ensemble": "4", "size": "half"}
    assert asked == wanted
    assert knobs.asked("mtrnn", 3, True, "auto", "auto", "1", "full")["iterations"] == "auto"
