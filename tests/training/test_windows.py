"""Windows of several frames, Gaussian blur, colours and corpora on disk, in the batches drawn."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from skimage import data

from deblur_demo.errors import InputError
from deblur_demo.light import GAMMA
from deblur_demo.synthesis.camera import CameraSettings
from deblur_demo.synthesis.exposure import MotionSettings
from deblur_demo.synthesis.paths import PathSettings
from training.config import Augment, Curriculum, Neighbours, Recipe, Shares
from training.data.augment import jitter_colours
from training.data.batches import Batch, draw_batch
from training.data.corpus import Corpus, Series, load_corpus
from training.data.files import Picture
from training.data.samples import lengthened
from training.data.temporal import write_levels

CPU = torch.device("cpu")
CLEAN = CameraSettings(noise_share=0.0, jpeg_share=0.0)
UPRIGHT = Augment(flips=False, turns=1)
STILL = PathSettings(shift=1e-6, least_shift=1e-6, rotation=0.0, zoom=0.0, perspective=0.0, order=1)


@pytest.fixture(scope="module")
def panorama() -> np.ndarray:
    """(160, 512, 3) uint8, real, to pan over."""
    return cv2.resize(data.astronaut(), (512, 400))[:160]


@pytest.fixture(scope="module")
def pan(panorama: np.ndarray) -> Corpus:
    """A camera that pans 2 px a frame to the right, for 60 frames."""
    return Corpus(clips=[[torch.from_numpy(panorama[:, 2 * f : 2 * f + 160]).permute(2, 0, 1) for f in range(60)]])


@pytest.fixture
def clean(recipe: Recipe) -> Recipe:
    """Three samples of clips, without anything that hides what was drawn."""
    return replace(recipe, camera=CLEAN, augment=UPRIGHT, shares=Shares(photos=0, clips=1))


def shift_between(first: torch.Tensor, second: torch.Tensor) -> tuple[float, float]:
    """Displacement in pixels, right and down, of the content from one picture (3, H, W) to the other."""
    gray = [image.mean(dim=0).double().numpy() for image in (first, second)]
    (right, down), _ = cv2.phaseCorrelate(gray[0], gray[1], cv2.createHanningWindow(gray[0].shape[::-1], cv2.CV_64F))
    return right, down


def test_neighbours_of_a_pan_are_shifted_by_the_period(pan: Corpus, clean: Recipe):
    batch = draw_batch(pan, replace(clean, neighbours=Neighbours(period=10)), 0, 96, one_stage=False, frames=3)
    window, goals = batch.runs[0]
    assert window.shape == (3, 3, 3, 96, 96) and goals[-1] == 1
    for before, middle, after in window:
        moves = [shift_between(middle, frame) for frame in (before, after)]
        # 10 frames of 2 px; a clip may run backward.
        assert abs(abs(moves[0][0]) - 20) < 1 and abs(moves[0][0] + moves[1][0]) < 1
        assert max(abs(down) for _, down in moves) < 0.5


def test_the_middle_of_a_window_is_the_single_frame_of_its_level(pan: Corpus, clean: Recipe):
    batch = draw_batch(pan, clean, 3, 64, one_stage=True, frames=3)
    for (window, _), n in zip(batch.runs, clean.curriculum.levels, strict=True):
        expected = (batch.light[:, 6 - n // 2 : 7 + n // 2].mean(dim=1) ** (1 / GAMMA) * 255).round() / 255
        torch.testing.assert_close(window[:, 1], expected, atol=1 / 255 + 1e-6, rtol=0)
    assert torch.equal(batch.goal(1)[0], batch.light[0, 6].clamp(0, 1) ** (1 / GAMMA))


def test_clips_shorter_than_a_window_are_not_drawn(pan: Corpus, clean: Recipe):
    short = Corpus(clips=[pan.clips[0][:38]])
    assert draw_batch(short, clean, 0, 32, one_stage=False).runs[0].window.shape[1] == 1
    with pytest.raises(InputError, match="at least as long as a window"):
        draw_batch(short, clean, 0, 32, one_stage=False, frames=3)


def test_synthetic_neighbours_go_on_along_the_same_straight_path(panorama: np.ndarray, clean: Recipe):
    # 39 frames of 3 instants are 116 steps over 3 x 19.5 px, and a neighbour is 39 instants away.
    photo = torch.from_numpy(panorama).permute(2, 0, 1)
    straight = PathSettings(shift=19.5, least_shift=19.5, rotation=0.0, zoom=0.0, perspective=0.0, order=1)
    motion = MotionSettings(camera=straight, thing=STILL, thing_share=0.0, highlights=1.0)
    recipe = replace(clean, shares=Shares(photos=1), motion=motion, curriculum=Curriculum(levels=(3,)), batch=4)
    batch = draw_batch(Corpus(photos=[photo]), recipe, 2, 96, one_stage=False, frames=3)
    for before, middle, after in batch.runs[0].window:
        to_before, to_after = (np.array(shift_between(middle, frame)) for frame in (before, after))
        assert np.linalg.norm(to_before) == pytest.approx(3 * 19.5 * 39 / 116, abs=1.2)
        assert np.linalg.norm(to_before + to_after) < 1.2


def test_a_lengthened_path_keeps_its_speed():
    longer = lengthened(MotionSettings(), 39)
    assert longer.frames == 39
    assert longer.camera.shift == 3 * MotionSettings().camera.shift
    assert longer.thing.rotation == pytest.approx(3 * MotionSettings().thing.rotation)
    assert longer.camera.order == MotionSettings().camera.order
    assert lengthened(MotionSettings(), 13) == MotionSettings()


def grey_pairs(numbers: list[int] | None, count: int = 5) -> Corpus:
    """Pairs whose blurred picture is as grey as 10 times their place, and whose truth is one level brighter."""
    pairs = [tuple(torch.full((3, 40, 40), 10 * place + extra, dtype=torch.uint8) for extra in (0, 1))
             for place in range(count)]  # fmt: skip
    return Corpus(pairs=[Series(pairs, numbers)])


def places(batch: Batch) -> list[list[int]]:
    """Place in the clip of each frame of each window, and of the truth."""
    frames = (batch.runs[0].window[:, :, 0, 0, 0] * 25.5).round().int().tolist()
    return [[*row, int(truth * 255 - 1) // 10] for row, truth in zip(frames, batch.truth[:, 0, 0, 0], strict=True)]


def test_neighbours_of_pairs_are_the_frames_before_and_after(clean: Recipe):
    recipe = replace(clean, shares=Shares(photos=0, pairs=1), batch=24)
    seen = places(draw_batch(grey_pairs([7, 8, 9, 10, 11]), recipe, 0, 32, one_stage=False, frames=3))
    forward = {(max(0, p - 1), p, min(4, p + 1), p) for p in range(5)}
    either = forward | {(after, p, before, truth) for before, p, after, truth in forward}
    assert set(map(tuple, seen)) <= either and len(set(map(tuple, seen))) > 6, "both directions of time"


def test_a_gap_in_a_clip_repeats_the_frame(clean: Recipe):
    recipe = replace(clean, shares=Shares(photos=0, pairs=1), batch=24)
    seen = {tuple(row) for row in places(draw_batch(grey_pairs([1, 2, 50, 51, 90]), recipe, 0, 32, False, 3))}
    assert all(set(row[:3]) <= {0, 1} or set(row[:3]) <= {2, 3} or set(row) == {4} for row in seen)


def test_single_pictures_have_copies_for_neighbours(clean: Recipe):
    recipe = replace(clean, shares=Shares(photos=0, pairs=1), batch=8)
    assert all(len(set(row)) == 1 for row in places(draw_batch(grey_pairs(None), recipe, 0, 32, False, 3)))


def test_shifted_neighbours_move_in_opposite_directions(panorama: np.ndarray, clean: Recipe):
    # Bologna 2021, 2.2.1: up to 2 px, the frame before one way, the frame after the other.
    picture = torch.from_numpy(panorama).permute(2, 0, 1)
    recipe = replace(clean, shares=Shares(photos=0, pairs=1), neighbours=Neighbours(shift=2), batch=16)
    batch = draw_batch(Corpus(pairs=[Series([(picture, picture)])]), recipe, 0, 64, one_stage=False, frames=3)
    moves = set()
    for (before, middle, after), truth in zip(batch.runs[0].window, batch.truth, strict=True):
        torch.testing.assert_close(middle, truth, atol=1 / 510, rtol=0)
        down, right = next((d, r) for d in range(-2, 3) for r in range(-2, 3)
                           if torch.equal(after[:, 2:-2, 2:-2], middle[:, 2 + d : 62 + d, 2 + r : 62 + r]))  # fmt: skip
        assert torch.equal(before[:, 2:-2, 2:-2], middle[:, 2 - down : 62 - down, 2 - right : 62 - right])
        moves.add((down, right))
    assert len(moves) > 8 and {abs(m) for move in moves for m in move} == {0, 1, 2}


def test_a_camera_is_the_same_for_all_frames_of_a_window(clean: Recipe):
    flat = Corpus(pairs=[Series([(torch.full((3, 40, 40), 128, dtype=torch.uint8),) * 2])])
    recipe = replace(clean, shares=Shares(photos=0, pairs=1), camera=CameraSettings(noise_share=0.5, jpeg_share=0.0))
    spread = draw_batch(flat, replace(recipe, batch=16), 0, 32, False, 3).runs[0].window.std(dim=(2, 3, 4))  # (16, 3)
    assert (spread[:, 0] == 0).any() and (spread[:, 0] > 0.002).any()
    torch.testing.assert_close(spread[:, 0], spread[:, 2], rtol=0.15, atol=1e-4)


def test_gaussian_batches_blur_cifar_pictures_without_turning_them(clean: Recipe):
    ramp = torch.linspace(0, 255, 32).byte().expand(3, 32, 32)
    spike = torch.zeros(3, 32, 32, dtype=torch.uint8)
    spike[:, 16, 16] = 255
    recipe = replace(clean, shares=Shares(photos=0, gaussian=1), batch=64)
    batch = draw_batch(Corpus(cifar=[spike]), recipe, 0, 32, one_stage=True)
    assert len(batch.light) == 0 and batch.goal(1).shape == (64, 3, 32, 32)
    assert [goals for _, goals in batch.runs] == [[1]], "there is only one blurring of a pair"
    assert torch.equal(batch.truth[0] * 255, spike.float())
    # A spike blurred by sigma has a peak of 1 / (2 pi sigma^2); all widths up to 3 occur.
    peaks = batch.runs[0].window[:, 0, 0, 16, 16].numpy()
    sigmas = np.sqrt(1 / (2 * np.pi * peaks[peaks < 0.15]))
    assert sigmas.min() > 1.0 and 2.6 < sigmas.max() < 3.2
    assert 0.4 < np.mean(peaks < 1 / (2 * np.pi * 1.5**2)) < 0.6, "half of the widths are above 1.5"
    upright = draw_batch(Corpus(cifar=[ramp]), recipe, 1, 32, one_stage=True).truth
    assert torch.equal(upright, (ramp.float() / 255).expand(64, -1, -1, -1))


def test_levels_on_disk_give_the_batches_of_their_frames(tmp_path: Path, pan: Corpus, clean: Recipe):
    folder = tmp_path / "clip_240fps/pan"
    folder.mkdir(parents=True)
    for number, frame in enumerate(pan.clips[0]):
        cv2.imwrite(str(folder / f"{number:04d}.png"), frame.permute(1, 2, 0).numpy()[..., ::-1])
    assert write_levels(tmp_path / "clip_240fps", tmp_path / "levels", every=13) == (4, 0)
    corpus = load_corpus(tmp_path / "levels", CPU)
    assert [series.numbers for series in corpus.levels] == [[6, 19, 32, 45]] and len(corpus.photos) == 4
    whole = replace(clean, batch=8)
    batch = draw_batch(corpus, whole, 0, 160, one_stage=True, frames=3)
    frames = torch.stack(pan.clips[0])
    for sample in range(8):
        middle = next(
            m for m in (6, 19, 32, 45) if torch.equal((batch.goal(1)[sample] * 255).round().byte(), frames[m])
        )
        for (window, _), n in zip(batch.runs, (7, 9, 11, 13), strict=True):
            light = (frames[middle - n // 2 : middle + n // 2 + 1].double() / 255) ** GAMMA
            expected = light.mean(dim=0) ** (1 / GAMMA)
            assert (window[sample, 1] - expected).abs().max() < 1.01 / 255
        neighbours = {m for m in (middle - 13, middle + 13) if 6 <= m <= 45} or {middle}
        seen = {int(m) for frame in window[sample, [0, 2]] for m in (6, 19, 32, 45)
                if (frame - _level(frames, m, 13)).abs().max() < 1.01 / 255}  # fmt: skip
        assert seen >= neighbours


def _level(frames: torch.Tensor, middle: int, n: int) -> torch.Tensor:
    return ((frames[middle - n // 2 : middle + n // 2 + 1].double() / 255) ** GAMMA).mean(dim=0) ** (1 / GAMMA)


def test_what_is_beyond_the_levels_on_disk_stands_still(clean: Recipe):
    pictures = tuple(torch.full((3, 40, 40), value, dtype=torch.uint8) for value in (90, 100))
    recipe = replace(clean, shares=Shares(clips=1), curriculum=Curriculum(levels=(3,)))
    batch = draw_batch(Corpus(levels=[Series([pictures], [0])]), recipe, 0, 32, one_stage=False)
    assert batch.runs[0].window.shape[-2:] == (32, 32)
    assert np.abs(255 * batch.runs[0].window - 100).max() <= 1 and np.abs(255 * batch.goal(1) - 90).max() <= 1


def test_levels_that_the_recipe_lacks_are_named(clean: Recipe):
    picture = torch.zeros(3, 40, 40, dtype=torch.uint8)
    with pytest.raises(InputError, match="end at TL5"):
        draw_batch(Corpus(levels=[Series([(picture,) * 3], [0])]), clean, 0, 32, one_stage=False)


def test_a_corpus_on_disk_gives_the_batches_of_one_in_memory(corpus_folder: Path, recipe: Recipe):
    recipe = replace(recipe, batch=6)
    near, far = (load_corpus(corpus_folder, CPU, least_side=100, limit=limit) for limit in (None, 300_000))
    assert isinstance(far.photos[0], Picture) and isinstance(near.photos[0], torch.Tensor)
    for index in range(2):
        one, other = (draw_batch(corpus, recipe, index, 32, one_stage=False) for corpus in (near, far))
        assert torch.equal(one.runs[0].window, other.runs[0].window) and torch.equal(one.goal(1), other.goal(1))
    shelf = far.photos[0].shelf
    assert 0 < sum(kept.numel() for kept in shelf._kept.values()) <= 300_000


def test_colours_of_a_sample_change_alike(clean: Recipe):
    generator = torch.Generator().manual_seed(0)
    samples = 0.3 + 0.4 * torch.rand(50, 2, 3, 4, 4, generator=generator)
    samples[:, 1] = samples[:, 0]
    settings = Augment(brightness=0.1, contrast=0.1, saturation=0.1, hue=0.02)
    changed = jitter_colours(samples, settings, generator)
    assert torch.equal(changed[:, 0], changed[:, 1])
    assert jitter_colours(samples, Augment(), generator) is samples
    for name, limit in (("brightness", 0.1), ("contrast", 0.02)):
        moved = (jitter_colours(samples, Augment(**{name: 0.1}), generator) - samples).abs().amax(dim=(1, 2, 3, 4))
        assert 0.9 * limit < moved.max() <= limit + 1e-6 and moved.min() < 0.3 * limit
    grey = samples.mean(dim=2, keepdim=True).expand_as(samples)
    for change in (Augment(saturation=0.5), Augment(hue=0.5)):
        torch.testing.assert_close(jitter_colours(grey, change, generator), grey, atol=1e-5, rtol=0)
        assert (jitter_colours(samples, change, generator) - samples).abs().max() > 0.05


def test_orientations_are_those_asked_for():
    picture = torch.arange(3 * 32 * 32).view(3, 32, 32).remainder(251).byte()
    corpus = Corpus(cifar=[picture])
    for augment, count in ((UPRIGHT, 1), (Augment(turns=1), 2), (Augment(turns=2), 4), (Augment(), 8)):
        recipe = Recipe(model="carlo", batch=64, shares=Shares(photos=0, gaussian=1), camera=CLEAN, augment=augment)
        truths = draw_batch(corpus, recipe, 0, 32, one_stage=True).truth
        assert len({truth.numpy().tobytes() for truth in truths}) == count
        assert len({truth.sum().item() for truth in truths.double()}) == 1
