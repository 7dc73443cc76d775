"""Every word of the image screen; ``text`` has those that it shares with others."""

from __future__ import annotations

from typing import NamedTuple

PHOTOS = "Blurred photos"
WEBCAM = "Use the webcam"
NO_WEBCAM = "No webcam"
METADATA = "Keep metadata"
METADATA_HELP = "Camera data and place of the photo go into the download. Off: they are removed."
WELCOME = (
    ("Add a photo", "one that came out shaken or smeared"),
    ("Press Deblur", "every iteration shows up as soon as it is ready"),
    ("Compare", "drag the line, go through the steps, zoom into the same place of all, keep the one you like"),
)
RESTORED = "Restored photo"
RESULTS_OF = "Photo"
INPUT_STEP = "Input"
REFERENCE = "Reference"
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
NO_DOUBT = "Where is detail a guess? Self-ensemble, in More options, shows it."


def download_step(index: int) -> str:
    """Label of the download of one step."""
    return f"Download step {index} (PNG)" if index else "Download the input (PNG)"


def step(index: int) -> str:
    """Name of a picture in the viewer."""
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
