"""Gaussian blur against SciPy's, and the widths that are drawn."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter
from skimage import data

from deblur_demo.synthesis.gaussian import GaussianSettings, gaussian_blur, random_gaussian


@pytest.mark.parametrize("sigma", [0.3, 1.0, 3.0])
def test_blur_is_that_of_scipy(sigma: float):
    picture = data.astronaut()[100:132, 200:240].astype(np.float64) / 255
    ours = gaussian_blur(torch.from_numpy(picture).permute(2, 0, 1)[None], torch.tensor([sigma]))[0]
    expected = np.stack([gaussian_filter(picture[..., c], sigma, mode="mirror", truncate=4.0) for c in range(3)])
    np.testing.assert_allclose(ours.numpy(), expected, atol=2e-4)


def test_each_picture_has_its_own_width_and_zero_leaves_it():
    pictures = torch.rand(3, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    sigmas = torch.tensor([0.0, 0.7, 2.5])
    blurred = gaussian_blur(pictures, sigmas)
    torch.testing.assert_close(blurred[0], pictures[0])
    torch.testing.assert_close(blurred[1:2], gaussian_blur(pictures[1:2], sigmas[1:2]), atol=1e-4, rtol=0)
    assert torch.equal(gaussian_blur(pictures, torch.zeros(3)), pictures)


def test_widths_are_uniform_between_their_bounds():
    # The variance of a spike's image is sigma squared.
    spikes = torch.zeros(600, 1, 41, 41)
    spikes[:, :, 20, 20] = 1
    blurred = random_gaussian(spikes, GaussianSettings(low=0.5, high=3.0), torch.Generator().manual_seed(1))
    offsets = torch.arange(41.0) - 20
    sigma = (blurred.sum(dim=(1, 2)) * offsets**2).sum(dim=1).sqrt()
    assert 0.45 < sigma.min() < 0.6 and 2.9 < sigma.max() < 3.01
    assert sigma.mean().item() == pytest.approx(1.75, abs=0.1)
    torch.testing.assert_close(blurred.sum(dim=(1, 2, 3)), torch.ones(600), atol=1e-4, rtol=0)
    again = random_gaussian(spikes, GaussianSettings(low=0.5, high=3.0), torch.Generator().manual_seed(1))
    assert torch.equal(again, blurred)
