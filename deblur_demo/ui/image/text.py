"""Every word of the image screen; ``text`` has those that it shares with others."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from deblur_demo.media.paths import shown
from deblur_demo.settings import ENSEMBLE, PRECISION, SIZE, TILE
from deblur_demo.ui import text
from deblur_demo.verdict import Verdict, kind_of

if TYPE_CHECKING:
    from deblur_demo.ui.image.recipe import Recipe

PHOTOS = "Blurred photos"
WEBCAM = "Use the webcam"
NO_WEBCAM = "Close the webcam"
METADATA = "Keep metadata"
METADATA_HELP = "Place, owner, serial numbers and maker's note go into the download, too. Off: they are removed."
WELCOME = (
    ("Add a photo", "one that came out shaken or smeared"),
    ("Press Deblur", "every iteration shows up as soon as it is ready"),
    ("Compare", "drag the line, go through the steps, zoom into the same place of all, keep the one you like"),
)
RESTORED = "Restored photo"
RESULTS_OF = "Photo"
DOWNLOAD_PHOTOS = "Download all photos (ZIP)"
INPUT_STEP = "Input"
REFERENCE = "Reference"
WEBP = "Animation (WebP)"
MP4 = "Animation (MP4)"
ANIMATING = "Making the animation …"
NUMBERS = "In numbers"
TABLE = "Every step in numbers"
COLUMNS = {
    "step": ("Step", "0 is the photo as it came in"),
    "seconds": ("Seconds", "Time for this iteration"),
    "change": ("Change", "Mean absolute difference to the step before, in 8-bit levels"),
    "sharpness": ("Sharpness", "Steepness of edges in levels a pixel; it rises with detail and with noise"),
    "psnr": ("PSNR dB", "Closeness to the sharp reference, higher is better"),
    "ssim": ("SSIM", "Structural similarity to the sharp reference, 1 is identical"),
    "mse": ("MSE", "Mean squared error against the sharp reference, lower is better"),
}

CURVES = {
    "psnr": ("PSNR in dB", "Closeness to the sharp reference after every iteration; higher is better"),
    "ssim": ("SSIM", "Structural similarity to the sharp reference after every iteration; 1 is identical"),
    "sharpness": ("Sharpness", "Steepness of edges after every iteration; it rises with detail and with noise"),
    "change": ("Change", "How much every iteration changed, in levels of 255; near 0 it has settled"),
}
SPECTRUM = (
    "Power in dB, by frequency",
    "How much detail there is, from coarse to fine. Blur takes the fine away; a good step brings it back",
)
FREQUENCIES = ("coarse", "fine: two pixels a wave")
DECIBELS = "{:.0f}"
THIRDS = ("coarse", "middle", "fine")

# What became of the blur. {blur} is an estimate between 0, crisp, and 1.
PHOTO_IS = {
    "plain": "This photo has no edges to tell blur by.",
    "sharp": "This photo looks sharp (blur estimate {blur}).",
    "soft": "This photo looks slightly blurred (blur estimate {blur}).",
    "blurred": "This photo looks blurred (blur estimate {blur}).",
}
UNCHANGED = {
    "plain": "Next to nothing changed.",
    "sharp": "Next to nothing changed: the photo was sharp already (blur estimate {blur}).",
    "soft": "Next to nothing changed, and little was to be done: the photo is only slightly blurred ({blur}).",
    "blurred": "Next to nothing changed although the photo is blurred (blur estimate {blur}).",
}
CHANGED = {
    "plain": "Changed by {change:.1f} of 255 levels on average.",
    "sharp": "The photo was sharp already (blur estimate {blur}). Its edges are {steeper}.",
    "soft": "The photo was only slightly blurred (blur estimate {blur}). Its edges are {steeper}.",
    "blurred": "Most of the blur is left (blur estimate {after}): edges are {steeper}.",
}
CLEARED = "Less blurred: the estimate fell from {blur} to {after}, edges are {steeper}."
CLOSER = "It is {gain:.2f} dB closer to the sharp reference than before."
FARTHER = "It is {gain:.2f} dB farther from the sharp reference than before."
AS_CLOSE = "It is as close to the sharp reference as before."
TIPS = {
    "more_iterations": "Try more iterations.",
    "first_step": "Look at step 1, too: where little is to be done, the others can do too much.",
    "best_step": "Look at step {best}: it is closest to the sharp reference.",
    "deconvolution": "Try it with {filter}: it looks smeared straight over {smear:.0f} px, which that undoes.",
    "network": "Try it with {network}: no straight smear was found to undo.",
    "full_size": "Try it at full size: no smear in it is too long for that, and fine detail is restored there.",
    "half_size": "Try it at half size if it is smeared straight: long smears are half as long there.",
    "quarter_size": "Try it at quarter size if it is smeared straight: very long smears are a quarter as long there.",
}
# What of a tip does it when it is clicked, by the knob that it sets. The step is the viewer's: nothing runs again.
DOERS = {
    "step": re.compile(r"Look at step (\d+)"),
    "model": re.compile(r"Try it with ([\w-]+)"),
    "size": re.compile(f"Try it at ({'|'.join(SIZE.words)}) size"),
}
DECONVOLUTION_BY = "richardson-lucy"
NONE_DONE = "None of the {count} photos could be done."
OTHER_PHOTO = "{name} is not the photo above any more. Drop it again, or press Deblur."
MADE_AT = {"full": "", "half": "at half size", "quarter": "at quarter size"}
RESTORED_AT = {"full": "", "half": "Restored at half size.", "quarter": "Restored at quarter size."}
_SAME = 0.05  # dB


class MapWords(NamedTuple):
    """A map in the viewer: its name, what it shows, and what stands at the ends of its colours."""

    name: str
    told: str
    low: str
    high: str


MAPS = {
    "doubt": MapWords(
        "Doubt", "Doubt: where the copies of the self-ensemble disagree, detail is a guess.", "0", "8 levels or more"
    ),
    "guidance": MapWords(
        "Guidance", "Guidance: how much of its features the network's own prediction lets pass.", "0, shut", "1, open"
    ),
}
AUTO = "set to stop by itself"
NO_TILES = "in one piece"
NO_DOUBT = "Where is detail a guess? Self-ensemble, in More options, shows it."


def download_step(index: int) -> str:
    """Label of the download of one step."""
    return f"Download step {index} (PNG)" if index else "Download the input (PNG)"


def step(index: int) -> str:
    """Name of a step; 0 is the input."""
    return f"Step {index}" if index else INPUT_STEP


def map_title(name: str, step: int) -> str:
    """What the colours of a map show."""
    return f"{MAPS[name].name} after step {step}"


def map_note(mean: float) -> str:
    """What stands below the crop of a map."""
    return f"mean {mean:.2f}"


def note(psnr: float | None, change: float | None) -> str:
    """What stands below a crop: how close it is to the truth, else how far from the step before."""
    if psnr is not None:
        return f"{psnr:.2f} dB"
    return "" if change is None else f"change {change:.2f}"


def label(index: int) -> str:
    """In the corner of an animation."""
    return str(index) if index else INPUT_STEP


def steps(first: int, last: int) -> str:
    """Several steps in a legend."""
    return f"Steps {first} to {last}" if last > first else step(first)


def cancelled(done: int, cut: int) -> str:
    """The last status of a run that was cancelled after so many photos, and so many iterations of the next."""
    if done == 0:
        return text.CUT.format(index=cut)
    more = f", the next up to iteration {cut}" if cut else ""
    return f"Cancelled. {done} photo{' is' if done == 1 else 's are'} finished and kept{more}."


def failure(name: str, reason: str) -> str:
    """What is said of a photo that could not be done; most reasons name it."""
    return reason if name in reason else f"{name}: {reason}"


def more(count: int) -> str:
    """Above what is folded up of a list."""
    return f"and {count} more"


def made(name: str, recipe: Recipe, done: int | None) -> str:
    """What made a result, e.g. "clock.jpg: mtrnn-lite, 3 iterations, at half size."

    Settings that are as they always are go without saying.

    Args:
        name: of the photo.
        recipe: the network, and how it ran.
        done: iterations that there are; None while it goes on.
    """
    job, often = recipe.job, recipe.iterations
    parts = [f"{job.model} with {recipe.weights}" if recipe.weights else job.model]
    if often == "auto":
        parts.append(AUTO if done is None else f"{_iterations(done)}, {AUTO}")
    elif often is not None:
        parts.append(_iterations(often) if done in (None, often) else f"{done} of {_iterations(often)}")
    parts += [MADE_AT[job.size], "" if job.ensemble == ENSEMBLE.default else text.ENSEMBLES[job.ensemble]]
    parts += ["" if job.precision == PRECISION.default else job.precision]
    parts += ["" if job.tile == TILE.default else f"tiles of {job.tile} px" if job.tile else NO_TILES]
    return f"{_short(shown(Path(name)))}: {', '.join(filter(None, parts))}."


def _short(name: str) -> str:
    """A name that fits a phone's line even where nothing in it can be broken; its end often tells files apart."""
    return name if len(name) <= 28 else f"{name[:15]}…{name[-12:]}"


