"""Every public layout as a tiny tree: what is found, what pairs with what, and what is never trained on."""

from __future__ import annotations

import os
import pickle
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from deblur_demo.errors import InputError
from training.data.cifar import read_cifar
from training.data.corpus import load_corpus
from training.data.files import Files
from training.data.layouts import LAYOUTS, origins
from training.data.pack import pack
from training.data.recognise import LayoutError, evaluation_pairs, summary

CPU = torch.device("cpu")


def plant(folder: Path, *names: str) -> dict[str, int]:
    """Write an even grey picture for each name; returns the level of each, which tells them apart."""
    levels = {}
    for level, name in enumerate(names, 1):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        suffix = ".png" if path.suffix not in (".jpg", ".png") else path.suffix
        cv2.imwrite(str(path.with_suffix(suffix)), np.full((8, 12, 3), level, np.uint8))
        levels[name] = level
    return levels


def level(picture: torch.Tensor) -> int:
    return int(picture[0, 0, 0])


def pair_levels(folder: Path) -> list[list[tuple[int, ...]]]:
    return [[tuple(map(level, pair)) for pair in series] for series in load_corpus(folder, CPU).pairs]


def test_gopro_reads_gamma_pairs_and_leaves_the_test_part(tmp_path: Path):
    at = plant(
        tmp_path,
        "train/GOPR0372_07_00/blur/000047.png",
        "train/GOPR0372_07_00/blur_gamma/000047.png",
        "train/GOPR0372_07_00/sharp/000047.png",
        "train/GOPR0384_11_01/blur/000001.png",
        "train/GOPR0384_11_01/sharp/000001.png",
        "train/GOPR0384_11_00/blur/000002.png",
        "train/GOPR0384_11_00/sharp/000002.png",
        "test/GOPR0410_11_00/blur_gamma/000003.png",
        "test/GOPR0410_11_00/blur/000003.png",
        "test/GOPR0410_11_00/sharp/000003.png",
    )
    gamma, sharp = at["train/GOPR0372_07_00/blur_gamma/000047.png"], at["train/GOPR0372_07_00/sharp/000047.png"]
    blur, other = at["train/GOPR0384_11_01/blur/000001.png"], at["train/GOPR0384_11_01/sharp/000001.png"]
    corpus = load_corpus(tmp_path, CPU)
    assert [[tuple(map(level, pair)) for pair in series] for series in corpus.pairs] == [
        [(gamma, sharp)],
        [(blur, other)],
    ]
    assert sorted(map(level, corpus.photos)) == [sharp, other], "a test clip is left out even in train/"
    assert pair_levels(tmp_path / "train") == [[(gamma, sharp)], [(blur, other)]]
    files = [pair.files for pair in evaluation_pairs(tmp_path / "test")]
    assert files == [("GOPR0410_11_00/blur_gamma/000003.png", "GOPR0410_11_00/sharp/000003.png")]
    with pytest.raises(LayoutError, match="never trained on"):
        load_corpus(tmp_path / "test", CPU)


@pytest.mark.parametrize("folder", ["test", "GoPro_test", "testset", "val", "Validation-720p", "eval"])
def test_a_folder_for_evaluation_is_never_trained_on_whatever_its_names(tmp_path: Path, folder: str):
    plant(tmp_path / "set", f"{folder}/blur/1.png", f"{folder}/sharp/1.png", f"{folder}/x_240fps/a/1.png", "p.png")
    corpus = load_corpus(tmp_path / "set", CPU)
    assert len(corpus.photos) == 1 and not corpus.pairs and not corpus.clips
    assert len(evaluation_pairs(tmp_path / "set" / folder)) == 1


def test_a_test_folder_itself_is_never_trained_on(tmp_path: Path):
    plant(tmp_path / "test", "blur/1.png", "sharp/1.png")
    plant(tmp_path / "latest", "blur/1.png", "sharp/1.png")
    with pytest.raises(LayoutError, match="never trained on"):
        load_corpus(tmp_path / "test", CPU)
    assert pair_levels(tmp_path / "latest") == [[(1, 2)]]


