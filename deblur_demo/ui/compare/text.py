"""Every word of the compare screen; ``text`` has those that it shares with others."""

from __future__ import annotations

from collections.abc import Sequence

from deblur_demo.settings import SIZE
from deblur_demo.ui import text

SCREEN = "Compare"
PHOTO = "Blurred photo"
MODELS = "Models"
ITERATIONS = "Iterations"
ITERATIONS_HELP = "For models that iterate: each number gives a result of its own."
SIZES_HELP = "In a smaller copy a straight smear is shorter. Each size gives results of its own, as large as the photo."
RUN = "Compare"
DOWNLOAD = "Download all results (ZIP)"
INPUT = "Input"
TRUTH = "Sharp reference"
TABLE = "All results in numbers"
FASTEST = "fastest"

WELCOME_TITLE = "The results will appear here, side by side"
WELCOME = (
    ("Add a photo", "or take an example: some bring a sharp reference, so that results get scores"),
    ("Tick models and iterations", "learned networks, and the classic filters of Wiener, Richardson and Lucy"),
    ("Press Compare", "wipe any two against each other, zoom into the same place of all of them"),
)

COLUMNS = {
    "name": ("Result", "The model, how often it was applied, and at which size"),
    "psnr": ("PSNR dB", "Closeness to the sharp reference, higher is better"),
    "ssim": ("SSIM", "Structural similarity to the sharp reference, 1 is identical"),
    "change": ("Change", "Mean absolute difference to the input, in 8-bit levels"),
    "seconds": ("Seconds", "Computing time of all steps"),
    "steps": ("Steps", "Iterations or stages"),
    "parameters": ("Parameters", "Trained numbers in the network; a classic filter has none"),
    "gmacs": ("GMACs", "Billions of multiplications at 256 × 256 pixels, all steps, without Fourier transforms"),
}


NO_MODELS = ("No model is ticked", "one model or more", "Tick some models")
NO_ITERATIONS = ("No number of iterations is ticked", "one number or more", "Tick some numbers of iterations")
NO_SIZES = ("No size to restore at is ticked", "one size or more", "Tick some sizes")
AUTO_ITERATIONS = ("Iterations are 'auto'", "numbers, so that results can be compared", "Name numbers of iterations")
TOO_MANY = ("{count} results were asked for", "at most {limit} in one comparison", "Tick fewer of each")
FAILED = "{name}: {error}"


def own(name: str) -> str:
    """What a visitor's weights are called, which may have the name of a network."""
    return f"{name} (yours)"


def contender(model: str, steps: int | None, size: str = SIZE.default) -> str:
    """Name of a result; without ``steps`` where the model leaves no choice."""
    name = model if steps is None else f"{model} × {steps}"
    return name if size == SIZE.default else f"{name}, {size} size"


def planned(count: int, limit: int) -> str:
    """The line below the ticks."""
    if count == 0:
        return "Tick at least one model, one number of iterations and one size."
    results = "one result" if count == 1 else f"{count} results"
    return f"This makes {results}." if count <= limit else f"This makes {results}, but at most {limit} go at once."


def unchanged(names: Sequence[str]) -> str:
    """Of results that are equal to the input, e.g. of a classic filter that was given no straight motion."""
    return f"{', '.join(names)}: found no blur to undo, so the photo is left as it is."


def finished(count: int, seconds: float) -> str:
    """The last status of a comparison."""
    return f"Done: {count} result{'' if count == 1 else 's'} in {text.duration(seconds)}."


def kept(done: int, count: int) -> str:
    """The last status of a comparison that was cancelled."""
    return f"Cancelled. {done} of {count} results are finished and kept."


def note(psnr: float | None, seconds: float | None) -> str:
    """What stands below a crop."""
    if psnr is not None:
        return f"{psnr:.2f} dB"
    return "" if seconds is None else text.duration(seconds)
