"""Recipes: typed, strict, and the curriculum they describe as in the paper."""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from pathlib import Path

import pytest

from deblur_demo.errors import SettingError
from training.config import Recipe, load_recipe
from training.curriculum import Curriculum, Schedule
from training.ranges import SPANS
from training.tables import RECIPES, named_table


def test_goals_descend_by_two_levels_and_stay_at_the_truth():
    # Park 2020, section 4.1: TL(n - 2i), then one to three times TL1, at most seven iterations.
    curriculum = Curriculum()
    assert curriculum.goals(7, 1) == [5, 3, 1, 1]
    assert curriculum.goals(7, 3) == [5, 3, 1, 1, 1, 1]
    assert curriculum.goals(11, 2) == [9, 7, 5, 3, 1, 1, 1]
    assert curriculum.goals(13, 3) == [11, 9, 7, 5, 3, 1, 1]


def test_the_fewest_iterations_are_filled_up_at_the_truth():
    assert Curriculum(least=6).goals(1, 1) == [1] * 6
    assert Curriculum(least=6).goals(7, 1) == [5, 3, 1, 1, 1, 1]
    assert Curriculum(least=6).goals(13, 1) == Curriculum().goals(13, 1)


def test_goals_with_a_temporal_step_of_four_never_fall_below_the_truth():
    assert Curriculum(temporal_step=4).goals(13, 1) == [9, 5, 1, 1]
    assert Curriculum(temporal_step=4).goals(7, 1) == [3, 1, 1]


def test_rates_follow_their_schedule():
    cosine = Recipe(model="mtrnn", updates=1000, rate=1e-3, warmup=10)
    assert cosine.rate_at(0) == pytest.approx(1e-4)
    assert cosine.rate_at(500) == pytest.approx(5e-4)
    assert cosine.rate_at(1000) == 0
    halving = Recipe(model="mtrnn", updates=92_000, rate=2e-4, schedule=Schedule(kind="step"), warmup=1)
    assert [halving.rate_at(update) for update in (0, 45_999, 46_000, 91_999)] == [2e-4, 2e-4, 1e-4, 1e-4]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('model = "mtrnn"\nbacth = 4', "Did you mean 'batch'"),
        ('model = "mtrnn"\n[curriculum]\none_stag = 0.1', "Did you mean 'one_stage'"),
        ('model = "mtrnn"\nbatch = "four"', "batch is 'four'"),
        ('model = "mtrnn"\nbatch = true', "batch is True"),
        ('model = "mtrnn"\n[schedule]\nkind = "cosin"', "kind is 'cosin'.*Did you mean 'cosine'"),
        ('model = "mtrnn"\n[curriculum]\nextra = [1, 2, 3]', "extra has 3 entries"),
        ('model = "mtrnn"\n[curriculum]\nlevels = [7, "nine"]', "levels is 'nine'"),
        ("batch = 4", "names no model"),
        ('model = "mtrnn"\nbatch = 0', r"batch is 0\. Accepted: numbers from 1\. Correct it"),
        ('model = "mtrnn"\nrate = nan', "rate is nan. Accepted: numbers above 0"),
        ('model = "mtrnn"\nlate_crop = 8', "late_crop is 8. Accepted: 0, or numbers from 16"),
        ('model = "mtrnn"\nema = 1.5', "ema is 1.5. Accepted: numbers from 0 to 1"),
        ('model = "mtrnn"\nrates = { stem = "fast" }', "rates is {'stem': 'fast'}. Accepted: numbers from 0"),
        ('model = "mtrnn"\n[curriculum]\nlevels = []', r"curriculum: levels is \[\]. Accepted: one level"),
        ('model = "mtrnn"\n[curriculum]\nlevels = [13, 15]', r"levels is \[13, 15\].*from 1 to 13 in steps of 2"),
        ('model = "mtrnn"\n[curriculum]\nlevels = [4]', "levels is .*steps of 2"),
        ('model = "mtrnn"\n[motion]\nframes = 11', r"levels is \[7, 9, 11, 13\].*from 1 to 11"),
        ('model = "mtrnn"\n[curriculum]\ntemporal_step = 0', "temporal_step is 0"),
        ('model = "mtrnn"\n[curriculum]\nextra = [3, 1]', r"extra is \[3, 1\]"),
        ('model = "mtrnn"\n[augment]\nturns = 3', "turns is 3. Accepted: 1, 2 or 4"),
        ('model = "mtrnn"\n[camera]\njpeg_low = 99', "jpeg_low is 99. Accepted: at most jpeg_high, 95"),
        ('model = "mtrnn"\n[loss]\nl1 = 0.0', "loss is 0 in every term"),
        ('model = "mtrnn"\n[loss]\nfft = -0.5', "fft is -0.5"),
        ('model = "mtrnn"\ncrop = 16\n[loss]\ngan = 0.01', "gan is 0.01 with crops below 32 pixels"),
        ('model = "mtrnn"\nlate_crop = 24\n[loss]\ngan = 0.01', "gan is 0.01 with crops below 32 pixels"),
        ('model = "mtrnn"\n[motion.camera]\nleast_shift = 0.0', "least_shift is 0.0. Accepted: numbers above 0"),
        ('model = "mtrnn"\n[motion.thing]\nshift = -3.0', "shift is -3.0. Accepted: numbers above 0"),
        ('model = "mtrnn"\n[shares]\nphotos = 0.0', "shares is 0 for every kind"),
        (
            'model = "mtrnn"\n[shares]\nphotos = 0.0\npairs = 1.0\n[curriculum]\nmost = 2',
            "most is 2, which pairs alone have no goal in. Accepted: more, or photos",
        ),
        ("batch = ", "cannot be read"),
    ],
)
def test_a_faulty_recipe_is_refused_by_name(tmp_path: Path, text: str, message: str):
    path = tmp_path / "faulty.toml"
    path.write_text(text)
    with pytest.raises(SettingError, match=message):
        load_recipe(path)


