"""Every recipe and every row of every table: it loads, says what the paper says, and takes two steps."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from deblur_demo.errors import SettingError
from deblur_demo.models import registry
from training.config import Recipe, load_recipe
from training.data.corpus import Corpus, load_corpus
from training.loop import Trainer
from training.losses.perceptual import VGG16Features
from training.start import read_recipe
from training.tables import RECIPES, is_table, named_table, read_table

CPU = torch.device("cpu")
FILES = sorted(RECIPES.glob("*.toml"))
TABLES = [path for path in FILES if is_table(path)]
SINGLE = [path for path in FILES if not is_table(path)]
ROWS = [
    (path, row.id)
    for path in TABLES
    for row in read_table(path).row
    if not (row.quoted or row.weights_of)
]  # fmt: skip

# What makes a network small enough for a step of a tenth of a second, by the settings that it has.
NARROW = {
    "brehm": {"blocks": 1, "branch": 4, "width": 8},
    "atrous": {"blocks": 1, "branch": 4, "width": 8},
    "carlo": {"filters": 4},
    "kaist": {"width": 4, "blocks": [1, 1, 1]},
    "mlfa": {"width": 4, "blocks": 1},
    "sgenet": {"widths": [6, 9, 12]},
    "dmphn": {"width": 4},
    "pss": {"width": 4},
    "deblurgan": {"backbone": 0.25, "pyramid": 16, "heads": 16},
}


@pytest.fixture(scope="module")
def corpus(corpus_folder: Path, tmp_path_factory) -> Corpus:
    """The tiny corpus, and a handful of pictures of CIFAR-10's size."""
    folder = tmp_path_factory.mktemp("cifar")
    pictures = np.random.default_rng(0).integers(0, 256, (6, 32, 32, 3), dtype=np.uint8)
    np.savez(folder / "cifar10.npz", x_train=pictures, x_test=pictures[:2])
    return replace(load_corpus(corpus_folder, CPU), cifar=load_corpus(folder, CPU).cifar)


@pytest.fixture(scope="module")
def vgg16(tmp_path_factory) -> str:
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("vgg") / "vgg16.pth"
    torch.save({f"features.{key}": value for key, value in VGG16Features("conv3_3").state_dict().items()}, path)
    return str(path)


def tiny(recipe: Recipe, vgg16: str) -> Recipe:
    """The same recipe on two crops of 32 pixels, by a narrow network, ending after two steps."""
    narrow = NARROW.get(recipe.model.removeprefix("mt-").split("-")[0], {})
    settings = {**recipe.settings, **narrow}
    if recipe.model.startswith("mlfa") and settings.get("first") != "" and recipe.model != "mlfa-single":
        settings["first"] = "carlo-s"
    loss = replace(recipe.loss, vgg16=vgg16)
    return replace(
        recipe, settings=settings, updates=2, batch=2, accumulate=1, crop=32, late_crop=0, warmup=1, loss=loss
    )


def takes_two_steps(recipe: Recipe, corpus: Corpus, folder: Path) -> None:
    trainer = Trainer(recipe, corpus, folder, CPU, precision="fp32")
    before = [weight.clone() for weight in trainer.model.parameters()]
    losses = []
    while trainer.update < 2:
        losses.append(trainer.train_batch()[0])
    assert np.isfinite(losses).all() and trainer.skipped == 0
    changed = [not torch.equal(weight, old) for weight, old in zip(trainer.model.parameters(), before, strict=True)]
    frozen = [any(name.startswith(part) for part in recipe.freeze) for name, _ in trainer.model.named_parameters()]
    assert any(changed) and not any(new and kept for new, kept in zip(changed, frozen, strict=True))


