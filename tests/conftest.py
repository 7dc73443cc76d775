"""What several parts' tests need: weights that visibly do something, and photos to use them on."""

from __future__ import annotations

from pathlib import Path

import cv2
import pytest
import torch
from skimage import data

from deblur_demo.media.image import Photo
from deblur_demo.models import checkpoint, registry
from deblur_demo.models.checkpoint import Card


@pytest.fixture(scope="session")
def lively_checkpoint(tmp_path_factory) -> Path:
    """Untrained weights of ``mtrnn-lite`` whose iterations change a picture by some levels, with their card."""
    path = tmp_path_factory.mktemp("weights") / "lively.safetensors"
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = registry.build("mtrnn-lite")
        with torch.no_grad():
            network.head.weight.mul_(3)
            network.head.bias.normal_(0, 0.02)
    metrics = {"made up": {"psnr": [24.0, 24.5], "ssim": [0.7, 0.71]}}
    checkpoint.save(network, path, Card(model="mtrnn-lite", licence="CC0", data=("none",), metrics=metrics))
    return path


@pytest.fixture(scope="session")
def sharp_photo() -> Photo:
    """A crop of scikit-image's cup of coffee, 72 x 48, odd enough to need padding."""
    return Photo(data.coffee()[150:198, 250:322].copy())


@pytest.fixture(scope="session")
def shaky_photo(sharp_photo) -> Photo:
    """The same, smeared over 9 pixels."""
    return Photo(cv2.blur(sharp_photo.pixels, (9, 1)))
