"""The raw mosaic: what demosaicing must reproduce, and noise against its formula."""

from __future__ import annotations

import pytest
import torch
from skimage import data

from deblur_demo.synthesis.camera import CameraSettings, develop
from deblur_demo.synthesis.sensor import RawSettings, demosaic, light_to_srgb, raw_noise, srgb_to_light

SILENT = RawSettings(shot=1e-9, read=0.0)


def generator() -> torch.Generator:
    return torch.Generator().manual_seed(2)


def rggb(height: int, width: int) -> torch.Tensor:
    """Masks of red, green and blue, written out for one tile and repeated."""
    tile = torch.tensor([[[1, 0], [0, 0]], [[0, 1], [1, 0]], [[0, 0], [0, 1]]], dtype=torch.float64)
    return tile.repeat(1, height // 2, width // 2)[None]


@pytest.mark.parametrize(("down", "right"), [(0, 0), (0, 1), (1, 0), (1, 1)])
def test_demosaicing_is_exact_where_colours_change_alike_and_linearly(down: int, right: int):
    rows, columns = torch.meshgrid(torch.arange(24).double(), torch.arange(20).double(), indexing="ij")
    light = 0.2 + 0.011 * rows + 0.007 * columns + torch.tensor([0.1, 0.0, -0.05]).double().view(3, 1, 1)
    sites = rggb(24, 20).roll((down, right), (2, 3))
    restored = demosaic((light * sites).sum(dim=1, keepdim=True), sites)[0]
    torch.testing.assert_close(restored[:, 2:-2, 2:-2], light[:, 2:-2, 2:-2], atol=1e-12, rtol=0)
    torch.testing.assert_close(restored * sites[0], light * sites[0], atol=0, rtol=0)


@pytest.mark.parametrize("right", [0, 1])
def test_demosaicing_knows_the_rows_of_an_odd_width_up_to_its_border(right: int):
    """Of no green there is nothing but red along rows of red, and nothing along those of blue."""
    sites = rggb(12, 12).roll(right, 3)[..., :9]
    red = torch.tensor([1.0, 0.0, 0.0]).double().view(1, 3, 1, 1) * sites
    restored = demosaic(red.sum(dim=1, keepdim=True), sites)[0, 0]
    rows = restored[4:8:2]  # rows of red
    torch.testing.assert_close(rows[:, 0], rows[:, 2], atol=1e-12, rtol=0)
    torch.testing.assert_close(rows[:, -1], rows[:, -3], atol=1e-12, rtol=0)


def test_the_tone_curve_is_that_of_srgb():
    # IEC 61966-2-1: 0.5 displays 0.21404 of the light; the two pieces meet.
    assert srgb_to_light(torch.tensor(0.5, dtype=torch.float64)).item() == pytest.approx(0.2140411, abs=1e-6)
    ramp = torch.linspace(0, 1, 1000, dtype=torch.float64)
    torch.testing.assert_close(light_to_srgb(srgb_to_light(ramp)), ramp, atol=1e-7, rtol=0)


def test_without_noise_only_the_mosaic_is_left_to_see():
    picture = torch.from_numpy(data.coffee()[:120, 100:260] / 255).permute(2, 0, 1)[None].float()
    developed = raw_noise(picture, SILENT, generator())
    error = (developed - picture).square().mean()
    assert -10 * torch.log10(error) > 28, "about what Malvar's filters reach on photos"
    flat = torch.full((1, 3, 16, 16), 0.5)
    torch.testing.assert_close(raw_noise(flat, SILENT, generator()), flat, atol=2e-3, rtol=0)


def test_noise_of_a_flat_picture_follows_the_formula():
    # Green pixels keep their own value, so half of the pixels show the sensor's noise as it is.
    settings = RawSettings(shot=1e-4, read=2e-3, red=(2.0, 2.0), blue=(2.0, 2.0))
    value = 0.6
    noisy = raw_noise(torch.full((300, 3, 16, 16), value), settings, generator())
    light = srgb_to_light(torch.tensor(value)).item()
    slope = 1.055 / 2.4 * light ** (1 / 2.4 - 1)
    # U(0.5, 1.5) has mean 1 and mean square 13/12.
    expected = (settings.shot * light + settings.read**2 * 13 / 12) * slope**2
    green = noisy[:, 1] - value
    own = torch.stack([green[:, i::2, j::2].var(dim=(1, 2)) for i in (0, 1) for j in (0, 1)], dim=1)
    assert own.amax(dim=1).mean().item() == pytest.approx(expected, rel=0.15), "the sites without interpolation"
    assert noisy[:, 0].var() > 1.5 * noisy[:, 1].var(), "white balance amplifies red"
    beside = (green[:, :, 1:] * green[:, :, :-1]).mean() / green.var()
    assert beside > 0.1, "demosaicing makes neighbours alike"


def test_raw_noise_takes_its_share_of_the_noisy_samples():
    flat = torch.full((200, 3, 8, 8), 128 / 255)
    settings = CameraSettings(noise_share=0.5, read=0.0, shot=0.0, raw_share=0.5, jpeg_share=0.0)
    developed = develop(flat, settings, generator())
    noisy = (developed - 128 / 255).abs().amax(dim=(1, 2, 3)) > 0
    assert 0.15 < noisy.float().mean() < 0.35
    assert torch.equal(developed, develop(flat, settings, generator()))


def test_a_window_of_frames_shares_its_camera():
    window = torch.full((6, 3, 3, 32, 32), 0.5)
    noisy = raw_noise(window, RawSettings(shot=1e-6, read=5e-3), generator())
    spread = noisy.std(dim=(2, 3, 4))  # (6, 3)
    torch.testing.assert_close(spread[:, 0], spread[:, 2], rtol=0.1, atol=0)
    assert spread.amax() > 1.3 * spread.amin() and not torch.equal(noisy[:, 0], noisy[:, 1])
