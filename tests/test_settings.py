"""Knobs: what each accepts, and that flag, environment and API agree."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from pathlib import Path

import pytest

from deblur_demo import settings
from deblur_demo.errors import SettingError
from deblur_demo.settings import CACHE_HOURS, DEVICE, ITERATIONS, MAX_MEGAPIXELS, PRECISION, TILE, Setting

ROOT = Path(__file__).resolve().parents[1]
ALL = [value for value in vars(settings).values() if isinstance(value, Setting)]


@pytest.mark.parametrize(
    ("knob", "raw", "value"),
    [
        (ITERATIONS, 6, 6),
        (ITERATIONS, "1", 1),
        (ITERATIONS, " 10 ", 10),
        (ITERATIONS, 6.0, 6),  # a slider over JSON
        (ITERATIONS, "auto", "auto"),
        (TILE, "0", 0),
        (TILE, 512, 512),
        (DEVICE, "cuda", "cuda"),
        (PRECISION, "bf16", "bf16"),
        (MAX_MEGAPIXELS, "0.5e2", 50.0),
        (CACHE_HOURS, 0.1, 0.1),
    ],
)
def test_what_is_in_range_comes_back_in_its_type(knob, raw, value):
    parsed = knob.parse(raw)
    assert parsed == value and type(parsed) is type(value)


@pytest.mark.parametrize(
    ("knob", "raw"),
    [
        (ITERATIONS, 0),
        (ITERATIONS, -1),
        (ITERATIONS, 11),
        (ITERATIONS, 1e6),
        (ITERATIONS, "6;rm"),
        (ITERATIONS, float("nan")),
        (ITERATIONS, "inf"),
        (ITERATIONS, 2.5),
        (ITERATIONS, True),
        (ITERATIONS, None),
        (ITERATIONS, ""),
        (ITERATIONS, [6]),
        (ITERATIONS, "AUTO"),
        (TILE, -1),
        (TILE, 16385),
        (DEVICE, "tpu"),
        (DEVICE, 0),
        (PRECISION, "int8"),
        (MAX_MEGAPIXELS, 0.5),
        (MAX_MEGAPIXELS, "inf"),
        (MAX_MEGAPIXELS, "1e999"),
    ],
)
def test_what_is_out_of_range_is_refused_with_the_range(knob, raw):
    with pytest.raises(SettingError) as caught:
        knob.parse(raw)
    assert knob.accepted in str(caught.value) and "--" not in str(caught.value), "a page has no flags"


def test_a_long_value_is_not_echoed_whole():
    with pytest.raises(SettingError) as caught:
        ITERATIONS.parse("9" * 10_000)
    assert len(str(caught.value)) < 200


@pytest.mark.parametrize("knob", ALL, ids=lambda knob: knob.name)
def test_every_default_is_accepted_and_explained(knob):
    assert knob.parse(knob.default) == knob.default
    assert knob.help and knob.accepted
    assert vars(settings)[knob.name.upper()] is knob, "its name in code is its name on the command line"


def test_the_environment_overrides_a_default_and_is_checked(monkeypatch):
    monkeypatch.setenv("DEBLUR_MAX_MEGAPIXELS", "12")
    assert MAX_MEGAPIXELS.current() == 12.0
    monkeypatch.setenv("DEBLUR_MAX_MEGAPIXELS", "lots")
    with pytest.raises(SettingError, match="lots.*Change DEBLUR_MAX_MEGAPIXELS"):
        MAX_MEGAPIXELS.current()
    monkeypatch.delenv("DEBLUR_MAX_MEGAPIXELS")
    assert MAX_MEGAPIXELS.current() == MAX_MEGAPIXELS.default


def test_a_flag_has_the_knobs_range_default_and_help(capsys, monkeypatch):
    monkeypatch.setenv("DEBLUR_ITERATIONS", "4")
    parser = argparse.ArgumentParser()
    ITERATIONS.add_to(parser)
    TILE.add_to(parser)
    options = parser.parse_args(["--tile", "256"])
    assert (options.iterations, options.tile) == (4, 256)
    for line in (["--iterations", "11"], ["--tile", "1.5"]):
        with pytest.raises(SystemExit):
            parser.parse_args(line)
    message = capsys.readouterr().err
    assert "a whole number from 1 to 10, or auto" in message
    assert "from 0 to 16384" in message
    assert "default 4" in parser.format_help()


def test_the_environment_is_checked_before_anybody_is_served(monkeypatch):
    settings.check_environment()
    for name, value in (("JOB_MINUTES", "5m"), ("CACHE_HOURS", "abc"), ("SEED", "-1")):
        with monkeypatch.context() as patch:
            patch.setenv(f"DEBLUR_{name}", value)
            with pytest.raises(SettingError, match=f"Change DEBLUR_{name}"):
                settings.check_environment()


@pytest.mark.parametrize(("space", "minutes"), [({"SPACE_ID": "someone/deblur"}, "30.0"), ({}, "off")])
def test_on_a_space_nobody_waits_for_ever(space, minutes):
    env = {name: value for name, value in os.environ.items() if name != "SPACE_ID"} | space
    asked = "from deblur_demo.settings import JOB_MINUTES; print(JOB_MINUTES.current())"
    assert subprocess.check_output([sys.executable, "-c", asked], env=env, cwd=ROOT, text=True).strip() == minutes
