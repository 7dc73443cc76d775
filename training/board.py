"""TensorBoard of a run: curves, and strips of pictures that show what each iteration adds."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor
from torch.utils.tensorboard import SummaryWriter

from deblur_demo.media.frames import to_tensor
from deblur_demo.models.contract import Restorer, Traits, centre_frame
from training.scores import Pair, windows

STRIP = 192  # side of a picture in a strip, in pixels


class Board:
    """Writes where it is asked to, and nothing on the processes that only compute.

    Args:
        folder: of the log.
        update: what the log holds beyond it is forgotten: a go may repeat updates that were not saved.
        writes: whether this process writes.
    """

    def __init__(self, folder: Path, update: int, writes: bool):
        self._writer = SummaryWriter(folder, purge_step=update) if writes else None

    def curve(self, name: str, value: float, update: int) -> None:
        """Add a point to a curve."""
        if self._writer:
            self._writer.add_scalar(name, value, update)

    def picture(self, name: str, image: Tensor, update: int) -> None:
        """Show an image (3, H, W) in [0, 1]."""
        if self._writer:
            self._writer.add_image(name, image, update)

    def close(self) -> None:
        if self._writer:
            self._writer.close()


@torch.inference_mode()
def strip(model: Restorer, pair: Pair, steps: int) -> Tensor:
    """The middle of a picture: blurred, after every step, and sharp.

    Args:
        model: network in any precision on any device.
        pair: picture with its truth.
        steps: number of steps.

    Returns:
        (3, S, (steps + 2) S) in [0, 1] on the CPU; S is at most ``STRIP`` and what the network takes.
    """
    part = fitted(pair, model.traits, min(STRIP, *pair.sharp.shape[:2]))
    _, frames = next(windows([part], model.traits.frames))
    frames = frames.to(model.device)
    images = [centre_frame(frames), *(estimate.image for estimate in model.run(frames, steps))]
    return torch.cat([image.float().clamp(0, 1).cpu() for image in images] + [to_tensor(part.sharp)], dim=3)[0]


def fitted(pair: Pair, traits: Traits, most: int | None = None) -> Pair:
    """The middle of a picture, as large as the network's alignment lets it be, and no larger than ``most``."""
    rows, columns = (
        slice((length - side) // 2, (length - side) // 2 + side)
        for length in pair.sharp.shape[:2]
        for side in (min(length, most or length) // traits.align * traits.align,)
    )
    return Pair(pair.name, pair.blurred[rows, columns], pair.sharp[rows, columns])