def _iterations(count: int) -> str:
    return f"{count} iteration{'' if count == 1 else 's'}"


def animated(name: str, size: int) -> str:
    """The status once an animation is made; ``size`` in bytes."""
    return f"{name} is ready, {size / 1e6:.1f} MB." if size >= 1e6 else f"{name} is ready, {-(-size // 1000)} kB."


def curve(name: str, points: list[tuple[int, float]]) -> str:
    """What a curve shows, for those who do not see it."""
    return f"{CURVES[name][0]} by iteration: " + ", ".join(f"{index}: {value:.4g}" for index, value in points)


def axis(last: int) -> tuple[str, str]:
    """Both ends of a curve's axis."""
    return "0 (input)", f"iteration {last}"


def spectrum(lines: dict[str, list[float | None]]) -> str:
    """What the spectra show, for those who do not see them; each line by its mean power in three thirds, in dB."""
    told = []
    for name, powers in lines.items():
        parts = [f"{third} {power:.0f}" for third, power in zip(THIRDS, powers, strict=True) if power is not None]
        told.append(f"{name}: {', '.join(parts)}")
    return f"{SPECTRUM[0]}. " + "; ".join(told)


def photo_is(blur: float | None) -> str:
    """What is known of a photo before the network is done with it."""
    return PHOTO_IS[kind_of(blur)].format(blur=_estimate(blur))


