"""Stage 1's results as pairs: what they are, how they resume, and the two stages as one network."""

from __future__ import annotations

import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from deblur_demo.errors import InputError, OutputError, SettingError
from deblur_demo.media.frames import to_pixels, to_tensor, window
from deblur_demo.models import checkpoint, registry
from deblur_demo.models.checkpoint import Card
from deblur_demo.runtime.deblurrer import Deblurrer
from training.data.corpus import load_corpus
from training.data.restored import write_restored
from training.join import join

SIDE = 32


@pytest.fixture(scope="module")
def source(tmp_path_factory) -> Path:
    """Three pairs of a clip, thirty frames of another, and two photos."""
    root, chance = tmp_path_factory.mktemp("corpus"), np.random.default_rng(0)

    def write(name: str, side: int = SIDE) -> None:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        coarse = chance.integers(0, 256, (8, 8, 3), np.uint8)
        cv2.imwrite(str(path), cv2.resize(coarse, (side, side), interpolation=cv2.INTER_CUBIC))

    for index in range(3):
        write(f"set/clip/blur/{index:06d}.png")
        write(f"set/clip/sharp/{index:06d}.png")
    for index in range(30):
        write(f"own_240fps/walk/{index:06d}.png")
    for name in "ab":
        write(f"photos/{name}.png", 2 * SIDE)
    return root


@pytest.fixture(scope="module")
def stage1(tmp_path_factory) -> Path:
    torch.manual_seed(0)
    network = registry.build("mtrnn-lite")
    with torch.no_grad():
        network.head.weight.mul_(20)  # so that it changes a picture visibly
    path = tmp_path_factory.mktemp("stage1") / "mtrnn-lite.safetensors"
    checkpoint.save(network, path, Card("mtrnn-lite", data=("ours", "theirs")))
    return path


@pytest.fixture(scope="module")
def deblurrer(stage1) -> Deblurrer:
    return Deblurrer(checkpoint.load(stage1)[0], "cpu", "fp32")


@pytest.fixture(scope="module")
def restored(source, deblurrer, tmp_path_factory) -> Path:
    target = tmp_path_factory.mktemp("stage2")
    assert write_restored(source, target, deblurrer, "ours", SIDE) == (1 + 4 + 2, 0)
    return target


def only(restored: Path, kind: str) -> Path:
    """The folder of the only clip of a kind."""
    (clip,) = restored.glob(f"{kind}_*")
    return clip


def read(path: Path) -> np.ndarray:
    return cv2.imread(str(path), cv2.IMREAD_COLOR_RGB)


def test_every_clip_is_there_restored_beside_its_truth(source, restored, deblurrer):
    pairs, clip = only(restored, "pairs"), only(restored, "clip")
    assert {path.name for path in restored.iterdir()} == {"SOURCES.txt", "set.json", clip.name, pairs.name, "photos"}
    names = [path.name for path in sorted((pairs / "blur").iterdir())]
    assert names == ["00000000.png", "00000001.png", "00000002.png"]
    for index, name in enumerate(names):
        blurred = read(source / f"set/clip/blur/{index:06d}.png")
        *_, last = deblurrer.steps(window([to_tensor(blurred)]))
        assert last.index == 6
        difference = read(pairs / "blur" / name).astype(int) - to_pixels(last.image, np.uint8)
        assert abs(difference).max() <= 1
        assert abs(read(pairs / "blur" / name).astype(int) - blurred).mean() > 1
        assert np.array_equal(read(pairs / "sharp" / name), read(source / f"set/clip/sharp/{index:06d}.png"))
    # Exposures of 7 and 9 frames begin at 0 and 13, those of 11 and 13 as well: 30 frames hold two of each.
    assert len(list((clip / "sharp").iterdir())) == 2 * 4
    assert np.array_equal(read(clip / "sharp" / "00000001.png"), read(source / "own_240fps/walk/000016.png"))
    assert len(list((restored / "photos" / "sharp").iterdir())) == 2 * 5


def test_neighbours_are_frames_of_one_piece(restored):
    corpus = load_corpus(restored, torch.device("cpu"))
    series = {len(series): series for series in corpus.pairs}
    clip = series[8]
    assert clip.numbers == [0, 1, 10_000, 10_001, 20_000, 20_001, 30_000, 30_001]
    assert clip.near(0, 1)[0] is clip[1][0] and clip.near(1, 1)[0] is clip[1][0]
    assert clip.near(2, -1)[0] is clip[2][0] and clip.near(2, 1)[0] is clip[3][0]


def test_it_goes_on_where_it_stopped(source, restored, deblurrer):
    untouched, last = sorted((restored / "photos" / "sharp").glob("*0000.png"))
    before, when = last.read_bytes(), untouched.stat().st_mtime_ns
    last.unlink()
    assert write_restored(source, restored, deblurrer, "ours", SIDE) == (1, 6)
    assert last.read_bytes() == before and untouched.stat().st_mtime_ns == when
    assert write_restored(source, restored, deblurrer, "ours", SIDE) == (0, 7)


