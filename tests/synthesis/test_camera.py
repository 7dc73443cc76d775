"""Noise against its formula, JPEG against Pillow's."""

from __future__ import annotations

import io

import numpy as np
import pytest
import torch
from PIL import Image
from skimage import data

from deblur_demo.synthesis.camera import CameraSettings, develop, jpeg, sensor_noise


def photo(height: int, width: int) -> torch.Tensor:
    return torch.from_numpy(data.coffee()[:height, 100 : 100 + width] / 255).permute(2, 0, 1)[None].float()


@pytest.mark.parametrize("quality", [30, 60, 95])
@pytest.mark.parametrize("size", [(160, 192), (93, 131)])
def test_jpeg_matches_pillow(quality: int, size: tuple[int, int]):
    image = photo(*size)
    file = io.BytesIO()
    original = (image[0] * 255).round().byte().permute(1, 2, 0).numpy()
    Image.fromarray(original).save(file, "JPEG", quality=quality, subsampling="4:2:0")
    pillow = np.asarray(Image.open(file)).astype(float)
    ours = jpeg(image, torch.tensor([float(quality)]))[0].permute(1, 2, 0).numpy() * 255
    loss = np.abs(pillow - original).mean()
    assert np.abs(ours - pillow).mean() < 0.5 * loss, "nearer to Pillow's JPEG than that is to the original"
    assert np.abs(ours - original).mean() == pytest.approx(loss, rel=0.12)


def test_jpeg_takes_a_quality_for_each_picture():
    image = photo(64, 64)
    both = jpeg(image.expand(2, -1, -1, -1), torch.tensor([20.0, 90.0]))
    torch.testing.assert_close(both[1:], jpeg(image, torch.tensor([90.0])))
    errors = (both - image).abs().mean(dim=(1, 2, 3))
    assert errors[0] > 1.5 * errors[1]


def test_noise_has_the_variance_of_its_formula():
    # At display value v the light is v^2.2, and its slope turns light noise into display noise.
    value, settings = 0.5, CameraSettings()
    image = torch.full((400, 3, 16, 16), value)
    noisy = sensor_noise(image, settings, torch.Generator().manual_seed(0))
    light = value**2.2
    mean_level = 1.5 / 3  # of 1.5 U^2
    variance = mean_level * (settings.shot * light + settings.read * 0.25)
    slope = (1 / 2.2) * light ** (1 / 2.2 - 1)
    assert float(noisy.var()) == pytest.approx(variance * slope**2, rel=0.15)
    assert float(noisy.mean()) == pytest.approx(value, abs=0.003)


def test_develop_rounds_to_8_bit_and_is_reproducible():
    image = photo(48, 48).expand(6, -1, -1, -1)
    once, again = (develop(image, CameraSettings(), torch.Generator().manual_seed(1)) for _ in range(2))
    assert torch.equal(once, again)
    torch.testing.assert_close(once * 255, (once * 255).round(), atol=1e-3, rtol=0)
    clean = develop(image, CameraSettings(noise_share=0.0, jpeg_share=0.0), torch.Generator().manual_seed(1))
    torch.testing.assert_close(clean, image, atol=1e-6, rtol=0)
    changed = (once - clean).abs().amax(dim=(1, 2, 3)) > 0
    assert 0 < int(changed.sum()) < 6, "some pictures get noise or JPEG, some do not"
