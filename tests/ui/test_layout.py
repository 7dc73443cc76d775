"""The page as it is built: quick to open, and without words of its own."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from deblur_demo.ui import layout, text

UI = Path(layout.__file__).parent


def test_the_page_opens_without_torch():
    code = "import sys, app; assert app.demo.blocks; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=UI.parents[1]).returncode == 0


@pytest.mark.parametrize("name", ["layout.py", "handlers.py", "api.py", "views.py"])
def test_words_on_screen_come_from_text(name):
    shown = {"label", "info", "title", "placeholder", "caption"}
    tree = ast.parse((UI / name).read_text(encoding="utf-8"))
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    assert calls
    literal = [
        keyword.value.value
        for call in calls
        for keyword in call.keywords
        if keyword.arg in shown and isinstance(keyword.value, ast.Constant) and isinstance(keyword.value.value, str)
    ]
    assert literal == []


def test_examples_are_there_and_fit_their_references():
    from deblur_demo.media.image import read_image

    for example in layout.examples():
        photo = read_image(example.photo)
        assert min(photo.pixels.shape[:2]) >= 300
        if example.truth:
            assert read_image(example.truth).pixels.shape == photo.pixels.shape


@pytest.mark.parametrize(("number", "words"), [(1, "an hour"), (0.5, "0.5 hours"), (24.0, "24 hours")])
def test_the_promise_about_deletion_names_the_setting(number, words):
    assert text.hours(number) == words