def test_gopro_as_copies_lay_it_out(tmp_path: Path):
    numbers = [("GOPR0372_07_00", 108), ("GOPR0372_07_00", 109), ("GOPR0372_07_00", 110), ("GOPR0384_11_02", 109)]
    for folder, name in (
        ("flat", "train/{side}/{clip}-{number:06d}.png"),
        ("sides", "train/{side}/{clip}/{number:06d}.png"),
        ("clips", "train/{clip}/{side}/{number:06d}.png"),
    ):
        sides = ("input", "target") if folder == "flat" else ("blur", "sharp")
        names = [name.format(side=side, clip=clip, number=n) for side in sides for clip, n in numbers]
        plant(tmp_path / folder, *names, *(one.replace("train", "test").replace("0372", "0410") for one in names))
        corpus = load_corpus(tmp_path / folder, CPU)
        # Clips stay apart although two of their pairs have one number; the held-out end is left out.
        assert [[tuple(map(level, pair)) for pair in series] for series in corpus.pairs] == [[(1, 5), (2, 6)], [(4, 8)]]
        assert [series.numbers for series in corpus.pairs] == [[108, 109], [109]]
        assert len(corpus.photos) == 3 and not corpus.clips
    kair = "{part}_GT{blurred}/GOPR0374_11_00/000001.png"
    plant(tmp_path / "kair", *(kair.format(part=p, blurred=b) for p in ("train", "test") for b in ("_blurred", "")))
    assert pair_levels(tmp_path / "kair") == [[(1, 2)]]


def test_crops_of_pairs_do_not_follow_one_another(tmp_path: Path):
    sides = [("blur_crops", "sharp_crops"), ("input_crops", "target_crops")]
    for blurred, sharp in sides:
        crops = [f"{side}/GOPR0374_11_00-000001_s00{n}.png" for side in (blurred, sharp) for n in (1, 2)]
        plant(tmp_path / blurred, *crops)
        corpus = load_corpus(tmp_path / blurred, CPU)
        assert len(corpus.pairs) == 1 and len(corpus.pairs[0]) == 2 and corpus.pairs[0].numbers is None


def test_blurred_pictures_without_their_truth_are_neither_photos_nor_frames(tmp_path: Path):
    plant(
        tmp_path, "blur/GOPR0374_11_00/000001.png", "train_blurred_240fps/walk/000001.png", "input_crops/a_s001.png",
        "lq/b.png", "deblurring/c.png", "deblur_240fps/walk/000001.png",
    )  # fmt: skip
    corpus = load_corpus(tmp_path, CPU)
    assert list(map(level, corpus.photos)) == [5] and [list(map(level, clip)) for clip in corpus.clips] == [[6]]


def test_gopro_scenes_outside_the_official_split_are_left_out_whole(tmp_path: Path):
    plant(tmp_path, "a/GOPR0384_11_01/blur/000001.png", "a/GOPR0384_11_01/sharp/000001.png", "photos/b.png")
    corpus = load_corpus(tmp_path, CPU)
    assert not corpus.pairs and len(corpus.photos) == 1


def test_reds_and_its_validation_part(tmp_path: Path):
    folders = [f"{part}/{part}_{side}" for part in ("train", "val") for side in ("blur", "sharp")]
    names = [f"{folder}/{clip}/{frame:08d}.png" for folder in folders for clip in ("000", "001") for frame in (0, 1)]
    at = plant(tmp_path, *names, "train/train_blur_comp/000/00000000.png")
    expected = [
        [tuple(at[f"train/train_{side}/{clip}/{frame:08d}.png"] for side in ("blur", "sharp")) for frame in (0, 1)]
        for clip in ("000", "001")
    ]
    assert pair_levels(tmp_path) == expected
    corpus = load_corpus(tmp_path, CPU)
    assert len(corpus.photos) == 4, "compressed blurred frames are no photos, the validation part is none of ours"
    assert corpus.pairs[0].numbers == [0, 1]
    assert {pair.files[0].split("/")[1] for pair in evaluation_pairs(tmp_path)} == {"val_blur"}


def test_hide_pairs_are_no_clip(tmp_path: Path):
    at = plant(
        tmp_path, "train/10GOPR1009.png", "train/11GOPR1010.png", "test/test-close-ups/2fromGOPR1000.png",
        "test/test-long-shot/3fromGOPR1001.png", "GT/10GOPR1009.png", "GT/11GOPR1010.png", "GT/2fromGOPR1000.png",
        "GT/3fromGOPR1001.png",
    )  # fmt: skip
    corpus = load_corpus(tmp_path, CPU)
    assert pair_levels(tmp_path) == [[(at[f"train/{n}.png"], at[f"GT/{n}.png"]) for n in ("10GOPR1009", "11GOPR1010")]]
    assert corpus.pairs[0].numbers is None
    assert len(corpus.photos) == 2, "truths of test pictures are no photos"
    assert len(evaluation_pairs(tmp_path)) == 2


