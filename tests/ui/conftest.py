"""Weights in the user's cache, so that the page has a network whatever is bundled."""

from __future__ import annotations

import shutil

import pytest

from deblur_demo.media.image import write_image
from deblur_demo.ui.runs import Run


@pytest.fixture(scope="session")
def weights_folder(tmp_path_factory, lively_checkpoint):
    folder = tmp_path_factory.mktemp("cache")
    for suffix in (".safetensors", ".json"):
        shutil.copy(lively_checkpoint.with_suffix(suffix), folder / f"mtrnn-lite{suffix}")
    return folder


@pytest.fixture(autouse=True)
def no_lingering(monkeypatch):
    """What nobody looks at any more goes at once: there is no page that would need the time to notice."""
    monkeypatch.setattr(Run, "later", staticmethod(lambda delete: delete()))


@pytest.fixture
def weights(monkeypatch, weights_folder):
    monkeypatch.setenv("DEBLUR_CACHE", str(weights_folder))
    return weights_folder


@pytest.fixture
def shaky(tmp_path, shaky_photo) -> str:
    """A blurred photo, as a page hands it over."""
    write_image(shaky_photo, tmp_path / "shaky.png")
    return str(tmp_path / "shaky.png")
