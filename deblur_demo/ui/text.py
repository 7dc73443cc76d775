"""The words that screens share; each screen's own are in its ``text``. English, ready for translation.

Functions put numbers into sentences; nothing here knows Gradio or HTML.
"""

from __future__ import annotations

import re

NAME = "Deblur"
TAGLINE = "Watch a shaken photo or clip become sharp, iteration by iteration."
IMAGE_SCREEN = "Image"
VIDEO_SCREEN = "Video"
PRIVACY = (
    "What you upload stays on this server, is deleted after {hours}, and never used for anything else. "
    "Your browser keeps your settings, and nothing else."
)

# Input
EXAMPLES = "Paste works, too. Or try one:"
EXAMPLES_GROUP = "Examples"
EXAMPLE_CLOCK = "Clock"
EXAMPLE_COFFEE = "Coffee"
EXAMPLE_CAT = "Cat"
EXAMPLE_ASTRONAUT = "Astronaut"
EXAMPLE_CLIP = "Coffee"

# Settings
MODEL = "Model"
MODELS_COMING = "Looking for models …"
NEEDS_TRAINING = "needs training"
# What a network is for, by the blur it was trained for; photos in motion need no word.
USES = {"motion, video": "for clips", "Gaussian": "for Gaussian blur"}
CLASSIC = "classic filter"
ITERATIONS = "Iterations"
ITERATIONS_HELP = "More iterations remove more blur and take longer."
AUTO = "Stop by itself"
AUTO_HELP = "Ends when an iteration changes little, and after the first if the photo was sharp already."
MORE = "More options"
LINK = "Copy link to these settings"
LINK_COPIED = "Copied. The link opens this screen with these settings."
LINK_FIELD = "Link to these settings"
SIZE = "Restore at"
SIZE_HELP = (
    "The networks know straight smears of up to 30 pixels; in a smaller copy a longer one is that short. The result "
    "keeps the size and the detail of the original."
)
SIZES = {"full": "full size", "half": "half size, smears beyond 30 px", "quarter": "quarter size, beyond 60 px"}
ENSEMBLE = "Self-ensemble"
ENSEMBLE_HELP = (
    "Restores turned and mirrored copies, too, and takes the mean: a little better, as many times the work. "
    "It also shows where they disagree: there, detail is a guess."
)
ENSEMBLES = {"1": "off", "4": "4 copies", "8": "8 copies"}
PRECISION = "Precision"
PRECISION_HELP = "auto picks the fastest number format that this machine computes well."
TILE = "Tile"
TILE_HELP = "Side of a tile in pixels; auto fits the memory, 0 takes the whole photo at once."
TRUTH = "Sharp reference, if you have one"
TRUTH_HELP = "With a sharp photo of the same size, every step is also scored: PSNR, SSIM, MSE."

# Actions
RUN = "Deblur"
CANCEL = "Cancel"

# Before the first run
EMPTY_TITLE = "Before and after will appear here"

# Results
DOWNLOAD_STEPS = "Download all steps (ZIP)"
BEST = "best"
NO_VALUE = "–"
TERMS = "What the figures mean"

# Status
PROGRESS = "Progress"
READY = "Ready."
WAITING = "Waiting for its turn …"
REFUSED = "There is too much to do right now, or too much of it is yours. Please press the button again in a while."
EXPIRED = "These results were deleted after a while, as promised. Please run again."
STOPPING = "Stopping …"
CANCELLED = "Cancelled. Nothing of this run was kept."
CUT = "Cancelled after iteration {index}. What is there is kept."
CANCELLED_STAYS = "Cancelled. What is on the stage stays."
ENDED = "The page was loaded anew, or its connection broke, and so its run ended. Please add the file and run it again."
NEITHER_LOST = "{trouble} What was finished before is kept."
UNEXPECTED = "Something went wrong on the server. Please try again, perhaps with another file."

# Refusals
NO_CLIP = ("No clip is chosen yet", "one video file", "Drop a clip")
NO_PHOTO = ("No photo is chosen yet", "one or more image files", "Drop a photo or choose an example")
UPLOAD_GONE = ("{name} was deleted a while after it came, as promised", "a file dropped lately", "Drop it again")
ONE_TRUTH = ("{count} photos came with one sharp reference", "a reference with exactly one photo", "Remove one of them")
TOO_MANY = ("{count} files came in one go", "at most {limit}", "Send them in smaller groups")
NO_SCREEN = ("The link names a screen {name!r}", "{screens}", "Correct the link")
NO_WEIGHTS = ("No trained weights of {model} are here", "a model that has them", "Choose another model")
WEIGHTS_GONE = ("Those weights are not on the server any more", "weights that are loaded", "Load them again")
NOT_UPLOADED = ("What came in place of a file was not uploaded", "an uploaded file", "Upload it first, then send it")


