"""From sharp pictures to a moving exposure, and from frames to temporal levels.

A temporal level TLn is the camera's response to the mean light of n consecutive frames, n odd,
and TL1 is the sharp middle (Park 2020, section 3; Nah 2017 for the data behind it). Frames come
either from a 240 fps camera or from here, and go through the same ``temporal_level`` after.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor
from torch.nn import functional as F

from deblur_demo.light import to_display, to_light
from deblur_demo.synthesis.paths import PathSettings, random_paths


@dataclass(frozen=True)
class MotionSettings:
    """How synthetic motion is made.

    Attributes:
        frames: frames in time, odd; the highest temporal level.
        subframes: instants averaged into one frame, as a shutter does.
        camera: the camera's path over all frames.
        thing: an object's own path, on top of the camera's.
        thing_share: share of samples with moving objects.
        things: most objects in a sample, each with its own shape and path, the later in front.
        highlights: brightest light behind a clipped pixel, as a multiple of white.
    """

    frames: int = 13
    subframes: int = 3
    camera: PathSettings = field(default_factory=PathSettings)
    thing: PathSettings = field(default_factory=lambda: PathSettings(shift=24.0))
    thing_share: float = 0.4
    things: int = 1
    highlights: float = 4.0


def temporal_level(light: Tensor, n: int) -> Tensor:
    """TLn of a sequence of frames.

    Args:
        light: frames in linear light, (B, T, 3, H, W), T odd.
        n: odd number of frames around the middle, at most T.

    Returns:
        (B, 3, H, W), display values in [0, 1].
    """
    middle, reach = light.shape[1] // 2, n // 2
    return to_display(light[:, middle - reach : middle + reach + 1].mean(dim=1))


def moving_frames(
    background: Tensor,
    thing: Tensor,
    crop: int | tuple[int, int],
    settings: MotionSettings,
    generator: torch.Generator,
    sharp: Sequence[int] | None = None,
    camera: Tensor | None = None,
) -> Tensor:
    """Move sharp pictures under a camera, with pieces of a second picture as moving objects.

    The middle frame is a single instant without any shift, so TL1 stays as sharp as the source.

    Args:
        background: sharp pictures, (B, 3, S, S), display values in [0, 1], S >= crop. What S has
            beyond ``crop`` is what the motion may uncover; past it the picture is mirrored.
        thing: other sharp pictures of the same shape.
        crop: height and width of the result, or its side.
        settings: extents of the motion.
        generator: random source on the pictures' device.
        sharp: frames that are a single instant; None: the middle one.
        camera: the camera's path as ``paths`` has them, (B, frames * subframes, 3, 3); None: drawn by lot.

    Returns:
        Frames in linear light, (B, T, 3, h, w).
    """
    extent = (crop, crop) if isinstance(crop, int) else crop
    count, _, side, _ = background.shape
    instants = settings.frames * settings.subframes
    if camera is None:
        camera = random_paths(count, instants, side, settings.camera, generator)
    own = [random_paths(count, instants, side, settings.thing, generator)]

    scene = _uncover_highlights(to_light(background), settings.highlights, generator)
    cutouts = [_cut_out(thing, settings.thing_share, generator)]
    for more in range(1, settings.things):
        # Drawn after all that a single object needs; half as likely each, taken from another sample's picture.
        own.append(random_paths(count, instants, side, settings.thing, generator))
        cutouts.append(_cut_out(thing.roll(more, 0), settings.thing_share * 0.5**more, generator))
    layers = []
    for cutout, path in zip(cutouts, own, strict=True):
        samples = cutout[:, 3].flatten(1).any(dim=1).nonzero()[:, 0]  # that it appears in
        if len(samples):
            layers.append((samples, cutout[samples], (camera @ path)[samples]))

    sharp = [settings.frames // 2] if sharp is None else sharp
    frames = []
    for index in range(settings.frames):
        moments = range(index * settings.subframes, (index + 1) * settings.subframes)
        if index in sharp:
            moments = moments[settings.subframes // 2 :][:1]
        during = slice(moments.start, moments.stop)
        view = _warp(scene, camera[:, during], extent)  # (B, 3, m, h, w)
        for samples, cutout, path in layers:
            layer = _warp(cutout, path[:, during], extent)  # (B', 4, m, h, w)
            view[samples] = view[samples] * (1 - layer[:, 3:]) + layer[:, :3]
        frames.append(view.mean(dim=2))
    return torch.stack(frames, dim=1)


def _uncover_highlights(light: Tensor, most: float, generator: torch.Generator) -> Tensor:
    """Give clipped pixels the light they lost, so that their streaks saturate as real ones do."""
    gain = 1 + (most - 1) * torch.rand(len(light), 1, 1, 1, generator=generator, device=light.device) ** 2
    clipped = ((light.amax(dim=1, keepdim=True) - 0.9) / 0.1).clamp(0, 1)
    return light * (1 + (gain - 1) * clipped)


def _cut_out(picture: Tensor, share: float, generator: torch.Generator) -> Tensor:
    """Light of a random piece of each picture with its mask, premultiplied: (B, 4, S, S)."""
    mask = _random_masks(len(picture), picture.shape[-1], share, generator)  # (B, 1, S, S)
    return torch.cat((to_light(picture) * mask, mask), dim=1)


def _random_masks(count: int, side: int, share: float, generator: torch.Generator) -> Tensor:
    """Soft blobs, (B, 1, S, S) in [0, 1]: a low-frequency field cut at its edge; empty for the rest."""
    device = generator.device
    field_ = torch.randn(count, 1, 6, 6, generator=generator, device=device)
    field_ = F.interpolate(field_, size=(side, side), mode="bicubic", align_corners=False)
    axis = torch.linspace(-1, 1, side, device=device)
    centre = torch.rand(count, 2, 1, 1, generator=generator, device=device) - 0.5
    distance = (axis[None, None] - centre[:, :1]) ** 2 + (axis[None, :, None] - centre[:, 1:]) ** 2  # (B, S, S)
    blob = torch.sigmoid(side / 4 * (0.35 * field_ + 0.3 - distance.view(count, 1, side, side)))
    present = torch.rand(count, 1, 1, 1, generator=generator, device=device) < share
    return blob * present


def _warp(image: Tensor, homographies: Tensor, extent: tuple[int, int]) -> Tensor:
    """Sample the middle of an image through each of m homographies: (B, C, S, S) -> (B, C, m, h, w)."""
    rows, columns = (_middle(length, image.shape[-1], image.device) for length in extent)
    grid = torch.stack((columns.expand(extent), rows[:, None].expand(extent), torch.ones(extent, device=image.device)))
    moved = homographies @ grid.flatten(1)  # (B, m, 3, h*w)
    # One below the other in a single tall grid, so that the image is read in one go and need not be repeated.
    moved = (moved[:, :, :2] / moved[:, :, 2:]).transpose(2, 3).reshape(len(image), -1, extent[1], 2)  # (B, m*h, w, 2)
    sampled = F.grid_sample(image, moved, mode="bilinear", padding_mode="reflection", align_corners=False)
    return sampled.unflatten(2, (-1, extent[0]))


def _middle(length: int, side: int, device: torch.device) -> Tensor:
    """Centres of the middle pixels of a whole side, which spans [-1, 1] (align_corners=False): (length,)."""
    axis = (torch.arange(length, device=device) - (length - 1) / 2) * 2 / side
    # They stay on the pixel grid when the margins differ by one.
    return axis + 1 / side if (side - length) % 2 else axis