def test_a_corpus_may_grow_between_what_is_there(source, restored, deblurrer, tmp_path):
    """Clips, frames and photos that sort before the others are restored, and nothing is there twice."""
    grown = shutil.copytree(source, tmp_path / "corpus")
    shutil.copytree(grown / "set/clip", grown / "set/a_clip")
    shutil.copy(grown / "photos/a.png", grown / "photos/_.png")
    for side in ("blur", "sharp"):
        shutil.copy(grown / f"set/clip/{side}/000002.png", grown / f"set/clip/{side}/000003.png")
    target = shutil.copytree(restored, tmp_path / "stage2")
    (target / "SOURCES.txt").write_text("My own line\n", encoding="utf-8")
    kept = {path: path.read_bytes() for path in target.rglob("*.png")}
    assert write_restored(grown, target, deblurrer, "ours", SIDE) == (3, 6)
    assert all(path.read_bytes() == content for path, content in kept.items())
    assert len(list(target.rglob("sharp/*.png"))) == len(kept) // 2 + 3 + 5 + 1
    assert len(list(target.glob("pairs_*"))) == 2
    said = (target / "SOURCES.txt").read_text(encoding="utf-8").splitlines()
    assert said[0] == "My own line" and len(said) > 1


def test_numbered_pairs_of_mixed_sizes_are_as_many_clips(deblurrer, tmp_path):
    for number, shape in enumerate(((16, 24), (16, 24), (24, 16), (16, 24)), 1):
        for side in ("blur", "sharp"):
            path = tmp_path / f"corpus/{side}/IMG_{number:04d}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(path), np.full((*shape, 3), 50 * number, np.uint8))
    target = tmp_path / "stage2"
    assert write_restored(tmp_path / "corpus", target, deblurrer, "ours", SIDE) == (3, 0)
    truths = {path.stem: read(path) for path in target.rglob("sharp/*.png")}
    assert sorted(int(truth[0, 0, 0]) for truth in truths.values()) == [50, 100, 150, 200]
    assert [int(truths[f"0000000{index}"][0, 0, 0]) for index in (0, 1)] == [50, 100]
    (clip,) = load_corpus(target, torch.device("cpu")).pairs
    assert (np.diff(clip.numbers) == 1).sum() == 1, "only the first two are neighbours"


def test_other_weights_and_other_things_stay_apart(source, restored, deblurrer, tmp_path):
    before = {path: path.stat().st_mtime_ns for path in restored.rglob("*")}
    with pytest.raises(OutputError, match="a set of other weights"):
        write_restored(source, restored, deblurrer, "theirs", SIDE)
    assert before == {path: path.stat().st_mtime_ns for path in restored.rglob("*")}
    (tmp_path / "pairs_000").mkdir()
    with pytest.raises(OutputError, match="holds something"):
        write_restored(source, tmp_path, deblurrer, "ours", SIDE)
    with pytest.raises(OutputError, match="is the source itself"):
        write_restored(source, source, deblurrer, "ours", SIDE)


def test_a_corpus_without_pictures_in_time_is_refused(tmp_path, deblurrer):
    np.savez(
        tmp_path / "cifar.npz", x_train=np.zeros((2, 32, 32, 3), np.uint8), x_test=np.zeros((2, 32, 32, 3), np.uint8)
    )
    with pytest.raises(InputError, match="no clips, pairs or photos"):
        write_restored(tmp_path, tmp_path / "out", deblurrer, "ours")


@torch.no_grad()
def test_joined_stages_are_the_two_one_after_the_other(stage1, tmp_path):
    torch.manual_seed(1)
    second = registry.build("mlfa-lite", first="", width=4)
    second.second.head.weight.mul_(50)  # so that it changes a picture visibly
    checkpoint.save(
        second, tmp_path / "second.safetensors", Card("mlfa-lite", {"first": "", "width": 4}, data=("ours",))
    )
    card = join(tmp_path / "second.safetensors", stage1, tmp_path / "whole.safetensors")
    assert card.data == ("ours", "theirs") and card.settings == {"width": 4}
    whole, _ = checkpoint.load(tmp_path / "whole.safetensors")
    frames = torch.rand(1, 3, 3, 32, 32, generator=torch.Generator().manual_seed(2))
    alone, first = checkpoint.load(tmp_path / "second.safetensors")[0], checkpoint.load(stage1)[0]
    restored = torch.stack([list(first.run(frames[:, index : index + 1]))[-1].image for index in range(3)], 1)
    one, two = whole.run(frames)
    assert (two.image - one.image).abs().mean() > 1e-3
    assert torch.equal(one.image, restored[:, 1])
    torch.testing.assert_close(two.image, next(alone.run(restored)).image, rtol=0, atol=1e-6)


def test_stages_that_do_not_fit_are_refused(stage1, tmp_path):
    with pytest.raises(SettingError, match="not a stage 2 alone"):
        join(stage1, stage1, tmp_path / "whole.safetensors")
    torch.manual_seed(1)
    second = registry.build("mlfa-s", first="", width=4)
    checkpoint.save(second, tmp_path / "second.safetensors", Card("mlfa-s", {"first": "", "width": 4}))
    with pytest.raises(SettingError, match="is mtrnn-lite"):
        join(tmp_path / "second.safetensors", stage1, tmp_path / "whole.safetensors")
