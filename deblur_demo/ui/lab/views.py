"""What is drawn about a shake: its kernel."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from html import escape

import cv2
import numpy as np

from deblur_demo.ui.lab import text as lab_text


def kernel(weights: np.ndarray, notices: Sequence[str] = ()) -> str:
    """A kernel as a picture: white is its strongest pixel, every pixel a square.

    Args:
        weights: (K, K), at least 0.
        notices: what was assumed about the photo; escaped here.
    """
    height, width = weights.shape
    grey = np.round(255 * weights / weights.max()).astype(np.uint8)
    _, png = cv2.imencode(".png", grey)
    words = lab_text.kernel(width, height)
    notes = "".join(f"<li>{escape(line)}</li>" for line in notices)
    return (
        f'<figure class="kernel"><figcaption>{lab_text.KERNEL}</figcaption>'
        f'<img src="data:image/png;base64,{base64.b64encode(png).decode()}" alt="{words}"><p>{words}</p></figure>'
        + (f'<ul class="notices">{notes}</ul>' if notes else "")
    )
