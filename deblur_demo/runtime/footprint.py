"""How much memory a network works in, per pixel, weighed on a small picture."""

from __future__ import annotations

import weakref
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from deblur_demo.models.contract import Estimate, Restorer, centre_frame

PROBE = 64  # px; activations grow with the area, so a small picture tells it too
PROBE_FILTER = 256  # px; the wide margins of a filter, which has no weights, would outweigh a small one


@dataclass(frozen=True)
class Footprint:
    """Bytes per pixel of the picture.

    Attributes:
        working: most that one step holds at a time, its result included, its input not.
        state: recurrent features and maps between two steps.
    """

    working: float
    state: float


@torch.inference_mode()
def measure(network: Restorer) -> Footprint:
    """Run a network on a small grey picture and weigh what it holds on the way.

    Measured so, `mtrnn` works in 632 bytes a pixel in fp32 and 328 in bf16, `mtrnn-lite` in 176 and 100.

    Args:
        network: on the device and in the type that it will run in.
    """
    traits = network.traits
    side = traits.padded(PROBE if network.learned else PROBE_FILTER)
    window = torch.full((1, traits.frames, 3, side, side), 0.5, device=network.device)
    estimate, working, state = Estimate(centre_frame(window)), 0, 0
    # From the second iteration on all are alike; of stages each is another network.
    for _ in range(min(2, traits.max_steps) if traits.iterative else traits.steps):
        with _Scales() as scales:
            estimate = network(window, estimate.image, estimate.state)
        working = max(working, scales.peak)
        state = max(state, sum(layer.nbytes for layer in (*estimate.state, *estimate.maps.values())))
    return Footprint(working / side**2, state / side**2)


class _Scales(TorchFunctionMode):
    """Adds up the storages that operations return, and subtracts them when they die."""

    def __init__(self):
        super().__init__()
        self.live: dict[int, int] = {}
        self.peak = 0

    def __torch_function__(self, function, types, args=(), kwargs=None):
        result = function(*args, **(kwargs or {}))
        for tensor in result if isinstance(result, (tuple, list)) else (result,):
            if isinstance(tensor, Tensor):
                self._add(tensor.untyped_storage())
        return result

    def _add(self, storage: torch.UntypedStorage) -> None:
        key = storage._cdata
        if key not in self.live:  # a view shares the storage of its base
            self.live[key] = storage.nbytes()
            self.peak = max(self.peak, sum(self.live.values()))
            weakref.finalize(storage, self.live.pop, key)
