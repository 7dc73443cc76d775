"""Networks for the runtime's tests: small ones with all that tiling must cope with, and the real ones, livened up."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from deblur_demo.models import registry
from deblur_demo.models.blocks import ResidualBlock
from deblur_demo.models.contract import Estimate, Restorer, Traits, centre_frame


class Recurrent(Restorer):
    """Two features that recur at different strides; one step sees 21 pixels far."""

    settings = None

    def __init__(self, frames: int = 1, width: int = 8):
        super().__init__()
        self.traits = Traits(halo=24, align=4, frames=frames, steps=4, max_steps=9, state_strides=(2, 4), minimum=24)
        self.stem = nn.Conv2d(3 * frames + 3, width, 3, padding=1)
        self.down1 = nn.Conv2d(width, width, 3, stride=2, padding=1)
        self.mix1 = nn.Conv2d(2 * width, width, 3, padding=1)
        self.down2 = nn.Conv2d(width, width, 3, stride=2, padding=1)
        self.mix2 = nn.Conv2d(2 * width, width, 5, padding=2)
        self.up2 = nn.ConvTranspose2d(width, width, 4, stride=2, padding=1)
        self.up1 = nn.ConvTranspose2d(width, width, 4, stride=2, padding=1)
        self.head = nn.Conv2d(width, 3, 3, padding=1)

    def forward(self, window: Tensor, previous: Tensor, state: tuple[Tensor, ...]) -> Estimate:
        x = torch.cat((window.flatten(1, 2), previous), dim=1).to(self.dtype)
        x = torch.tanh(self.down1(torch.tanh(self.stem(x))))  # (B, C, H/2, W/2)
        old1, old2 = state or (x, None)
        fine = torch.tanh(self.mix1(torch.cat((x, old1), dim=1)))
        x = torch.tanh(self.down2(fine))  # (B, C, H/4, W/4)
        coarse = torch.tanh(self.mix2(torch.cat((x, x if old2 is None else old2), dim=1)))
        x = fine + torch.tanh(self.up2(coarse))
        residual = self.head(torch.tanh(self.up1(x)))  # (B, 3, H, W)
        return Estimate(centre_frame(window) + residual.float(), (x, coarse))


class Stages(Restorer):
    """Three stages that hand on nothing alike: an image and a feature, one wider feature, nothing."""

    def __init__(self):
        super().__init__()
        self.traits = Traits(halo=4, align=2, frames=3, steps=3, max_steps=3, state_strides=(1, 2))
        self.first = nn.Conv2d(9, 3, 3, padding=1)
        self.down = nn.Conv2d(3, 6, 3, stride=2, padding=1)
        self.second = nn.Conv2d(9, 5, 3, padding=1)
        self.third = nn.Conv2d(8, 3, 3, padding=1)

    def forward(self, window: Tensor, previous: Tensor, state: tuple[Tensor, ...]) -> Estimate:
        x = previous.to(self.dtype)
        if not state:
            image = self.first(window.flatten(1, 2).to(self.dtype))
            return Estimate(image.float(), (image, self.down(image)))
        if len(state) == 2:
            up = F.interpolate(state[1], scale_factor=2)
            return Estimate(previous + 0.1 * state[0].float(), (self.second(torch.cat((x, up), dim=1)),))
        return Estimate(previous + self.third(torch.cat((x, state[0]), dim=1)).float())


@pytest.fixture
def recurrent() -> Callable[..., Restorer]:
    """Makes a small recurrent network with weights that let every pixel of its radius count."""

    def make(frames: int = 1, width: int = 8) -> Restorer:
        torch.manual_seed(0)
        network = Recurrent(frames, width).eval()
        with torch.no_grad():
            for weights in network.parameters():
                weights.mul_(2)
        return network

    return make


@pytest.fixture
def stages() -> Restorer:
    torch.manual_seed(0)
    return Stages().eval()


@pytest.fixture
def lively() -> Callable[[str], Restorer]:
    """Makes a network of the zoo whose untrained weights change the picture strongly, near and far.

    Fresh weights start with small residual branches, which would hide a halo that is too narrow.
    """

    def make(name: str) -> Restorer:
        torch.manual_seed(0)
        network = registry.build(name).eval()
        with torch.no_grad():
            for module in network.modules():
                if isinstance(module, ResidualBlock):
                    module.conv2.weight.mul_(3)
            blurred = torch.rand(1, 1, 3, 64, 64)
            residual = next(network.run(blurred)).image - blurred[:, 0]
            network.head.weight.mul_(0.2 / residual.std())
        return network

    return make
