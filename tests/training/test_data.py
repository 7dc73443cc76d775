"""The corpus on disk, its pack, the batches drawn from it and the validation set."""

from __future__ import annotations

import shutil
import zipfile
from collections import defaultdict
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from torch.overrides import TorchFunctionMode

from deblur_demo.errors import InputError, OutputError
from deblur_demo.light import to_light
from deblur_demo.synthesis.camera import CameraSettings
from training.__main__ import main
from training.config import Augment, Recipe, Shares
from training.data.augment import defocused, side_to_enlarge
from training.data.batches import draw_batch
from training.data.corpus import Corpus, Series, load_corpus
from training.data.files import SOURCES, Files, write_sources
from training.data.held_out import held_out
from training.data.pack import pack
from training.data.validation import write_validation

CPU = torch.device("cpu")
CLEAN = CameraSettings(noise_share=0.0, jpeg_share=0.0)


def write(path: Path, rgb: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), rgb[..., ::-1])


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
        ("REDS/train/sharp/003/00000007.png", True),
        ("data/reds_sharp/003/00000007.png", True),
        ("train/train_sharp/003_00000007.png", True),
        ("train_blurred/X4/003/00000007.png", True),
        ("REDS_train_sharp_003_00000007.png", True),
        ("REDS/train/train_sharp/013/00000003.png", False),
        ("REDS/train/sharp/1003/003.png", False),
        ("hundreds/003/00000007.png", False),
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


def test_a_pack_keeps_what_its_folder_keeps_from_training(tmp_path: Path, capsys: pytest.CaptureFixture):
    """A folder called val, pictures of CIFAR-10, and a pack of the pack."""
    write(tmp_path / "mine/val/photos/a.png", np.full((40, 40, 3), 90, np.uint8))
    np.savez(
        tmp_path / "mine/val/c.npz",
        x_train=np.zeros((3, 32, 32, 3), np.uint8),
        x_test=np.ones((2, 32, 32, 3), np.uint8),
    )
    for source, target in (("mine/val", "v.json"), ("v.json", "again.zip")):
        assert main(["prepare", str(tmp_path / source), "--pack", str(tmp_path / target)]) == 0
    capsys.readouterr()
    said = []
    for source in ("mine/val", "v.json", "again.zip"):
        assert main(["prepare", str(tmp_path / source)]) == 0
        said.append(capsys.readouterr().out)
    assert said[0] == said[1] == said[2]
    assert "1 photos (own photos), for evaluation only" in said[0] and "3 pictures (CIFAR-10), to train on" in said[0]
    assert load_corpus(tmp_path / "again.zip", CPU).photos == []


def test_a_pack_replaces_nothing_but_a_pack(corpus_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture):
    source = str(corpus_folder / "photos/mine")
    for name in ("mine.zip", "mine.json"):
        for _ in range(2):
            assert main(["prepare", source, "--pack", str(tmp_path / name)]) == 0
    packed = (tmp_path / "mine.zip").read_bytes()
    (tmp_path / "notes.json").write_text('{"my": "notes"}')
    with zipfile.ZipFile(tmp_path / "other.zip", "w") as archive:
        archive.writestr("photos/a.png", b"somebody's")
    (tmp_path / "empty").mkdir()
    capsys.readouterr()
    for data, name, found in (
        (source, "notes.json", "is not a pack"),
        (source, "other.zip", "is not a pack"),
        (source, "empty", "is no name for a pack"),
        (source, "notes.json/x.zip", "cannot be made"),
        (tmp_path / "mine.zip", "mine.zip", "is the source itself"),
        (tmp_path / "empty", "new.zip", "holds no pictures"),
    ):
        assert main(["prepare", str(data), "--pack", str(tmp_path / name)]) == 1
        err = capsys.readouterr().err
        assert found in err and err.count("\n") == 1, err
    assert (tmp_path / "mine.zip").read_bytes() == packed and not (tmp_path / "new.zip").exists()
    assert (tmp_path / "notes.json").read_text() == '{"my": "notes"}'


def test_a_limit_holds_for_the_whole_pack(corpus_folder: Path, tmp_path: Path):
    source = corpus_folder / "photos/mine"
    assert pack(source, tmp_path / "whole.zip", megabytes=1.0) == 95
    size = (tmp_path / "whole.zip").stat().st_size
    assert pack(source, tmp_path / "less.zip", megabytes=(size - 1) / 2**20) < 95
    assert (tmp_path / "less.zip").stat().st_size < size


def test_a_pair_of_two_sizes_is_refused_by_name(corpus_folder: Path, tmp_path: Path):
    shutil.copytree(corpus_folder / "gopro", tmp_path / "gopro")
    assert len(load_corpus(tmp_path, CPU).pairs[0]) == 2
    write(tmp_path / "gopro/GOPR0372_07_00/blur/000048.png", np.zeros((120, 200, 3), np.uint8))
    with pytest.raises(InputError, match=r"000048.png of 200x120 and .*sharp/000048.png of 200x200 belong together"):
        load_corpus(tmp_path, CPU)


