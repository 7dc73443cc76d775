"""Metrics against their formulas, written out here in double precision."""

from __future__ import annotations

import math

import cv2
import numpy as np
import pytest
from skimage import data
from skimage.measure import blur_effect
from skimage.metrics import structural_similarity

from deblur_demo.errors import InputError
from deblur_demo.metrics import blur, change, mse, psnr, sharpness, ssim

PHOTO = data.astronaut()[60:100, 200:230]  # (40, 30, 3)
BLURRED = cv2.GaussianBlur(PHOTO, (0, 0), 1.2)


def grey(level: int, height: int = 16, width: int = 16) -> np.ndarray:
    return np.full((height, width, 3), level, np.uint8)


def ssim_by_hand(a: np.ndarray, b: np.ndarray) -> float:
    """Wang 2004, equations 13 to 15, one window at a time."""
    offsets = np.arange(-5, 6)
    weights = np.exp(-(offsets[:, None] ** 2 + offsets**2) / (2 * 1.5**2))
    weights /= weights.sum()
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    values = []
    for channel in range(3):
        for y in range(a.shape[0] - 10):
            for x in range(a.shape[1] - 10):
                p, q = (i[y : y + 11, x : x + 11, channel].astype(np.float64) for i in (a, b))
                mean_p, mean_q = (weights * p).sum(), (weights * q).sum()
                var_p, var_q = (weights * (p - mean_p) ** 2).sum(), (weights * (q - mean_q) ** 2).sum()
                covariance = (weights * (p - mean_p) * (q - mean_q)).sum()
                luminance = (2 * mean_p * mean_q + c1) / (mean_p**2 + mean_q**2 + c1)
                values.append(luminance * (2 * covariance + c2) / (var_p + var_q + c2))
    return float(np.mean(values))


def test_mse_psnr_and_change_by_their_formulas():
    difference = PHOTO.astype(np.float64) - BLURRED
    assert mse(PHOTO, BLURRED) == pytest.approx((difference**2).mean(), rel=1e-12)
    assert psnr(PHOTO, BLURRED) == pytest.approx(20 * math.log10(255 / math.sqrt((difference**2).mean())), rel=1e-12)
    assert change(PHOTO, BLURRED) == pytest.approx(np.abs(difference).mean(), rel=1e-12)


@pytest.mark.parametrize(("a", "b", "decibel"), [(0, 255, 0.0), (100, 101, 48.1308036), (50, 60, 28.1308036)])
def test_known_levels(a, b, decibel):
    assert psnr(grey(a), grey(b)) == pytest.approx(decibel, abs=1e-6)
    assert mse(grey(a), grey(b)) == pytest.approx((b - a) ** 2, rel=1e-12)
    assert change(grey(a), grey(b)) == change(grey(b), grey(a)) == b - a


def test_equal_pictures():
    assert mse(PHOTO, PHOTO) == change(PHOTO, PHOTO) == 0
    assert psnr(PHOTO, PHOTO.copy()) == math.inf
    assert ssim(PHOTO, PHOTO) == pytest.approx(1, abs=1e-12)


def test_ssim_window_by_window():
    assert ssim(PHOTO, BLURRED) == pytest.approx(ssim_by_hand(PHOTO, BLURRED), abs=1e-9)
    noise = np.random.default_rng(0).integers(0, 256, PHOTO.shape, dtype=np.uint8)
    assert ssim(PHOTO, noise) == pytest.approx(ssim_by_hand(PHOTO, noise), abs=1e-9)


def test_ssim_of_flat_pictures_is_their_luminance_term():
    c1 = (0.01 * 255) ** 2
    assert ssim(grey(100), grey(150)) == pytest.approx((2 * 100 * 150 + c1) / (100**2 + 150**2 + c1), abs=1e-9)


@pytest.mark.parametrize("height", [522, 523, 1034, 1100])
def test_ssim_in_strips_is_ssim_of_the_whole(height):
    generator = np.random.default_rng(height)
    a = generator.integers(0, 256, (height, 15, 3), dtype=np.uint8)
    b = (a * np.linspace(0, 1, height)[:, None, None]).astype(np.uint8)  # so that strips differ
    whole = structural_similarity(
        a, b, gaussian_weights=True, sigma=1.5, use_sample_covariance=False, data_range=255, channel_axis=2
    )
    assert ssim(a, b) == pytest.approx(whole, abs=1e-12)


@pytest.mark.parametrize("shape", [(1, 1), (1, 50), (3, 2), (10, 10), (40, 7), (11, 11)])
def test_ssim_of_a_picture_below_its_window_is_that_of_its_mirror_image(shape):
    a, b = (picture[: shape[0], : shape[1]] for picture in (PHOTO, 255 - PHOTO))
    if shape[1] > PHOTO.shape[1]:
        a, b = np.hstack((a, a)), np.hstack((b, b))
    missing = [max(0, 11 - side) for side in a.shape[:2]]
    mirrored = [
        cv2.copyMakeBorder(
            i, missing[0] // 2, -(-missing[0] // 2), missing[1] // 2, -(-missing[1] // 2), cv2.BORDER_REFLECT
        )
        for i in (a, b)
    ]
    assert ssim(a, b) == pytest.approx(ssim_by_hand(*mirrored), abs=1e-9)
    assert ssim(a, a) == pytest.approx(1, abs=1e-12)


