"""What is drawn about a shake: its kernel, and how the network's steps come closer to the truth."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from html import escape

import cv2
import numpy as np

from deblur_demo.ui.image.run import StepFile
from deblur_demo.ui.lab import text as lab_text
from deblur_demo.ui.viewer.plot import Plot

_FORMS = {"psnr": "{:.2f}", "ssim": "{:.3f}"}


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


def curves(steps: Sequence[StepFile], most: int) -> str:
    """PSNR and SSIM against the iteration.

    Args:
        steps: as far as they are there.
        most: iterations that the axis has room for, so that nothing moves while they arrive.
    """
    drawn = "".join(_curve(name, steps, most) for name in lab_text.CURVES)
    return f'<div class="curves">{drawn}</div>'


def _curve(name: str, steps: Sequence[StepFile], most: int) -> str:
    points = [(step.index, getattr(step, name)) for step in steps if getattr(step, name) is not None]
    if not points:  # equal pictures have no PSNR
        return ""
    title, why = lab_text.CURVES[name]
    return Plot(
        title=title,
        why=why,
        words=lab_text.curve(name, [value for _, value in points]),
        lines={"after": points},
        span=(0, most),
        ends=lab_text.axis(most),
        form=_FORMS[name],
        marked=True,
    ).html()
