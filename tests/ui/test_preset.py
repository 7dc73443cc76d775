"""Settings out of a browser's memory or a link: what passes is set, what does not costs a line and nothing else."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import gradio as gr
import pytest

from deblur_demo.errors import SettingError
from deblur_demo.pipeline import default_model
from deblur_demo.ui import knobs
from deblur_demo.ui.page import SCREENS
from deblur_demo.ui.preset import Preset, linked_screen
from tests.ui.links import request


@pytest.fixture
def controls(weights) -> knobs.Knobs:
    with gr.Blocks():
        return knobs.Knobs("video", **knobs.place_model("video"), **knobs.place_size("video"), **knobs.place_runtime())


def opened(controls, remembered=None, link: gr.Request | None = None) -> dict:
    """What every knob is set to when the page opens; what is left alone is left out."""
    recalled = controls.recall(remembered, link)
    updates = recalled | controls.offer_models(remembered, recalled.get(controls.auto) is True, link)
    names = ("model", "iterations", "auto", "precision", "tile", "ensemble", "size")
    found = {name: {**as_update(recalled, controls, name), **as_update(updates, controls, name)} for name in names}
    return {name: update["value"] for name, update in found.items() if "value" in update}


def as_update(updates, controls, name: str) -> dict:
    update = updates.get(getattr(controls, name), {})
    return update if isinstance(update, dict) else {"value": update}


def test_every_value_passes_the_checks_of_the_api(weights):
    preset = Preset.of({"model": "wiener", "iterations": "4", "precision": "bf16", "tile": "256", "size": "half"})
    assert preset.values == {"model": "wiener", "iterations": 4, "precision": "bf16", "tile": 256, "size": "half"}
    assert preset.refused == ()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("iterations", "11"),
        ("iterations", "<script>"),
        ("iterations", [6]),
        ("iterations", True),
        ("precision", "fp8"),
        ("tile", -1),
        ("tile", "9" * 400),
        ("ensemble", "2"),
        ("size", "third"),
        ("model", "nonsense"),
        ("model", "own:" + "0" * 32),
        ("model", "dmphn"),  # has no weights
        ("model", {"id": "mtrnn-lite"}),
    ],
)
def test_what_is_wrong_is_left_out_and_the_rest_applies(weights, name, value):
    preset = Preset.of({"precision": "fp32", "ensemble": "4", name: value, "theme": "dark"})
    expected = {"precision": "fp32", "ensemble": "4"}
    expected.pop(name, None)
    assert preset.values == expected
    (line,) = preset.refused
    assert "Accepted: " in line and "\n" not in line


@pytest.mark.parametrize("raw", [None, "text", 7, [1, 2], {}])
def test_whatever_a_browser_remembers_there_is_an_answer(raw):
    assert Preset.of(raw) == Preset({})


def test_a_link_is_about_its_own_screen_and_else_about_the_first(weights):
    query = "screen=video&iterations=3"
    assert Preset.of_link(request(query), "video").values == {"iterations": 3}
    assert Preset.of_link(request(query), "image").values == {}
    assert Preset.of_link(request("iterations=3"), "image").values == {"iterations": 3}
    assert Preset.of_link(None, "image").values == {}


def test_a_link_opens_a_screen_that_exists():
    assert linked_screen(request("screen=lab"), SCREENS) == "lab"
    assert linked_screen(request("iterations=3"), SCREENS) == "image"
    with pytest.raises(SettingError, match="'attic'.*image, video"):
        linked_screen(request("screen=attic"), SCREENS)


def test_a_page_opens_as_it_was_left(controls):
    kept = {"model": "wiener", "iterations": 3, "precision": "fp32", "tile": "512", "ensemble": "4", "size": "quarter"}
    assert opened(controls, kept) == {**kept, "auto": False}
    assert opened(controls, {"iterations": "auto"}) == {"model": default_model(), "auto": True}
    # What nothing names stays as the server, or by now the visitor, has set it.
    assert opened(controls) == {"model": default_model()}
    assert opened(controls, {"iterations": 99, "model": "gone", "tile": "x"}) == {"model": default_model()}


def test_a_link_wins_over_what_is_remembered(controls):
    remembered = {"iterations": 3, "ensemble": "4", "precision": "fp32", "model": "mtrnn-lite"}
    link = request("screen=video&iterations=<b>&ensemble=8&model=wiener")
    assert opened(controls, remembered, link) == {
        "model": "wiener", "iterations": 3, "auto": False, "ensemble": "8", "precision": "fp32",
    }  # fmt: skip


def test_a_network_of_fixed_steps_stays_without_iterations(controls):
    updates = controls.offer_models(None, False, request("screen=video&model=wiener&iterations=4"))
    assert updates[controls.iterations]["interactive"] is False and updates[controls.auto]["interactive"] is False
    assert "classic filter" in updates[controls.about]


def test_without_a_model_nothing_needs_torch():
    code = (
        "import sys, gradio as gr; from deblur_demo.ui import knobs\n"
        "with gr.Blocks():\n"
        "    controls = knobs.Knobs('x', **knobs.place_model('x'), **knobs.place_size('x'), **knobs.place_runtime())\n"
        "assert controls.recall({'iterations': 3, 'model': 'wiener'})[controls.iterations]['value'] == 3\n"
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parents[2]).returncode == 0