def verdict(found: Verdict) -> str:
    """What a run did to a photo, in a few sentences, and what else to try."""
    from deblur_demo.pipeline import default_model  # torch is there by now, but not when the page opens

    words = UNCHANGED[found.kind] if found.unchanged else CLEARED if found.cleared else CHANGED[found.kind]
    estimates = {"blur": _estimate(found.blur_before), "after": _estimate(found.blur_after)}
    parts = [words.format(**estimates, change=found.change, steeper=_steeper(found.steeper))]
    if found.gain is not None:
        nearer = AS_CLOSE if abs(found.gain) < _SAME else CLOSER if found.gain > 0 else FARTHER
        parts.append(nearer.format(gain=abs(found.gain)))
    names = {"filter": DECONVOLUTION_BY, "network": default_model(), "smear": found.smear, "best": found.best}
    tips = (TIPS[tip].format(**names) for tip in found.advice)
    return " ".join(filter(None, [RESTORED_AT[found.size], *parts, *tips]))


def _estimate(blur: float | None) -> str:
    return text.NO_VALUE if blur is None else f"{blur:.2f}"


def _steeper(ratio: float) -> str:
    percent = round(100 * (ratio - 1))
    return f"{abs(percent)} % {'steeper' if percent > 0 else 'softer'}" if percent else "as steep as before"
