"""What a run shows in the terminal and in TensorBoard: a bar, curves, and pictures of what each step adds."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.utils.tensorboard import SummaryWriter
from tqdm import tqdm

from deblur_demo.media.frames import to_tensor
from deblur_demo.models.contract import Restorer, centre_frame
from training.loop import Onlooker, Trainer
from training.scores import Pair, fitted, windows

STRIP = 192  # side of a picture in a strip, in pixels


class Board(Onlooker):
    """A bar in the terminal, and a log in the run's folder.

    Args:
        trainer: the run. What the log holds beyond its update is forgotten: a go may repeat updates
            that were not saved.
    """

    def __init__(self, trainer: Trainer):
        super().__init__(trainer)
        self._writer = SummaryWriter(trainer.folder / "log", purge_step=trainer.update)
        self._bar = tqdm(
            total=trainer.recipe.updates, initial=trainer.update, unit="update", mininterval=5, smoothing=0.05
        )
        self._psnr = float("nan")

    def batch(self, loss: float, rate: float) -> None:
        trainer = self.trainer
        self._bar.update(trainer.update - self._bar.n)
        self._bar.set_postfix(loss=f"{loss:.4f}", psnr=f"{self._psnr:.2f}", skipped=trainer.skipped)
        self._writer.add_scalar("train/loss", loss, trainer.update)
        self._writer.add_scalar("train/rate", rate, trainer.update)

    def validation(self, name: str, psnr: list[float], pairs: Sequence[Pair]) -> None:
        trainer = self.trainer
        tqdm.write(f"update {trainer.update} {name}: " + " ".join(f"{value:.3f}" for value in psnr))
        for step, value in enumerate(psnr):
            self._writer.add_scalar(f"{name}/psnr_step_{step}", value, trainer.update)
        with trainer.machine.autocast():
            picture = strip(trainer.average, pairs[0], len(psnr) - 1)
        self._writer.add_image(f"{name}/blurred_steps_sharp", picture, trainer.update)
        self._psnr = psnr[-1]

    def close(self) -> None:
        self._writer.close()
        self._bar.close()


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
