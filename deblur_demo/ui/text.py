"""Every word on screen, in one place: English, ready for translation.

Functions put numbers into sentences; nothing here knows Gradio or HTML.
"""

from __future__ import annotations

import re

NAME = "Deblur"
TAGLINE = "Watch a shaken photo or clip become sharp, iteration by iteration."
IMAGE_SCREEN = "Image"
VIDEO_SCREEN = "Video"
PRIVACY = "What you upload stays on this server, is deleted after {hours}, and never used for anything else."

# Input
PHOTOS = "Blurred photos"
WEBCAM = "Use the webcam"
NO_WEBCAM = "No webcam"
EXAMPLES = "Paste works, too. Or try one:"
EXAMPLE_CLOCK = "Clock"
EXAMPLE_COFFEE = "Coffee"
EXAMPLE_CAT = "Cat"

# Settings
MODEL = "Model"
MODELS_COMING = "Looking for models …"
NEEDS_TRAINING = "needs training"
ITERATIONS = "Iterations"
ITERATIONS_HELP = "More iterations remove more blur and take longer."
AUTO = "Stop by itself"
AUTO_HELP = "Ends as soon as an iteration changes next to nothing."
MORE = "More options"
ENSEMBLE = "Self-ensemble"
ENSEMBLE_HELP = "Restores turned and mirrored copies, too, and takes the mean: a little better, as many times the work."
ENSEMBLES = {"1": "off", "4": "4 copies", "8": "8 copies"}
PRECISION = "Precision"
PRECISION_HELP = "auto picks the fastest number format that this machine computes well."
TILE = "Tile"
TILE_HELP = "Side of a tile in pixels; auto fits the memory, 0 takes the whole photo at once."
TRUTH = "Sharp reference, if you have one"
TRUTH_HELP = "With a sharp photo of the same size, every step is also scored: PSNR, SSIM, MSE."
METADATA = "Keep metadata"
METADATA_HELP = "Camera data and place of the photo go into the download. Off: they are removed."

# Actions
RUN = "Deblur"
CANCEL = "Cancel"

# Before the first run
EMPTY_TITLE = "Before and after will appear here"
IMAGE_WELCOME = (
    ("Add a photo", "one that came out shaken or smeared"),
    ("Press Deblur", "every iteration shows up as soon as it is ready"),
    ("Compare", "drag the handle, scrub through the steps, keep the one you like"),
)

VIDEO_WELCOME = (
    ("Add a clip", "one that was shaken or smeared while it was filmed"),
    ("Press Deblur", "every frame shows up as soon as it is ready"),
    ("Compare", "both play as one: drag the handle, step through the frames, keep the result"),
)

# The clip
CLIP = "Blurred clip"
START = "From (seconds)"
END = "To (empty: end)"
CODEC = "Codec"
CODEC_HELP = "H.264 plays everywhere; VP9 and AV1 make smaller files and take longer."
CODECS = {"auto": "H.264, by the graphics card where it can", "h264": "H.264", "vp9": "VP9", "av1": "AV1"}
CRF = "Quality"
CRF_HELP = "0 is best and largest; 18 is hard to tell from the original."

# Results of a photo
RESTORED = "Restored photo"
RESULTS_OF = "Photo"
SCRUBBER = "Step"
SCRUBBER_HELP = "0 is your photo. Arrow keys work, too."
STRIP = "Steps"
INPUT_STEP = "Input"
TABLE = "Every step in numbers"
DOWNLOAD_STEPS = "Download all steps (ZIP)"
COLUMNS = {
    "step": ("Step", "0 is the photo as it came in"),
    "seconds": ("Seconds", "Time for this iteration"),
    "change": ("Change", "Mean absolute difference to the step before, in 8-bit levels"),
    "sharpness": ("Sharpness", "Steepness of edges in levels a pixel; it rises with detail and with noise"),
    "psnr": ("PSNR dB", "Closeness to the sharp reference, higher is better"),
    "ssim": ("SSIM", "Structural similarity to the sharp reference, 1 is identical"),
    "mse": ("MSE", "Mean squared error against the sharp reference, lower is better"),
}
BEST = "best"
NO_VALUE = "–"

# Results of a clip
NEWEST = "Before | After: frame {number}"
PLAYER = {
    "player": "Clip, before and after",
    "before": "Before",
    "after": "After",
    "wipe": "Move the line between before and after",
    "seek": "Position",
    "play": "Play",
    "pause": "Pause",
    "back": "One frame back",
    "forward": "One frame on",
    "first": "Begin here",
    "last": "End here",
    "frame": "Frame {number} of {count}",
    "speed": "Speed",
    "loop": "Loop",
    "sound": "Sound",
    "full": "Full screen",
    "unplayable": "This browser cannot play the clip. It can be deblurred all the same.",
    "unplayable_source": "This browser cannot play your file, so only the result is shown.",
}
DOWNLOAD_CLIP = "Download the clip (MP4)"
DOWNLOAD_PART = "Download the finished part (MP4)"
CURVE = "Sharpness, frame by frame"
CURVE_HELP = "Steepness of edges in levels a pixel; it rises with detail and with noise"
CLIP_TABLE = "The clip in numbers"
CLIP_ROWS = {
    "sharpness": ("Sharpness", "Mean over all frames: steepness of edges in levels a pixel"),
    "flicker": ("Flicker", "Change from frame to frame where nothing moved, in 8-bit levels; lower is calmer"),
}
CHANGE = "Change"
CHANGE_HELP = "Mean absolute difference between before and after, in 8-bit levels"