@pytest.mark.parametrize("path", SINGLE, ids=lambda path: path.stem)
def test_a_recipe_takes_two_steps(path: Path, corpus: Corpus, vgg16: str, tmp_path: Path):
    recipe = load_recipe(path)
    assert registry.variant(recipe.model) and path.stem.startswith(recipe.model.split("-")[0])
    takes_two_steps(tiny(recipe, vgg16), corpus, tmp_path)


@pytest.mark.parametrize(("path", "row"), ROWS, ids=lambda part: part.stem if isinstance(part, Path) else part)
def test_a_row_takes_two_steps(path: Path, row: str, corpus: Corpus, vgg16: str, tmp_path: Path):
    table = read_table(path)
    takes_two_steps(tiny(table.recipe(row), vgg16), corpus, tmp_path)
    with torch.device("meta"):  # what a scaled run would build
        small, whole = (registry.build(r.model, **r.settings) for r in (table.recipe(row, True), table.recipe(row)))
    assert small.parameter_count <= 1.01 * whole.parameter_count
    assert small.traits.iterative == whole.traits.iterative


def test_what_the_issue_of_every_paper_names_is_there():
    names = {path.stem for path in TABLES}
    assert names == {
        "park-table-1", "park-table-2", "park-table-3", "park-table-4", "park-figure-6", "park-kernels",
        "brehm-table-1", "brehm-table-2", "brehm-table-3", "brehm-table-4", "brehm-objectives",
        "brehm-full-resolution", "bologna-table-1", "bologna-table-2", "bologna-table-3", "bologna-table-4",
        "bologna-table-5", "bologna-carlo-grid", "bologna-initialisation", "sgenet-table-1",
    }  # fmt: skip
    assert len([row for path, row in ROWS if path.stem == "bologna-carlo-grid"]) == 18
    small = {
        "mtrnn-lite",
        "atrous-10-3f-s",
        "mlfa-s",
        "mlfa-lite",
        "sgenet-s",
        "brehm-stage1-s",
        "carlo-s",
        "kaist-3f-s",
    }
    assert small <= {path.stem for path in SINGLE}


