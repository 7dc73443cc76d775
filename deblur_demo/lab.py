"""The blur lab: a sharp photo is shaken on purpose, so that the truth is known.

A shake is a small recipe that can be kept as JSON and repeated exactly. It makes every temporal
level TL1, TL3 ... TL13 of the photo (Park 2020, section 3): TL1 is sharp, each level above it is
exposed twice as many frames longer.
"""

from __future__ import annotations

import dataclasses
import json
import math
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import torch
from numpy import ndarray
from torch import Tensor

from deblur_demo.errors import InputError, SettingError
from deblur_demo.media.frames import to_pixels, to_tensor
from deblur_demo.media.image import Photo
from deblur_demo.media.shrink import shrink
from deblur_demo.settings import LEVEL, NOISE, OBJECTS, SATURATION, SEED, SHIFT
from deblur_demo.synthesis.camera import CameraSettings, light_noise
from deblur_demo.synthesis.exposure import MotionSettings, moving_frames, temporal_level
from deblur_demo.synthesis.paths import PathSettings, drawn_path, random_paths

LEVELS = (1, 3, 5, 7, 9, 11, 13)
MARGIN = 48  # pixels beyond the photo that the motion may uncover, mirrored
MEGAPIXELS = 2.0  # larger photos are reduced: thirteen frames of them are held at once
LONGEST_SIDE = 4096  # pixels; longer photos are reduced, too: a square around them is moved
MOST_POINTS = 2000
LONGEST = 500.0  # pixels that a path may span: the picture of its kernel grows with the square
_LONGEST_JSON = 1_000_000


@dataclass(frozen=True)
class Shake:
    """How a photo is blurred.

    Attributes:
        path: (x, y) in pixels, evenly spaced in time, along which the picture travels during TL13;
            empty: drawn by lot.
        seed: of the lot and of the noise.
        shift: length in pixels of a path by lot, from its start to its end.
        level: temporal level of the picture that is handed out as blurred.
        objects: things that move on their own.
        noise: strength of the sensor noise, 1 is a phone indoors.
        saturation: most light behind clipped pixels, as a multiple of white; their streaks stay white.

    Raises:
        SettingError: a value out of range.
    """

    path: tuple[tuple[float, float], ...] = ()
    seed: int = SEED.default
    shift: float = SHIFT.default
    level: int = LEVEL.default
    objects: int = OBJECTS.default
    noise: float = NOISE.default
    saturation: float = SATURATION.default

    def __post_init__(self):
        for knob in (SEED, SHIFT, LEVEL, OBJECTS, NOISE, SATURATION):
            object.__setattr__(self, knob.name, knob.parse(getattr(self, knob.name)))
        if self.level not in LEVELS:
            raise SettingError(f"the level is {self.level}", "an odd number from 1 to 13", "Change level")
        object.__setattr__(self, "path", _checked(self.path))

    def to_json(self) -> str:
        """The shake as JSON, for ``from_json``."""
        return json.dumps(dataclasses.asdict(self), indent=2) + "\n"

    @classmethod
    def from_json(cls, text: str) -> Shake:
        """Read a shake back.

        Raises:
            SettingError: not JSON, an unknown key or a value out of range.
        """
        names = [field.name for field in dataclasses.fields(cls)]
        try:
            values = json.loads(text)
            if not isinstance(values, dict):
                raise TypeError(f"a {type(values).__name__}")
        except (ValueError, TypeError, RecursionError) as error:
            raise SettingError(
                f"the path is no JSON object: {error}", ", ".join(names), "Use an exported one"
            ) from error
        if unknown := values.keys() - set(names):
            raise SettingError(f"the shake holds {sorted(unknown)}", ", ".join(names), "Remove what is unknown")
        return cls(**values)


@dataclass(frozen=True, eq=False)
class Shaken:
    """A photo before and after a shake.

    Attributes:
        sharp: the truth, TL1 without noise.
        blurred: TL``shake.level`` with its noise.
        levels: every temporal level without noise.
        kernel: (K, K) float, K odd, sums to 1: what a point in the middle of the picture becomes at that level.
        shake: with the path that was taken, drawn by lot or not, so that it can be repeated on another photo.
    """

    sharp: Photo
    blurred: Photo
    levels: dict[int, Photo]
    kernel: ndarray
    shake: Shake


def shake_photo(photo: Photo, shake: Shake) -> Shaken:
    """Blur a photo. Beyond 2 megapixels, or 4096 pixels a side, it is reduced first.

    Args:
        photo: sharp; its depth, alpha, profile and metadata go on to the results.
        shake: how. The same shake does the same to the same photo, on every machine up to rounding.
    """
    photo = _reduced(photo)
    height, width = photo.pixels.shape[:2]
    side = max(height, width) + 2 * MARGIN
    generator = torch.Generator().manual_seed(shake.seed)
    motion = MotionSettings(
        things=max(1, shake.objects),
        thing_share=2.0**shake.objects if shake.objects else 0.0,  # halved for each, and certain for the last
        highlights=shake.saturation,
    )
    instants = motion.frames * motion.subframes
    camera = _camera(shake, instants, side)
    background = _squared(to_tensor(photo.pixels), side)
    with torch.inference_mode():
        # What moves on its own is cut from the same photo, turned half around.
        thing = background.flip(2, 3)
        light = moving_frames(background, thing, (height, width), motion, generator, camera=camera)  # (1, 13, 3, H, W)
        levels = {n: temporal_level(light, n) for n in LEVELS}
        sensor = CameraSettings()
        blurred = light_noise(levels[shake.level], sensor.shot * shake.noise, sensor.read * shake.noise, generator)
    shots = {n: replace(photo, pixels=to_pixels(image, photo.pixels.dtype)) for n, image in levels.items()}
    taken = shake if shake.path else replace(shake, path=_positions(camera, side))
    final = replace(photo, pixels=to_pixels(blurred, photo.pixels.dtype))
    return Shaken(shots[1], final, shots, _kernel(camera, side, shake.level), taken)


