"""Orders are checked by the server, not only by the controls of the page."""

from __future__ import annotations

from pathlib import Path

import pytest

from deblur_demo.catalogue import models
from deblur_demo.errors import CheckpointError, InputError, LimitError, SettingError
from deblur_demo.models import checkpoint, hub
from deblur_demo.ui import text
from deblur_demo.ui.compare.order import CompareOrder
from deblur_demo.ui.lab.order import ShakeOrder
from deblur_demo.ui.order import ClipOrder, ImageOrder

KNOBS = {"model": "mtrnn-lite", "iterations": 6}


@pytest.fixture(autouse=True)
def uploads(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("photo.png", "sharp.png", "clip.mp4"):
        Path(name).touch()


@pytest.mark.parametrize("order", [ImageOrder.of, CompareOrder.of, ShakeOrder.of, ClipOrder.of])
def test_an_upload_that_is_gone_by_now_is_called_so(weights, order):
    given = {
        ImageOrder.of: ([["old.png"]], KNOBS),
        CompareOrder.of: (["photo.png", "old.png", ["mtrnn-lite"], [1], ["full"]], {}),
        ShakeOrder.of: (["old.png", None], {}),
        ClipOrder.of: (["old.mp4", 0, None, "h264", 18], KNOBS),
    }
    inputs, knobs = given[order]
    with pytest.raises(InputError, match=r"^old\.(png|mp4) was deleted a while after it came, as promised"):
        order(*inputs, **knobs)


@pytest.mark.parametrize("iterations", [0, -1, 1e6, 11, "6;rm", float("nan"), "", None, True, "AUTO", [6]])
def test_iterations_out_of_range_are_refused(weights, iterations):
    with pytest.raises(SettingError, match="from 1 to 10, or auto"):
        ImageOrder.of(["photo.png"], model="mtrnn-lite", iterations=iterations)


@pytest.mark.parametrize(("iterations", "taken"), [(3, 3), ("3", 3), (3.0, 3), ("auto", "auto")])
def test_iterations_in_range_are_taken(weights, iterations, taken):
    assert ImageOrder.of(["photo.png"], model="mtrnn-lite", iterations=iterations).job.iterations == taken


@pytest.mark.parametrize(
    ("knobs", "error"),
    [
        ({"model": "mtrn-lite"}, SettingError),
        ({"precision": "fp8"}, SettingError),
        ({"tile": -4}, SettingError),
        ({"tile": "../x"}, SettingError),
        ({"ensemble": "3"}, SettingError),
        ({"size": "third"}, SettingError),
        ({"photos": []}, InputError),
        ({"photos": ["x.png"] * 21}, LimitError),
        ({"photos": ["a.png", "b.png"], "truth": "c.png"}, InputError),
    ],
)
def test_other_knobs_are_checked(weights, knobs, error):
    with pytest.raises(error):
        ImageOrder.of(**{"photos": ["photo.png"], "model": "mtrnn-lite", "iterations": 6, **knobs})


def test_a_model_without_weights_is_refused(monkeypatch, tmp_path):
    monkeypatch.setenv("DEBLUR_CACHE", str(tmp_path))
    monkeypatch.setattr(checkpoint, "BUNDLED", tmp_path)
    (name,) = [row["id"] for row in models() if row["id"] == "mtrnn"]
    with pytest.raises(CheckpointError, match="No trained weights of mtrnn"):
        ImageOrder.of(["photo.png"], model=name, iterations=6)


def test_weights_that_are_still_on_the_hub_are_known(monkeypatch, tmp_path):
    monkeypatch.setenv("DEBLUR_CACHE", str(tmp_path))
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    published = hub.HubFile("owner/name", "0" * 40, "carlo.safetensors")
    monkeypatch.setitem(hub.SOURCES, "carlo", published)
    order = ImageOrder.of(["photo.png"], model="carlo", iterations=1)
    assert order.fetched
    row = {**next(row for row in models() if row["id"] == "carlo"), "gmacs": 1.5}
    assert "the first run fetches them" in text.about_model(row, order.fetched)
    assert "Fetching carlo from the Hugging Face Hub" in text.loading("carlo", order.fetched)


def test_an_order_keeps_what_was_asked(weights):
    knobs = {"model": None, "iterations": 2, "precision": "fp32", "tile": "256", "ensemble": "4", "size": "half"}
    order = ImageOrder.of(["photo.png"], "sharp.png", True, **knobs)
    assert order.job.model == "mtrnn-lite" and order.job.precision == "fp32" and order.job.tile == 256
    assert (order.job.ensemble, order.job.size) == ("4", "half") and not order.fetched
    assert (order.photos, order.truth, order.keep_metadata) == ((Path("photo.png"),), Path("sharp.png"), True)


@pytest.mark.parametrize(
    ("start", "end", "taken"),
    [(0, None, (0, None)), ("", "", (0, None)), (0.0, 0, (0, None)), ("1.5", "end", (1.5, None)), (1, "2", (1, 2))],
)
def test_the_part_of_a_clip_may_be_left_open(weights, start, end, taken):
    order = ClipOrder.of("clip.mp4", start, end, "vp9", "30", model="mtrnn-lite", iterations=1)
    part = order.to(Path("a.mp4"), Path("b.mp4"))
    assert (part.source, part.target, part.maker[:10]) == (Path("a.mp4"), Path("b.mp4"), "mtrnn-lite")
    assert (part.start, part.end, part.codec, part.crf) == (*taken, "vp9", 30)


@pytest.mark.parametrize(
    ("knobs", "error"),
    [
        ({"clip": None}, InputError),
        ({"start": -0.1}, SettingError),
        ({"start": "now"}, SettingError),
        ({"start": 1}, SettingError),
        ({"end": float("nan")}, SettingError),
        ({"codec": "mjpeg"}, SettingError),
        ({"crf": 52}, SettingError),
        ({"iterations": 0}, SettingError),
    ],
)
def test_knobs_of_a_clip_are_checked(weights, knobs, error):
    fine = {
        "clip": "clip.mp4",
        "start": 0,
        "end": 1,
        "codec": "h264",
        "crf": 18,
        "model": "mtrnn-lite",
        "iterations": 1,
    }
    ClipOrder.of(**fine)
    with pytest.raises(error):
        ClipOrder.of(**{**fine, **knobs})
