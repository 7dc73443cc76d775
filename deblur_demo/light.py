"""Display values and the linear light behind them: what a sensor adds up while the shutter is open."""

from __future__ import annotations

from torch import Tensor

GAMMA = 2.2  # of the assumed camera response (GoPro's blur_gamma)


def to_light(image: Tensor) -> Tensor:
    """Display values in [0, 1] -> linear light."""
    return image.clamp(min=0) ** GAMMA


def to_display(light: Tensor) -> Tensor:
    """Linear light -> display values, clipped to [0, 1] as a sensor does."""
    return light.clamp(0, 1) ** (1 / GAMMA)
