"""What a run did to a photo, and what else to try: facts; who shows them finds the words.

The page knows this module when it opens, so what takes long to import is imported where it is used.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING

from deblur_demo.settings import ITERATIONS

if TYPE_CHECKING:
    from deblur_demo.pipeline import StepReport

# Blur estimates (``metrics.blur``). Of 59 sharp photos and frames 56 lie at or below the first and none
# reaches the second; of 105 photos smeared over 12 to 48 pixels one lies below the first and 86 reach the second.
SHARP, BLURRED = 0.42, 0.50
# Levels of 255. The bundled network changes sharp photos by 1.5 to 4 on average and blurred ones by 1 to 6.
NEXT_TO_NOTHING = 1.0
LESS = 0.05  # of the blur estimate: what counts as less blurred

# What to try, each seen to work with the bundled network on blurred pictures, held out from its training:
# from 1 iteration to 6 PSNR rises by 1.1 dB on REDS 003 and by 0.3 dB on the synthetic set; from 6 to 10 by nothing.
MORE_ITERATIONS = "more_iterations"
# Where a copy of half the size still reaches BLURRED, the smear is longer than the network is good at. On 15 of 17
# such pictures (12 smeared over 30 or 70 pixels, 5 frames) it gains more on the copy: 0.52 dB on average for 0.37.
HALF_SIZE = "half_size"


@dataclass(frozen=True)
class Verdict:
    """One run over one photo, its input against its last step.

    Attributes:
        blur_before, blur_after: estimates, see ``metrics.blur``.
        change: mean absolute difference in 8-bit levels.
        steeper: sharpness after as a multiple of that before; 1.1: edges are a tenth steeper.
        gain: PSNR after minus that before in dB; None without a truth, or where a picture equals it.
        advice: what to try, of ``MORE_ITERATIONS`` and ``HALF_SIZE``.
    """

    blur_before: float | None
    blur_after: float | None
    change: float
    steeper: float
    gain: float | None = None
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


def judge(first: StepReport, last: StepReport, more: bool = False) -> Verdict:
    """Compare the last step of a photo with its input.

    Args:
        first: step 0.
        last: the newest.
        more: whether the network would have gone on if it had been told to.
    """
    from deblur_demo import metrics

    scored = first.mse and last.mse  # neither None nor 0, where PSNR has no end
    verdict = Verdict(
        blur_before=first.blur,
        blur_after=last.blur,
        change=metrics.change(first.photo.pixels, last.photo.pixels),
        steeper=last.sharpness / first.sharpness if first.sharpness else 1.0,
        gain=last.psnr - first.psnr if scored else None,
    )
    if verdict.kind != "blurred" or verdict.cleared:
        return verdict
    helps = verdict.gain is None or verdict.gain > 0
    iterations = [MORE_ITERATIONS] if more and helps and last.index < ITERATIONS.default else []
    size = [HALF_SIZE] if _is_long(first) else []
    return replace(verdict, advice=(*iterations, *size))


def _is_long(report: StepReport) -> bool:
    """Whether the blur is still to be seen in a copy of half the size."""
    import cv2

    from deblur_demo import metrics

    pixels = report.photo.pixels
    half = tuple(max(1, side // 2) for side in pixels.shape[1::-1])
    return kind_of(metrics.blur(cv2.resize(pixels, half, interpolation=cv2.INTER_AREA))) == "blurred"
