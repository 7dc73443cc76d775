"""Wiener and Richardson-Lucy: against scikit-image, and on blur whose truth is known."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from skimage import data, restoration

from deblur_demo.models import registry
from deblur_demo.models.zoo.classic import motion_transfer

LENGTH, ANGLE = 9.0, 30.0


def transfer(length: float, angle: float, height: int, width: int) -> torch.Tensor:
    return motion_transfer(torch.tensor([length]), torch.tensor([math.radians(angle)]), height, width)


def kernel(length: float, angle: float, side: int = 25) -> np.ndarray:
    """The kernel itself, centred."""
    return np.fft.fftshift(torch.fft.irfft2(transfer(length, angle, side, side), s=(side, side))[0, 0].numpy())


def filtered(image: torch.Tensor, length: float, angle: float) -> torch.Tensor:
    """Blur with wrap-around."""
    spectrum = torch.fft.rfft2(image) * transfer(length, angle, *image.shape[-2:])
    return torch.fft.irfft2(spectrum, s=image.shape[-2:])


def psnr(image: torch.Tensor, truth: torch.Tensor) -> float:
    return -10 * math.log10((image.clamp(0, 1) - truth).square().mean())


@pytest.fixture(scope="module")
def photo() -> torch.Tensor:
    """A real photo, (1, 3, 300, 451)."""
    return torch.from_numpy(data.chelsea()).permute(2, 0, 1)[None].float() / 255


@pytest.fixture(scope="module")
def blurred(photo) -> torch.Tensor:
    """Moved by 9 px at 30 degrees, 8 bits; the wrapped borders cut off."""
    return (filtered(photo, LENGTH, ANGLE)[..., 16:-16, 16:-16].clamp(0, 1) * 255).round() / 255


def test_the_kernel_is_a_line_of_that_length_and_direction():
    flat = kernel(7.0, 0.0)
    assert flat.sum() == pytest.approx(1)
    np.testing.assert_allclose(flat[12, 9:16], 1 / 7, atol=1e-6)
    np.testing.assert_allclose(np.delete(flat, 12, axis=0), 0, atol=1e-6)
    np.testing.assert_allclose(kernel(7.0, 90.0), flat.T, atol=1e-6)
    assert np.argmax(kernel(15.0, 45.0)[8]) == 16, "counter-clockwise: above the centre means right of it"
    np.testing.assert_allclose(kernel(1.0, 0.0)[12, 12], 1, atol=1e-6)


def test_wiener_is_scikit_images_away_from_the_borders(blurred):
    network = registry.build("wiener", length=LENGTH, angle=ANGLE, balance=0.05)
    ours = network(blurred[:, None], blurred, ()).image[0, 0].numpy()
    theirs = restoration.wiener(blurred[0, 0].numpy(), kernel(LENGTH, ANGLE), balance=0.05, clip=False)
    inside = (slice(60, -60), slice(60, -60))
    assert np.abs(ours[inside] - blurred[0, 0].numpy()[inside]).mean() > 0.01
    np.testing.assert_allclose(ours[inside], theirs[inside], atol=1e-3)


def test_richardson_lucy_is_scikit_images_away_from_the_borders(blurred):
    network = registry.build("richardson-lucy", length=LENGTH, angle=ANGLE, updates=3)
    ours = network(blurred[:, None], torch.full_like(blurred, 0.5), ()).image[0, 0].numpy()  # where theirs starts
    theirs = restoration.richardson_lucy(blurred[0, 0].numpy(), kernel(LENGTH, ANGLE), num_iter=3, clip=False)
    inside = (slice(60, -60), slice(60, -60))
    assert np.abs(ours[inside] - blurred[0, 0].numpy()[inside]).mean() > 0.005
    np.testing.assert_allclose(ours[inside], theirs[inside], atol=1e-4)


@pytest.mark.parametrize(("length", "angle"), [(9, 0), (15, 30), (12, 120), (25, 75)])
def test_the_cepstrum_finds_a_straight_motion(photo, length, angle):
    moved = (filtered(photo, length, angle)[..., 30:-30, 30:-30].clamp(0, 1) * 255).round() / 255
    found_length, found_angle = registry.build("wiener").estimate(moved)
    assert found_length.item() == pytest.approx(length, abs=0.7)
    turn = (math.degrees(found_angle) - angle + 90) % 180 - 90  # a motion has no sense, so half turns are equal
    assert abs(turn) < 3


@pytest.mark.parametrize("name", ["wiener", "richardson-lucy"])
def test_without_such_a_blur_the_picture_stays_as_it_is(photo, name):
    sharp = photo[..., :200, :200]
    network = registry.build(name)
    assert network.estimate(sharp)[0].item() == 1
    assert psnr(network(sharp[:, None], sharp, ()).image, sharp) > 35


@pytest.mark.parametrize(("name", "gain"), [("wiener", 2.0), ("richardson-lucy", 2.0)])
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


@pytest.mark.parametrize("name", ["wiener", "richardson-lucy"])
def test_a_filter_has_no_parameters_but_a_place(name):
    network = registry.build(name)
    assert network.parameter_count == 0 and network.state_dict() == {}
    assert network.to("meta").device.type == "meta" and network.dtype == torch.float32
