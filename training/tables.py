"""Tables of the papers as files: a base recipe, rows that change it, and the figures that the paper prints.

    title = "..."          [base]             [[row]]
    columns = ["GoPro"]    model = "mtrnn"    id = "a"
    ...                    ...                paper = { GoPro = [29.98, 0.908] }
                           [scaled]           [row.recipe]
                           batch = 4          iterations = 4

``[scaled]`` is what a run of minutes changes besides the number of updates: a smaller network, say.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from deblur_demo.errors import SettingError
from training.config import Recipe
from training.typed import merged, nearest, read_toml, typed

RECIPES = Path(__file__).parent / "recipes"


@dataclass(frozen=True)
class Row:
    """One row of a table.

    Attributes:
        id: short name, for files and ``--row``.
        label: as in the paper.
        paper: column -> [PSNR, SSIM] as printed; empty where the paper has words only.
        recipe: what differs from the base.
        scaled: what differs besides in a scaled run.
        weights_of: row whose weights are evaluated in another way, so that nothing is trained.
        first_of: row whose weights become the frozen stage 1.
        ensemble: orientations that are averaged (self-ensemble): 1, 4 or 8.
        needs_vgg16: whether it only runs with a file of VGG16's weights.
        quoted: whether it is another network's figure, printed for comparison and never run.
    """

    id: str
    label: str
    paper: dict = field(default_factory=dict)
    recipe: dict = field(default_factory=dict)
    scaled: dict = field(default_factory=dict)
    weights_of: str = ""
    first_of: str = ""
    ensemble: Literal[1, 4, 8] = 1
    needs_vgg16: bool = False
    quoted: bool = False


@dataclass(frozen=True)
class Table:
    """A table, or a figure, of a paper.

    Attributes:
        title: with the paper.
        note: what a reader has to know of the settings.
        columns: the paper's test sets.
        validation: our own set that stands in for them, see ``training.data.validation``.
        see: the file that has this table's rows, where a table only lists settings.
        hidden: why nobody can reproduce it.
        base: recipe of all rows.
        scaled: changes to it in a scaled run.
        row: the rows.
    """

    title: str
    note: str = ""
    columns: tuple[str, ...] = ()
    validation: Literal["motion", "clips", "gaussian"] = "motion"
    see: str = ""
    hidden: str = ""
    base: dict = field(default_factory=dict)
    scaled: dict = field(default_factory=dict)
    row: tuple[Row, ...] = ()

    def find(self, name: str | None) -> Row:
        """The row of that id.

        Raises:
            SettingError: none, or there is no such row.
        """
        ids = [row.id for row in self.row if not row.quoted]
        for row in self.row:
            if row.id == name and not row.quoted:
                return row
        found = "no row is named" if name is None else f"there is no row {name!r}"
        raise SettingError(f"{self.title}: {found}", ", ".join(ids), f"Use --row. {nearest(str(name), ids)}")

    def recipe(self, name: str | None, scaled: bool = False, **overrides: object) -> Recipe:
        """The recipe of a row.

        Args:
            name: the row's id.
            scaled: whether with the changes of a scaled run.
            overrides: fields that the command line changes; None leaves a field alone.
        """
        row = self.find(name)
        if row.weights_of:
            raise SettingError(
                f"row {row.id} evaluates the weights of row {row.weights_of}", f"--row {row.weights_of}", "Train that"
            )
        raw = merged(self.base, self.scaled) if scaled else self.base
        raw = merged(raw, row.recipe)
        raw = merged(raw, row.scaled) if scaled else raw
        given = {key: value for key, value in overrides.items() if value is not None}
        return typed(Recipe, merged(raw, given), f"{self.title}, row {row.id}")


def is_table(path: Path) -> bool:
    """Whether a file of recipes holds a table."""
    return "title" in read_toml(path)


def read_table(path: Path) -> Table:
    """Read a table's file.

    Raises:
        SettingError: not such a file, an unknown key, two rows of one id, or a row that names no other.
    """
    table = typed(Table, read_toml(path), str(path))
    ids = [row.id for row in table.row]
    for row in table.row:
        for name in filter(None, (row.weights_of, row.first_of)):
            if name not in ids[: ids.index(row.id)]:
                raise SettingError(f"{path}, row {row.id} names {name!r}", "a row above it", nearest(name, ids))
        for column in row.paper:
            if column not in table.columns:
                raise SettingError(f"{path}, row {row.id} has a column {column!r}", ", ".join(table.columns), "Add it")
    if len(set(ids)) < len(ids):
        raise SettingError(f"{path} has two rows of one id", "ids that differ", "Rename one")
    return table


def named_table(name: str) -> Table:
    """A table by the name of its file in training/recipes; settings' tables lead to the one with their rows.

    Raises:
        SettingError: there is none of that name; the message names the nearest one.
    """
    names = [path.stem for path in sorted(RECIPES.glob("*.toml")) if is_table(path)]
    if name not in names:
        raise SettingError(f"there is no table {name!r}", ", ".join(names), nearest(name, names))
    table = read_table(RECIPES / f"{name}.toml")
    if not table.see:
        return table
    rows = named_table(table.see)
    return replace(rows, title=table.title, note=f"{table.note} {rows.note}".strip())
