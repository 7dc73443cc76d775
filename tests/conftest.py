"""What several parts' tests need: weights that visibly do something, and photos to use them on."""

from __future__ import annotations

import os
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
import torch
from skimage import data

from deblur_demo.cli import main
from deblur_demo.media.image import Photo, write_image
from deblur_demo.models import checkpoint, registry
from deblur_demo.models.checkpoint import Card

# Workers side by side take a core each; this also holds for the programs that tests start.
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ["OMP_NUM_THREADS"] = "1"
    torch.set_num_threads(1)


def pytest_xdist_auto_num_workers() -> int:
    """A worker more than there are cores: who drives a browser or waits for a server leaves a core idle."""
    return (os.cpu_count() or 1) + 1


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


@pytest.fixture
def deblur(lively_checkpoint):
    """Runs the deblur command with quick, exactly reproducible settings."""

    def run(*words: object, iterations: object = 2) -> int:
        fixed = ["--checkpoint", lively_checkpoint, "--iterations", iterations, "--device", "cpu"]
        return main(["deblur", *map(str, [*words, *fixed]), "--precision", "fp32"])

    return run


@pytest.fixture
def shaky(tmp_path, shaky_photo) -> Path:
    write_image(shaky_photo, tmp_path / "shaky.png")
    return tmp_path / "shaky.png"


SOUND_RATE = 48_000


@pytest.fixture(scope="session")
def shaky_clip(tmp_path_factory) -> Path:
    """Six frames of 64 x 48 that drift over the cup of coffee, at a variable rate, with a hum in AAC."""
    path = tmp_path_factory.mktemp("clip") / "shaky.mp4"
    picture = cv2.blur(data.coffee(), (9, 1))
    with av.open(str(path), "w") as container:
        video = container.add_stream("libx264", options={"crf": "12"})
        video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
        video.codec_context.time_base = video.time_base = Fraction(1, 1000)
        sound = container.add_stream("aac", rate=SOUND_RATE, layout="mono")
        for index, milliseconds in enumerate((0, 33, 66, 200, 233, 500)):
            crop = np.ascontiguousarray(picture[150:198, 250 + index : 314 + index])
            frame = av.VideoFrame.from_ndarray(crop, "rgb24")
            frame.pts, frame.time_base = milliseconds, Fraction(1, 1000)
            container.mux(video.encode(frame))
        container.mux(video.encode(None))
        hum = (np.sin(np.arange(SOUND_RATE * 6 // 10) / 20) * 0.3).astype(np.float32)
        block = av.AudioFrame.from_ndarray(hum[None], "fltp", "mono")
        block.sample_rate, block.pts, block.time_base = SOUND_RATE, 0, Fraction(1, SOUND_RATE)
        container.mux(sound.encode(block))
        container.mux(sound.encode(None))
    return path
