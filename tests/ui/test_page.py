"""The page as it is built: quick to open, and without words of its own."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from deblur_demo.ui import page, text

UI = Path(page.__file__).parent
MODULES = sorted(
    ".".join(path.relative_to(UI).with_suffix("").parts) for path in UI.rglob("*.py") if path.stem != "__init__"
)


def test_the_page_opens_without_what_takes_long_to_import():
    code = (
        "import sys, app; assert app.demo.blocks; "
        "sys.exit(', '.join({'torch', 'skimage.metrics', 'scipy', 'matplotlib', 'av'} & set(sys.modules)) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=UI.parents[1], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def source(name: str) -> str:
    return UI.joinpath(*name.split(".")).with_suffix(".py").read_text(encoding="utf-8")


def uses(name: str) -> set[str]:
    """The modules of the page that one of them imports, for type checkers alone included."""
    found = set()
    for node in ast.walk(ast.parse(source(name))):
        if isinstance(node, ast.ImportFrom):
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
    return {module for module in MODULES if f"deblur_demo.ui.{module}" in found}


def test_arrows_between_the_modules_of_the_page_go_one_way():
    arrows = {name: uses(name) for name in MODULES}
    assert {"image.layout", "image.handlers", "bench"} <= arrows["page"]
    while ends := {name for name, targets in arrows.items() if not targets}:
        arrows = {name: targets - ends for name, targets in arrows.items() if name not in ends}
    assert not arrows, "these import each other in a circle"


@pytest.mark.parametrize("name", [name for name in MODULES if not name.endswith(("text", "theme"))])
def test_words_on_screen_come_from_text(name):
    shown = {"label", "info", "title", "placeholder", "caption"}
    tree = ast.parse(source(name))
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    assert calls
    literal = [
        keyword.value.value
        for call in calls
        for keyword in call.keywords
        if keyword.arg in shown and isinstance(keyword.value, ast.Constant) and isinstance(keyword.value.value, str)
    ]
    assert literal == []


@pytest.mark.parametrize(("number", "words"), [(1, "an hour"), (0.5, "0.5 hours"), (24.0, "24 hours")])
def test_the_promise_about_deletion_names_the_setting(number, words):
    assert text.hours(number) == words
