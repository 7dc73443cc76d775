"""A network's golden numbers: what it makes of a fixed picture, to notice when code or weights drift apart."""

from __future__ import annotations

import torch

from deblur_demo.models.contract import Restorer

SIDE = 96  # pixels, a multiple of every network's alignment
STEPS = 3  # at most
PLACES = ((0, 0), (7, 90), (33, 48), (48, 33), (95, 95))


@torch.inference_mode()
def golden(model: Restorer) -> list[list[float]]:
    """Values of the first steps on a fixed wave pattern, in fp32 on the CPU.

    Args:
        model: in fp32 on the CPU, in evaluation mode.

    Returns:
        For each of at most three steps: the mean of the picture, then red, green and blue at five
        places, 16 numbers in all, rounded to 1e-6.
    """
    y, x = torch.meshgrid(torch.arange(SIDE) / SIDE, torch.arange(SIDE) / SIDE, indexing="ij")
    waves = [torch.sin(40 * y + 9 * channel) * torch.sin(25 * x * x + channel) for channel in range(3)]
    picture = 0.5 + 0.4 * torch.stack(waves)  # (3, SIDE, SIDE)
    window = picture.expand(1, model.traits.frames, -1, -1, -1)
    rows = []
    for estimate in model.run(window, min(STEPS, model.traits.steps)):
        values = [estimate.image.mean(), *(v for top, left in PLACES for v in estimate.image[0, :, top, left])]
        rows.append([round(float(value), 6) for value in values])
    return rows
