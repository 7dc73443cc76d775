"""What a camera does to the light after the shutter: noise, 8-bit rounding and JPEG.

Noise on the input is the largest lever for real photos (RSBlur's ablation). Everything runs in
batches on the pictures' device.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache

import torch
from torch import Tensor
from torch.nn import functional as F

from deblur_demo.light import to_display, to_light
from deblur_demo.synthesis.sensor import RawSettings, raw_noise


@dataclass(frozen=True)
class CameraSettings:
    """How inputs are degraded after the blur.

    Attributes:
        noise_share: share of samples with sensor noise.
        shot: scale b1 of the Poisson part in linear light, times 1.5 U(0, 1)^2, which is half on average.
        read: b2, four times the variance of the Gaussian part in linear light; times the same, drawn again.
        raw_share: share of the noisy samples whose noise goes through the raw mosaic instead, see ``sensor``.
        raw: the sensor of these.
        jpeg_share: share of samples that pass through JPEG.
        jpeg_low, jpeg_high: range of its quality.
    """

    noise_share: float = 0.5
    shot: float = 1e-4
    read: float = 9.15e-4
    raw_share: float = 0.0
    raw: RawSettings = field(default_factory=RawSettings)
    jpeg_share: float = 0.2
    jpeg_low: int = 30
    jpeg_high: int = 95


def develop(image: Tensor, settings: CameraSettings, generator: torch.Generator) -> Tensor:
    """Add noise to some, JPEG to some, and round all to 8 bit.

    Args:
        image: blurred pictures, (B, 3, H, W), or windows of frames from one camera each,
            (B, N, 3, H, W); display values in [0, 1].
        settings: how often and how much.
        generator: random source on the pictures' device.

    Returns:
        The same shape, multiples of 1/255.
    """
    one_each = (len(image),) + (1,) * (image.ndim - 1)

    def some(share: float) -> Tensor:
        return torch.rand(one_each, generator=generator, device=image.device) < share

    noisy = torch.where(some(settings.noise_share), _noisy(image, settings, some, generator), image)
    spread = settings.jpeg_high - settings.jpeg_low
    quality = settings.jpeg_low + spread * torch.rand(len(image), generator=generator, device=image.device)
    squeezed = some(settings.jpeg_share)
    if bool(squeezed.any()):
        frames = noisy.reshape(-1, *noisy.shape[-3:])  # (B*N, 3, H, W)
        quality = quality.repeat_interleave(len(frames) // len(noisy))
        noisy = torch.where(squeezed, jpeg(frames, quality).view_as(noisy), noisy)
    return (noisy.clamp(0, 1) * 255).round() / 255


def _noisy(image: Tensor, settings: CameraSettings, some: Callable[[float], Tensor], generator) -> Tensor:
    """Every sample with noise, of either kind; the dearer one is computed only if it is asked for."""
    finished = sensor_noise(image, settings, generator)
    if not settings.raw_share:
        return finished
    return torch.where(some(settings.raw_share), raw_noise(image, settings.raw, generator), finished)


def sensor_noise(image: Tensor, settings: CameraSettings, generator: torch.Generator) -> Tensor:
    """Poisson-Gaussian noise in linear light; the Poisson part by its normal approximation.

    Args and result: display values, (B, 3, H, W) or (B, N, 3, H, W).
    """
    one_each = (len(image),) + (1,) * (image.ndim - 1)

    def level() -> Tensor:
        # Squared, so that clean pictures are as frequent as in life.
        return 1.5 * torch.rand(one_each, generator=generator, device=image.device) ** 2

    return light_noise(image, settings.shot * level(), settings.read * level(), generator)


def light_noise(image: Tensor, shot: Tensor | float, read: Tensor | float, generator: torch.Generator) -> Tensor:
    """Noise of known strength: display values of any shape; ``shot`` and ``read`` as in ``CameraSettings``, exact."""
    light = to_light(image)
    variance = shot * light + read * 0.25
    noise = torch.randn(image.shape, generator=generator, device=image.device)
    return to_display(light + variance.sqrt() * noise)


def jpeg(image: Tensor, quality: Tensor) -> Tensor:
    """What a baseline JPEG with 4:2:0 chroma leaves of a picture (ITU-T T.81, annex K tables).

    Args:
        image: (B, 3, H, W), RGB in [0, 1].
        quality: (B,), 1..100, on libjpeg's scale.

    Returns:
        The same shape, in [0, 1].
    """
    height, width = image.shape[-2:]
    padded = F.pad(image, (0, -width % 16, 0, -height % 16), mode="replicate")
    luma, chroma = _to_ycc(padded * 255)
    luma = _quantise(luma - 128, _LUMA, quality)
    small = _quantise(F.avg_pool2d(chroma, 2), _CHROMA, quality)
    chroma = F.interpolate(small, scale_factor=2, mode="bilinear", align_corners=False)
    return (_to_rgb(luma + 128, chroma) / 255).clamp(0, 1)[..., :height, :width]


def _to_ycc(rgb: Tensor) -> tuple[Tensor, Tensor]:
    """(B, 3, H, W) in 0..255 -> luma (B, 1, H, W), chroma around 0 (B, 2, H, W)."""
    red, green, blue = rgb.split(1, dim=1)
    luma = 0.299 * red + 0.587 * green + 0.114 * blue
    return luma, torch.cat(((blue - luma) * 0.564334, (red - luma) * 0.713267), dim=1)


def _to_rgb(luma: Tensor, chroma: Tensor) -> Tensor:
    cb, cr = chroma.split(1, dim=1)
    red, blue = luma + 1.402 * cr, luma + 1.772 * cb
    return torch.cat((red, (luma - 0.299 * red - 0.114 * blue) / 0.587, blue), dim=1)


def _quantise(plane: Tensor, table: tuple[int, ...], quality: Tensor) -> Tensor:
    """Round the cosine coefficients of 8x8 blocks: (B, C, H, W) -> the same."""
    quality = quality.clamp(1, 100).view(-1, 1, 1)
    scale = torch.where(quality < 50, 5000 / quality, 200 - 2 * quality) / 100
    base = torch.tensor(table, dtype=plane.dtype, device=plane.device).view(8, 8)
    steps = (base * scale + 0.5).floor().clamp(1, 255)[:, None, None, None]  # (B, 1, 1, 1, 8, 8)
    dct = _dct(plane.device)
    blocks = plane.unflatten(-1, (-1, 8)).unflatten(-3, (-1, 8)).transpose(-3, -2)  # (B, C, H/8, W/8, 8, 8)
    coefficients = dct @ blocks @ dct.T
    blocks = dct.T @ ((coefficients / steps).round() * steps) @ dct
    return blocks.transpose(-3, -2).flatten(-2, -1).flatten(-3, -2)


@cache
def _dct(device: torch.device) -> Tensor:
    """Orthonormal 8-point cosine transform, rows are frequencies."""
    k, x = torch.arange(8.0)[:, None], torch.arange(8.0)[None]
    matrix = torch.cos(math.pi * (2 * x + 1) * k / 16) / 2
    matrix[0] /= math.sqrt(2)
    return matrix.to(device)


# fmt: off
_LUMA = (
    16, 11, 10, 16, 24, 40, 51, 61, 12, 12, 14, 19, 26, 58, 60, 55, 14, 13, 16, 24, 40, 57, 69, 56,
    14, 17, 22, 29, 51, 87, 80, 62, 18, 22, 37, 56, 68, 109, 103, 77, 24, 35, 55, 64, 81, 104, 113, 92,
    49, 64, 78, 87, 103, 121, 120, 101, 72, 92, 95, 98, 112, 100, 103, 99,
)
_CHROMA = (
    17, 18, 24, 47, 99, 99, 99, 99, 18, 21, 26, 66, 99, 99, 99, 99, 24, 26, 56, 99, 99, 99, 99, 99,
    47, 66, 99, 99, 99, 99, 99, 99, *([99] * 32),
)
# fmt: on
