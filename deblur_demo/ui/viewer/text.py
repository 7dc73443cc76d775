"""Every word of the viewer for several versions of one picture."""

from __future__ import annotations

COMPARER = {
    "viewer": "Two results, one over the other",
    "left": "Left",
    "right": "Right",
    "swap": "Swap left and right",
    "wipe": "Move the line between left and right",
    "closer": "Zoom in",
    "farther": "Zoom out",
    "fit": "Fit",
    "whole": "100 %",
    "full": "Full screen",
    "view": "Picture. Arrow keys move the frame, plus and minus zoom, 0 fits, 1 shows 100 %, X swaps",
    "hint": "Wheel or pinch to zoom, drag to move, click to place the frame that the crops below show.",
    "crops": "The same place in every result",
    "pick": "Show {name} on the right",
    "waiting": "still to come",
}
