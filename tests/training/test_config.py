"""Recipes: typed, strict, and the curriculum they describe as in the paper."""

from __future__ import annotations

from pathlib import Path

import pytest

from deblur_demo.errors import SettingError
from training.config import Recipe, load_recipe
from training.curriculum import Curriculum, Schedule
from training.tables import RECIPES


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
        ("batch = ", "cannot be read"),
    ],
)
def test_a_faulty_recipe_is_refused_by_name(tmp_path: Path, text: str, message: str):
    path = tmp_path / "faulty.toml"
    path.write_text(text)
    with pytest.raises(SettingError, match=message):
        load_recipe(path)


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
