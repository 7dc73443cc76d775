"""What is on the gallery's page: photos that anybody may pass on, blurred in many ways where they are not already."""

from __future__ import annotations

import importlib.resources
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from deblur_demo.lab import Shake, shake_photo
from deblur_demo.light import GAMMA
from deblur_demo.media.image import Photo, read_image
from deblur_demo.ui import examples

SAMPLES = Path(str(importlib.resources.files("skimage"))) / "data"
LICENCES = """\
All are scikit-image's sample photos, shaken by this project where they say so: the clock and the cat by Stéfan van der
Walt (public domain and CC0), the coffee by Rachel Michetti (CC0), Eileen Collins by NASA (public domain), the Hubble
deep field by NASA and ESA (public domain). The small print is this project's own."""

Inputs = tuple[Photo, Photo | None]  # the blurred photo, and the sharp one where it is known


@dataclass(frozen=True)
class Case:
    """One photo of the gallery.

    Attributes:
        name: of its picture.
        title, about: what it is.
        make: the photo and its truth.
        corner: (x, y) of the crop that is shown.
    """

    name: str
    title: str
    about: str
    make: Callable[[], Inputs]
    corner: tuple[int, int]


def example(index: int) -> Callable[[], Inputs]:
    chosen = examples.BLURRED[index]
    return lambda: (read_image(chosen.photo), chosen.truth and read_image(chosen.truth))


def sample(name: str, box: tuple[int, int, int, int] | None = None) -> Photo:
    """A photo of scikit-image, or (left, top, right, bottom) of it."""
    photo = read_image(SAMPLES / name)
    left, top, right, bottom = box or (0, 0, *photo.pixels.shape[1::-1])
    return replace(photo, pixels=np.ascontiguousarray(photo.pixels[top:bottom, left:right]))


def shaken(photo: Callable[[], Photo], **shake: float) -> Callable[[], Inputs]:
    def make() -> Inputs:
        made = shake_photo(photo(), Shake(**shake))
        return made.blurred, made.sharp

    return make


def defocused(photo: Callable[[], Photo], radius: int) -> Callable[[], Inputs]:
    """Out of focus: every point becomes a disc."""
    y, x = np.mgrid[-radius : radius + 1, -radius : radius + 1]
    return spread(photo, x**2 + y**2 <= radius**2)


def smeared(photo: Callable[[], Photo], across: int, down: int) -> Callable[[], Inputs]:
    """Moved evenly and straight: every point becomes a line."""
    ends = (across // 2, down // 2), (across // 2 + across, down // 2 + down)
    return spread(photo, cv2.line(np.zeros((2 * down + 1, 2 * across + 1), np.uint8), *ends, 255, 1, cv2.LINE_AA))


def spread(photo: Callable[[], Photo], shape: np.ndarray) -> Callable[[], Inputs]:
    """Every point becomes a shape, in linear light."""
    kernel = shape.astype(np.float32) / np.float32(shape.sum())

    def make() -> Inputs:
        truth = photo()
        light = (truth.pixels / np.float32(255)) ** GAMMA
        blurred = cv2.filter2D(light, -1, kernel, borderType=cv2.BORDER_REFLECT).clip(0)
        return replace(truth, pixels=np.round(255 * blurred ** (1 / GAMMA)).astype(np.uint8)), truth

    return make


def untouched(photo: Callable[[], Photo]) -> Callable[[], Inputs]:
    return lambda: (photo(), photo())


def coffee() -> Photo:
    return sample("coffee.png")


def astronaut() -> Photo:
    return sample("astronaut.png")


def cat() -> Photo:
    return sample("chelsea.png")


def stars() -> Photo:
    return sample("hubble_deep_field.jpg", STARS)


def small_print() -> Photo:
    """A page of text, set here."""
    page = Image.new("RGB", (400, 240), (250, 248, 240))
    words = "Someone with one shaky photo wants to read what it says, and a network that never saw letters guesses. "
    font, drawn = ImageFont.load_default(13), ImageDraw.Draw(page)
    for line, top in enumerate(range(10, 230, 18)):
        at = 7 * line % len(words)
        drawn.text((14, top), (2 * words)[at : at + 54], fill=(24, 24, 32), font=font)
    return Photo(np.asarray(page))


EXAMPLE = "The page's example: a path of 16 pixels, a little noise, JPEG."
STARS = (300, 300, 700, 600)  # a piece of the deep field with some bright ones
CASES = (
    Case("clock", "A clock that moved", "Really blurred, by a motion over some 35 pixels.", example(0), (146, 80)),
    Case("coffee", "Coffee, shaken", EXAMPLE, example(1), (300, 190)),
    Case("cat", "A cat, shaken", EXAMPLE, example(2), (90, 60)),
    Case("tremor", "Coffee in a trembling hand", "A path of 16 pixels that turns back on itself.",
         shaken(coffee, shift=16, level=13, seed=2), (300, 190)),
    Case("strong", "A strong shake", "A path of 60 pixels, far beyond what the network was trained for.",
         shaken(astronaut, shift=60, level=13, seed=3), (150, 30)),
    Case("smear", "Smeared straight", "30 pixels in one straight line: what the classic filter is for.",
         smeared(astronaut, 28, 10), (150, 30)),
    Case("noise", "Shaken and noisy", "A path of 24 pixels and the noise of a phone in the dark.",
         shaken(coffee, shift=24, level=9, noise=6, seed=5), (300, 190)),
    Case("defocus", "Out of focus", "A disc of 4 pixels' radius: a lens, not a motion, and never trained for.",
         defocused(cat, 4), (90, 60)),
    Case("sharp", "Already sharp", "Nothing to remove: whatever changes is harm.", untouched(astronaut), (150, 30)),
    Case("text", "Small text, shaken", "Letters of some eight pixels under a path of 16.",
         shaken(small_print, shift=16, level=9, seed=1), (12, 8)),
    Case("lights", "Lights that outshine the sensor",
         "Stars eight times as bright as white under a path of 20 pixels: what is above white is cut off.",
         shaken(stars, shift=20, level=9, saturation=8, seed=2), (100, 60)),
)  # fmt: skip
