"""The radial power spectrum against pictures whose spectrum is known."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from skimage import data

from deblur_demo.spectrum import BINS, frequencies, radial_spectrum


def grey(values: np.ndarray, dtype=np.uint8) -> np.ndarray:
    return np.repeat(values.round().clip(0, np.iinfo(dtype).max)[..., None], 3, axis=2).astype(dtype)


def test_white_noise_is_flat_at_its_own_variance():
    noise = np.random.default_rng(0).normal(128, 10, (256, 256))
    spectrum = radial_spectrum(grey(noise))[2:]  # the first rings hold few frequencies
    assert spectrum.mean() == pytest.approx(20, abs=0.2), "10 log10 of 10 squared"
    assert spectrum.std() < 0.6


@pytest.mark.parametrize("cycles", [0.1, 0.25, 0.4])
def test_a_wave_shows_up_at_its_frequency(cycles):
    wave = 128 + 50 * np.sin(2 * np.pi * cycles * np.arange(300))
    peak = int(np.nanargmax(radial_spectrum(grey(np.tile(wave, (200, 1))))))
    assert abs(frequencies()[peak] - cycles) <= 1 / (2 * BINS)


def test_sixteen_bits_say_the_same():
    picture = data.coffee()
    deep = picture.astype(np.uint16) * 257
    assert np.allclose(radial_spectrum(picture), radial_spectrum(deep), atol=1e-3)


def test_blur_takes_high_frequencies_and_leaves_low_ones():
    picture = data.coffee()
    lost = radial_spectrum(picture) - radial_spectrum(cv2.GaussianBlur(picture, (0, 0), 2))
    sigma, frequency = 2.0, frequencies()
    expected = 20 * np.log10(np.e) * 2 * (np.pi * sigma * frequency) ** 2  # of a Gaussian, in dB
    seen = slice(1, 12)  # until rounding to 8 bit drowns what is left
    assert np.allclose(lost[seen], expected[seen], atol=1.5)
    assert lost[0] < 0.3 and lost[30] > 20


@pytest.mark.parametrize("shape", [(1, 1), (3, 40), (1100, 30)])
def test_small_pictures_have_gaps_but_no_errors(shape):
    spectrum = radial_spectrum(np.zeros((*shape, 3), np.uint8))
    assert spectrum.shape == (BINS,) and not np.isinf(spectrum).any()