@pytest.mark.parametrize("metric", [mse, psnr, ssim, change])
def test_sixteen_bits_count_as_the_eight_they_round_to(metric):
    wide, other = PHOTO.astype(np.uint16) * 257, BLURRED.astype(np.uint16) * 257
    shaken = wide + np.where(wide < 65000, 128, -128).astype(np.int32)  # half a level less a little
    expected = metric(PHOTO, BLURRED)
    assert metric(wide, other) == metric(wide, BLURRED) == metric(PHOTO, other) == expected
    assert metric(shaken.astype(np.uint16), other) == expected


@pytest.mark.parametrize("metric", [mse, psnr, ssim, change])
def test_sizes_must_agree(metric):
    with pytest.raises(InputError, match="30 x 39 pixels.* 30 x 40 pixels"):
        metric(PHOTO, PHOTO[1:])


def test_sharpness_is_the_slope_of_a_ramp():
    ramp = np.repeat((np.arange(100) * 2)[None, :, None], 80, axis=0).repeat(3, 2).astype(np.uint8)
    assert sharpness(ramp) == pytest.approx(2, rel=0.02), "the two outer columns are half as steep"
    assert sharpness(ramp.transpose(1, 0, 2)) == pytest.approx(sharpness(ramp))
    assert sharpness(ramp.astype(np.uint16) * 257) == sharpness(ramp)


@pytest.mark.parametrize("name", ["astronaut", "coffee", "chelsea", "rocket"])
def test_sharpness_falls_with_blur_and_rises_with_contrast(name):
    photo = getattr(data, name)()
    values = [sharpness(photo)] + [sharpness(cv2.GaussianBlur(photo, (0, 0), sigma)) for sigma in (0.7, 1, 2, 4, 8)]
    assert values == sorted(values, reverse=True)
    shaken = cv2.blur(photo, (15, 1))
    assert sharpness(shaken) < 0.8 * values[0]
    assert sharpness(photo // 2 + 30) == pytest.approx(values[0] / 2, rel=0.02)


def test_sharpness_is_read_off_the_middle_of_a_large_picture():
    large = np.zeros((2150, 2049, 3), np.uint8)
    large[51 : 51 + 2048, :2048] = np.resize(data.coffee(), (2048, 2048, 3))
    expected = sharpness(large[51 : 51 + 2048, :2048])
    assert sharpness(large) == expected > 1


@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (3, 200), (4, 4), (50, 60)])
def test_sharpness_of_nothing_is_nothing(shape):
    assert sharpness(np.full((*shape, 3), 77, np.uint8)) == 0
    assert sharpness(np.random.default_rng(0).integers(0, 256, (*shape, 3), dtype=np.uint8)) >= 0


def test_blur_is_the_blur_effect_of_the_worst_axis_and_size():
    photo = cv2.blur(data.coffee(), (1, 13))
    luma = cv2.cvtColor(photo, cv2.COLOR_RGB2GRAY)
    sizes = [(600, 400), (300, 200), (150, 100)]
    effects = [blur_effect(cv2.resize(luma, size, interpolation=cv2.INTER_AREA), reduce_func=None) for size in sizes]
    assert blur(photo) == pytest.approx(max(max(pair) for pair in effects))
    assert blur(photo) == pytest.approx(effects[0][0])  # smeared down, not across
    assert blur(photo.swapaxes(0, 1)) == pytest.approx(blur(photo))


def test_blur_rises_with_the_length_of_a_smear_also_under_noise():
    smears = [cv2.blur(data.astronaut(), (length, 1)) for length in (1, 5, 9, 17, 33)]
    estimates = [blur(smear) for smear in smears]
    assert estimates == sorted(estimates) and estimates[0] < 0.4 < 0.7 < estimates[-1] < 1
    noise = np.random.default_rng(0).normal(0, 5, smears[0].shape)
    noisy = [blur((smear + noise).clip(0, 255).round().astype(np.uint8)) for smear in (smears[0], smears[-1])]
    assert noisy[0] < 0.4 < 0.5 < noisy[1]


def test_blur_of_a_large_photo_is_that_of_a_megapixel():
    large = np.tile(cv2.blur(data.astronaut(), (21, 1)), (3, 3, 1))
    small = cv2.resize(large, (1000, 1000), interpolation=cv2.INTER_AREA)
    assert blur(large) == pytest.approx(blur(small), abs=1e-3)


def test_blur_of_stripes_is_that_across_them():
    bars = np.repeat(np.random.default_rng(0).integers(0, 2, (1, 64, 1)) * 255, 5, axis=1)
    bars = np.broadcast_to(bars, (300, 320, 3)).astype(np.uint8)
    assert blur(bars) == pytest.approx(blur(bars.swapaxes(0, 1))) and blur(bars) < 0.2
    assert blur(cv2.blur(bars, (15, 1))) > 0.4


def test_blur_of_nothing_is_unknown():
    assert blur(grey(100, 64, 64)) is None and blur(data.astronaut()[:31]) is None
    assert blur(data.astronaut().astype(np.uint16) * 257) == pytest.approx(blur(data.astronaut()))