# Status
PROGRESS = "Progress"
READY = "Ready."
EXPIRED = "These results were deleted after a while, as promised. Please run again."
STOPPING = "Stopping …"
CANCELLED = "Cancelled. Nothing of this run was kept."
NEITHER_LOST = "{trouble} What was finished before is kept."
UNEXPECTED = "Something went wrong on the server. Please try again, perhaps with another photo."

# Refusals
NO_CLIP = ("No clip is chosen yet", "one video file", "Drop a clip")
NO_PHOTO = ("No photo is chosen yet", "one or more image files", "Drop a photo or choose an example")
ONE_TRUTH = ("{count} photos came with one sharp reference", "a reference with exactly one photo", "Remove one of them")
TOO_MANY = ("{count} files came in one go", "at most {limit}", "Send them in smaller groups")
NO_WEIGHTS = ("No trained weights of {model} are here", "a model that has them", "Choose another model")
WEIGHTS_GONE = ("Those weights are not on the server any more", "weights that are loaded", "Load them again")
NOT_UPLOADED = ("A web address came where a file belongs", "an uploaded file", "Download it first and upload the file")


def download_step(index: int) -> str:
    """Label of the download of one step."""
    return f"Download step {index} (PNG)" if index else "Download the input (PNG)"


def compare(index: int) -> str:
    """Label of the before/after slider: what is left and what is right."""
    return f"Input | Step {index}" if index else "Input"


def step_caption(index: int) -> str:
    """Caption below a thumbnail."""
    return str(index) if index else INPUT_STEP


def running(
    index: int, last: int | None, tile: int = 0, tiles: int = 1, seconds: float | None = None, name: str = ""
) -> str:
    """What is being done right now, e.g. "Iteration 2 of 6, tile 3 of 8, about 12 s left".

    Args:
        index: current iteration, 1-based.
        last: number of iterations; None while it decides itself.
        tile, tiles: tiles finished and tiles in an iteration.
        seconds: estimated time left; None while unknown.
        name: which of several photos; "" for a single one.
    """
    parts = [name] if name else []
    parts.append(f"Iteration {index} of {last}" if last else f"Iteration {index}")
    if tiles > 1:
        parts.append(f"tile {tile} of {tiles}")
    if seconds is not None:
        parts.append(f"{'about' if last else 'at most'} {duration(seconds)} left")
    return ", ".join(parts)


def filming(
    done: int, count: int | None, pace: float | None = None, seconds: float | None = None, iteration: str = ""
) -> str:
    """What is being done to a clip right now, e.g. "Frame 3 of 20, about 12 s left, 1.4 frames/s".

    Args:
        done: finished frames.
        count: frames that there will be; None while unknown.
        pace: finished frames a second; None before the first.
        seconds: estimated time left; None while unknown.
        iteration: where in the frame the work is; "" for nowhere in particular.
    """
    number = done + 1 if count is None else min(done + 1, count)
    parts = [f"Frame {number} of {count}" if count else f"Frame {number}"]
    if seconds is not None:
        parts.append(f"about {duration(seconds)} left")
    if pace:
        parts.append(f"{pace:.2g} frames/s")
    if iteration:
        parts.append(iteration[0].lower() + iteration[1:])
    return ", ".join(parts)


def filmed(frames: int, seconds: float) -> str:
    """The last status of a clip."""
    return f"Done: {frames} frame{'' if frames == 1 else 's'} in {duration(seconds)}."


def kept(frames: int, count: int | None) -> str:
    """The last status of a clip that was cancelled."""
    of = f" of {count}" if count and count >= frames else ""
    return f"Cancelled. The first {frames}{of} frames are finished: they play and can be downloaded."


def about_clip(
    width: int,
    height: int,
    seconds: float | None,
    frames: int | None,
    rate: float,
    sound: bool,
    notices: tuple[str, ...] = (),
) -> str:
    """The line below the clip."""
    parts = [f"{width} × {height} pixels"]
    if seconds is not None:
        parts.append(f"{seconds:.3g} s" if seconds < 100 else duration(seconds))
    if frames is not None:
        parts.append(f"{frames} frames at {rate:.3g} a second")
    parts.append("with sound" if sound else "silent")
    return " ".join((", ".join(parts) + ".", *notices))


def clip_figures(frames: int, length: float, work: float) -> str:
    """The line below the table of a clip."""
    pace = f" ({frames / work:.2g} frames/s)" if work > 0 else ""
    return f"{frames} frame{'' if frames == 1 else 's'}, {length:.2f} s long, computed in {duration(work)}{pace}."


def curve(before: float, after: float, frames: int) -> str:
    """What the curve of sharpness shows, for those who do not see it."""
    return f"Sharpness of {frames} frames: on average {before:.2f} before and {after:.2f} after."


def of_several(number: int, count: int, name: str) -> str:
    """Which photo of a batch; "" when there is only one."""
    return f"{name} ({number} of {count})" if count > 1 else ""


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


def hours(number: float) -> str:
    return "an hour" if number == 1 else f"{number:g} hours"


def model_choice(name: str, ready: bool) -> str:
    """A line of the model picker."""
    return name if ready else f"{name} · {NEEDS_TRAINING}"


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
    parts.append(f"{row['gmacs']:.3g} GMACs a step at 256 × 256")
    if row["ready"]:
        parts.append(f"trained for {row['trained_for']} blur")
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