@pytest.mark.parametrize("kind", ["240fps/pan", "levels/pan/TL1", "levels/pan/TL3"])
def test_a_clip_of_two_sizes_is_refused_by_name(tmp_path: Path, kind: str):
    for folder in ("240fps/pan", "levels/pan/TL1", "levels/pan/TL3"):
        for number in range(5):
            write(tmp_path / f"{folder}/{number:06d}.png", np.zeros((120, 200, 3), np.uint8))
    corpus = load_corpus(tmp_path, CPU)
    assert len(corpus.clips) == len(corpus.levels) == 1
    write(tmp_path / kind / "000003.png", np.zeros((110, 200, 3), np.uint8))
    with pytest.raises(InputError, match=rf"of 200x120 and .*{kind}/000003.png of 200x110 belong together"):
        load_corpus(tmp_path, CPU)


def test_a_numbered_pair_of_another_size_is_no_neighbour():
    pictures = [torch.zeros(3, side, 8) for side in (8, 8, 6, 8)]
    pairs = Series([(picture, picture) for picture in pictures], [1, 2, 3, 4])
    assert [pairs.near(1, offset)[0] is pictures[index] for offset, index in ((-1, 0), (1, 1), (2, 3))] == [True] * 3
    assert pairs.near(2, -1)[0] is pictures[2]


def test_an_empty_picture_is_named(tmp_path: Path):
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos/a.jpg").touch()
    with pytest.raises(InputError, match="photos/a.jpg cannot be decoded"):
        load_corpus(tmp_path, CPU)
    with pytest.raises(InputError, match="photos/a.jpg cannot be decoded"):
        Files(tmp_path).decode("photos/a.jpg")


def test_sources_are_read_as_they_were_written_and_added_to(tmp_path: Path):
    for text, encoding in (("Fotos von Jürgen, © 2024", "latin-1"), ("Fotos von Jürgen", "utf-8-sig")):
        (tmp_path / SOURCES).write_bytes(text.encode(encoding))
        assert Files(tmp_path).sources == (text,)
    write_sources(tmp_path, ["More of them, MIT", "Fotos von Jürgen"])
    assert (tmp_path / SOURCES).read_text(encoding="utf-8") == "Fotos von Jürgen\nMore of them, MIT\n"


def test_a_batch_follows_from_its_index(corpus: Corpus, recipe: Recipe):
    one, same, other = (draw_batch(corpus, recipe, index, 32, one_stage=False) for index in (4, 4, 5))
    assert torch.equal(one.runs[0][0], same.runs[0][0]) and one.runs[0][1] == same.runs[0][1]
    assert not torch.equal(one.runs[0][0], other.runs[0][0])


class Drawn(TorchFunctionMode):
    """Notes the few numbers that decide, not the many of pixels, by the generator they come from."""

    def __init__(self):
        super().__init__()
        self.numbers = defaultdict(set)

    def __torch_function__(self, function, types, args=(), kwargs=None):
        made = function(*args, **kwargs or {})
        if function is torch.rand and made.numel() <= 64:
            self.numbers[id(kwargs["generator"])] |= set(made.flatten().tolist())
        return made


def test_what_is_enlarged_is_not_what_moves_farthest(corpus: Corpus, recipe: Recipe):
    """Two generators of one seed would draw the same numbers for both."""
    recipe = replace(recipe, batch=8, shares=Shares(photos=1), augment=Augment(enlarge=2.0, turns=1, flips=False))
    for index in range(8):
        with Drawn() as drawn:
            draw_batch(corpus, recipe, index, 32, one_stage=False)
        shares, extents = drawn.numbers.values()
        assert len(shares) == 16 and len(extents) >= 16 and not shares & extents


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


def test_a_part_of_a_photo_is_out_of_focus_in_the_truth_as_well(corpus: Corpus, recipe: Recipe):
    photos = replace(recipe, batch=16, shares=Shares(photos=1), camera=CLEAN)
    photos = replace(photos, curriculum=replace(photos.curriculum, levels=(1,)))
    batch = draw_batch(corpus, replace(photos, augment=Augment(defocus=12.0)), 0, 48, one_stage=False)
    assert (batch.runs[0].window[:, 0] - batch.goal(1)).abs().max() < 0.6 / 255, "nothing moved, nothing to undo"
    in_focus = draw_batch(corpus, photos, 0, 48, one_stage=False).goal(1)
    assert batch.goal(1).diff(dim=-1).abs().mean() < 0.9 * in_focus.diff(dim=-1).abs().mean()


def test_a_point_out_of_focus_is_a_disc_of_the_same_light():
    stars = torch.zeros(400, 3, 41, 41)
    stars[..., 20, 20] = 1
    chance, generator = (torch.Generator().manual_seed(seed) for seed in (0, 1))
    light = to_light(defocused(stars, Augment(defocus=8.0), chance, generator))
    sharp = (light == stars).flatten(1).all(1)
    assert 160 < int(sharp.sum()) < 240, "half of them"
    wholly = light[(light[:, 0, 20, 20] < 0.02) & ~sharp]  # where the part covers all of a large disc
    assert len(wholly) > 10 and float(wholly.sum((2, 3)).quantile(0.75)) == pytest.approx(1, abs=0.03)
    far = torch.hypot(*torch.meshgrid(2 * [torch.arange(-20.0, 21)], indexing="ij")) > 9
    assert not light[..., far].any() and light[..., ~far].count_nonzero() > len(light) * 50
    wide = defocused(stars[:, :, :8, :8], Augment(defocus=100.0), chance, generator)
    assert wide.shape[-2:] == (8, 8), "a disc wider than the square ends where that does"
    assert defocused(stars, Augment(), chance, generator) is stars, "0 draws nothing"


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
