"""What is shown of a shake: the viewer's pictures, and its kernel."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from html import escape

import cv2
import numpy as np

from deblur_demo.ui.image import text as image_text
from deblur_demo.ui.image import views as image_views
from deblur_demo.ui.image.run import Result
from deblur_demo.ui.lab import text as lab_text
from deblur_demo.ui.lab.run import BLURRED, SHARP, LabRun
from deblur_demo.ui.viewer import comparer
from deblur_demo.ui.viewer import text as viewer_text


def viewer(shaken: LabRun, result: Result | None = None) -> dict:
    """What the viewer shows: blurred and sharp, the network's steps between them if there are any, and the levels."""
    levels = [comparer.picture(lab_text.level(number), path=path) for number, path in shaken.levels.items()]
    if result is not None:
        return image_views.viewer(result, lab_text.BLURRED, lab_text.SHARP, levels)
    blurred = comparer.picture(lab_text.BLURRED, image_text.note(shaken.psnr, None), shaken.shown[BLURRED])
    sharp = comparer.picture(lab_text.SHARP, path=shaken.shown[SHARP])
    told = viewer_text.shrunk(shaken.scale) if shaken.scale < 1 else ""
    return comparer.shown([blurred, sharp, *levels], right=1, steps=1, told=told)


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
