"""Pixels to tensors and back, against the definition: value / largest value."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from deblur_demo.media.frames import to_pixels, to_tensor, window

EVERY_LEVEL = {
    np.uint8: np.arange(256, dtype=np.uint8).repeat(3).reshape(8, 32, 3),
    np.uint16: np.arange(65536, dtype=np.uint16).repeat(3).reshape(256, 256, 3),
}


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_every_level_there_and_back(dtype):
    pixels = EVERY_LEVEL[dtype]
    tensor = to_tensor(pixels)
    assert tensor.dtype == torch.float32 and tensor.shape == (1, 3, *pixels.shape[:2])
    expected = pixels.astype(np.float64) / np.iinfo(dtype).max
    np.testing.assert_allclose(tensor[0].permute(1, 2, 0).numpy(), expected, rtol=2e-7)
    assert tensor.min() == 0 and tensor.max() == 1
    back = to_pixels(tensor, dtype)
    assert back.dtype == dtype and back.flags.c_contiguous
    np.testing.assert_array_equal(back, pixels)


def test_channels_and_places_are_kept():
    pixels = np.random.default_rng(0).integers(0, 256, (2, 5, 3), dtype=np.uint8)
    tensor = to_tensor(pixels)
    assert tensor[0, 2, 1, 4] == pixels[1, 4, 2] / np.float32(255)
    np.testing.assert_array_equal(to_pixels(tensor, np.uint8), pixels)


def test_turned_pixels_need_no_copy_by_the_caller():
    pixels = np.random.default_rng(0).integers(0, 65536, (4, 6, 3), dtype=np.uint16)
    assert torch.equal(to_tensor(pixels[::-1]), to_tensor(np.ascontiguousarray(pixels[::-1])))


def test_values_are_clamped_and_rounded():
    values = torch.tensor([-0.5, 0.0, 0.4 / 255, 0.6 / 255, 254.4 / 255, 254.6 / 255, 1.0, 7.0])
    image = values.expand(1, 3, 1, 8)
    assert to_pixels(image, np.uint8)[0, :, 0].tolist() == [0, 0, 0, 1, 254, 255, 255, 255]
    assert to_pixels(image, np.uint16)[0, :, 1].tolist() == [0, 0, 103, 154, 65381, 65432, 65535, 65535]


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_other_float_types_are_read_at_their_own_value(dtype):
    image = torch.rand(1, 3, 9, 7, generator=torch.Generator().manual_seed(0)).to(dtype)
    expected = np.rint(image[0].permute(1, 2, 0).double().numpy() * 255)
    np.testing.assert_array_equal(to_pixels(image, np.uint8), expected)


def test_neither_direction_writes_into_its_input():
    pixels = EVERY_LEVEL[np.uint8].copy()
    tensor = to_tensor(pixels)
    kept = tensor.clone()
    to_pixels(tensor, np.uint8)
    assert torch.equal(tensor, kept)
    np.testing.assert_array_equal(pixels, EVERY_LEVEL[np.uint8])


def test_a_window_is_in_the_order_of_time():
    frames = [torch.full((1, 3, 4, 5), float(n)) for n in range(3)]
    stacked = window(frames)
    assert stacked.shape == (1, 3, 3, 4, 5)
    for n, frame in enumerate(frames):
        assert torch.equal(stacked[:, n], frame)
