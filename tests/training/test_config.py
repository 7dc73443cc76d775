"""Recipes: typed, strict, and the curriculum they describe as in the paper."""

from __future__ import annotations

from pathlib import Path

import pytest

from deblur_demo.errors import SettingError
from deblur_demo.models import registry
from training.config import Recipe, load_recipe
from training.curriculum import Curriculum, Schedule

RECIPES = sorted((Path(__file__).parents[2] / "training/recipes").glob("*.toml"))


def test_goals_descend_by_two_levels_and_stay_at_the_truth():
    # Park 2020, section 4.1: TL(n - 2i), then one to three times TL1, at most seven iterations.
    curriculum = Curriculum()
    assert curriculum.goals(7, 1) == [5, 3, 1, 1]
    assert curriculum.goals(7, 3) == [5, 3, 1, 1, 1, 1]
    assert curriculum.goals(11, 2) == [9, 7, 5, 3, 1, 1, 1]
    assert curriculum.goals(13, 3) == [11, 9, 7, 5, 3, 1, 1]


def test_goals_with_a_temporal_step_of_four_never_fall_below_the_truth():
    assert Curriculum(temporal_step=4).goals(13, 1) == [9, 5, 1, 1]
    assert Curriculum(temporal_step=4).goals(7, 1) == [3, 1, 1]


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_every_recipe_loads_and_builds_its_model(path: Path):
    recipe = load_recipe(path)
    assert registry.build(recipe.model, **recipe.settings).parameter_count > 0


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
    assert load_recipe(RECIPES[0], updates=7, batch=None).updates == 7
