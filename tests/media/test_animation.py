"""Animations: as many frames as steps, their times and colours, small enough, and whole or not at all."""

from __future__ import annotations

import resource
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image, ImageCms
from skimage import data

from deblur_demo.errors import OutputError
from deblur_demo.media import animation
from deblur_demo.media.clip import read_frames
from deblur_demo.media.image import Photo

SHADES = (40, 90, 140, 190)


@pytest.fixture
def frames() -> list[np.ndarray]:
    """Four grey pictures, each lighter than the one before."""
    photos = [Photo(np.full((61, 96, 3), shade, np.uint8)) for shade in SHADES]
    return [animation.frame_of(photo, label) for photo, label in zip(photos, ("Input", "1", "2", "3"), strict=True)]


def test_a_webp_holds_every_step_and_starts_over(frames, tmp_path):
    animation.write_animation(frames, tmp_path / "a.webp")
    with Image.open(tmp_path / "a.webp") as film:
        assert (film.n_frames, film.size, film.info["loop"]) == (4, (96, 61), 0)
        shown = []
        for index, shade in enumerate(SHADES):
            film.seek(index)
            film.load()
            shown.append(film.info["duration"])
            assert np.asarray(film.convert("RGB"))[:30].mean() == pytest.approx(shade, abs=2)
    assert shown == [1000, 600, 600, 2000]


def test_an_mp4_holds_every_step_at_its_time(frames, tmp_path):
    animation.write_animation(frames, tmp_path / "a.mp4")
    back = list(read_frames(tmp_path / "a.mp4"))
    assert [float(frame.time) for frame in back] == pytest.approx([0, 1, 1.6, 2.2])
    assert float(back[-1].duration) == pytest.approx(2)
    assert back[0].pixels.shape == (62, 96, 3)  # the last row once more
    assert [frame.pixels[:30].mean() for frame in back] == pytest.approx(SHADES, abs=3)
    with av.open(str(tmp_path / "a.mp4")) as film:
        assert film.streams.video[0].codec.canonical_name == "h264"
        assert film.streams.video[0].codec_context.pix_fmt == "yuv420p"


@pytest.mark.parametrize("name", ["a.webp", "a.mp4"])
def test_another_film_takes_the_place_of_the_first(frames, tmp_path, name):
    for film in (frames, frames[::-1], frames[1:3]):
        animation.write_animation(film, tmp_path / name)
        alone = tmp_path / f"alone_{name}"
        animation.write_animation(film, alone)
        assert (tmp_path / name).read_bytes() == alone.read_bytes()
        alone.unlink()


@pytest.mark.parametrize("name", ["a.webp", "a.mp4"])
def test_a_single_picture_and_a_pair_are_animations_too(frames, tmp_path, name):
    for count in (1, 2):
        animation.write_animation(frames[:count], tmp_path / name)
        assert (tmp_path / name).stat().st_size > 100


@pytest.mark.parametrize(
    ("size", "fitted"), [((1000, 1500), (577, 866)), ((20, 4000), (6, 1280)), ((300, 400), (300, 400))]
)
def test_frames_are_at_most_half_a_megapixel(size, fitted):
    frame = animation.frame_of(Photo(np.zeros((*size, 3), np.uint8)), "1")
    assert frame.shape == (*fitted, 3)


def test_a_label_is_small_and_in_its_corner():
    photo = Photo(data.coffee())
    plain, marked = animation.frame_of(photo, ""), animation.frame_of(photo, "Input")
    assert np.array_equal(plain[:360, 120:], photo.pixels[:360, 120:])
    corner = marked[-20:, :70].astype(int)
    assert corner.max() > 240 and corner.min() < 80  # white letters on a dark plate
    assert (plain != marked).any(axis=2).mean() < 0.01


def test_sixteen_bits_profiles_and_transparency_become_what_every_viewer_shows():
    deep = Photo(np.full((40, 60, 3), 128 * 257, np.uint16))
    assert animation.frame_of(deep, "1")[5, 30].tolist() == [128] * 3
    clear = Photo(np.zeros((40, 60, 3), np.uint8), alpha=np.zeros((40, 60), np.uint8))
    assert animation.frame_of(clear, "1")[5, 30].tolist() == [255] * 3
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    same = Photo(np.full((40, 60, 3), (200, 90, 30), np.uint8), icc=srgb)
    assert np.abs(animation.frame_of(same, "1")[5, 30].astype(int) - (200, 90, 30)).max() <= 1
    broken = Photo(np.full((40, 60, 3), 77, np.uint8), icc=b"no profile")
    assert animation.frame_of(broken, "1")[5, 30].tolist() == [77] * 3


def test_other_names_are_refused_before_the_work(frames, tmp_path):
    with pytest.raises(OutputError, match=r"a\.gif names no format of animations.*\.webp or \.mp4"):
        animation.check_suffix(Path("a.gif"))
    with pytest.raises(OutputError, match=r"a\.gif"):
        animation.write_animation(frames, tmp_path / "a.gif")


@pytest.mark.parametrize("name", ["a.webp", "a.mp4"])
def test_a_full_disk_leaves_nothing_behind(tmp_path, name):
    noise = np.random.default_rng(0).integers(0, 256, (4, 200, 300, 3), dtype=np.uint8)
    (tmp_path / name).write_bytes(b"older")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, hard))
    try:
        with pytest.raises(OutputError, match=rf"{name} cannot be written"):
            animation.write_animation(noise, tmp_path / name)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert (tmp_path / name).read_bytes() == b"older"
