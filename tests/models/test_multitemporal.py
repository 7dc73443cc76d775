"""The multi-temporal conversion: which networks have one, and what it changes about them."""

from __future__ import annotations

import pytest
import torch

from deblur_demo.models import registry
from deblur_demo.models.zoo.multitemporal import FAITHFUL

SMALL = {
    "mt-dmphn": {"width": 8},
    "mt-deblurgan-v2-mobile": {"backbone": 0.25, "pyramid": 16, "heads": 8},
    "mt-carlo": {"filters": 8},
    "mt-atrous-5": {"blocks": 1, "branch": 8, "width": 8, "encoder": (8, 8), "decoder": (8, 8)},
    "mt-brehm-stage1-s": {"blocks": 1, "branch": 8, "width": 8, "encoder": (8, 8), "decoder": (8, 8)},
    "mt-kaist": {"width": 8, "blocks": (1, 1, 1)},
}
RESIDUAL = [name for name in SMALL if name not in ("mt-dmphn", "mt-carlo", "mt-kaist")]


@pytest.mark.parametrize(
    ("name", "before", "after"),
    [
        ("mt-dmphn", 5_424_393, 5_424_393 + 3 * 32 * 27),  # 5.42 -> 5.43 M in table 3
        ("mt-deblurgan-v2-mobile", 2_083_235, 2_083_235 + 32 * 27),  # 3.28 -> 3.28 M with MobileNet's tail
        ("mt-pss-nsc", 3_876_905, 3_400_227),  # 3.87 -> 3.40 M
        ("mt-carlo", 2_663_555, 2_663_555 + 128 * 27),
        ("mt-kaist", 11_590_813, 11_590_813 + 32 * 75),
        ("mt-atrous-5", 12_571_011, 12_571_011 + 128 * 243),
        ("mt-brehm-stage1", 47_914_182, 47_914_182 + 128 * 243),
    ],
)
def test_only_the_first_convolutions_grow(name, before, after):
    with torch.device("meta"):
        assert registry.build(name.removeprefix("mt-")).parameter_count == before
        converted = registry.build(name)
    assert converted.parameter_count == after
    assert (converted.traits.steps, converted.traits.max_steps) == (6, 10)


# What MT-RNN is compared with is MT-RNN itself: three of them in a row, and one that has mtrnn-ms-mt for a conversion.
APPROACHES = ("mtrnn-stacked", "mtrnn-ms")


def test_every_one_stage_one_frame_network_has_one_and_no_other():
    names = set(registry.variants())
    for name in names:
        if not name.startswith("mt-"):
            with torch.device("meta"):
                network = registry.build(name)
            traits = network.traits
            converts = network.parameter_count > 0 and name not in APPROACHES
            assert (f"mt-{name}" in names) == (traits.frames == 1 and traits.max_steps == 1 and converts), name


@torch.no_grad()
@pytest.mark.parametrize("name", RESIDUAL)
def test_the_first_iteration_begins_as_the_original(name):
    torch.manual_seed(0)
    original = registry.build(name.removeprefix("mt-"), **SMALL[name]).eval()
    torch.manual_seed(0)
    converted = registry.build(name, **SMALL[name]).eval()
    window = torch.rand(1, 1, 3, 64, 64)
    one, other = next(original.run(window)).image, next(converted.run(window)).image
    assert (one - window[:, 0]).abs().mean() > 1e-4
    torch.testing.assert_close(one, other, rtol=0, atol=1e-4)


@torch.no_grad()
@pytest.mark.parametrize("name", RESIDUAL)
def test_every_iteration_begins_as_a_trained_original(name, liven):
    plain = name.removeprefix("mt-")
    assert plain in FAITHFUL
    torch.manual_seed(0)
    original = liven(registry.build(plain, **SMALL[name]))
    converted = registry.build(name, **SMALL[name]).eval()
    converted.convert_from(original)
    window = torch.rand(1, 1, 3, 64, 64)
    image = next(original.run(window)).image
    assert (image - window[:, 0]).abs().mean() > 1e-3
    for estimate in converted.run(window, 3):
        torch.testing.assert_close(estimate.image, image, rtol=0, atol=1e-5)


@torch.no_grad()
@pytest.mark.parametrize("name", SMALL)
def test_a_silent_network_returns_the_blurred_frame(name):
    network = registry.build(name, **SMALL[name]).eval()
    for value in network.parameters():
        value.zero_()
    window = torch.rand(1, 1, 3, 64, 64)
    for estimate in network.run(window, 2):
        torch.testing.assert_close(estimate.image, window[:, 0], rtol=0, atol=1e-6)


@torch.no_grad()
@pytest.mark.parametrize("name", SMALL)
def test_it_sees_the_estimate_and_the_blurred_frame(name, liven):
    torch.manual_seed(0)
    network = liven(registry.build(name, **SMALL[name], clamp=False))
    window, previous = torch.rand(1, 1, 3, 64, 64), torch.rand(1, 3, 64, 64)
    image = network(window, previous, ()).image
    assert (network(window, previous.flip(-1), ()).image - image).abs().mean() > 1e-5
    assert (network(window.flip(-1), previous, ()).image - image).abs().mean() > 1e-5


@torch.no_grad()
def test_clamping_is_a_setting(liven):
    window, far = torch.rand(1, 1, 3, 16, 16), 3 * torch.rand(1, 3, 16, 16)
    for clamp in (True, False):
        torch.manual_seed(0)
        network = liven(registry.build("mt-dmphn", width=8, clamp=clamp))
        image, clamped = (network(window, previous, ()).image for previous in (far, far.clamp(0, 1)))
        assert torch.equal(image, clamped) == clamp


@torch.no_grad()
def test_features_recur_where_the_network_has_them(liven):
    torch.manual_seed(0)
    network = liven(registry.build("mt-pss-nsc", width=8))
    window = torch.rand(1, 1, 3, 16, 24)
    first = network(window, window[:, 0], ())
    assert [tuple(x.shape) for x in first.state] == [(1, 16, 8, 12), (1, 32, 4, 6)]
    with_features = network(window, first.image, first.state).image
    without = network(window, first.image, ()).image
    assert (with_features - without).abs().mean() > 1e-6
