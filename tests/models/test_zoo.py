"""Every variant of the registry, held to the contract by the same tests.

A new file in the zoo is picked up by itself. Numbers are compared on narrow versions of the
networks; ``NARROW`` says how a variant becomes one, a conversion like its original.
"""

from __future__ import annotations

import inspect
import sys
from dataclasses import asdict, fields, is_dataclass

import pytest
import torch
from torch import Tensor

from deblur_demo.models import checkpoint, registry
from deblur_demo.models.checkpoint import Card
from deblur_demo.models.contract import Estimate, Restorer, centre_frame
from deblur_demo.runtime.deblurrer import Deblurrer

_ATROUS = {"blocks": 2, "branch": 8, "width": 16, "encoder": (8, 16), "decoder": (12, 8)}
_MLFA = {"first": "carlo-s", "width": 8, "blocks": 1}
_SGENET = {"widths": (6, 9, 12)}
_KERNEL = {"length": 5.0, "angle": 30.0}
NARROW = {
    "brehm-stage1": _ATROUS,
    "brehm-stage1-released": _ATROUS,
    "brehm-stage1-plain": {**_ATROUS, "encoder": (8, 8, 16, 16), "decoder": (16, 8, 8, 8)},
    "brehm-stage1-s": _ATROUS,
    "atrous-5": _ATROUS,
    "atrous-10-3f": _ATROUS,
    "atrous-10-3f-s": _ATROUS,
    "carlo": {"filters": 8},
    "carlo-s": {"filters": 8},
    "deblurgan-v2-mobile": {"backbone": 0.25, "pyramid": 16, "heads": 16},
    "dmphn": {"width": 8},
    "kaist": {"width": 8, "blocks": (2, 1, 1)},
    "kaist-3f": {"width": 8, "blocks": (2, 1, 1)},
    "kaist-3f-s": {"width": 8, "blocks": (2, 1, 1)},
    "mlfa": _MLFA,
    "mlfa-s": _MLFA,
    "mlfa-lite": {"width": 8, "blocks": 1},
    "mlfa-single": {"width": 8, "blocks": 1},
    "pss-nsc": {"width": 8},
    "richardson-lucy": _KERNEL,
    "sgenet": _SGENET,
    "sgenet-s": _SGENET,
    "wiener": _KERNEL,
}

# How far a result may be off, as root mean square in units of what the network changed; an unrelated
# result is at 1.4. Where tiling is exact, only rounding remains; the others measured half as much or less.
EXACT = 1e-5
APPROXIMATE = {
    "dmphn": 0.15,  # a tile is cut into halves and quarters elsewhere than the picture
    "deblurgan-v2-mobile": 0.75,  # random weights behind 50 normalisations exaggerate
    "mlfa-lite": 1e-5,
    "mtrnn-ms": 1e-5,
    "mtrnn-ms-mt": 1e-5,
    "pss-nsc": 1e-5,
    "sgenet": 1e-5,
    "sgenet-s": 1e-5,
    "wiener": 0.02,
    "richardson-lucy": 0.002,
}
BF16 = {"deblurgan-v2-mobile": 0.4}
BF16_ELSEWHERE = 0.02

NAMES = list(registry.variants())
LEARNED = [name for name in NAMES if name not in ("wiener", "richardson-lucy")]


def original(name: str) -> str:
    return name.removeprefix("mt-")


def narrow(name: str) -> dict[str, object]:
    """Settings that make a variant narrow."""
    return NARROW.get(original(name), {})


def steps_of(network: Restorer) -> int:
    """All stages, or two iterations."""
    return 2 if network.traits.iterative else network.traits.steps


def picture(network: Restorer, height: int, width: int, batch: int = 1) -> Tensor:
    generator = torch.Generator().manual_seed(height * 1000 + width)
    return torch.rand(batch, network.traits.frames, 3, height, width, generator=generator)


