"""PSNR and SSIM of every frame of a clip, and its flicker: a network judged as it runs along footage."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from torch import Tensor

from deblur_demo.flicker import Flicker
from deblur_demo.media.frames import to_pixels, to_tensor
from deblur_demo.runtime.deblurrer import Deblurrer
from deblur_demo.runtime.footage import FrameDone, deblur_frames
from training.scores import Pair, Scores, mean, measure


@dataclass(frozen=True)
class ClipScores:
    """Of one clip; frame by frame in the order of time.

    Attributes:
        names: of the frames.
        frames: of each frame.
        flicker: of the blurred, the restored and the sharp clip in 8-bit levels, all by the motion of
            the blurred one (see ``flicker.Flicker``); None where there is no second frame to compare.
    """

    names: list[str]
    frames: list[Scores]
    flicker: tuple[float | None, float | None, float | None]

    @property
    def mean(self) -> Scores:
        """Means over the frames."""
        return mean(self.frames)


def score_clip(deblurrer: Deblurrer, pairs: Iterable[Pair], iterations: int | None = None) -> ClipScores:
    """Run the product's own path along a clip and compare every step of every frame with the truth.

    Args:
        deblurrer: network, device and precision.
        pairs: the frames, in the order of time; taken as they are needed.
        iterations: of an iterative network; None: the network's own number.
    """
    waiting: deque[Pair] = deque()

    def blurred() -> Iterator[Tensor]:
        for pair in pairs:
            waiting.append(pair)
            yield to_tensor(pair.blurred)

    names, frames, restored, truth = [], [], Flicker(), Flicker()
    for event in deblur_frames(deblurrer, blurred(), iterations):
        if isinstance(event, FrameDone):
            pair = waiting.popleft()
            restored.add(pair.blurred, to_pixels(event.steps[-1].image, np.uint8))
            truth.add(pair.blurred, pair.sharp)
            names.append(pair.name)
            frames.append(measure(pair, event.steps))
    return ClipScores(names, frames, (*restored.value, truth.value[1]))


def frames_table(clip: ClipScores) -> str:
    """A row a frame, the blurred one and the last step, as a Markdown table, and the flicker below it."""
    rows = ["| frame | PSNR before | after | SSIM before | after |", "|---|---|---|---|---|"]
    for name, frame in zip(clip.names, clip.frames, strict=True):
        psnr, ssim = frame.psnr, frame.ssim
        rows.append(f"| {name} | {psnr[0]:.2f} | {psnr[-1]:.2f} | {ssim[0]:.4f} | {ssim[-1]:.4f} |")
    if None not in clip.flicker:
        rows += ["", "flicker in 8-bit levels: blurred {:.2f}, restored {:.2f}, sharp {:.2f}".format(*clip.flicker)]
    return "\n".join(rows)
