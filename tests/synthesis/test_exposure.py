"""Temporal levels and synthetic motion against formulas written out in NumPy."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from skimage import data

from deblur_demo.light import GAMMA, to_display, to_light
from deblur_demo.synthesis.exposure import MotionSettings, moving_frames, temporal_level
from deblur_demo.synthesis.paths import PathSettings, random_paths

STILL = PathSettings(shift=1e-6, least_shift=1e-6, rotation=0.0, zoom=0.0, perspective=0.0, order=1)


def photo(side: int) -> torch.Tensor:
    """(1, 3, side, side), real, without clipped highlights."""
    picture = data.astronaut()[40 : 40 + side, 160 : 160 + side]
    return torch.from_numpy(picture / 255 * 0.8).permute(2, 0, 1)[None].float()


def generator() -> torch.Generator:
    return torch.Generator().manual_seed(3)


def test_level_is_the_response_to_the_mean_light_of_the_middle_frames():
    frames = np.random.default_rng(0).random((2, 13, 3, 5, 7))
    light = torch.from_numpy(frames**GAMMA)
    for n in (1, 3, 7, 13):
        expected = np.mean(frames[:, 6 - n // 2 : 7 + n // 2] ** GAMMA, axis=1) ** (1 / GAMMA)
        np.testing.assert_allclose(temporal_level(light, n).numpy(), expected, atol=1e-9)


def test_light_and_display_are_inverse_and_light_clips_at_white():
    ramp = torch.linspace(0, 1, 256)
    torch.testing.assert_close(to_display(to_light(ramp)), ramp, atol=1e-5, rtol=0)
    assert to_display(torch.tensor(3.0)) == 1


def test_without_motion_every_level_is_the_picture():
    picture = photo(96)
    settings = MotionSettings(camera=STILL, thing=STILL, thing_share=0.0)
    light = moving_frames(picture, picture, 64, settings, generator())
    assert light.shape == (1, 13, 3, 64, 64)
    for n in (1, 7, 13):
        torch.testing.assert_close(temporal_level(light, n), picture[..., 16:80, 16:80], atol=2e-3, rtol=0)


def test_straight_motion_is_the_mean_of_shifted_pictures():
    # 13 frames of 3 instants: 38 steps. 38 px over the path make every instant a whole-pixel shift.
    picture = photo(128)
    move = PathSettings(shift=38.0, least_shift=38.0, rotation=0.0, zoom=0.0, perspective=0.0, order=1)
    settings = MotionSettings(camera=move, thing=STILL, thing_share=0.0)
    torch_light = moving_frames(picture, picture, 48, settings, generator())
    # The direction is drawn, so recover it from the path that the same seed gives.
    path = random_paths(1, 39, 128, move, generator())[0, :, :2, 2].numpy() * 64  # pixels
    source = picture[0].numpy().astype(np.float64) ** GAMMA
    frames = []
    for frame in range(13):
        instants = [19] if frame == 6 else range(3 * frame, 3 * frame + 3)
        frames.append(np.mean([bilinear(source, path[i], 40, 48) for i in instants], axis=0))
    expected = np.mean(frames, axis=0) ** (1 / GAMMA)
    np.testing.assert_allclose(temporal_level(torch_light, 13)[0].numpy(), expected, atol=2e-3)
    assert np.abs(expected - picture[0, :, 40:88, 40:88].numpy()).mean() > 0.02, "the motion must be visible"


def bilinear(image: np.ndarray, shift: np.ndarray, start: int, size: int) -> np.ndarray:
    """``image`` sampled at (start + shift), by hand."""
    x, y = start + shift
    x0, y0 = int(np.floor(x)), int(np.floor(y))
    fx, fy = x - x0, y - y0

    def cut(top: int, left: int) -> np.ndarray:
        return image[:, top : top + size, left : left + size]

    top = (1 - fx) * cut(y0, x0) + fx * cut(y0, x0 + 1)
    bottom = (1 - fx) * cut(y0 + 1, x0) + fx * cut(y0 + 1, x0 + 1)
    return (1 - fy) * top + fy * bottom


def test_levels_grow_blurrier_and_the_middle_stays_sharp():
    picture = photo(160)
    light = moving_frames(picture, picture.flip(2), 96, MotionSettings(thing_share=0.0), generator())
    sharp = picture[..., 32:128, 32:128]
    errors = [(temporal_level(light, n) - sharp).abs().mean().item() for n in range(1, 14, 2)]
    assert errors[0] < 2e-3
    assert all(low < high for low, high in zip(errors, errors[1:], strict=False))


def test_objects_move_on_their_own():
    picture, other = photo(160), photo(160).flip(3)
    settings = MotionSettings(camera=STILL, thing=PathSettings(shift=30.0, least_shift=30.0), thing_share=1.0)
    light = moving_frames(picture, other, 96, settings, generator())
    change = (temporal_level(light, 13) - temporal_level(light, 1)).abs().mean(dim=1)[0]
    assert change.max() > 0.05, "the object's streak"
    assert (change < 2e-3).float().mean() > 0.1, "the still background"


def test_clipped_highlights_streak_brighter_than_their_surroundings_explain():
    picture = torch.full((1, 3, 96, 96), 0.2)
    picture[..., 44:52, 44:52] = 1.0
    move = PathSettings(shift=30.0, least_shift=30.0, order=1)
    blurred = {}
    for highlights in (1.0, 20.0):
        settings = MotionSettings(camera=move, thing=STILL, thing_share=0.0, highlights=highlights)
        blurred[highlights] = temporal_level(moving_frames(picture, picture, 64, settings, generator()), 13)
    assert blurred[20.0].max() > blurred[1.0].max() + 0.05


def test_more_objects_join_some_samples():
    # Each further object is half as likely: of a second and a third, 1 - (1 - 1/2)(1 - 1/4) of the samples have one.
    picture, other = photo(64).expand(60, -1, -1, -1), photo(64).flip(3).expand(60, -1, -1, -1)
    still = {"camera": STILL, "thing_share": 1.0, "thing": PathSettings(shift=20.0, least_shift=20.0), "frames": 3}
    one, three = (
        moving_frames(picture, other, 40, MotionSettings(things=things, **still), generator()) for things in (1, 3)
    )
    joined = (one != three).flatten(1).any(dim=1)
    assert 0.45 < joined.float().mean() < 0.8
    change = (three[:, 2] - three[:, 0]).abs().amax(dim=(1, 2, 3)) - (one[:, 2] - one[:, 0]).abs().amax(dim=(1, 2, 3))
    assert change[~joined].abs().max() == 0 and change[joined].abs().mean() > 0.01, "they move on their own"


def test_named_frames_are_single_instants():
    move = PathSettings(shift=38.0, least_shift=38.0, rotation=0.0, zoom=0.0, perspective=0.0, order=1)
    settings = MotionSettings(camera=move, thing=STILL, thing_share=0.0, highlights=1.0)
    usual = moving_frames(photo(128), photo(128), 48, settings, generator())
    named = moving_frames(photo(128), photo(128), 48, settings, generator(), sharp=[0, 6, 12])
    same = [torch.equal(usual[:, frame], named[:, frame]) for frame in range(13)]
    assert same == [frame not in (0, 12) for frame in range(13)]

    def detail(light: torch.Tensor) -> float:
        return float(light.diff(dim=-1).abs().mean() + light.diff(dim=-2).abs().mean())

    assert all(detail(named[:, frame]) > detail(usual[:, frame]) for frame in (0, 12))


@pytest.mark.parametrize("extent", [(40, 71), (71, 40), (64, 64)])
def test_a_rectangle_is_the_middle_of_the_square(extent):
    square, part = (
        moving_frames(photo(121), photo(121).flip(3), crop, MotionSettings(thing_share=1.0), generator())
        for crop in (121, extent)
    )
    top, left = ((121 - length + 1) // 2 for length in extent)
    middle = square[..., top : top + extent[0], left : left + extent[1]]
    torch.testing.assert_close(part, middle, rtol=0, atol=2e-5)


def test_samples_without_an_object_are_as_if_there_were_none():
    pictures, settings = photo(64).expand(12, -1, -1, -1), {"camera": PathSettings(shift=9.0), "frames": 3}
    some, none = (
        moving_frames(pictures, pictures.flip(3), 40, MotionSettings(thing_share=share, **settings), generator())
        for share in (0.5, 0.0)
    )
    without = (some == none).flatten(1).all(dim=1)
    assert 0.2 < without.float().mean() < 0.8
    assert (some - none)[~without].abs().amax(dim=(1, 2, 3, 4)).min() > 0.01
