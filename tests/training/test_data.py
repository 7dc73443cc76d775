"""The corpus on disk, its pack, the batches drawn from it and the validation set."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from deblur_demo.errors import InputError, OutputError
from deblur_demo.synthesis.camera import CameraSettings
from training.config import Augment, Recipe, Shares
from training.data.augment import side_to_enlarge
from training.data.batches import apportion, draw_batch
from training.data.corpus import Corpus, load_corpus
from training.data.files import SOURCES
from training.data.held_out import held_out
from training.data.pack import pack
from training.data.validation import write_validation

CPU = torch.device("cpu")
CLEAN = CameraSettings(noise_share=0.0, jpeg_share=0.0)


@pytest.fixture(scope="module")
def corpus(corpus_folder: Path) -> Corpus:
    return load_corpus(corpus_folder, CPU)


def test_pictures_are_sorted_by_where_they_lie(corpus: Corpus):
    assert len(corpus.clips) == 1 and len(corpus.clips[0]) == 16
    assert [len(clip) for clip in corpus.pairs] == [2], "the held-out end of the clip is left out"
    assert len(corpus.photos) == 3 + 2, "photos and the truths of pairs; held-out photos are not among them"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("gopro/GOPR0372_07_00/blur/000109.jpg", False),
        ("gopro/GOPR0372_07_00/blur/000110.jpg", True),
        # The same pairs as copies have them: flattened, in crops, in folders by side; and in a layout of their own.
        ("GoPro/train/input/GOPR0372_07_00-000109.png", False),
        ("GoPro/train/input/GOPR0372_07_00-000110.png", True),
        ("train/blur_crops/GOPR0372_07_00-000109_s012.png", False),
        ("train/blur_crops/GOPR0372_07_00-000129_s001.png", True),
        ("train/sharp/GOPR0372_07_00/000129.png", True),
        ("train/sharp/GOPR0372_07_00_000129.png", True),
        ("target_img/0_GOPR0372_07_00_000129_003754_kernel_25_blurred.png", True),
        ("GoPro_INTER/GOPR0372_07_00/000064/gt/gt_sharp.png", True),
        # Frames and levels of GOPRO_Large_all: pair 110 is the mean of frames 764 to 770.
        ("GOPRO_Large_all/train/GOPR0372_07_00/000767.png", True),
        ("T-GoPro/train/GOPR0372_07_00/TL13/000767.png", True),
        ("T-GoPro/train/GOPR0374_11_00/TL13/000767.png", False),
        # Test clips, wherever they lie; of their scenes, what the authors train on, below train/ only.
        ("gopro_240fps/GOPR0410_11_00/000001.jpg", True),
        ("GoPro/train/target/GOPR0384_11_05-004081.png", True),
        ("GoPro/train/input/GOPR0384_11_01-000001.png", False),
        ("GoPro/train/GOPR0871_11_01/blur_gamma/000249.png", False),
        ("GoPro/clips/GOPR0384_11_01/000001.png", True),
        ("GoPro/clips/gopr0871_11_00/000001.png", True),
        # Cameras of that make number everybody's pictures alike.
        ("photos/GOPR0384.jpg", False),
        ("HIDE/train/12fromGOPR0854.MP4.png", False),
        ("reds/003/blur/00000007.png", True),
        ("REDS/train/train_blur/003/00000007.png", True),
        ("REDS/train/train_sharp/013/00000003.png", False),
        ("clips/003/000001.png", False),
        ("photos/kodak/13.jpg", True),
        ("photos/kodak/14.jpg", False),
        ("photos/urban100/img_092.webp", True),
    ],
)
def test_held_out_files(name: str, expected: bool):
    assert held_out(name) is expected


def test_a_wrong_folder_gets_the_expected_tree(tmp_path: Path):
    for source in (tmp_path, tmp_path / "absent"):
        with pytest.raises(InputError, match="photos/"):
            load_corpus(source, CPU)


def test_a_pack_reads_like_its_folder(corpus_folder: Path, corpus: Corpus, tmp_path: Path):
    quality = pack(corpus_folder, tmp_path / "pack.zip", megabytes=1.0)
    assert (tmp_path / "pack.zip").stat().st_size < 1.1 * 2**20
    packed = load_corpus(tmp_path / "pack.zip", CPU)
    assert quality >= 70
    assert [len(packed.photos), len(packed.clips[0]), len(packed.pairs[0])] == [5, 16, 2]
    error = (packed.clips[0][3].float() - corpus.clips[0][3].float()).square().mean()
    assert 10 * np.log10(255**2 / float(error)) > 30


def test_a_corpus_says_where_its_pictures_come_from(corpus_folder: Path, corpus: Corpus, tmp_path: Path):
    assert corpus.sources[-1] == "3 photos in the layout of own photos, origin and licence not stated"
    shutil.copytree(corpus_folder / "photos", tmp_path / "mine/photos")
    (tmp_path / "mine" / SOURCES).write_text("Photos of my own, CC0\n\nA friend's, MIT\n", encoding="utf-8")
    pack(tmp_path / "mine", tmp_path / "mine.zip", megabytes=1.0)
    for source in ("mine", "mine.zip"):
        assert load_corpus(tmp_path / source, CPU).sources == ("Photos of my own, CC0", "A friend's, MIT")


def test_a_pack_that_cannot_fit_says_so(corpus_folder: Path, tmp_path: Path):
    with pytest.raises(OutputError, match="megabytes"):
        pack(corpus_folder, tmp_path / "pack.zip", megabytes=0.01)


def test_apportion_is_nearest_to_the_shares():
    everything, all_equal = (True,) * 4, Shares(photos=1, clips=1, pairs=1)
    assert apportion(8, Shares(photos=0.45, clips=0.2, pairs=0.35), everything) == (4, 1, 3, 0)
    assert apportion(3, all_equal, everything) == (1, 1, 1, 0)
    assert apportion(5, all_equal, (True, False, False, False)) == (5, 0, 0, 0)
    with pytest.raises(InputError, match="shares"):
        apportion(5, all_equal, (False, False, False, True))


def test_a_batch_follows_from_its_index(corpus: Corpus, recipe: Recipe):
    one, same, other = (draw_batch(corpus, recipe, index, 32, one_stage=False) for index in (4, 4, 5))
    assert torch.equal(one.runs[0][0], same.runs[0][0]) and one.runs[0][1] == same.runs[0][1]
    assert not torch.equal(one.runs[0][0], other.runs[0][0])


def test_goals_come_closer_to_the_truth(corpus: Corpus, recipe: Recipe):
    batch = draw_batch(corpus, replace(recipe, camera=CLEAN), 0, 48, one_stage=False)
    (window, goals), truth = batch.runs[0], batch.goal(1)
    blurred = window[:, 0]
    assert blurred.shape == truth.shape == (3, 3, 48, 48)
    assert batch.goal(goals[0]).shape == (2, 3, 48, 48), "a real pair has no level between"
    errors = [(image[:2] - truth[:2]).abs().mean().item() for image in (blurred, *map(batch.goal, goals))]
    assert all(high > low for high, low in zip(errors, errors[1:], strict=False) if low > 0)
    assert errors[-1] == 0


def test_photos_are_enlarged_as_far_as_the_recipe_says(corpus: Corpus, recipe: Recipe):
    """Half of them by up to twice, whose neighbouring pixels differ less then; the others as they are."""
    photos = replace(recipe, batch=16, shares=Shares(photos=1), camera=CLEAN)
    as_they_are, soft = (
        draw_batch(corpus, replace(photos, augment=Augment(enlarge=most)), 0, 32, one_stage=False).goal(1)
        for most in (1.0, 2.0)
    )
    assert as_they_are.shape == soft.shape

    def detail(truth: torch.Tensor) -> float:
        return float(truth.diff(dim=-1).abs().mean())

    assert 0.6 * detail(as_they_are) < detail(soft) < 0.92 * detail(as_they_are)
    sides = [side_to_enlarge(96, Augment(enlarge=2.0), torch.Generator().manual_seed(seed)) for seed in range(200)]
    assert 80 < sides.count(96) < 120 and 48 <= min(sides) < 52


def test_light_is_multiplied_before_it_is_clipped(corpus: Corpus, recipe: Recipe):
    sequences = replace(recipe, batch=16, shares=Shares(photos=1, clips=1), camera=CLEAN)
    as_they_are, brighter = (
        draw_batch(corpus, replace(sequences, augment=Augment(expose=most)), 0, 32, one_stage=True)
        for most in (1.0, 6.0)
    )
    gains = (brighter.light / as_they_are.light.clamp(min=1e-6)).amax(dim=(1, 2, 3, 4))
    assert 4 <= int((gains == 1).sum()) <= 12 and 3 < float(gains.max()) < 6
    truth = brighter.goal(1)
    assert float(truth.max()) == 1 and (truth == 1).float().mean() > 2 * (as_they_are.goal(1) == 1).float().mean()
    for run in brighter.runs:
        assert torch.equal((run.window[:, 0] * 255).round(), run.window[:, 0] * 255) and float(run.window.max()) == 1
    still = gains == 1
    assert torch.equal(truth[still], as_they_are.goal(1)[still])


def test_one_stage_batches_aim_at_the_truth_from_every_level(corpus: Corpus, recipe: Recipe):
    batch = draw_batch(corpus, replace(recipe, camera=CLEAN), 0, 32, one_stage=True)
    assert [goals for _, goals in batch.runs] == [[1]] * 4
    errors = [(window[:2, 0] - batch.goal(1)[:2]).abs().mean().item() for window, _ in batch.runs]
    assert errors == sorted(errors), "levels 7, 9, 11, 13"


def test_pairs_keep_blurred_and_sharp_aligned(corpus: Corpus, recipe: Recipe):
    only_pairs = replace(recipe, camera=CLEAN, shares=Shares(photos=1, pairs=2))
    for index in range(4):
        batch = draw_batch(corpus, only_pairs, index, 64, one_stage=False)
        blurred, sharp = batch.runs[0].window[1:, 0], batch.truth
        # A horizontal blur of 9 px keeps local means; turned or flipped differently they would not match.
        pooled = [torch.nn.functional.avg_pool2d(side, 16) for side in (blurred, sharp)]
        assert (pooled[0] - pooled[1]).abs().mean() < 0.05


def test_the_validation_set_is_the_same_every_time(corpus_folder: Path, tmp_path: Path):
    for target in ("one", "two"):
        assert write_validation(corpus_folder, tmp_path / target, side=64) == 2
    for name in ("photos_kodak_01.png", "photos_kodak_05.png"):
        blurred, again, sharp = (
            cv2.imread(str(tmp_path / side / name)) for side in ("one/blur", "two/blur", "one/sharp")
        )
        assert blurred.shape == (64, 64, 3)
        assert np.array_equal(blurred, again)
        assert not np.array_equal(blurred, sharp)
