"""`models` on the command line: the whole zoo, what it costs, and what each network still needs."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import pytest

from deblur_demo import catalogue
from deblur_demo.cli import main
from deblur_demo.models import checkpoint, complexity, fetch, registry

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture
def one_with_weights(tmp_path, monkeypatch, lively_checkpoint) -> Path:
    """The lively weights are the only ones there are; gives the cache that holds them."""
    monkeypatch.setattr(checkpoint, "BUNDLED", tmp_path / "bundled")
    monkeypatch.setenv("DEBLUR_CACHE", str(tmp_path))
    for suffix in (".safetensors", ".json"):
        content = lively_checkpoint.with_suffix(suffix).read_bytes()
        (tmp_path / "mtrnn-lite").with_suffix(suffix).write_bytes(content)
    return tmp_path


@pytest.fixture
def rows(one_with_weights, capsys) -> dict[str, dict]:
    assert main(["models", "--json"]) == 0
    return {row["id"]: row for row in json.loads(capsys.readouterr().out)}


def test_the_json_has_every_variant_with_all_that_is_known(rows):
    assert list(rows) == list(registry.variants())
    for name, row in rows.items():
        traits = registry.blank(name).traits
        assert (row["frames"], row["steps"], row["max_steps"]) == (traits.frames, traits.steps, traits.max_steps)
        assert row["trained_for"] in ("motion", "motion, video", "Gaussian") and row["paper"]
        assert row["ready"] is (row["needs"] is None)
        assert (row["gmacs"] > 0) is (row["parameters"] > 0), "only the classic filters need no products"
    lite = rows["mtrnn-lite"]
    assert lite["licence"] == "CC0" and lite["metrics"]["made up"]["psnr"] == [24.0, 24.5] and lite["ready"]
    assert [name for name, row in rows.items() if row["ready"]] == ["wiener", "richardson-lucy", "mtrnn-lite"]


def test_the_costs_are_counted_on_the_network_itself(rows):
    # Without memory and without filling; here a real network, filled, on the CPU.
    for name in ("carlo-s", "mtrnn-lite", "sgenet-s"):
        network = registry.build(name)
        assert rows[name]["gmacs"] == pytest.approx(complexity.gmacs(network), rel=1e-12)
        assert rows[name]["parameters"] == network.parameter_count
    assert rows["mtrnn"]["gmacs"] == pytest.approx(24.1, abs=0.05)
    assert all(row["gmacs"] is None for row in catalogue.models()), "counting takes seconds, so it must be asked for"


def test_what_a_network_needs_is_a_command_that_works(rows):
    from training.__main__ import _parser as training_parser

    needy = {name: row["needs"] for name, row in rows.items() if row["needs"]}
    assert len(needy) == len(rows) - 3
    for name, need in needy.items():
        assert "\n" not in need
        training, *others = need.removeprefix("needs training: ").split(", or ")
        named, recipe = f', with model = "{name}" in it,', ROOT / "training" / "recipes" / f"{name}.toml"
        assert (named in training) is not recipe.exists()
        program, _, words = training.replace(named, "").partition("training ")
        options = training_parser().parse_args(shlex.split(words))
        assert program == "python -m " and options.recipe.suffix == ".toml"
        assert not recipe.exists() or ROOT / options.recipe == recipe
        for other in others:
            key = other.removeprefix("python -m deblur_demo fetch ")
            assert fetch.upstream(key).model == name
    assert needy["mtrnn"].endswith(", or python -m deblur_demo fetch mtrnn-gopro")
    assert "fetch" in needy["dmphn"] and "fetch" not in needy["carlo"]


def test_the_table_is_readable_in_120_columns(rows, capsys):
    assert main(["models"]) == 0
    table, _, legend = capsys.readouterr().out.partition("\n\n")
    heading, *lines = table.splitlines()
    assert len(lines) == len(rows) and max(map(len, (heading, *lines, *legend.splitlines()))) <= 120
    for line, row in zip(lines, rows.values(), strict=True):
        name, parameters, costs, frames, steps = line.split()[:5]
        assert (name, parameters) == (row["id"], f"{row['parameters']:,}")
        assert (costs, int(frames), int(steps)) == (f"{row['gmacs']:.1f}", row["frames"], row["steps"])
        assert row["trained_for"] in line
        assert ("needs training" in line) is (row["needs"] is not None)
        for title in ("blur ", "weights"):  # columns stand below their titles
            place = heading.index(title)
            assert line[place - 1] == " " and line[place] != " "
    by_name = {line.split()[0]: line for line in lines}
    assert by_name["mtrnn-lite"].endswith("24.00 -> 24.50 dB, CC0")
    assert by_name["mtrnn"].endswith("needs training, or: fetch mtrnn-gopro")
    assert by_name["wiener"].endswith("nothing to learn")
    assert "python -m training train RECIPE.toml --data FOLDER" in legend


def test_long_and_damaged_cards_keep_the_table_whole(one_with_weights, capsys):
    path = one_with_weights / "mtrnn-lite.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "licence": "a licence of many words " * 9}))
    (one_with_weights / "carlo.safetensors").touch()
    (one_with_weights / "carlo.json").write_text("{")
    assert main(["models"]) == 0
    lines = {line.split()[0]: line for line in capsys.readouterr().out.split("\n\n")[0].splitlines()}
    assert len(lines["mtrnn-lite"]) == 120 and lines["mtrnn-lite"].endswith("...")
    assert re.search(r" damaged$", lines["carlo"])
