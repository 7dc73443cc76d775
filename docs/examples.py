"""Makes the page's shaken examples, photos and clip, and the thumbnails of all: ``python docs/examples.py``.

The photos are scikit-image's coffee and cat (CC0), shaken in the blur lab.

The clip is scikit-image's photo of a cup of coffee (CC0), filmed by a camera that pans across it in a
trembling hand: every frame is the mean, in linear light, of what the camera saw while its shutter was
open. The same on every machine, up to rounding.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy import ndarray
from PIL import Image, ImageOps
from torch import Tensor

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from deblur_demo.lab import Shake, shake_photo
from deblur_demo.light import to_display
from deblur_demo.media.clip import ClipInfo, ClipWriter, Frame
from deblur_demo.media.frames import to_pixels, to_tensor
from deblur_demo.media.image import Photo, read_image
from deblur_demo.synthesis.exposure import MotionSettings, moving_frames
from deblur_demo.synthesis.paths import drawn_path
from deblur_demo.ui import examples

SHAKES = {
    "coffee.jpg": Shake(shift=16, level=13, noise=0.05, seed=1),
    "cat.jpg": Shake(shift=16, level=13, noise=0.05, seed=3),
}
JPEG_QUALITY = 92

WIDTH, HEIGHT = 480, 270
FRAMES, RATE = 48, 24
SUBFRAMES = 9  # instants in a frame; the shutter is open all the time
PAN = 100.0  # pixels from the first frame to the last
TREMOR = ((1.7, 5.0), (4.3, 3.2), (7.1, 2.4))  # Hz, pixels of reach
SEED = 7
CRF = 20
THUMBNAIL = (224, 144)  # twice what the page shows, for fine screens


def shaken(example: examples.Example) -> Photo:
    """A shaken example made anew, before JPEG."""
    return shake_photo(read_image(example.truth), SHAKES[example.photo.name]).blurred


def hand() -> list[tuple[float, float]]:
    """Where the picture is in front of the lens, in pixels, at every instant."""
    generator = torch.Generator().manual_seed(SEED)
    phases = (2 * math.pi * torch.rand(len(TREMOR), 2, generator=generator)).tolist()
    points = []
    for moment in range(FRAMES * SUBFRAMES):
        share = moment / (FRAMES * SUBFRAMES - 1)
        seconds = share * FRAMES / RATE
        x, y = PAN * (share**2 * (3 - 2 * share) - 0.5), 0.0
        for (hertz, reach), (across, down) in zip(TREMOR, phases, strict=True):
            x += reach * math.sin(2 * math.pi * hertz * seconds + across)
            y += reach * math.sin(2 * math.pi * hertz * seconds + down)
        points.append((-x, y))
    return points


def filmed(photo: ndarray) -> Iterator[Tensor]:
    """Frames of a photo, each (1, 3, HEIGHT, WIDTH), display values.

    Args:
        photo: (H, W, 3) uint8, larger than a frame.
    """
    height, width = photo.shape[:2]
    side = width + width % 2
    above = (side - height) // 2
    square = cv2.copyMakeBorder(photo, above, side - height - above, 0, side - width, cv2.BORDER_REFLECT)
    scene = to_tensor(square)
    camera = drawn_path(hand(), FRAMES * SUBFRAMES, side)
    unused, top = torch.Generator().manual_seed(SEED), (WIDTH - HEIGHT) // 2
    for first in range(0, FRAMES * SUBFRAMES, SUBFRAMES):
        motion = MotionSettings(frames=1, subframes=SUBFRAMES, thing_share=0.0, highlights=1.0)
        moments = camera[:, first : first + SUBFRAMES]
        light = moving_frames(scene, scene, WIDTH, motion, unused, sharp=(), camera=moments)
        yield to_display(light[:, 0, :, top : top + HEIGHT])


def write_clip(frames: Sequence[ndarray], target: Path) -> None:
    tick = Fraction(1, RATE)
    info = ClipInfo(target, WIDTH, HEIGHT, FRAMES, FRAMES / RATE, Fraction(RATE), tick)
    with ClipWriter(info, target, codec="h264", crf=CRF) as writer:
        for index, frame in enumerate(frames):
            writer.write(Frame(index, index * tick, frame, tick))
        writer.close(complete=True)


def write_thumbnail(photo: Image.Image, target: Path) -> None:
    ImageOps.fit(photo.convert("RGB"), THUMBNAIL, centering=(0.5, 0.3)).save(target, quality=70, method=6)


def main() -> None:
    for example in examples.BLURRED:
        if example.truth:
            Image.fromarray(shaken(example).pixels).save(example.photo, quality=JPEG_QUALITY, subsampling=0)
    (clip,) = examples.CLIPS
    frames = [to_pixels(frame, np.uint8) for frame in filmed(read_image(examples.SHARP[0].photo).pixels)]
    write_clip(frames, clip.clip)
    write_thumbnail(Image.fromarray(frames[0]), clip.thumbnail)
    for example in (*examples.BLURRED, *examples.SHARP):
        with Image.open(example.photo) as photo:
            write_thumbnail(photo, example.thumbnail)


if __name__ == "__main__":
    main()
