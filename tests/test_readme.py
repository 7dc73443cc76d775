"""The examples of the README are run as they stand there."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from deblur_demo import metrics
from deblur_demo.media.clip import read_frames
from deblur_demo.media.image import read_image, write_image
from docs import serving

ROOT = Path(__file__).resolve().parents[1]


def example(word: str) -> str:
    """The Python example of the README that contains a word."""
    blocks = re.findall(r"^```python\n(.*?)^```", (ROOT / "README.md").read_text(encoding="utf-8"), re.M | re.S)
    (found,) = (block for block in blocks if word in block)
    return found


@pytest.fixture
def elsewhere(tmp_path, monkeypatch, shaky_photo, lively_checkpoint) -> Path:
    """A folder to work in, with a shaky photo, and weights in the user's cache."""
    write_image(shaky_photo, tmp_path / "shaky.jpg")
    cache = tmp_path / "cache"
    cache.mkdir()
    for suffix in (".safetensors", ".json"):
        shutil.copy(lively_checkpoint.with_suffix(suffix), cache / f"mtrnn-lite{suffix}")
    monkeypatch.setenv("DEBLUR_CACHE", str(cache))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_library_example(elsewhere):
    exec(compile(example("open_deblurrer"), "README.md", "exec"), {})
    steps = [read_image(elsewhere / f"step_{index:02d}.png").pixels for index in range(7)]
    assert metrics.change(steps[0], read_image(elsewhere / "shaky.jpg").pixels) == 0
    assert metrics.change(steps[0], steps[6]) > 0
    assert not (elsewhere / "step_07.png").exists()


@pytest.fixture
def address(elsewhere):
    """Where the app is running, as a process of its own."""
    with serving.app({"GRADIO_TEMP_DIR": str(elsewhere / "gradio")}) as address:
        yield address


def test_the_client_examples(elsewhere, address, shaky_clip, sharp_photo):
    code = example("gradio_client").replace("http://127.0.0.1:7860", address)
    assert address in code and len([line for line in code.splitlines() if line]) <= 5
    names: dict = {}
    exec(compile(code, "README.md", "exec"), names)
    assert [step["index"] for step in names["steps"]] == [0, 1, 2, 3, 4]
    given, restored = read_image(elsewhere / "shaky.jpg").pixels, read_image(Path(names["picture"])).pixels
    assert restored.shape == given.shape and metrics.change(given, restored) > 0
    shutil.copy(shaky_clip, elsewhere / "shaky.mp4")
    exec(compile(example("/deblur_clip"), "README.md", "exec"), names)
    before, after = (list(read_frames(path)) for path in (shaky_clip, Path(names["clip"])))
    assert [frame.time for frame in after] == [frame.time for frame in before]
    assert [frame["time"] for frame in names["report"]["frames"]] == [float(frame.time) for frame in before]
    assert metrics.change(before[0].pixels, after[0].pixels) > 0
    write_image(sharp_photo, elsewhere / "sharp.jpg")
    exec(compile(example("/blur_photo"), "README.md", "exec"), names)
    blurred, sharp = (read_image(Path(names[which])) for which in ("blurred", "sharp"))
    assert names["made"]["psnr"] == pytest.approx(metrics.psnr(blurred.pixels, sharp.pixels))
    assert names["made"]["shake"]["path"] == names["path"]
    rows = names["client"].predict(api_name="/models")
    assert {row["id"]: row["parameters"] for row in rows}["mtrnn-lite"] == 2_643_308
