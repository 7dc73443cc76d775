"""Wiener and Richardson-Lucy: against scikit-image, and on blur whose truth is known."""

from __future__ import annotations

import math
from functools import partial

import numpy as np
import pytest
import torch
from skimage import data, restoration

from deblur_demo.light import to_display, to_light
from deblur_demo.models import registry
from deblur_demo.runtime.deblurrer import Deblurrer
from deblur_demo.runtime.ensemble import SelfEnsemble
from deblur_demo.runtime.reduced import Reduced
from tests.models.smears import kernel, photo_of, smeared

LENGTH, ANGLE = 9.0, 30.0


def psnr(image: torch.Tensor, truth: torch.Tensor) -> float:
    return -10 * math.log10((image.clamp(0, 1) - truth).square().mean())


@pytest.fixture(scope="module")
def photo() -> torch.Tensor:
    """A real photo, (1, 3, 300, 451)."""
    return photo_of(data.chelsea())


@pytest.fixture(scope="module")
def blurred(photo) -> torch.Tensor:
    """Moved by 9 px at 30 degrees."""
    return smeared(photo, LENGTH, ANGLE, margin=16)


def test_wiener_is_scikit_images_away_from_the_borders(blurred):
    network = registry.build("wiener", length=LENGTH, angle=ANGLE, balance=0.05)
    ours = to_light(network(blurred[:, None], blurred, ()).image)[0, 0].numpy()
    light = to_light(blurred)[0, 0].numpy()
    theirs = restoration.wiener(light, kernel(LENGTH, ANGLE), balance=0.05, clip=False).clip(0, 1)
    inside = (slice(60, -60), slice(60, -60))
    assert np.abs(ours[inside] - light[inside]).mean() > 0.005
    np.testing.assert_allclose(ours[inside], theirs[inside], atol=1e-3)


def test_richardson_lucy_is_scikit_images_away_from_the_borders(blurred):
    network = registry.build("richardson-lucy", length=LENGTH, angle=ANGLE, updates=3)
    start = to_display(torch.full_like(blurred, 0.5))  # where theirs starts
    ours = to_light(network(blurred[:, None], start, ()).image)[0, 0].numpy()
    light = to_light(blurred)[0, 0].numpy()
    theirs = restoration.richardson_lucy(light, kernel(LENGTH, ANGLE), num_iter=3, clip=False).clip(0, 1)
    inside = (slice(60, -60), slice(60, -60))
    assert np.abs(ours[inside] - light[inside]).mean() > 0.003
    np.testing.assert_allclose(ours[inside], theirs[inside], atol=1e-4)


@pytest.mark.parametrize("name", ["wiener", "richardson-lucy"])
def test_without_such_a_blur_the_picture_stays_as_it_is(photo, name):
    assert torch.equal(registry.build(name)(photo[:, None], photo, ()).image, photo)


@pytest.mark.parametrize(("name", "gain"), [("wiener", 0.7), ("richardson-lucy", 3.5)])
def test_blind_deblurring_gains(photo, blurred, name, gain):
    truth = photo[..., 16:-16, 16:-16]
    *_, last = registry.build(name).run(blurred[:, None])
    assert psnr(last.image, truth) > psnr(blurred, truth) + gain


def test_richardson_lucy_goes_on_from_its_estimate(photo, blurred):
    truth = photo[..., 16:-16, 16:-16]
    quality = [psnr(estimate.image, truth) for estimate in registry.build("richardson-lucy").run(blurred[:, None], 4)]
    assert quality == sorted(quality) and quality[-1] > quality[0] + 0.3
    once = registry.build("richardson-lucy", updates=10)(blurred[:, None], blurred, ()).image
    twice = list(registry.build("richardson-lucy", updates=5).run(blurred[:, None], 2))[-1].image
    inside = (..., slice(60, -60), slice(60, -60))  # the margins are laid out anew at every step
    torch.testing.assert_close(once[inside], twice[inside], rtol=0, atol=2e-3)


def test_black_stays_black(photo):
    striped = photo.clone()
    striped[..., 100:180, :] = 0
    blurred = smeared(striped, 20, 0)
    *_, last = registry.build("richardson-lucy").run(blurred[:, None])
    assert (last.image[..., 75:145, :] * 255).round().max() == 0
    dark = smeared(0.15 * photo, 20, 0)
    *_, last = registry.build("richardson-lucy").run(dark[:, None])
    truth = 0.15 * photo[..., 30:-30, 30:-30]
    assert psnr(last.image, truth) > psnr(dark, truth) + 3


@pytest.mark.parametrize("name", ["wiener", "richardson-lucy"])
def test_a_filter_has_no_parameters_but_a_place(name):
    network = registry.build(name)
    assert network.parameter_count == 0 and network.state_dict() == {}
    assert network.to("meta").device.type == "meta" and network.dtype == torch.float32


@pytest.mark.parametrize(
    ("name", "wrapped"),
    [
        ("wiener", lambda network: network),
        ("richardson-lucy", lambda network: network),
        ("wiener", partial(SelfEnsemble, versions=8)),
        ("wiener", partial(Reduced, factor=2)),
    ],
    ids=["wiener", "richardson-lucy", "ensemble", "reduced"],
)
def test_tiles_undo_the_motion_that_the_whole_picture_shows(name, wrapped):
    strip = photo_of(np.tile(data.coffee()[150:350], (1, 3, 1)))  # longer than a tile and two halos
    truth, blurred = strip[..., 20:-20, 20:-20], smeared(strip, 18, 10, margin=20)
    deblurrers = (Deblurrer(wrapped(registry.build(name)), "cpu", "fp32", side) for side in (0, 320))
    whole, tiled = (next(deblurrer.steps(blurred[:, None], 1)).image for deblurrer in deblurrers)
    assert psnr(tiled, whole) > 40
    assert psnr(tiled, truth) > psnr(blurred, truth) + 0.2