def running(
    index: int,
    last: int | None,
    tile: int = 0,
    tiles: int = 1,
    seconds: float | None = None,
    name: str = "",
    for_all: bool = False,
) -> str:
    """What is being done right now, e.g. "Iteration 2 of 6, about 12 s left, tile 3 of 8".

    Where a window is too narrow for it, its end is cut off: what matters most comes first.

    Args:
        index: current iteration, 1-based.
        last: number of iterations; None while it decides itself.
        tile, tiles: tiles finished and tiles in an iteration.
        seconds: estimated time left; None while unknown.
        name: which of several, from ``of_several``; "" for a single one.
        for_all: whether the time is that of all of several, rather than of this one.
    """
    parts = [f"Iteration {index} of {last}" if last else f"Iteration {index}"]
    if seconds is not None:
        # Those before may have stopped early, and so the time that they took is no bound on that of all.
        measure = "about" if last or for_all else "at most"
        whose = "" if not name else " for all" if for_all else " for this one"
        parts.append(f"{measure} {duration(seconds)} left{whose}")
    if name:
        parts.append(name)
    if tiles > 1:
        parts.append(f"tile {tile} of {tiles}")
    return ", ".join(parts)


def of_several(number: int, count: int, name: str) -> str:
    """Which one of several; "" when there is only one. A name can be long, so the numbers come first."""
    return f"{number} of {count}: {name}" if count > 1 else ""


def finished(steps: int, seconds: float, done: int, count: int) -> str:
    """The last status of a run."""
    iterations = f"{steps} iteration{'' if steps == 1 else 's'}"
    if count > 1:
        return f"{done} of {count} photos done in {duration(seconds)}."
    return f"Done: {iterations} in {duration(seconds)}."


def duration(seconds: float) -> str:
    """Seconds in words that fit a status line."""
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    if seconds < 99.5:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5970 else f"{seconds / 3600:.1f} h"


def rounded(number: float, digits: int) -> str:
    """A positive number with so many digits that count, never as a power of ten.

    Example:
        >>> rounded(0.1234, 2), rounded(123.4, 2)
        ('0.12', '123')
    """
    return f"{number:.{digits}g}" if number < 10**digits - 0.5 else f"{number:.0f}"


def hours(number: float) -> str:
    return "an hour" if number == 1 else f"{number:g} hours"


def model_choice(row: dict) -> str:
    """A line of the model picker, from a row of ``catalogue.models``: the name, and what it needs or is for."""
    use = USES.get(row["trained_for"]) if row["parameters"] else CLASSIC
    hint = use if row["ready"] else NEEDS_TRAINING
    return f"{row['id']} · {hint}" if hint else row["id"]


def own_choice(name: str, model: str) -> str:
    """A line of the model picker for weights that a visitor brought."""
    return f"{name} · yours, {model}"


def about_model(row: dict, fetched: bool) -> str:
    """The line below the model picker, as Markdown.

    Args:
        row: as in ``catalogue.models``, its costs included.
        fetched: whether its weights are still on the Hub.
    """
    if not row["parameters"]:
        return f"A classic filter for {row['trained_for']} blur, nothing learned. {row['paper']}."
    parts = [f"{row['parameters'] / 1e6:.1f} million parameters"]
    parts.append(f"{rounded(row['gmacs'], 3)} GMACs a step at 256 × 256")
    if row["ready"]:
        kind, _, footage = row["trained_for"].partition(", ")
        parts.append(f"trained for {kind} blur" + (f" in {footage}" if footage else ""))
    needs = "" if row["ready"] else f" It {commands(row['needs'])}"
    if fetched:
        needs = " Its weights are on the Hugging Face Hub: the first run fetches them."
    return f"{', '.join(parts)}. {row['paper']}.{needs}"


def commands(sentence: str) -> str:
    """The same sentence as Markdown, with the commands in it one below the other."""
    return re.sub(r"(?:, or)? (python -m .+?)(?=, or python|$)", r"\n- `\1`", sentence)


def loading(model: str, fetched: bool) -> str:
    """From the click until a network is ready to work."""
    return f"Fetching {model} from the Hugging Face Hub …" if fetched else f"Loading {model} …"


def fill(words: tuple[str, ...], **numbers: object) -> tuple[str, ...]:
    """Put numbers into every part of a refusal."""
    return tuple(part.format(**numbers) for part in words)
