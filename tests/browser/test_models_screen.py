"""The models screen in a real browser: cards, a visitor's own weights in that visitor's pickers alone, a bad file."""

from __future__ import annotations

import pickle
import shutil
from pathlib import Path

import pytest

from deblur_demo.models.checkpoint import BUNDLED
from tests.browser.tabs import go_to

pytestmark = pytest.mark.browser


@pytest.fixture
def files(tmp_path, lively_checkpoint) -> list[Path]:
    for suffix in (".safetensors", ".json"):
        shutil.copy(lively_checkpoint.with_suffix(suffix), tmp_path / f"mine{suffix}")
    return [tmp_path / "mine.safetensors", tmp_path / "mine.json"]


def load(page, *files: Path) -> None:
    page.locator("#models-files input[type=file]").set_input_files(files)
    page.wait_for_selector(f"#models-files :text('{files[0].stem}')")
    page.click("#models-load")
    page.wait_for_selector("#models-status .status:is(.done, .error)")


def offered(page) -> list[str]:
    """What the picker of the image screen offers."""
    go_to(page, "Image")
    page.click("#image-model input")
    page.wait_for_selector("#image-model [role=option]")
    names = page.locator("#image-model [role=option]").all_inner_texts()
    page.locator("#header h1").click()  # closes it
    return [name.replace("✓", "").strip() for name in names]


def test_own_weights_are_offered_to_their_visitor_alone(visit, files, photo):
    page, other = visit(), visit()
    go_to(page, "Models")
    page.wait_for_selector("#models-cards article")
    ready = page.locator("#models-cards article h3").all_inner_texts()
    bundled = {file.stem for file in BUNDLED.glob("*.safetensors")} - {"mtrnn-lite"}
    assert ready[0] == "mtrnn-lite" and ready[-2:] == ["wiener", "richardson-lucy"]
    assert sorted(ready[1:-2]) == sorted(bundled), "each of them once"
    assert ready.index("mlfa-lite") < ready.index("kaist-3f-s") < ready.index("kaist"), "by what they are good for"
    page.locator("#models-which label", has_text="All").click()
    page.wait_for_function("document.querySelectorAll('#models-cards article.missing pre').length > 10")
    page.locator("#models-which label", has_text="Ready").click()
    page.wait_for_function("document.querySelectorAll('#models-cards article').length === " + str(len(ready)))

    load(page, *files)
    assert "mine is loaded" in page.locator("#models-status p").inner_text()
    page.wait_for_function(
        "[...document.querySelectorAll('#models-cards article.own h3')].map((name) => name.textContent) == 'mine'"
    )
    names = offered(page)
    assert names[0] == "mine · yours, mtrnn-lite" and names[1] == "mtrnn-lite"
    assert not any("yours" in name for name in offered(other))

    page.locator("#photos input[type=file]").first.set_input_files(photo)
    page.wait_for_selector("#photos .thumbnail-item img")
    page.click("#image-model input")
    page.locator("#image-model [role=option]", has_text="mine").click()
    page.wait_for_selector("#image-auto")
    page.locator("#image-iterations input[type=number]").fill("1")
    page.locator("#image-iterations input[type=number]").press("Tab")
    page.click("#image-run")
    page.wait_for_selector("#image-status .status.done")

    for visitor, name in ((page, "mine"), (other, "mtrnn-lite")):
        go_to(visitor, "Models")
        visitor.wait_for_selector(f"#models-memory li:has-text('{name}')")
    assert "mine" not in other.locator("#models-memory").inner_text()
    go_to(page, "Models")
    page.click("#models-unload")
    page.wait_for_selector("#models-status p:has-text('unloaded')")
    page.wait_for_selector("#models-cards article.own", state="detached")
    assert not any("yours" in name for name in offered(page))
    assert "mtrnn-lite" in page.locator("#image-model input").input_value()


def test_a_pickle_costs_one_line_on_a_phone(visit, files, tmp_path):
    page = visit(390, 844, is_mobile=True, has_touch=True)
    width = "[document.documentElement.scrollWidth, window.innerWidth]"
    go_to(page, "Models")
    page.wait_for_selector("#models-cards article")
    assert page.evaluate(width) == [390, 390]
    bad = tmp_path / "model.pth"
    bad.write_bytes(pickle.dumps({}))
    load(page, bad)
    line = page.locator("#models-status .status.error p").inner_text()
    assert "model.pth is not a .safetensors file, so it stays unopened. Accepted:" in line and "\n" not in line
    page.locator("#models-files button[aria-label=Clear]").click()
    load(page, *files)
    page.wait_for_selector("#models-cards article.own")
    assert page.evaluate(width) == [390, 390]
