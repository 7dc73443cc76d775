"""What a network can tell of each pixel beside its estimate (``Estimate.maps``): in two figures, and as a picture."""

from __future__ import annotations

import numpy as np
from numpy import ndarray

from deblur_demo.media.heat import paint
from deblur_demo.media.image import Photo

# Figure of the brightest colour. After six iterations of `mtrnn-lite` 95 % of the pixels are below 1 to 3 levels of
# doubt, 99 % below 3 to 5, and the worst at 11 to 23.
BRIGHTEST = {"doubt": 8.0, "guidance": 1.0}


def summary(figures: ndarray) -> dict[str, float]:
    """``mean`` and ``p95``, the figure that 95 % of the pixels stay below."""
    return {"mean": float(figures.mean(dtype=np.float64)), "p95": float(np.percentile(figures, 95))}


def drawn(name: str, figures: ndarray) -> Photo:
    """A map, (H, W), in colours from 0 to ``BRIGHTEST``."""
    return Photo(paint(figures, BRIGHTEST[name]))