def test_the_command_line_is_held_against_the_ranges_too():
    with pytest.raises(SettingError, match="mtrnn-lite.toml: batch is 0"):
        load_recipe(RECIPES / "mtrnn-lite.toml", batch=0)
    with pytest.raises(SettingError, match=r"seed is 20000000000. Accepted: numbers from 0 to 1e\+09"):
        load_recipe(RECIPES / "mtrnn-lite.toml", seed=20_000_000_000)
    with pytest.raises(SettingError, match=r"row a: updates is -1"):
        named_table("park-table-1").recipe("a", updates=-1)


def test_the_ranges_know_every_number_of_a_recipe():
    """Turns of paths and the colours of a sensor may be any; whatever comes new is either in the table or here."""
    free = {"camera.raw.red", "camera.raw.blue"}
    free |= {f"motion.{path}.{name}" for path in ("camera", "thing") for name in ("rotation", "zoom", "perspective")}
    ranged = {name for names in SPANS.values() for name in names}
    # Rules between entries look after these.
    ranged |= {"curriculum.levels", "augment.turns", "gaussian.high"}
    assert set(_numbers(Recipe(model="mtrnn"))) <= ranged | free


def _numbers(settings: object, above: str = ""):
    for field in fields(settings):
        value = getattr(settings, field.name)
        if is_dataclass(value):
            yield from _numbers(value, f"{above}{field.name}.")
        elif any(isinstance(one, (int, float)) and not isinstance(one, bool)
                 for one in (value if isinstance(value, tuple) else (value,))):  # fmt: skip
            yield above + field.name


def test_the_command_line_overrides_a_recipe():
    recipe = load_recipe(RECIPES / "mtrnn-lite.toml", updates=7, batch=None, loss={"edge": 0.1})
    assert (recipe.updates, recipe.batch, recipe.loss.edge, recipe.loss.fft) == (7, 8, 0.1, 0.5)


def test_direct_iterations_all_aim_at_the_truth():
    assert Curriculum("direct", most=3).goals(13, 2) == [1, 1, 1]
    assert Curriculum("one-stage").goals(13, 2) == [1]


def test_a_batch_has_one_level_whoever_draws_its_pieces():
    curriculum = Curriculum(levels=(7, 9, 11, 13), extra=(1, 3))
    drawn = [curriculum.drawn(seed) for seed in range(60)]
    assert drawn == [curriculum.drawn(seed) for seed in range(60)]
    assert {one.levels for one in drawn} == {(7,), (9,), (11,), (13,)}
    assert {one.extra for one in drawn} == {(1, 1), (2, 2), (3, 3)}
