"""Muon (Jordan 2024): momentum whose every direction counts alike.

AdamW weighs each number of a weight on its own. Muon takes the weight as the linear map that it is,
a kernel of a convolution as one from the pixels below it to a channel, and replaces the singular
values of its momentum by about one: the few directions that dominate a gradient do not outshout the rest.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from math import sqrt

import torch
from torch import Tensor
from torch.optim import Optimizer

from deblur_demo.runtime.device import precisions

# The quintic of Jordan 2024, which takes singular values from near 0 to between 0.7 and 1.2 in five steps.
_QUINTIC, _STEPS = (3.4445, -4.7750, 2.0315), 5

# Root mean square of AdamW's steps at a rate of 1, so that rates mean alike (Liu 2025, section 2.2).
_SIZE = 0.2


class Muon(Optimizer):
    """One momentum for all weights, orthogonalised; a bias is a map from a single number.

    ``torch.optim.Muon`` takes matrices alone, no kernels and no biases.

    Attributes:
        found_inf: 1, on the device, where the next steps are to leave weights and momenta as they are, else 0;
            None is 0. So are torch's fused optimisers held back, without anybody waiting for the device.
    """

    found_inf: Tensor | None = None
    _step_supports_amp_scaling = True  # torch's word for optimisers that look at it

    def __init__(self, groups: Iterable[dict], lr: float, momentum: float = 0.95):
        """Begin without momentum.

        Args:
            groups: parameter groups.
            lr: learning rate, on AdamW's scale.
            momentum: what an update keeps of the last one's momentum.
        """
        super().__init__(groups, {"lr": lr, "momentum": momentum})

    @torch.no_grad()
    def step(self) -> None:
        """Update the weights that have a gradient, unless ``found_inf`` forbids it."""
        for group in self.param_groups:
            weights = [weight for weight in group["params"] if weight.grad is not None]
            if not weights:
                continue
            held = self._held(weights[0].device)
            momenta = [self._momentum(weight) for weight in weights]
            # Zeros are chosen, not multiplied with: NaN times 0 is NaN.
            gradients = [torch.where(held, 0.0, weight.grad) for weight in weights]
            torch._foreach_mul_(momenta, torch.where(held, 1.0, group["momentum"]))
            torch._foreach_add_(momenta, gradients)
            # Nesterov's look ahead.
            ahead = torch._foreach_add(gradients, momenta, alpha=group["momentum"])
            # Layers of one size take a step together: on a GPU, one after the other takes longer to launch than to do.
            alike = defaultdict(list)
            for weight, direction in zip(weights, ahead, strict=True):
                alike[weight.shape].append((weight, direction.reshape(len(direction), -1)))
            for shape, layers in alike.items():
                steps = orthogonal(torch.stack([matrix for _, matrix in layers]))
                size = _SIZE * sqrt(max(steps.shape[1:]))
                steps = torch.where(held, 0.0, steps.float()).reshape(-1, *shape)
                torch._foreach_add_([weight for weight, _ in layers], [*steps], alpha=-group["lr"] * size)

    def _held(self, device: torch.device) -> Tensor:
        """Whether this step is to change nothing, on the device."""
        return torch.zeros((), dtype=torch.bool, device=device) if self.found_inf is None else self.found_inf.bool()

    def _momentum(self, weight: Tensor) -> Tensor:
        state = self.state[weight]
        if not state:
            state["momentum"] = torch.zeros_like(weight)
        return state["momentum"]


def orthogonal(matrices: Tensor) -> Tensor:
    """Replace singular values by about one, by Newton and Schulz' iteration.

    Args:
        matrices: (B, M, N).

    Returns:
        The same with singular values between 0.7 and 1.2 but for those that were near 0; in bf16, which
        is exact enough, or in fp32 where bf16 is only emulated.
    """
    tall = matrices.shape[1] > matrices.shape[2]
    x = (matrices.mT if tall else matrices).to(_format(matrices.device.type))
    x = x / x.norm(dim=(1, 2), keepdim=True).clamp(min=1e-7)
    a, b, c = _QUINTIC
    for _ in range(_STEPS):
        gram = x @ x.mT
        x = a * x + (b * gram + c * gram @ gram) @ x
    return x.mT if tall else x


def _format(device: str) -> torch.dtype:
    # Emulated, it took half of the time of an update of `brehm-stage1-s`.
    return torch.bfloat16 if "bf16" in precisions(device) else torch.float32
