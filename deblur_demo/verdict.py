"""What a run did to a photo, and what else to try: facts; who shows them finds the words.

The page knows this module when it opens, so what takes long to import is imported where it is used.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING

from deblur_demo.settings import ITERATIONS, SIZE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy import ndarray

    from deblur_demo.pipeline import StepReport

# Blur estimates (``metrics.blur``). Of 59 sharp photos and frames 56 lie at or below the first and none
# reaches the second; of 105 photos smeared over 12 to 48 pixels one lies below the first and 86 reach the second.
SHARP, BLURRED = 0.42, 0.50
# Levels of 255. The bundled network changes sharp photos by 1.5 to 4 on average and blurred ones by 1 to 6.
NEXT_TO_NOTHING = 1.0
LESS = 0.05  # of the blur estimate: what counts as less blurred
CLEARLY = 0.1  # dB between two steps
# The estimate of a copy of a quarter of the size from which on a smear is too long for the networks. Of 49 pictures
# smeared straight over 4 to 64 pixels 16 reach it: they gain 0.65 dB at half size and 0.36 at full. Of 42 that were
# shaken at random 18 do, and gain 0.15 and 0.20; with 0.50 it would be 0.16 and 0.29.
LONG = 0.54

# What to try. More iterations: from 1 to 6 PSNR rises by 1.1 dB on REDS 003 and by 0.2 dB on the synthetic set, with
# the bundled network, from 6 to 10 by nothing. Another size to restore at: see ``LONG`` and ``runtime/reduced.py``.
# Deconvolution: of a straight smear, see ``models/smear.py``, it wins 3.6 dB where a network wins 0.3 to 1.1.
# A network: after a classic filter that found no such smear. The first step: of 34 photos that looked sharp, smeared
# straight over up to 10 pixels, 12 came out worse after six iterations than after one, and all of them 0.85 dB worse on
# average; of 12 soft ones it was 6, and 1.9 dB.
# The best step: where the truth is known and the last one is farther from it than another by ``CLEARLY``.
MORE_ITERATIONS, FIRST_STEP, BEST_STEP = "more_iterations", "first_step", "best_step"
DECONVOLUTION, NETWORK = "deconvolution", "network"
SIZES = {size: f"{size}_size" for size in SIZE.words}


@dataclass(frozen=True)
class Verdict:
    """One run over one photo, its input against its last step.

    Attributes:
        blur_before, blur_after: estimates, see ``metrics.blur``.
        change: mean absolute difference in 8-bit levels.
        steeper: sharpness after as a multiple of that before; 1.1: edges are a tenth steeper.
        gain: PSNR after minus that before in dB; None without a truth, or where a picture equals it.
        size: that it was restored at, see ``settings.SIZE``.
        smear: length in px of the straight motion in the input; None: none found, or not looked for.
        best: index of a step that is clearly nearer to the truth than the last; None: there is none, or no truth.
        advice: what to try, of ``MORE_ITERATIONS``, ``FIRST_STEP``, ``BEST_STEP``, ``DECONVOLUTION``, ``NETWORK``
            and the values of ``SIZES``.
    """

    blur_before: float | None
    blur_after: float | None
    change: float
    steeper: float
    gain: float | None = None
    size: str = SIZE.default
    smear: float | None = None
    best: int | None = None
    advice: tuple[str, ...] = ()

    @property
    def kind(self) -> str:
        """What the input was: "sharp", "soft" (in between), "blurred", or "plain" (nothing to tell by)."""
        return kind_of(self.blur_before)

    @property
    def unchanged(self) -> bool:
        """Whether next to nothing changed."""
        return self.change < NEXT_TO_NOTHING

    @property
    def cleared(self) -> bool:
        """Whether the picture looks less blurred than before."""
        return None not in (self.blur_before, self.blur_after) and self.blur_before - self.blur_after >= LESS

    def facts(self) -> dict:
        """For a report in JSON."""
        return {"kind": self.kind, **asdict(self)}


def kind_of(blur: float | None) -> str:
    """What a blur estimate says of a picture: "sharp", "soft", "blurred", or "plain" where there is none."""
    if blur is None:
        return "plain"
    return "sharp" if blur <= SHARP else "blurred" if blur >= BLURRED else "soft"


def fitting_size(pixels: ndarray) -> str | None:
    """The size to restore a photo at, of ``settings.SIZE``, by how long its smear is.

    Where a copy of a quarter of its size still looks much blurred, a smear is longer than the networks
    know; where one of an eighth looks blurred, it is so at half the size, too.

    Args:
        pixels: (H, W, 3), uint8 or uint16.

    Returns:
        None where such copies have no edges, or are too small to tell.
    """
    quarter, eighth = (_blur_of_copy(pixels, divisor) for divisor in (4, 8))
    if None in (quarter, eighth):
        return None
    return "quarter" if eighth >= BLURRED else "half" if quarter >= LONG else "full"


def straight_smear(pixels: ndarray) -> float | None:
    """Length in px of the straight motion that a photo, (H, W, 3), uint8 or uint16, shows; None: it shows none."""
    import numpy as np
    import torch

    from deblur_demo.models.smear import find_smear, middle

    seen = middle(torch.from_numpy(pixels).permute(2, 0, 1)[None])
    length, _ = find_smear(seen.float() / np.iinfo(pixels.dtype).max)
    return length.item() if length > 1 else None


def judge(
    first: StepReport,
    last: StepReport,
    more: bool = False,
    size: str = SIZE.default,
    learned: bool = True,
    scores: Sequence[float | None] = (),
) -> Verdict:
    """Compare the last step of a photo with its input.

    Args:
        first: step 0.
        last: the newest.
        more: whether the network would have gone on, or stopped before, if it had been told to.
        size: that the photo was restored at.
        learned: whether a network did it, rather than a classic filter.
        scores: PSNR of every step, the input's first.
    """
    from deblur_demo import metrics

    scored = None not in (first.psnr, last.psnr)
    verdict = Verdict(
        blur_before=first.blur,
        blur_after=last.blur,
        change=metrics.change(first.photo.pixels, last.photo.pixels),
        steeper=last.sharpness / first.sharpness if first.sharpness else 1.0,
        gain=last.psnr - first.psnr if scored else None,
        size=size,
        best=_better_step(scores),
    )
    advice, helps = [], verdict.gain is None or verdict.gain > 0
    unhelped = verdict.kind == "blurred" and not verdict.cleared
    if unhelped and more and helps and last.index < ITERATIONS.default:
        advice.append(MORE_ITERATIONS)
    nearer = verdict.gain is not None and verdict.gain > 0
    if verdict.best is not None:
        advice.append(BEST_STEP)
    elif verdict.kind in ("sharp", "soft") and more and last.index > 1 and not (verdict.unchanged or nearer):
        advice.append(FIRST_STEP)
    smear = straight_smear(first.photo.pixels) if unhelped and learned else None
    if smear is not None:
        advice.append(DECONVOLUTION)
    elif unhelped and not learned and verdict.change == 0:
        advice.append(NETWORK)
    elif unhelped or size != SIZE.default:
        fitting = fitting_size(first.photo.pixels)
        # A photo that was helped is told of another size only if it was reduced, and full size would have done.
        if fitting not in (None, size) and (unhelped or fitting == SIZE.default):
            advice.append(SIZES[fitting])
    return replace(verdict, smear=smear, advice=tuple(advice))


def _better_step(scores: Sequence[float | None]) -> int | None:
    """The step of the highest PSNR, if the last one's is clearly lower."""
    if len(scores) < 2 or None in scores:
        return None
    best = max(range(1, len(scores)), key=scores.__getitem__)
    return best if scores[best] >= scores[-1] + CLEARLY else None


def _blur_of_copy(pixels: ndarray, divisor: int) -> float | None:
    """The blur estimate of a smaller copy, all of it."""
    import cv2

    from deblur_demo import metrics

    sides = tuple(max(1, side // divisor) for side in pixels.shape[1::-1])
    return metrics.blur(cv2.resize(pixels, sides, interpolation=cv2.INTER_AREA), most=math.inf)
