"""The self-ensemble: which orientations it takes, and that their mean is what it says."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from deblur_demo.errors import SettingError
from deblur_demo.models import registry
from deblur_demo.models.contract import Estimate, Restorer, Traits, centre_frame
from deblur_demo.runtime.deblurrer import Deblurrer
from deblur_demo.runtime.ensemble import ORIENTATIONS, SelfEnsemble, _Spread, turn, turn_back


class Wind(Restorer):
    """Moves everything to the right a little, so that it must notice how its input is turned."""

    traits = Traits(halo=2, align=2, steps=2, max_steps=4, state_strides=(2,))
    settings = None

    def __init__(self):
        super().__init__()
        self.strength = nn.Parameter(torch.tensor(0.5))

    def forward(self, window, previous, state):
        image = (1 - self.strength) * previous + self.strength * previous.roll(1, -1)
        memory = state[0] + 1 if state else centre_frame(window)[..., ::2, ::2]
        return Estimate(image + memory.repeat_interleave(2, -1).repeat_interleave(2, -2), (memory,))


class Pale(Restorer):
    """Every pixel by itself, so that it cannot notice."""

    traits = Traits(halo=0)
    settings = None

    def forward(self, window, previous, state):
        return Estimate(0.5 + previous / 2)


@pytest.fixture
def window() -> torch.Tensor:
    return torch.rand(2, 1, 3, 8, 12, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("versions", [4, 8])
def test_orientations_are_distinct_and_undone(versions):
    x = torch.arange(24.0).view(1, 1, 4, 6)
    turned = [turn(x, orientation) for orientation in ORIENTATIONS[versions]]
    assert len({(*view.shape, *view.flatten().tolist()) for view in turned}) == versions
    for view, orientation in zip(turned, ORIENTATIONS[versions], strict=True):
        assert torch.equal(turn_back(view, orientation), x)


@torch.no_grad()
@pytest.mark.parametrize("versions", [4, 8])
def test_each_step_is_the_mean_of_the_orientations_own_steps(window, versions):
    net = Wind()
    expected = [0, 0, 0]
    for orientation in ORIENTATIONS[versions]:
        for index, estimate in enumerate(net.run(turn(window, orientation), 3)):
            expected[index] += turn_back(estimate.image, orientation) / versions
    steps = [estimate.image for estimate in SelfEnsemble(net, versions).run(window, 3)]
    torch.testing.assert_close(steps, expected)
    assert (steps[2] - [e.image for e in net.run(window, 3)][2]).abs().max() > 0.05


@torch.no_grad()
def test_the_mean_of_eight_does_not_care_how_the_picture_is_turned(window):
    ensemble = SelfEnsemble(Wind(), 8)
    for orientation in ORIENTATIONS[8]:
        for turned, upright in zip(ensemble.run(turn(window, orientation)), ensemble.run(window), strict=True):
            torch.testing.assert_close(turn_back(turned.image, orientation), upright.image)


@torch.no_grad()
@pytest.mark.parametrize("name", ["mtrnn", "dmphn", "sgenet-s"])
def test_real_networks_keep_their_contract(name):
    torch.manual_seed(0)
    net = registry.build(name).eval()
    ensemble = SelfEnsemble(net)
    traits = ensemble.traits
    window = torch.rand(1, 1, 3, 16, 24)
    assert (traits.halo, traits.align, traits.steps, traits.frames) == (
        net.traits.halo,
        net.traits.align,
        net.traits.steps,
        net.traits.frames,
    )
    assert ensemble.parameter_count == net.parameter_count and not ensemble.training
    steps = list(ensemble.run(window))
    assert len(steps) == net.traits.steps
    shapes = [x.shape[-2:] for x in steps[0].state]
    assert shapes == [(16 // stride, 24 // stride) for stride in traits.state_strides]
    mean = sum(turn_back(next(net.run(turn(window, way))).image, way) for way in ORIENTATIONS[4]) / 4
    torch.testing.assert_close(steps[0].image, mean, rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    ("name", "settings"), [("mt-pss-nsc", {"width": 4}), ("sgenet", {"widths": (6, 6, 6)}), ("carlo-s", {"filters": 8})]
)
def test_it_runs_in_tiles_like_any_network(name, settings):
    """Iterations, stages or a single step on a strip of three tiles and two halos."""
    torch.manual_seed(0)
    ensemble = SelfEnsemble(registry.build(name, **settings).eval())
    halo = ensemble.traits.halo
    tile = max(32, halo // 2)
    window = torch.rand(1, 1, 3, 3 * tile + 2 * halo, 32)
    whole, tiled = (
        list(Deblurrer(ensemble, device="cpu", precision="fp32", tile=side).steps(window, 2)) for side in (0, tile)
    )
    assert len(whole) == len(tiled) == min(2, ensemble.traits.steps)
    for one, other in zip(whole, tiled, strict=True):
        assert (one.image - window[:, 0]).abs().mean() > 1e-3
        torch.testing.assert_close(one.image, other.image, rtol=0, atol=2e-5)
        assert one.maps["doubt"].shape == (1, 1, *window.shape[-2:]) and one.maps["doubt"].mean() > 0.01
        for name in one.maps:
            torch.testing.assert_close(one.maps[name], other.maps[name], rtol=0, atol=5e-3)


def test_other_numbers_are_refused():
    with pytest.raises(SettingError, match="4 or 8"):
        SelfEnsemble(Wind(), 3)


@torch.no_grad()
@pytest.mark.parametrize("versions", [4, 8])
def test_doubt_is_how_far_the_orientations_are_apart(window, versions):
    net, window = Wind(), 0.4 * window
    first, second = SelfEnsemble(net, versions).run(window, 2)
    copies = torch.stack([turn_back(next(net.run(turn(window, way))).image, way) for way in ORIENTATIONS[versions]])
    doubt = 255 * copies.double().std(0, correction=0).mean(1, keepdim=True)
    assert first.maps["doubt"].shape == (2, 1, 8, 12) and doubt.max() > 10
    torch.testing.assert_close(first.maps["doubt"].double(), doubt, rtol=1e-4, atol=1e-3)
    assert second.image.min() > 1 and not second.maps["doubt"].any(), "beyond white there is nothing to be seen"


@torch.no_grad()
def test_copies_that_agree_leave_no_doubt(window):
    for estimate in SelfEnsemble(Pale(), 8).run(window):
        assert estimate.maps["doubt"].abs().max() < 1e-3


def test_small_doubts_survive_in_single_precision():
    """The sum of squares less the square of the sum would be off by half of it."""
    values = 0.999 + 1e-6 * torch.tensor([0.0, 1.0, 2.0, 3.0], dtype=torch.float64)
    spread = _Spread()
    for value in values.float():
        spread.add(value)
    exact = values.float().double().std(correction=0)
    assert float(spread.deviation) == pytest.approx(float(exact), rel=0.02)


@torch.no_grad()
def test_a_networks_own_maps_are_averaged_upright():
    torch.manual_seed(0)
    net = registry.build("sgenet", widths=(6, 6, 6)).eval()
    window = torch.rand(1, 1, 3, 16, 24)
    (first, second) = SelfEnsemble(net).run(window)
    copies = [turn_back(next(net.run(turn(window, way))).maps["guidance"], way) for way in ORIENTATIONS[4]]
    torch.testing.assert_close(first.maps["guidance"], sum(copies) / 4)
    assert set(first.maps) == set(second.maps) == {"guidance", "doubt"}