@pytest.mark.parametrize(
    ("kind", "folder"),
    [("J", "RealBlur-J_ECC_IMCORR_centroid_itensity_ref"), ("R", "RealBlur-R_BM3D_ECC_IMCORR_centroid_itensity_ref")],
)
def test_realblur_is_split_by_its_lists(tmp_path: Path, kind: str, folder: str):
    names = [f"{folder}/scene00{scene}/{side}/{side}_{shot}.png"
             for scene in (1, 2) for side in ("blur", "gt") for shot in (1, 2)]  # fmt: skip
    at = plant(tmp_path, *names)
    with pytest.raises(LayoutError, match="RealBlur_J_test_list.txt"):
        load_corpus(tmp_path, CPU)
    lines = [f"{folder}/scene002/gt/gt_{shot}.png {folder}/scene002/blur/blur_{shot}.png " for shot in (1, 2)]
    (tmp_path / f"RealBlur_{kind}_test_list.txt").write_text("\n".join(lines))
    expected = [tuple(at[f"{folder}/scene001/{side}/{side}_{shot}.png"] for side in ("blur", "gt")) for shot in (1, 2)]
    assert pair_levels(tmp_path) == [expected]
    assert all("scene002" in pair.files[0] for pair in evaluation_pairs(tmp_path))
    pack(tmp_path, tmp_path / "pack.zip", megabytes=1)
    assert [len(series) for series in load_corpus(tmp_path / "pack.zip", CPU).pairs] == [2]


def test_dvd_keeps_its_ten_test_clips(tmp_path: Path):
    names = [f"quantitative_datasets/{clip}/{side}/0000{frame}.jpg"
             for clip in ("720p_240fps_1", "720p_240fps_2", "IMG_0003", "IMG_0004") for side in ("input", "GT")
             for frame in (0, 1)]  # fmt: skip
    plant(tmp_path, *names)
    corpus = load_corpus(tmp_path, CPU)
    assert [series.numbers for series in corpus.pairs] == [[0, 1], [0, 1]] and not corpus.clips
    tested = {pair.files[0].split("/")[1] for pair in evaluation_pairs(tmp_path)}
    assert tested == {"720p_240fps_2", "IMG_0003"}


def test_lai_and_kohler_are_for_evaluation_only(tmp_path: Path):
    plant(
        tmp_path / "lai", "uniform/manmade_01_kernel_01.png", "uniform/manmade_01_kernel_02.png",
        "nonuniform/manmade_01_gyro_01.png", "ground_truth/manmade_01.png",
    )  # fmt: skip
    plant(
        tmp_path / "kohler", "BlurryImages/Blurry1_1.png", "BlurryImages/Blurry1_10.png",
        "Image1/Kernel1/GroundTruth1_1_1.png", "Image1/Kernel1/GroundTruth1_1_2.png",
        "Image1/Kernel10/GroundTruth1_10_1.png",
    )  # fmt: skip
    lai = evaluation_pairs(tmp_path / "lai")
    assert len(lai) == 3 and {pair.files[1] for pair in lai} == {"ground_truth/manmade_01.png"}
    kohler = {pair.files[0][-13:]: len(pair.files) - 1 for pair in evaluation_pairs(tmp_path / "kohler")}
    assert kohler == {"Blurry1_1.png": 2, "lurry1_10.png": 1}
    for folder in ("lai", "kohler"):
        with pytest.raises(LayoutError):
            load_corpus(tmp_path / folder, CPU)


def test_own_pairs_photos_and_clips_share_a_folder(tmp_path: Path):
    frames = [f"mine_240fps/walk/{number:04d}.png" for number in (1, 2, 3, 7, 8)]
    at = plant(tmp_path, "x/blur/a.png", "x/sharp/a.jpg", "y/input/3.png", "y/target/3.png", "photos/p.jpg", *frames)
    corpus = load_corpus(tmp_path, CPU)
    assert pair_levels(tmp_path) == [
        [(at["x/blur/a.png"], at["x/sharp/a.jpg"])],
        [(at["y/input/3.png"], at["y/target/3.png"])],
    ]
    assert [list(map(level, clip)) for clip in corpus.clips] == [
        [at[n] for n in frames[:3]],
        [at[n] for n in frames[3:]],
    ]
    assert len(corpus.photos) == 3
    assert "5 frames (GoPro 240 fps), to train on" in summary(tmp_path)


@pytest.mark.parametrize("folder", ["240fps", "240fps/trip/beach", "GoPro_240FPS/beach", "walk240fps/beach"])
def test_frames_lie_anywhere_below_a_folder_named_so(tmp_path: Path, folder: str):
    """Their levels, pairs, and pictures that only they themselves are named so, are what they are elsewhere."""
    plant(tmp_path, *(f"{folder}/{number:06d}.png" for number in (1, 2)))
    plant(tmp_path, *(f"{folder}/hill/TL{level}/000007.png" for level in (1, 3)))
    plant(tmp_path, f"{folder}/set/blur/000001.png", f"{folder}/set/sharp/000001.png", "photos/240fps_000001.png")
    corpus = load_corpus(tmp_path, CPU)
    assert [list(map(level, clip)) for clip in corpus.clips] == [[1, 2]]
    assert (len(corpus.photos), len(corpus.levels), len(corpus.pairs)) == (3, 1, 1)


