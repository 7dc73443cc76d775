"""Every word of the image screen; ``text`` has those that it shares with others."""

from __future__ import annotations

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
REFERENCE = "Sharp reference"
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


def download_step(index: int) -> str:
    """Label of the download of one step."""
    return f"Download step {index} (PNG)" if index else "Download the input (PNG)"


def step(index: int) -> str:
    """Name of a picture in the viewer."""
    return f"Step {index}" if index else INPUT_STEP


def note(psnr: float | None, change: float | None) -> str:
    """What stands below a crop: how close it is to the truth, else how far from the step before."""
    if psnr is not None:
        return f"{psnr:.2f} dB"
    return "" if change is None else f"change {change:.2f}"