def side(network: Restorer, at_least: int = 16) -> int:
    """A side that the network takes."""
    traits = network.traits
    return -(-max(at_least, traits.minimum) // traits.align) * traits.align


def spread(x: Tensor) -> float:
    return x.double().square().mean().sqrt().item()


@pytest.fixture
def build(liven):
    """Build a variant narrow, with the same random weights every time."""

    def build(name: str) -> Restorer:
        torch.manual_seed(0)
        return liven(registry.build(name, **narrow(name)))

    return build


def test_the_identifiers_are_there():
    promised = (
        "mtrnn mtrnn-lite brehm-stage1 brehm-stage1-plain mlfa mlfa-single carlo kaist kaist-3f atrous-5 atrous-10-3f "
        "sgenet dmphn deblurgan-v2-mobile pss-nsc wiener richardson-lucy sgenet-s mt-dmphn mt-deblurgan-v2-mobile "
        "mt-pss-nsc mt-brehm-stage1 mt-carlo mt-kaist mt-atrous-5"
    )
    assert set(promised.split()) <= set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_it_is_documented(name):
    variant = registry.variant(name)
    with torch.device("meta"):
        network = registry.build(name)
    assert len(variant.paper) > 30 and any(year in variant.paper for year in map(str, range(1970, 2030)))
    assert variant.trained_for in ("motion", "motion, video", "Gaussian")
    assert is_dataclass(variant.settings) and variant.settings.__dataclass_params__.frozen
    family = " ".join(inspect.getdoc(kind) or "" for kind in type(variant.settings).__mro__[:-1])
    for field in fields(variant.settings):
        assert f"{field.name}:" in family or f"{field.name}, " in family, f"{field.name} is not explained"
    assert len(inspect.getdoc(type(network))) > 60
    assert len(inspect.getdoc(sys.modules[type(network).__module__])) > 60


@torch.no_grad()
@pytest.mark.parametrize("name", NAMES)
def test_any_size_down_to_one_pixel(name, build):
    network = build(name)
    deblurrer = Deblurrer(network, device="cpu", precision="fp32", tile=0)
    for height, width in ((1, 1), (1, 7), (34, 5), (257, 129)):
        window = picture(network, height, width)
        steps = list(deblurrer.steps(window, 2))
        assert len(steps) == steps_of(network)
        for step in steps:
            assert step.image.shape == (1, 3, height, width) and step.image.dtype == torch.float32
            assert step.image.min() >= 0 and step.image.max() <= 1


@torch.no_grad()
@pytest.mark.parametrize("name", NAMES)
def test_estimates_are_as_the_traits_say(name, build):
    network = build(name)
    height, width = side(network), side(network, 24)
    window = picture(network, height, width)
    for estimate in network.run(window, steps_of(network)):
        assert estimate.image.shape == (1, 3, height, width) and estimate.image.dtype == torch.float32
        for feature, stride in zip(estimate.state, network.traits.state_strides, strict=False):
            assert feature.shape[-2:] == (height // stride, width // stride)
        assert tuple(estimate.maps) == network.traits.maps
        for figures in estimate.maps.values():
            assert figures.shape == (1, 1, height, width) and figures.dtype == torch.float32
    assert spread(estimate.image - centre_frame(window)) > 1e-4, (
        "weights are lively enough for these tests to mean much"
    )


@torch.no_grad()
@pytest.mark.parametrize("name", NAMES)
def test_a_batch_is_each_picture_by_itself(name, build):
    network = build(name)
    window = picture(network, side(network), side(network, 24), batch=2)
    together = list(network.run(window, steps_of(network)))[-1].image
    alone = torch.cat([list(network.run(one[None], steps_of(network)))[-1].image for one in window])
    assert spread(together - alone) < 1e-3 * spread(together - centre_frame(window))


@torch.no_grad()
@pytest.mark.parametrize("name", NAMES)
def test_tiles_equal_the_whole(name, build):
    """On a strip of three tiles and two halos, so that the middle tile sees neither end."""
    network = build(name)
    traits = network.traits
    tile = side(network, max(32, traits.halo // 2))
    window = picture(network, 3 * tile + 2 * side(network, traits.halo), side(network, 32))
    if NAMES.index(name) % 2:
        window = window.transpose(-1, -2).contiguous()
    whole, tiled = (
        list(Deblurrer(network, device="cpu", precision="fp32", tile=size).steps(window, 2))[-1].image
        for size in (0, tile)
    )
    changed = spread(whole - centre_frame(window))
    assert changed > 1e-4
    assert spread(tiled - whole) < changed * (EXACT if traits.exact else APPROXIMATE[original(name)])


@torch.no_grad()
@pytest.mark.parametrize("name", NAMES)
def test_bf16_is_near_fp32(name, build):
    network = build(name)
    window = picture(network, side(network), side(network))
    exact = network(window, centre_frame(window), ()).image
    rounded = network.to(torch.bfloat16)(window, centre_frame(window), ()).image
    assert rounded.dtype == torch.float32
    off = spread(rounded - exact) / spread(exact - centre_frame(window))
    assert off < BF16.get(original(name), BF16_ELSEWHERE)


@pytest.mark.parametrize("name", LEARNED)
def test_gradients_reach_every_parameter(name, build):
    network = build(name).train()
    window = picture(network, side(network, 32), side(network, 32))
    estimates = list(network.run(window, steps_of(network)))
    sum((estimate.image - 0.3).square().mean() for estimate in estimates).backward()
    idle = [key for key, value in network.named_parameters() if value.grad is None or not value.grad.any()]
    assert idle == []


@torch.no_grad()
@pytest.mark.parametrize("name", NAMES)
def test_weights_and_card_come_back(name, build, tmp_path):
    network = build(name)
    path = tmp_path / f"{name}.safetensors"
    checkpoint.save(network, path, Card(model=name, settings=narrow(name), data=("none",)), torch.float32)
    loaded, card = checkpoint.load(path)
    assert card.model == name and asdict(loaded.settings) == asdict(network.settings)
    window = picture(network, side(network), side(network))
    mine, theirs = (Estimate(*next(net.run(window, 1))) for net in (network, loaded))
    assert torch.equal(mine.image, theirs.image)
