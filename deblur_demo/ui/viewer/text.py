"""Every word of the viewer for several versions of one picture."""

from __future__ import annotations

COMPARER = {
    "viewer": "Two results, one over the other",
    "left": "Left",
    "right": "Right",
    "swap": "Swap left and right",
    "wipe": "Move the line between left and right",
    "difference": "Difference",
    "difference_help": "Show how far left and right are apart, as colours",
    "apart": "{left} against {right}",
    "same": "0, equal",
    "most": "{levels} levels or more",
    "legend": "{title}: from black, {low}, to white, {high}",
    "closer": "Zoom in",
    "farther": "Zoom out",
    "fit": "Fit",
    "whole": "100 %",
    "full": "Full screen",
    "view": (
        "Picture. Arrow keys move the frame, plus and minus zoom, 0 fits, 1 shows 100 %, X swaps, D shows the "
        "difference, comma and full stop go through the steps"
    ),
    "step": "Step",
    "step_help": "Put a step on the right. Arrow keys work, too.",
    "hint": "Wheel or pinch to zoom, drag to move, click to place the frame that the crops below show.",
    "crops": "The same place in every result",
    "pick": "Show {name} on the right",
    "waiting": "still to come",
}


def shrunk(scale: float) -> str:
    """What is to be said where large pictures are shown smaller; ``scale`` is of their sides."""
    return f"The pictures above are shown at {100 * scale:.0f} % of their size; downloads hold them in full."