def test_gopro_large_all_gives_clips(tmp_path: Path):
    clips = ("train/GOPR0374_11_00", "test/GOPR0384_11_00")
    plant(tmp_path, *[f"{clip}/{number:06d}.png" for clip in clips for number in (1, 2)])
    corpus = load_corpus(tmp_path, CPU)
    assert [len(clip) for clip in corpus.clips] == [2] and not corpus.photos


def test_a_wrong_folder_is_drawn_the_trees_that_it_resembles(tmp_path: Path):
    plant(tmp_path, "train_blur/000/00000000.png")
    with pytest.raises(LayoutError) as caught:
        load_corpus(tmp_path, CPU)
    text = str(caught.value)
    assert "train/train_sharp/000/00000000.png" in text and "ground_truth" not in text
    (tmp_path / "empty").mkdir()
    with pytest.raises(LayoutError) as caught:
        evaluation_pairs(tmp_path / "empty")
    assert all(layout.tree.splitlines()[0] in str(caught.value) for layout in LAYOUTS)


def test_every_set_says_where_it_comes_from_and_its_licence():
    text = origins()
    assert all(layout.origin and layout.licence and layout.licence in text for layout in LAYOUTS)
    assert "Never trained on" in text and "GOPR0372_07_00 from number 110 on" in text


def test_links_to_folders_are_followed(tmp_path: Path):
    plant(tmp_path / "elsewhere", "blur/1.png", "sharp/1.png")
    (tmp_path / "data").mkdir()
    (tmp_path / "data/linked").symlink_to(tmp_path / "elsewhere", target_is_directory=True)
    assert pair_levels(tmp_path / "data") == [[(1, 2)]]


def cifar_batch(path: Path, pictures: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        pickle.dump({b"data": pictures.reshape(len(pictures), -1), b"labels": [0]}, file, protocol=2)


def test_cifar_from_batches_and_from_npz(tmp_path: Path):
    pictures = np.random.default_rng(0).integers(0, 256, (6, 3, 32, 32), dtype=np.uint8)
    for number in (1, 2):
        cifar_batch(tmp_path / f"a/cifar-10-batches-py/data_batch_{number}", pictures[2 * number - 2 : 2 * number])
    cifar_batch(tmp_path / "a/cifar-10-batches-py/test_batch", pictures[4:])
    hwc = pictures.transpose(0, 2, 3, 1)
    (tmp_path / "b").mkdir()
    np.savez(tmp_path / "b/cifar.npz", x_train=hwc[:4], x_test=hwc[4:])
    for source in ("a", "b", "b/cifar.npz"):
        corpus = load_corpus(tmp_path / source, CPU, least_side=500)
        assert np.array_equal(torch.stack(corpus.cifar).numpy(), pictures[:4])
        assert np.array_equal(read_cifar(Files(tmp_path / source), "test").numpy(), pictures[4:])


def test_cifar_as_python_2_wrote_it(tmp_path: Path):
    # The published batches are pickles of Python 2: 8-bit strings, and numpy's names of that time.
    pictures = np.random.default_rng(1).integers(0, 256, (2, 3072), dtype=np.uint8)
    dtype = b"cnumpy\ndtype\n(U\x02u1K\x00K\x01tR(K\x03U\x01|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"
    raw = b"T" + (2 * 3072).to_bytes(4, "little") + pictures.tobytes()
    array = b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(K\x00tU\x01btR(K\x01(K\x02M\x00\x0ct" + dtype
    (tmp_path / "data_batch_1").write_bytes(b"\x80\x02}(U\x04data" + array + b"I00\n" + raw + b"tbu.")
    assert np.array_equal(read_cifar(Files(tmp_path), "train").numpy().reshape(2, -1), pictures)


class Evil:
    def __reduce__(self):
        return os.mkdir, ("run_by_the_pickle",)


@pytest.mark.parametrize("protocol", [2, 4])
def test_a_pickle_that_runs_something_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, protocol: int):
    monkeypatch.chdir(tmp_path)
    Path("data_batch_1").write_bytes(pickle.dumps({b"data": Evil()}, protocol=protocol))
    with pytest.raises(InputError, match="mkdir"):
        load_corpus(tmp_path, CPU)
    assert not Path("run_by_the_pickle").exists()


def test_a_wrong_npz_is_named(tmp_path: Path):
    np.savez(tmp_path / "wrong.npz", x_train=np.zeros((2, 32, 32, 3), np.float32))
    with pytest.raises(InputError, match=r"wrong\.npz.*float32"):
        load_corpus(tmp_path, CPU)