def path_by_lot(seed: int, shift: float) -> tuple[tuple[float, float], ...]:
    """The path that a shake without one of its own takes.

    Args:
        seed, shift: as in ``Shake``.

    Returns:
        (x, y) in pixels at every instant; the middle one is (0, 0).
    """
    motion = MotionSettings()
    return _positions(_camera(Shake(seed=seed, shift=shift), motion.frames * motion.subframes, MARGIN), MARGIN)


def read_shake(path: Path) -> Shake:
    """A shake from a file that was exported.

    Raises:
        InputError: it cannot be read.
        SettingError: it holds something else.
    """
    try:
        with open(path, encoding="utf-8") as file:
            text = file.read(_LONGEST_JSON)  # of anything longer the beginning is no JSON
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(
            f"{path.name} cannot be read", "a JSON file that the blur lab wrote", "Export it again"
        ) from error
    return Shake.from_json(text)


def _checked(path: object) -> tuple[tuple[float, float], ...]:
    """A path of finite points near the picture."""
    try:
        points = tuple((float(x), float(y)) for x, y in path)
    except (TypeError, ValueError, OverflowError) as error:
        raise SettingError("the path is no list of points", "[[x, y], ...] in pixels", "Draw it again") from error
    if not all(abs(value) <= 10_000 for point in points for value in point):  # also catches NaN
        raise SettingError("the path leaves the picture", "points within 10000 pixels", "Draw it again")
    span = max((max(axis) - min(axis) for axis in zip(*points, strict=True)), default=0.0)
    if len(points) > MOST_POINTS or span > LONGEST:
        raise SettingError(
            f"the path has {len(points)} points across {span:g} pixels",
            f"at most {MOST_POINTS} points across {LONGEST:g} pixels",
            "Draw it again",
        )
    return points


def _camera(shake: Shake, instants: int, side: int) -> Tensor:
    if shake.path:
        return drawn_path(shake.path, instants, side)
    # Without a turn, so that the kernel is the same everywhere and the exported path says all.
    by_lot = PathSettings(
        shift=shake.shift, least_shift=shake.shift * 0.999, rotation=0.0, zoom=0.0, perspective=0.0, shaky=0.5
    )
    return random_paths(1, instants, side, by_lot, torch.Generator().manual_seed(shake.seed))


def _positions(camera: Tensor, side: int) -> tuple[tuple[float, float], ...]:
    """Where the picture is at every instant, in pixels."""
    return tuple((round(x, 4), round(y, 4)) for x, y in (-camera[0, :, :2, 2] * side / 2).tolist())


def _squared(image: Tensor, side: int) -> Tensor:
    """The picture in the middle of a mirrored margin: (1, 3, H, W) -> (1, 3, S, S)."""
    pixels = image[0].permute(1, 2, 0).numpy()
    down, across = (side - length for length in pixels.shape[:2])
    square = cv2.copyMakeBorder(pixels, (down + 1) // 2, down // 2, (across + 1) // 2, across // 2, cv2.BORDER_REFLECT)
    return torch.from_numpy(square).permute(2, 0, 1)[None]


def _kernel(camera: Tensor, side: int, level: int) -> ndarray:
    """The picture of a point of light, just large enough for the path."""
    quiet = MotionSettings(thing_share=0.0, highlights=1.0)
    reach = 2 + math.ceil(float(camera[..., :2, 2].abs().max()) * side / 2)
    path = camera.clone()
    path[..., :2, 2] *= side / (2 * reach + 1)  # as long in pixels as it was
    point = torch.zeros(1, 3, 2 * reach + 1, 2 * reach + 1)
    point[..., reach, reach] = 1
    unseeded = torch.Generator().manual_seed(0)
    light = moving_frames(point, point, 2 * reach + 1, quiet, unseeded, sharp=(), camera=path)
    middle = light.shape[1] // 2
    kernel = light[0, middle - level // 2 : middle + level // 2 + 1, 0].mean(dim=0).numpy()
    return kernel / kernel.sum()


def _reduced(photo: Photo) -> Photo:
    small = shrink(photo, MEGAPIXELS, LONGEST_SIDE)
    if small is photo:
        return photo
    height, width = small.pixels.shape[:2]
    notice = f"The photo was reduced to {width}x{height} pixels for the blur lab"
    return replace(small, notices=(*photo.notices, notice))
