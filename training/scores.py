"""PSNR and SSIM per step on folders of pairs, the blurred input as step 0."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch

from deblur_demo import metrics
from deblur_demo.errors import InputError
from deblur_demo.media.frames import to_pixels, to_tensor, window
from deblur_demo.models.contract import Restorer
from deblur_demo.runtime.deblurrer import Deblurrer

TREE = """a folder with
    blur/*.png
    sharp/*.png     of the same names"""


@dataclass(frozen=True)
class Pair:
    """A blurred picture and its truth, both (H, W, 3) uint8 RGB."""

    name: str
    blurred: np.ndarray
    sharp: np.ndarray


@dataclass(frozen=True)
class Scores:
    """Means over a set; entry 0 is the blurred input, entry i the i-th step.

    Attributes:
        psnr: dB, on 8-bit RGB.
        ssim: as Wang 2004.
        seconds: per picture and step; 0 for the input.
    """

    psnr: list[float]
    ssim: list[float]
    seconds: list[float]

    @property
    def gain(self) -> float:
        """PSNR of the last step above the input, dB."""
        return self.psnr[-1] - self.psnr[0]


def read_pairs(folder: Path, limit: slice = slice(None)) -> list[Pair]:
    """The pairs of a folder, sorted by name.

    Raises:
        InputError: the folder has not both sides; the message shows the expected tree.
    """
    names = sorted(path.name for path in (Path(folder) / "blur").glob("*") if path.is_file())
    pairs = []
    for name in names[limit]:
        sides = [cv2.imread(str(Path(folder) / side / name), cv2.IMREAD_COLOR_RGB) for side in ("blur", "sharp")]
        if any(side is None for side in sides):
            raise InputError(f"{folder} lacks a readable blur/{name} or sharp/{name}", TREE, "Complete the pair")
        pairs.append(Pair(name, *sides))
    if not pairs:
        raise InputError(f"{folder} has no pairs", TREE, "Point to such a folder")
    return pairs


def score(deblurrer: Deblurrer, pairs: Sequence[Pair], iterations: int | None = None) -> Scores:
    """Run the product's own path over the pairs and compare every step with the truth.

    Args:
        deblurrer: network, device and precision.
        pairs: pictures.
        iterations: of an iterative network; None: the network's own number.
    """
    rows = []
    for pair in pairs:
        frames = [to_tensor(pair.blurred)] * deblurrer.model.traits.frames
        results, seconds = [pair.blurred], [0.0]
        for step in deblurrer.steps(window(frames), iterations):
            results.append(to_pixels(step.image, np.uint8))
            seconds.append(step.seconds)
        psnr = [metrics.psnr(result, pair.sharp) for result in results]
        rows.append((psnr, [metrics.ssim(result, pair.sharp) for result in results], seconds))
    return Scores(*(np.mean(column, axis=0).tolist() for column in zip(*rows, strict=True)))


@torch.inference_mode()
def quick_psnr(model: Restorer, pairs: Sequence[Pair], steps: int) -> list[float]:
    """PSNR per step, entry 0 the input, computed where the network is; for use while training.

    Args:
        model: network in any precision on any device.
        pairs: pictures whose sides are multiples of the network's alignment.
        steps: number of steps.
    """
    total = torch.zeros(steps + 1, dtype=torch.float64)
    for pair in pairs:
        blurred, sharp = (to_tensor(side).to(model.device) for side in (pair.blurred, pair.sharp))
        images = [blurred] + [estimate.image for estimate in model.run(window([blurred]), steps)]
        for index, image in enumerate(images):
            error = (image.clamp(0, 1) * 255).round() / 255 - sharp
            total[index] += -10 * float(torch.log10(error.square().mean()))
    return (total / len(pairs)).tolist()
