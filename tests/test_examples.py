"""Examples are what the page says, small, and made by the script that is said to make them."""

from __future__ import annotations

from itertools import islice

import numpy as np
import pytest
from PIL import Image

from deblur_demo.media.clip import probe, read_frames
from deblur_demo.media.frames import to_pixels
from deblur_demo.media.image import read_image
from deblur_demo.metrics import change, sharpness
from deblur_demo.ui import examples
from docs import examples as script


def test_photos_fit_their_references():
    for example in examples.BLURRED:
        photo = read_image(example.photo)
        assert min(photo.pixels.shape[:2]) >= 300
        if example.truth:
            assert read_image(example.truth).pixels.shape == photo.pixels.shape


def test_shaken_photos_are_made_by_the_script():
    for example in examples.BLURRED:
        if example.truth:
            kept, truth = read_image(example.photo).pixels, read_image(example.truth).pixels
            assert change(script.shaken(example).pixels, kept) < 3 < change(truth, kept)
            assert example.photo.stat().st_size < 100_000


def test_the_clip_is_small_shaken_and_made_by_the_script():
    (example,) = examples.CLIPS
    info = probe(example.clip)
    assert (info.width, info.height, info.frames, info.seconds, info.rate) == (480, 270, 48, 2.0, 24)
    assert example.clip.stat().st_size < 300_000
    photo = read_image(examples.SHARP[0].photo).pixels
    made = [to_pixels(frame, np.uint8) for frame in islice(script.filmed(photo), 3)]
    kept = [frame.pixels for frame in islice(read_frames(example.clip), 13)]
    for mine, frame in zip(made, kept, strict=False):
        assert change(mine, frame) < 4 < 3 * 4 < change(mine, kept[12]), "as far as the codec lets it"
        assert sharpness(frame) < 0.85 * sharpness(photo[65:335, 60:540])


@pytest.mark.parametrize("example", [*examples.BLURRED, *examples.SHARP], ids=lambda example: example.thumbnail.stem)
def test_thumbnails_show_their_photos(example, tmp_path):
    with Image.open(example.photo) as photo:
        script.write_thumbnail(photo, tmp_path / "made.webp")
    assert example.thumbnail.stat().st_size < 8000
    made, kept = (np.asarray(Image.open(path).convert("RGB")) for path in (tmp_path / "made.webp", example.thumbnail))
    assert kept.shape == (144, 224, 3) and change(made, kept) < 1


def test_a_strip_names_every_example():
    strip = examples.strip(examples.BLURRED)
    assert strip.count("<button") == strip.count("<img") == len(examples.BLURRED)
    assert all(f">{example.caption}<" in strip for example in examples.BLURRED)
