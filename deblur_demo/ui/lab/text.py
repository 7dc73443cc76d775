"""Words of the blur lab; what it shares with other screens is in ``text``."""

from __future__ import annotations

import math
from collections.abc import Sequence

from deblur_demo.ui import text

SCREEN = "Blur lab"

# The photo
PHOTO = "Sharp photo"
EXAMPLES = "Or take one of these:"

# The shake
PAD = {
    "title": "Camera path",
    "drawn": "drawn",
    "lucky": "random",
    "invite": "Draw here how the camera shakes",
    "lot": "Random",
    "lot_help": "Throw the dice for another path",
    "square": "square: {number} px",
    "exposed": "exposed",
    "whole": "shutter closed",
    "words": "Camera path across {width} by {height} pixels, {origin}; {level} of 13 frames are exposed",
}
SHIFT = "Length of a random path"
SHIFT_HELP = "In pixels, from its start to its end."
LEVEL = "Exposure"
LEVEL_HELP = "For how many of 13 frames the shutter is open: 13 blurs the most."
MORE = "Objects, noise, light"
OBJECTS = "Moving objects"
OBJECTS_HELP = "Pieces of the photo that travel on paths of their own."
NOISE = "Noise"
NOISE_HELP = "1 is a phone indoors."
SATURATION = "Brightest light"
SATURATION_HELP = "Behind clipped white, as a multiple of it: lamps leave white streaks."
SEED = "Seed"
SEED_HELP = "The same seed makes the same random path and the same noise."
UPLOAD = "Repeat an exported shake (JSON)"

# Actions
BLUR = "Blur it"
DEBLUR = "Deblur it"

# Before the first blur
EMPTY_TITLE = "Your own blur will appear here"
WELCOME = (
    ("Add a sharp photo", "or take an example"),
    ("Draw a shake", "with mouse or finger, or take a random one"),
    ("Blur it, then deblur it", "the sharp photo is known, so every iteration is scored"),
)

# Results
LEVELS_HELP = (
    "A temporal level TLn is one moment of a shaking camera with the shutter open for n frames: TL1 is a single sharp "
    "frame, TL13 thirteen of them smeared into one. A multi-temporal network climbs down this ladder, a few levels in "
    "every iteration, instead of guessing the sharp photo in one go."
)
SHARP = "Sharp"
BLURRED = "Blurred"
KERNEL = "Kernel"
PAIR = "Download the pair (ZIP)"
RECIPE = "Download the shake (JSON)"

# Status
SHAKING = "Shaking the camera …"
OTHER_SHAKE = "The shake has changed. “Blur it” blurs with the new one, “Deblur it” works on the blur shown."
REPEATED = "The shake is loaded. Blur a photo with it."
WRITING = "Writing the pictures …"

# API
REPORT = "Shake and notices"
PATH = "Path: [[x, y], …] in pixels, evenly spaced in time; empty: a random one"

# Refusals
NO_PHOTO = ("No photo is chosen yet", "one sharp image file", "Drop a photo or choose an example")
NO_BLUR = ("Nothing is blurred yet", "a photo that was blurred here", "Press “Blur it” first")


def level(number: int) -> str:
    """Name of a temporal level."""
    return f"TL{number}"


def blurred(psnr: float | None) -> str:
    """The last status of a blur; None where both pictures are equal."""
    if psnr is None:
        return "Nothing was blurred: both pictures are equal. Draw a longer path."
    return f"Blurred: {psnr:.2f} dB PSNR. Now deblur it."


def deblurred(seconds: float, scores: Sequence[float | None]) -> str:
    """The last status of a network's work.

    Args:
        seconds: how long it took.
        scores: PSNR of the blurred photo and then of every step, in dB; None where it equals the sharp one.

    Example:
        >>> deblurred(3.2, [26.55, 26.7, 26.08])
        'Done in 3.2 s: 26.55 → 26.08 dB PSNR, worse than the blurred photo. The best is step 1 with 26.70 dB.'
    """
    before, after = scores[0], scores[-1]
    if before is None or after is None:
        return text.finished(len(scores) - 1, seconds, 1, 1)
    line = f"Done in {text.duration(seconds)}: {before:.2f} → {after:.2f} dB PSNR"
    if round(after, 2) >= round(before, 2):
        return f"{line}."
    line += ", worse than the blurred photo."
    steps = [math.inf if score is None else score for score in scores[1:]]
    best = max(steps)
    name = f"step {steps.index(best) + 1}"
    if best > before:
        return f"{line} The best is {name} with {best:.2f} dB."
    return f"{line} So is every step; the best of them is {name}." if len(steps) > 1 else line


def kernel(width: int, height: int) -> str:
    """What the picture of the kernel shows."""
    return f"{width} × {height} px: what the shake makes of one point of light"
