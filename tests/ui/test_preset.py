"""Settings out of a browser's memory or a link: what passes is set, what does not costs a line and nothing else."""

from __future__ import annotations

import gradio as gr
import pytest
from starlette.datastructures import QueryParams
from starlette.requests import Request

from deblur_demo.errors import SettingError
from deblur_demo.pipeline import default_model
from deblur_demo.ui import knobs
from deblur_demo.ui.page import _SCREENS
from deblur_demo.ui.preset import Preset, linked_screen


def request(query: str) -> gr.Request:
    """A page that was opened with this query."""
    scope = {"type": "http", "query_string": query.encode(), "headers": [], "method": "GET", "path": "/"}
    return gr.Request(Request(scope))


@pytest.fixture
def controls(weights) -> knobs.Knobs:
    with gr.Blocks():
        return knobs.Knobs("video", **knobs.place_model("video"), **knobs.place_runtime())


def values(controls, updates) -> dict:
    """What every knob is set to."""
    names = ("model", "iterations", "auto", "precision", "tile", "ensemble")
    found = {name: updates.get(getattr(controls, name), {}) for name in names}
    found = {name: update.get("value") if isinstance(update, dict) else update for name, update in found.items()}
    return {name: value for name, value in found.items() if value is not None}


def test_every_value_passes_the_checks_of_the_api(weights):
    preset = Preset.of({"model": "wiener", "iterations": "4", "precision": "bf16", "tile": "256", "ensemble": "8"})
    assert preset.values == {"model": "wiener", "iterations": 4, "precision": "bf16", "tile": 256, "ensemble": "8"}
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
        ("ensemble", None),
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
    assert QueryParams("screen=lab")["screen"] == linked_screen(request("screen=lab"), _SCREENS) == "lab"
    assert linked_screen(request("iterations=3"), _SCREENS) == "image"
    with pytest.raises(SettingError, match="'attic'.*image, video"):
        linked_screen(request("screen=attic"), _SCREENS)


def test_a_page_opens_as_it_was_left(controls):
    kept = {"model": "mtrnn-lite", "iterations": 3, "precision": "fp32", "tile": "512", "ensemble": "4"}
    opened = values(controls, controls.set_up(kept))
    assert opened == {**kept, "auto": False}
    assert values(controls, controls.set_up({"iterations": "auto"}))["auto"] is True
    fresh = {"model": default_model(), "iterations": 6, "auto": False}
    assert values(controls, controls.set_up()) == fresh
    assert values(controls, controls.set_up({"iterations": 99, "model": "gone", "tile": "x"})) == fresh


def test_a_link_wins_over_what_is_remembered(controls):
    remembered = {"iterations": 3, "ensemble": "4", "precision": "fp32"}
    updates = controls.set_up(remembered, request("screen=video&iterations=<b>&ensemble=8"))
    assert values(controls, updates) == {
        "model": default_model(), "iterations": 3, "auto": False, "ensemble": "8", "precision": "fp32",
    }  # fmt: skip


def test_a_network_of_fixed_steps_stays_without_iterations(controls):
    updates = controls.set_up(None, request("screen=video&model=wiener&iterations=4"))
    assert updates[controls.iterations]["interactive"] is False and updates[controls.auto]["interactive"] is False
    assert "classic filter" in updates[controls.about]
