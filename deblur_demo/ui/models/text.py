"""Every word of the models screen; ``text`` has those that it shares with others."""

from __future__ import annotations

from deblur_demo.ui import text

SCREEN = "Models"
LOAD_TITLE = "### Load weights of your own"
LOAD_HELP = (
    "They are checked, offered to you alone in every model picker, and deleted after {hours}. "
    "Pickles (.pt, .pth, .pkl) are never opened: `python -m deblur_demo convert` makes safetensors of them."
)
OFF = "Whoever runs this server has switched off loading weights. On a machine of your own it works."
FILES = "Weights (.safetensors) and their card (.json)"
ADDRESS = "or their address on the Hugging Face Hub"
ADDRESS_EXAMPLE = "hf://owner/repo@revision/file.safetensors"
LOAD = "Load"
LOADED = "Loaded"
UNLOAD = "Unload"
WHICH = "Show"
READY_ONLY = "Ready to run"
ALL = "All"
MEMORY = "Memory"
CHECKING = "Checking the weights …"

CARD = {
    "parameters": "Parameters",
    "gmacs": "GMACs a step",
    "steps": "Steps",
    "frames": "Frames",
    "trained_for": "Blur",
}
GMACS_HELP = "Billions of multiplications for a picture of 256 × 256 pixels"
READY = "ready"
YOURS = "yours"
CLASSIC = "classic filter"
FETCHED = "on the Hub"
MISSING = "no weights yet"
MISSING_HELP = "It needs weights. To get some:"
WEIGHTS_OF = "weights of {model}"
LIMITS = "Limits"
MORE = "Data, licence, hash"
FIGURES = "Measured on {name}"
ITERATION = "Iteration"
BEFORE = "input"
DETAILS = {
    "licence": "Licence",
    "data": "Trained on",
    "recipe": "Recipe",
    "updates": "Updates",
    "hardware": "Hardware",
    "settings": "Settings",
    "sha256": "SHA-256",
}

NOT_HERE = (
    "Loading weights is switched off on this server",
    "the models that are here",
    "Run the app yourself to load",
)
TOO_MANY = ("{limit} weights of yours are loaded", "at most {limit} at a time", "Unload some first")
NOTHING = ("Neither files nor an address are given", "a .safetensors file with its .json card", "Drop both files")
NO_PAIR = (
    "{weights} .safetensors and {cards} .json files came",
    "one of each: weights, and the card that belongs to them",
    "Drop both files together",
)
CHECK_ADDRESS = "Check the address, or upload the file with its card"


def loaded(name: str) -> str:
    """The last status of loading."""
    return f"{name} is loaded. The model pickers of the other screens have it, for you alone."


def unloaded(name: str) -> str:
    """The status after unloading."""
    return f"{name} is unloaded and deleted."


def steps(steps: int, most: int) -> str:
    """How often a network runs."""
    return f"{steps}, up to {most}" if most > steps else str(steps)


def memory(used: int, free: int) -> str:
    """Of this process."""
    return f"The app uses {_bytes(used)}; {_bytes(free)} are free."


def at_hand(name: str, precision: str, size: int) -> str:
    """A network that is loaded."""
    return f"{name}, {precision}" + (f", {_bytes(size)}" if size else "")


NOTHING_AT_HAND = "No network is in memory; the first run brings it there."
AT_HAND = "In memory, ready for the next run:"


def _bytes(number: int) -> str:
    return f"{number / 1e9:.2f} GB" if number >= 1e9 else f"{max(number, 1e5) / 1e6:.1f} MB"


def help_with_loading(hours: float) -> str:
    """What happens to weights, above the place to drop them."""
    return LOAD_HELP.format(hours=text.hours(hours))
