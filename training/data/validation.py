"""The fixed synthetic validation set: held-out photos under drawn motion, as a folder of pairs."""

from __future__ import annotations

from pathlib import Path

import cv2
import torch

from deblur_demo.errors import InputError
from deblur_demo.synthesis.camera import CameraSettings, develop
from deblur_demo.synthesis.exposure import MotionSettings, moving_frames, temporal_level
from training.data.corpus import HELD_OUT_PHOTOS
from training.data.files import Files
from training.data.samples import MARGIN

SIDE, SEED = 384, 2020


def write_validation(source: Path, target: Path) -> int:
    """Blur the held-out photos of a corpus and write ``blur/`` and ``sharp/`` PNGs.

    The same corpus gives the same files: every picture has its own seed, the level goes round
    through 7, 9, 11 and 13, and every second input has noise.

    Args:
        source: corpus folder.
        target: folder for the pairs.

    Returns:
        The number of pairs.

    Raises:
        InputError: the corpus has none of the held-out photos.
    """
    files = Files(source)
    names = [name for name in files.pictures if str(Path(name).with_suffix("")).endswith(HELD_OUT_PHOTOS)]
    if len(names) < 2:
        raise InputError(
            f"{source} has {len(names)} of the held-out photos",
            "photos/kodak and photos/urban100",
            f"Need {', '.join(HELD_OUT_PHOTOS)}",
        )
    for side in ("blur", "sharp"):
        (target / side).mkdir(parents=True, exist_ok=True)
    side = SIDE + 2 * MARGIN
    pictures = [_middle(files.decode(name), side) for name in names]
    for index, name in enumerate(names):
        generator = torch.Generator().manual_seed(SEED + index)
        light = moving_frames(
            pictures[index][None], pictures[index - 1][None], SIDE, MotionSettings(), generator
        )  # (1, 13, 3, SIDE, SIDE)
        camera = CameraSettings(noise_share=index % 2, jpeg_share=0.0)
        blurred = develop(temporal_level(light, (7, 9, 11, 13)[index % 4]), camera, generator)
        for folder, image in (("blur", blurred), ("sharp", temporal_level(light, 1))):
            pixels = (image[0] * 255).round().byte().permute(1, 2, 0).numpy()
            path = target / folder / (name.replace("/", "_").rsplit(".", 1)[0] + ".png")
            cv2.imwrite(str(path), cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR))
    return len(names)


def _middle(picture: torch.Tensor, side: int) -> torch.Tensor:
    """The middle square of a photo: (3, side, side) in [0, 1]."""
    height, width = picture.shape[-2:]
    top, left = (height - side) // 2, (width - side) // 2
    return picture[:, top : top + side, left : left + side].float() / 255
