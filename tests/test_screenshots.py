"""The README shows every screen, in pictures that are there, small, and said in words; the script makes just these."""

from __future__ import annotations

import re
from pathlib import Path

from PIL import Image

from deblur_demo import space
from deblur_demo.ui.page import SCREENS
from docs import screenshots

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
IN_HTML = re.findall(r'<img src="([^"]+)"[^>]* alt="([^"]*)"', README)
IN_MARKDOWN = re.findall(r"!\[([^\]]*)\]\(([^)\s]+)\)", README)
SHOWN = {**dict(IN_HTML), **{path: words for words, path in IN_MARKDOWN}}


def test_every_picture_of_the_readme_is_there_small_and_said_in_words():
    assert len(SHOWN) == README.count("<img") + README.count("![") > 0, "each is read above, and shown once"
    for path, words in SHOWN.items():
        with Image.open(ROOT / path) as picture:
            assert picture.format == "WEBP"
        assert len(words) > 40, path
    assert len(set(SHOWN.values())) == len(SHOWN)
    assert sum((ROOT / path).stat().st_size for path in SHOWN) < 1_000_000


def test_the_pictures_go_along_to_a_space():
    assert {Path(path) for path in SHOWN} <= set(space.belonging())


def test_the_script_makes_a_picture_of_every_screen_and_the_readme_shows_them_all():
    assert {shot.screen for shot in screenshots.SHOTS.values()} == set(SCREENS)
    made = {f"docs/{screenshots.PICTURES.name}/{name}.webp" for name in screenshots.SHOTS}
    assert made == {path for path in SHOWN if path.startswith("docs/screens/")}
    assert {path.name for path in screenshots.PICTURES.iterdir()} == {Path(path).name for path in made}


def test_a_picture_is_as_wide_as_its_window():
    for name, shot in screenshots.SHOTS.items():
        width, height = shot.window
        finer = 2 if shot.window == screenshots.PHONE else 1
        with Image.open(screenshots.PICTURES / f"{name}.webp") as picture:
            assert picture.size == (finer * width, finer * (shot.rows or height))
