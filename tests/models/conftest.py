"""Measuring sticks for networks: lively weights, and how far they see."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from deblur_demo.models.contract import Restorer


@pytest.fixture
def liven() -> Callable[[Restorer], Restorer]:
    """Give every bias a value, as training does, so that padding and borders matter; evaluation mode."""

    @torch.no_grad()
    def liven(network: Restorer) -> Restorer:
        generator = torch.Generator().manual_seed(0)
        for value in network.parameters():
            if value.ndim == 1:
                value.add_(0.05 * torch.randn(value.shape, generator=generator))
        return network.eval()

    return liven


@pytest.fixture
def reach() -> Callable[..., int]:
    """Measure the receptive radius of one step along the height, by the gradient in fp64."""

    def reach(network: Restorer, beyond: int = 16) -> int:
        """How far from a pixel the input still moves it; the picture ends ``beyond`` px behind the halo."""
        network = network.double()
        traits = network.traits
        align = traits.align
        width = -(-max(traits.minimum, align) // align) * align
        height = 2 * (-(-(traits.halo + beyond) // align) + 1) * align
        generator = torch.Generator().manual_seed(0)
        window = torch.rand(1, traits.frames, 3, height, width, dtype=torch.float64, generator=generator)
        previous = window[:, traits.frames // 2].clone().requires_grad_()
        image = network(window.requires_grad_(), previous, ()).image
        farthest = 0
        for row in range(height // 2, height // 2 + align):  # strided networks see differently far from row to row
            inputs = (window, previous)
            for gradient in torch.autograd.grad(image[:, :, row].sum(), inputs, retain_graph=True, allow_unused=True):
                if gradient is not None:
                    seen = gradient.reshape(-1, height, width).abs().sum((0, 2)).nonzero()
                    farthest = max(farthest, int((seen - row).abs().max()))
        return farthest

    return reach


@pytest.fixture
def positive() -> Callable[[Restorer], Restorer]:
    """Give every weight a positive value, so that no path from a pixel to another cancels out."""

    @torch.no_grad()
    def positive(network: Restorer) -> Restorer:
        generator = torch.Generator().manual_seed(0)
        for value in network.parameters():
            value.copy_((0.5 + torch.rand(value.shape, generator=generator)) / value[0].numel())
        return network

    return positive


@pytest.fixture
def patterned() -> Callable[[Restorer], Restorer]:
    """Fill weights by a formula, for golden numbers that hold whatever the random generator; evaluation mode."""

    @torch.no_grad()
    def patterned(network: Restorer) -> Restorer:
        for index, (key, value) in enumerate(network.named_parameters()):
            wave = torch.sin(torch.arange(value.numel(), dtype=torch.float64) * 1.7 + index).view(value.shape)
            spread = 0.1 if value.ndim == 1 else (2 / value[0].numel()) ** 0.5
            value.copy_(spread * wave + key.endswith("scale"))  # a learned scale lies around 1
        return network.eval()

    return patterned


@pytest.fixture
def ramp() -> Callable[..., torch.Tensor]:
    """A smooth window (1, N, 3, H, W) in [0, 1] that no random generator makes."""

    def ramp(frames: int, height: int, width: int) -> torch.Tensor:
        count = frames * 3 * height * width
        wave = torch.sin(torch.arange(count, dtype=torch.float64) * 0.37) * 0.5 + 0.5
        return wave.view(1, frames, 3, height, width).float()

    return ramp
