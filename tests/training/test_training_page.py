"""Every command of TRAINING.md runs, on pictures of a few pixels and for a few updates."""

from __future__ import annotations

import re
import shlex
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
from skimage import data

from deblur_demo import cli
from deblur_demo.models import checkpoint
from training import __main__ as training

ROOT = Path(__file__).resolve().parents[2]
COMMANDS = [
    line
    for block in re.findall(r"```bash\n(.*?)```", (ROOT / "TRAINING.md").read_text(), re.DOTALL)
    for line in block.replace("\\\n", " ").splitlines()
]
TINY = {
    "train": ["--updates", "3", "--device", "cpu"],
    "go": ["--updates", "3", "--device", "cpu"],
    "compare": ["--updates", "4", "--slices", "2", "--device", "cpu"],
    "evaluate": ["--iterations", "1", "--device", "cpu"],
}
SMALLER = (("crop = 160", "crop = 48"), ("batch = 8", "batch = 2"), ("late_crop = 224", "late_crop = 64"))


@pytest.fixture
def workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the author's clips, photos and recipe, and with this project's recipes beside them."""
    picture = data.coffee()
    for folder in ("mine/240fps/beach", "mine/val/240fps/street"):
        (tmp_path / folder).mkdir(parents=True)
        for frame in range(14):
            crop = picture[60:160, 40 + frame : 140 + frame]
            cv2.imwrite(str(tmp_path / folder / f"{frame:06d}.png"), np.ascontiguousarray(crop[..., ::-1]))
    (tmp_path / "mine/photos").mkdir()
    for name in "ab":
        cv2.imwrite(str(tmp_path / f"mine/photos/{name}.png"), data.astronaut()[:140, :140, ::-1])
    (tmp_path / "training/recipes").mkdir(parents=True)
    for name, sizes in (
        ("mlfa-lite", SMALLER),
        ("mtrnn-lite-tune", SMALLER[:2]),
        ("mtrnn-tune", (("crop = 144", "crop = 48"), ("batch = 6", "batch = 2"))),
        ("mt-brehm-stage1-s", (("crop = 128", "crop = 48"), ("batch = 4", "batch = 2"))),
        ("mtrnn-lite", SMALLER),
    ):
        recipe = (ROOT / f"training/recipes/{name}.toml").read_text()
        for usual, small in sizes:
            assert usual in recipe
            recipe = recipe.replace(usual, small)
        (tmp_path / f"training/recipes/{name}.toml").write_text(recipe)
    (tmp_path / "my-idea.toml").write_text(recipe.replace("rate = 5e-4", "rate = 1e-3"))
    cv2.imwrite(str(tmp_path / "shaky.jpg"), picture[60:160, 40:140, ::-1])
    shutil.copytree(checkpoint.BUNDLED, tmp_path / "checkpoints", ignore=shutil.ignore_patterns("atrous*", "kaist*"))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(checkpoint, "BUNDLED", tmp_path / "bundled")
    (tmp_path / "bundled").mkdir()
    return tmp_path


def run(command: str) -> int:
    """One line of the page, scaled down."""
    python, flag, module, *words = shlex.split(command)
    assert (python, flag) == ("python", "-m")
    if module == "pip":
        return 0 if Path(ROOT / words[-1]).is_file() else 1
    if "--minutes" in words:
        words[words.index("--minutes") + 1] = "0.2"
    main = {"training": training.main, "deblur_demo": cli.main}[module]
    return main([*words, *TINY.get(words[0], [])])


def test_every_command_of_the_page_runs(workplace: Path, capsys: pytest.CaptureFixture):
    assert len(COMMANDS) == 21, COMMANDS
    for command in COMMANDS:
        assert run(command) == 0, f"{command}\n{capsys.readouterr().err}"
    assert (workplace / "val/blur").is_dir()
    assert checkpoint.read_card(workplace / "runs/mine/best.safetensors").updates == 3
    assert checkpoint.read_card(workplace / "runs/rented/best.safetensors").updates == 3
    bundled = checkpoint.read_card(workplace / "checkpoints/mtrnn-lite.safetensors")
    assert checkpoint.read_card(workplace / "mean.safetensors").updates == bundled.updates + 6
    assert checkpoint.read_card(workplace / "mlfa-lite.safetensors").settings == {}
    assert (workplace / "results/results.csv").is_file() and (workplace / "sharp.png").is_file()
    assert (workplace / "bundled/mtrnn-lite.safetensors").is_file(), "promoted where nothing was bundled"
    assert any((workplace / "hub").rglob("*.safetensors"))
