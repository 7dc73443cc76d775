"""What a network costs: multiply-accumulates, counted by running it on tensors without memory."""

from __future__ import annotations

import copy

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

from deblur_demo.models.contract import Restorer


class OperationCounter(TorchDispatchMode):
    """Adds up the operations that torch has a formula for. Its own mode also follows modules, at twice the time."""

    operations = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        if formula := flop_registry.get(func.overloadpacket):
            self.operations += formula(*args, **(kwargs or {}), out_val=result)
        return result


@torch.no_grad()
def gmacs(model: Restorer, height: int = 256, width: int = 256) -> float:
    """Multiply-accumulates of one step in units of 10^9.

    Args:
        model: any network; it may live on the meta device, and stays untouched.
        height, width: of the picture in pixels, rounded up to what the network takes.

    Returns:
        The count of convolutions and matrix products, without additions, activations or Fourier
        transforms: 0 for a classic filter. Where steps are stages, their mean.
    """
    ghost = copy.deepcopy(model).to("meta").eval()
    traits = ghost.traits
    height, width = traits.padded(height), traits.padded(width)
    window = torch.empty(1, traits.frames, 3, height, width, device="meta")
    steps = 1 if traits.iterative else traits.steps
    with OperationCounter() as counter:
        for _ in ghost.run(window, steps):
            pass
    return counter.operations / 2 / steps / 1e9  # a product and a sum are two operations
