"""Restoring at a fraction of the size: what a step is then, what it keeps, and what it is good for."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from skimage import data
from torch.nn import functional as F

from deblur_demo import metrics
from deblur_demo.lab import Shake, shake_photo
from deblur_demo.media.frames import to_pixels, to_tensor
from deblur_demo.media.image import Photo
from deblur_demo.models import registry
from deblur_demo.models.contract import Estimate, Restorer, Traits, centre_frame
from deblur_demo.pipeline import Job, open_deblurrer
from deblur_demo.runtime.deblurrer import Deblurrer
from deblur_demo.runtime.ensemble import SelfEnsemble
from deblur_demo.runtime.reduced import Reduced


class Memory(Restorer):
    """Adds to the estimate before what it saw there at first, so that it must be handed its own of both."""

    traits = Traits(halo=1, align=2, frames=3, steps=2, max_steps=4, state_strides=(2,), minimum=4, maps=("seen",))
    settings = None

    def __init__(self):
        super().__init__()
        self.register_buffer("anchor", torch.zeros(()))

    def forward(self, window, previous, state):
        memory = state[0] if state else window[:, 0, :, ::2, ::2]
        image = previous + 0.1 * memory.repeat_interleave(2, -1).repeat_interleave(2, -2)
        return Estimate(image, (memory,), {"seen": image.mean(1, keepdim=True)})


class Idle(Restorer):
    """Gives back what it got."""

    traits = Traits(halo=0, steps=2, max_steps=4)
    settings = None

    def forward(self, window, previous, state):
        return Estimate(previous)


@pytest.fixture
def window() -> torch.Tensor:
    return torch.rand(2, 3, 3, 16, 24, generator=torch.Generator().manual_seed(0))


@torch.no_grad()
@pytest.mark.parametrize("factor", [2, 4])
def test_each_step_adds_what_the_network_changes_in_the_copy(window, factor):
    net = Memory()
    copy = F.avg_pool2d(window.flatten(0, 1), factor).unflatten(0, (2, 3))
    steps = list(Reduced(net, factor).run(window, 3))
    for step, own in zip(steps, net.run(copy, 3), strict=True):
        gained = F.interpolate(own.image - centre_frame(copy), scale_factor=factor, mode="bicubic")
        torch.testing.assert_close(step.image, centre_frame(window) + gained)
        assert step.maps["seen"].shape == (2, 1, 16, 24)
        torch.testing.assert_close(step.maps["seen"].mean(), own.maps["seen"].mean(), rtol=0.02, atol=0)
    assert (steps[2].image - steps[1].image).abs().mean() > 0.03


@torch.no_grad()
def test_maps_keep_their_range():
    edge = torch.zeros(1, 3, 3, 32, 32)
    edge[..., 16:] = 1
    (step,) = Reduced(Memory(), 4).run(edge, 1)
    own = Memory()(F.avg_pool2d(edge[0], 4)[None], F.avg_pool2d(edge[:, 1], 4), ()).maps["seen"]
    for seen in (own, step.maps["seen"]):
        assert (float(seen.min()), float(seen.max())) == pytest.approx((0, 1.1), abs=1e-6)


@torch.no_grad()
def test_what_the_network_leaves_alone_stays_to_the_last_bit(window):
    for estimate in Reduced(Idle(), 4).run(window[:, :1]):
        assert torch.equal(estimate.image, window[:, 0])


@torch.no_grad()
@pytest.mark.parametrize("name", ["mtrnn-lite", "sgenet-s", "kaist-3f-s", "mt-carlo-s"])
@pytest.mark.parametrize("factor", [2, 4])
def test_real_networks_keep_their_contract(name, factor):
    torch.manual_seed(0)
    net = registry.build(name).eval()
    reduced = Reduced(net, factor)
    traits = reduced.traits
    assert (traits.align, traits.minimum) == (factor * net.traits.align, factor * net.traits.minimum)
    assert traits.halo > factor * net.traits.halo and traits.steps == net.traits.steps
    assert reduced.parameter_count == net.parameter_count and not reduced.training
    window = torch.rand(1, traits.frames, 3, 128, 192)
    steps = list(reduced.run(window))
    assert [x.image.shape for x in steps] == [(1, 3, 128, 192)] * traits.steps
    shapes = [x.shape[-2:] for x in steps[0].state]
    assert shapes == [(128 // stride, 192 // stride) for stride in traits.state_strides]
    assert set(steps[0].maps) == set(traits.maps)


@pytest.mark.parametrize(
    ("name", "settings"), [("mt-pss-nsc", {"width": 4}), ("kaist-3f-s", {"width": 8}), ("carlo-s", {"filters": 8})]
)
def test_tiles_of_the_picture_are_tiles_of_the_copy(name, settings):
    torch.manual_seed(0)
    net = registry.build(name, **settings).eval()
    reduced = Reduced(net, 2)
    tile, halo = 64, reduced.traits.halo
    window = torch.rand(1, reduced.traits.frames, 3, 3 * tile + 2 * halo, 40)
    whole, tiled = (
        list(Deblurrer(reduced, device="cpu", precision="fp32", tile=side).steps(window, 2)) for side in (0, tile)
    )
    assert len(whole) == len(tiled) == min(2, reduced.traits.steps)
    for one, other in zip(whole, tiled, strict=True):
        assert (one.image - centre_frame(window)).abs().mean() > 5e-4
        torch.testing.assert_close(one.image, other.image, rtol=0, atol=2e-5)


def test_stages_along_a_clip_are_reduced_one_by_one():
    net = registry.build("mlfa-lite")
    stages = Reduced(net, 2).along_clip()
    own = net.along_clip()
    assert [stage.traits.align for stage in stages] == [2 * stage.traits.align for stage in own]
    assert [type(stage.net) for stage in stages] == [type(stage) for stage in own] and len(own) == 2


def test_a_job_says_how_its_network_is_equipped():
    plain = Job(model="mtrnn-lite")
    both = Job(model="mtrnn-lite", size="quarter", ensemble="4")
    assert (plain.size, plain.effort, both.effort) == ("full", 1, 4 / 16)
    net = open_deblurrer(both).model
    assert isinstance(net, Reduced) and net.factor == 4 and isinstance(net.net, SelfEnsemble)
    assert len(net.traits.state_strides) == 1 + 4 * 3, "each orientation is remembered at the size of the copy alone"
    assert min(net.traits.state_strides) == 4
    assert not isinstance(open_deblurrer(plain).model, Reduced)


def test_a_long_smear_is_removed_better_at_half_size_and_a_short_one_at_full_size():
    gains = {}
    for length in (12, 48):
        pair = shake_photo(Photo(data.astronaut()), Shake(seed=3, shift=length, level=13, noise=0.5))
        for size in ("full", "half"):
            deblurrer = open_deblurrer(Job(model="mtrnn-lite", size=size))
            *_, last = deblurrer.steps(to_tensor(pair.blurred.pixels)[:, None])
            restored = to_pixels(last.image, np.uint8)
            before, after = (metrics.psnr(picture, pair.sharp.pixels) for picture in (pair.blurred.pixels, restored))
            gains[length, size] = after - before
    assert gains[48, "half"] > gains[48, "full"] + 0.2 > 0.2, gains
    assert gains[12, "full"] > gains[12, "half"] + 0.2, gains
