"""A tiny corpus made of scikit-image's sample pictures, in the layout that training reads."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from skimage import data

from training.config import Recipe, Shares
from training.data.corpus import Corpus, load_corpus


def write(path: Path, rgb: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), rgb[..., ::-1])


@pytest.fixture(scope="session")
def corpus_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three photos, one held-out photo, a 16-frame clip that pans, two pairs and two held-out ones."""
    folder = tmp_path_factory.mktemp("corpus")
    for name, picture in (("a", data.astronaut()), ("b", data.coffee()), ("c", data.chelsea())):
        write(folder / f"photos/mine/{name}.png", picture[:200, 100:340])
    for number in ("01", "05"):
        write(folder / f"photos/kodak/{number}.png", data.astronaut()[:460, :460])
    for frame in range(16):
        write(folder / f"gopro_240fps/pan/{frame:06d}.png", data.coffee()[50:250, 100 + 2 * frame : 300 + 2 * frame])
    for number in ("000047", "000048", "000110", "000129"):
        sharp = data.astronaut()[100:300, 100:300]
        blurred = np.mean([np.roll(sharp, shift, axis=1) for shift in range(-4, 5)], axis=0).astype(np.uint8)
        write(folder / f"gopro/GOPR0372_07_00/sharp/{number}.png", sharp)
        write(folder / f"gopro/GOPR0372_07_00/blur/{number}.png", blurred)
    return folder


@pytest.fixture(scope="module")
def corpus(corpus_folder: Path) -> Corpus:
    """The same, read."""
    return load_corpus(corpus_folder, torch.device("cpu"))


@pytest.fixture
def tiny_toml(tmp_path: Path) -> Path:
    """A file of a recipe that takes a moment."""
    path = tmp_path / "tiny.toml"
    settings = "{ layers = 2, filters = 4 }"
    path.write_text(f'model = "carlo-s"\nsettings = {settings}\nupdates = 4\nbatch = 2\ncrop = 32\nrate = 1e-3\n')
    return path


@pytest.fixture
def recipe() -> Recipe:
    """A recipe that takes a second."""
    return Recipe(
        model="mtrnn-lite", updates=40, batch=3, crop=32, late_crop=48, late_from=0.5, rate=1e-3, warmup=4,
        validate_every=1000, shares=Shares(photos=1, clips=1, pairs=1),
    )  # fmt: skip