@pytest.mark.parametrize(
    ("table", "row", "updates", "batch", "crop", "rate"),
    [
        ("park-table-1", "a", 92_000, 16, 256, 2e-4),
        ("park-table-4", "ours", 460_000, 16, 256, 2e-4),
        ("brehm-table-2", "stage1", 2_500_000, 1, 320, 1e-4),
        ("brehm-table-2", "both", 2_500_000, 2, 320, 1e-4),
        ("bologna-table-3", "carlo", 40 * 40_000 // 32, 32, 32, 1e-3),
        ("bologna-table-3", "kaist", 30 * 40_000 // 32, 32, 32, 1e-3),
        ("bologna-table-3", "atrous", 29 * 40_000 // 32, 32, 32, 1e-3),
        ("bologna-table-2", "kaist", 55 * 21_000 // 4, 4, 256, 1e-4),
        ("bologna-table-2", "atrous", 71 * 21_000 // 4, 4, 256, 1e-4),
        ("sgenet-table-1", "sgenet", 394_000, 16, 256, 2e-4),
    ],
)
def test_schedules_are_the_papers(table, row, updates, batch, crop, rate):
    recipe = named_table(table).recipe(row)
    assert (recipe.updates, recipe.batch, recipe.crop, recipe.rate) == (updates, batch, crop, rate)
    assert recipe.rate_at(0) == pytest.approx(rate), "no paper warms up"


def test_the_ablation_without_atrous_rates_has_more_parameters_scaled_down_too():
    table = named_table("brehm-table-2")
    for scaled in (False, True):
        atrous, plain = (table.recipe(row, scaled) for row in ("stage1", "plain"))
        sizes = [registry.ghost(recipe.model, **recipe.settings).parameter_count for recipe in (atrous, plain)]
        assert 1.2 < sizes[1] / sizes[0] < 1.6  # "our atrous network has fewer": 64.4 M against 47.9 M


def test_rows_of_park_differ_as_printed():
    table = named_table("park-table-1")
    recipes = {row.id: table.recipe(row.id) for row in table.row}
    assert [recipes[name].curriculum.goals(13, 3) for name in "abc"] == [
        [11, 9, 7, 5, 3, 1, 1],
        [1],
        [9, 5, 1, 1, 1, 1],
    ]
    assert recipes["c"].iterations == 4 and recipes["b"].iterations == 1
    assert [recipes[name].settings for name in "defa"] == [
        {"recurrent": False}, {"residual": "previous"}, {"residual": "none"}, {},
    ]  # fmt: skip
    assert [recipes["a"].rate_at(update) for update in (1000, 46_000, 91_999)] == [2e-4, 1e-4, 1e-4]
    single = named_table("park-figure-6").recipe("mt-tl9")
    assert single.curriculum.levels == (9,) and len(single.curriculum.goals(9, 6)) == 7
    ms = named_table("park-table-2").recipe("m")
    assert ms.curriculum.levels == (3, 5, 7, 9, 11, 13) and ms.loss.deep and ms.model == "mtrnn-ms"
    scaled = named_table("park-table-2").recipe("h", scaled=True)
    assert scaled.settings == {"unshuffle": 2} and scaled.model == "mtrnn-stacked" and scaled.crop == 96


def test_sgenet_is_trained_by_its_equation():
    recipe = named_table("sgenet-table-1").recipe("sgenet")
    loss = recipe.loss
    assert (loss.l1, loss.charbonnier, loss.edge, loss.epsilon, loss.deep) == (0, 1, 0.05, 1e-3, True)
    assert recipe.rate_at(394_000) == pytest.approx(1e-7)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('title = "x"\n[[row]]\nid = "a"\nlabl = "b"', "unknown key 'labl'.*Did you mean 'label'"),
        ('title = "x"\n[base]\nmodle = "mtrnn"\n[[row]]\nid = "a"\nlabel = "b"', "Did you mean 'model'"),
        ('title = "x"\n[[row]]\nid = "a"', "names no label"),
        ('title = "x"\n[[row]]\nid = "a"\nlabel = "b"\nensemble = 3', "ensemble is 3"),
        ('title = "x"\n[[row]]\nid = "a"\nlabel = "b"\npaper = { Gopro = [1.0, 0.5] }', "column 'Gopro'"),
        ('title = "x"\n[[row]]\nid = "a"\nlabel = "b"\nfirst_of = "c"', "names 'c'"),
        ('title = "x"\n[[row]]\nid = "a"\nlabel = "b"\n[[row]]\nid = "a"\nlabel = "c"', "two rows"),
    ],
)
def test_a_faulty_table_is_refused_by_name(tmp_path: Path, text: str, message: str):
    path = tmp_path / "faulty.toml"
    path.write_text(text)
    with pytest.raises(SettingError, match=message):
        table = read_table(path)
        table.recipe("a")


def test_a_row_is_named_on_the_command_line():
    path = RECIPES / "park-table-1.toml"
    assert read_recipe(path, "c", updates=7).updates == 7
    assert read_recipe(path, "c").curriculum.temporal_step == 4
    with pytest.raises(SettingError, match="no row is named"):
        read_recipe(path)
    with pytest.raises(SettingError, match="no row 'z'"):
        read_recipe(path, "z")
    with pytest.raises(SettingError, match="without rows"):
        read_recipe(RECIPES / "mtrnn.toml", "a")
    with pytest.raises(SettingError, match="--row stage1"):
        read_recipe(RECIPES / "brehm-table-2.toml", "stage1-ensemble")


def test_a_settings_table_leads_to_its_rows():
    table = named_table("bologna-table-1")
    assert "table 1" in table.title and [row.id for row in table.row] == ["carlo", "kaist", "atrous"]
    with pytest.raises(SettingError, match="Did you mean 'bologna-table-1'"):
        named_table("bologna-tabel-1")
