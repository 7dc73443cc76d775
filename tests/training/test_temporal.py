"""Temporal levels on disk, their resumption, and the validation sets of clips, of CIFAR-10 and of sharp photos."""

from __future__ import annotations

import resource
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from skimage import data

from deblur_demo import metrics
from deblur_demo.errors import InputError, OutputError, SettingError
from training.__main__ import main
from training.data.corpus import load_corpus
from training.data.temporal import write_levels
from training.data.validation import CLIP_FRAMES, write_pair, write_validation
from training.scores import read_pairs


def frame(number: int) -> np.ndarray:
    return data.coffee()[40:88, 100 + 3 * number : 164 + 3 * number]


@pytest.fixture
def clips(tmp_path: Path) -> Path:
    """A clip of 21 numbered frames with one missing after the 15th, below train/."""
    folder = tmp_path / "high_speed/train/walk"
    folder.mkdir(parents=True)
    for number in [*range(1, 16), *range(17, 23)]:
        cv2.imwrite(str(folder / f"{number:06d}.png"), frame(number)[..., ::-1])
    return tmp_path / "high_speed"


def read(path: Path) -> np.ndarray:
    return cv2.imread(str(path), cv2.IMREAD_COLOR_RGB)


def test_levels_are_means_in_linear_light(clips: Path, tmp_path: Path):
    assert write_levels(clips, tmp_path / "out", highest=7, every=5) == (2, 0)
    folder = tmp_path / "out/train/walk"
    assert sorted(path.name for path in folder.iterdir()) == ["TL1", "TL3", "TL5", "TL7"]
    # Middles 4 and 9 of frames 1 to 15; the piece after the gap is too short.
    assert sorted(path.name for path in (folder / "TL7").iterdir()) == ["000004.png", "000009.png"]
    for middle in (4, 9):
        for n in (1, 3, 5, 7):
            light = [(frame(k) / 255.0) ** 2.2 for k in range(middle - n // 2, middle + n // 2 + 1)]
            expected = 255 * np.mean(light, axis=0) ** (1 / 2.2)
            error = np.abs(read(folder / f"TL{n}/{middle:06d}.png") - expected)
            assert error.max() <= (0.51 if n > 1 else 1e-6), f"TL{n} of frame {middle}"


def test_complete_samples_are_skipped_and_missing_ones_made(clips: Path, tmp_path: Path):
    out = tmp_path / "out"
    write_levels(clips, out, highest=5, every=3)
    kept, lost = out / "train/walk/TL5/000003.png", out / "train/walk/TL3/000006.png"
    content = lost.read_bytes()
    kept.write_bytes(b"kept as it is")
    lost.unlink()
    written, there = write_levels(clips, out, highest=5, every=3)
    assert (written, there) == (1, 4)
    assert kept.read_bytes() == b"kept as it is" and lost.read_bytes() == content
    assert not list(out.rglob("*.partial"))


def test_a_video_gives_levels_too(tmp_path: Path):
    (tmp_path / "in").mkdir()
    writer = cv2.VideoWriter(str(tmp_path / "in/walk.avi"), cv2.VideoWriter_fourcc(*"MJPG"), 30, (64, 48))
    for number in range(12):
        writer.write(np.ascontiguousarray(frame(number)[..., ::-1]))
    writer.release()
    assert write_levels(tmp_path / "in", tmp_path / "out", highest=5, every=4) == (2, 0)
    sharp = read(tmp_path / "out/walk/TL1/000006.png")
    assert metrics.psnr(sharp, frame(6)) > 28 > metrics.psnr(sharp, frame(7)), "the frame in the middle"


def save(folder: Path, names: dict[str, np.ndarray]) -> None:
    for name, picture in names.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(folder / name), np.ascontiguousarray(picture[..., ::-1]))


def test_where_frames_lie_as_frames_nothing_else_is_taken_for_one(tmp_path: Path):
    """Numbered photos, and both sides of pairs, are no moments of a clip."""
    save(tmp_path / "mine", {f"240fps/walk/{number:06d}.png": frame(number) for number in range(5)})
    save(tmp_path / "mine", {f"photos/IMG_{number:04d}.png": data.astronaut()[: 60 + number] for number in range(5)})
    save(tmp_path / "mine", {f"set/{side}/{n:06d}.png": frame(n) for side in ("blur", "sharp") for n in range(9)})
    assert write_levels(tmp_path / "mine", tmp_path / "out", highest=3, every=9) == (1, 0)
    assert [path.name for path in tmp_path.glob("out/*/*/TL1/*")] == ["000001.png"]
    shutil.rmtree(tmp_path / "mine/240fps")
    save(tmp_path / "mine", {f"steps/{number}.png": frame(number) for number in range(9, 12)})
    shutil.rmtree(tmp_path / "mine/photos")
    assert write_levels(tmp_path / "mine", tmp_path / "more", highest=3, every=9) == (1, 0)
    assert [path.as_posix()[-16:] for path in tmp_path.glob("more/*/TL1/*")] == ["s/TL1/000010.png"]


@pytest.mark.parametrize("folder", ["240fps/all", "all"])
def test_clips_in_one_folder_stay_apart(tmp_path: Path, folder: str):
    """As training has them: by what their names say before the number, though numbers interleave or go on."""
    numbers = {"walk": range(1, 6), "run": range(3, 8), "jump": range(8, 11)}
    for place, (clip, taken) in enumerate(numbers.items(), 1):
        save(tmp_path / "mine", {f"{folder}/{clip}_{n:06d}.png": np.full((8, 8, 3), 60 * place) for n in taken})
    assert write_levels(tmp_path / "mine", tmp_path / "out", highest=3, every=1) == (3 + 3 + 1, 0)
    for place, (clip, taken) in enumerate(numbers.items(), 1):
        levels = sorted((tmp_path / "out" / folder / clip / "TL3").iterdir())
        assert [path.stem for path in levels] == [f"{number:06d}" for number in taken[1:-1]]
        assert all((read(path) == 60 * place).all() for path in levels)


def test_photos_of_two_sizes_are_no_clip(tmp_path: Path, capsys: pytest.CaptureFixture):
    save(tmp_path / "mine", {f"IMG_{number:04d}.png": data.astronaut()[: 60 + number] for number in range(5)})
    assert main(["prepare", str(tmp_path / "mine"), "--temporal", str(tmp_path / "out"), "--highest", "3"]) == 1
    assert "error: the numbered pictures of IMG differ in size." in capsys.readouterr().err
    assert not list((tmp_path / "out").rglob("*.png"))


def test_levels_add_to_what_is_said_of_sources_and_stay_out_of_the_frames(clips: Path, tmp_path: Path):
    (clips / "SOURCES.txt").write_text("Walks of mine, CC0\n", encoding="utf-8")
    (tmp_path / "out").mkdir()
    (tmp_path / "out/SOURCES.txt").write_text("What was there\n", encoding="utf-8")
    for _ in range(2):
        write_levels(clips, tmp_path / "out", highest=7, every=5)
    assert (tmp_path / "out/SOURCES.txt").read_text(encoding="utf-8") == "What was there\nWalks of mine, CC0\n"
    with pytest.raises(OutputError, match="is the source itself"):
        write_levels(clips, clips / "train/..", highest=7)


def test_what_is_no_clip_is_said(clips: Path, tmp_path: Path):
    with pytest.raises(InputError, match="no clip of at least 17 frames"):
        write_levels(clips, tmp_path / "out", highest=17)
    with pytest.raises(SettingError, match="odd"):
        write_levels(clips, tmp_path / "out", highest=6)


def test_prepare_on_the_command_line(clips: Path, tmp_path: Path, capsys: pytest.CaptureFixture):
    assert main(["prepare", str(clips), "--temporal", str(tmp_path / "out"), "--highest", "3", "--every", "9"]) == 0
    assert "3 samples written" in capsys.readouterr().out
    assert main(["prepare", str(tmp_path / "out")]) == 0
    assert "6 levels (T-GoPro), to train on" in capsys.readouterr().out
    assert main(["prepare", str(clips), "--temporal", str(tmp_path / "frames"), "--highest", "1", "--every", "10"]) == 0
    assert len(load_corpus(tmp_path / "frames", torch.device("cpu")).photos) == 3
    assert main(["prepare", str(tmp_path / "absent")]) == 1
    assert "neither a folder nor a file" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main(["prepare", "--help"])
    text = capsys.readouterr().out
    assert "Nothing is downloaded" in text and "CC BY 4.0" in text and "https://seungjunnah.github.io" in text


def test_validation_clips_are_consecutive_exposures(corpus_folder: Path, tmp_path: Path):
    for target in ("one", "two"):
        assert write_validation(corpus_folder, tmp_path / target, "clips", side=48) == 2 * CLIP_FRAMES
    folder = tmp_path / "one/photos_kodak_01"
    names = sorted(path.name for path in (folder / "blur").iterdir())
    assert names == [f"{number:05d}.png" for number in range(CLIP_FRAMES)]
    for name in names:
        blurred, sharp = read(folder / "blur" / name), read(folder / "sharp" / name)
        assert np.array_equal(blurred, read(tmp_path / "two/photos_kodak_01/blur" / name))
        own = np.abs(cv2.blur(blurred, (9, 9)).astype(float) - cv2.blur(sharp, (9, 9))).mean()
        assert own < 8, "a frame and its truth show the same place"
    sharp = [read(folder / "sharp" / name).astype(float) for name in names]
    assert all(np.abs(a - b).mean() > 1 for a, b in zip(sharp, sharp[1:], strict=False)), "the camera moves on"


def test_validation_of_cifar_is_blurred_test_pictures(tmp_path: Path):
    pictures = np.stack([data.astronaut()[16 * k : 16 * k + 32, 200:232] for k in range(20)])
    np.savez(tmp_path / "cifar.npz", x_train=pictures[:1], x_test=pictures)
    for target in ("one", "two"):
        assert write_validation(tmp_path, tmp_path / target, "gaussian") == 20
    blurred, again, sharp = (
        np.stack([read(path) for path in sorted((tmp_path / side).iterdir())])
        for side in ("one/blur", "two/blur", "one/sharp")
    )
    assert np.array_equal(sharp, pictures) and np.array_equal(blurred, again)
    detail = [np.abs(np.diff(x.astype(float), axis=2)).mean(axis=(1, 2, 3)) for x in (blurred, sharp)]
    kept = detail[0] / detail[1]
    assert kept.min() < 0.5 and kept.max() > 0.7, "widths from 0.4 to 3"
    assert (blurred != sharp).any(axis=(1, 2, 3)).all(), "no PSNR is infinite"
    with pytest.raises(InputError, match="CIFAR"):
        write_validation(tmp_path / "one", tmp_path / "three", "gaussian")


def test_validation_of_real_frames_is_their_mean_in_linear_light(tmp_path: Path):
    frames = [data.coffee()[50:114, 100 + 2 * index : 164 + 2 * index] for index in range(27)]
    for index, frame in enumerate(frames):
        path = tmp_path / f"mine/val/240fps/pan/{index:06d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(path), np.ascontiguousarray(frame[..., ::-1]))
    assert write_validation(tmp_path / "mine", tmp_path / "out", "frames") == 2, "two windows of 13"
    pairs = read_pairs(tmp_path / "out")
    middle = 13 + 6
    assert np.array_equal(pairs[1].sharp, frames[middle])
    light = np.mean([(frame / 255.0) ** 2.2 for frame in frames[middle - 4 : middle + 5]], axis=0)  # TL9
    assert np.abs(pairs[1].blurred - 255 * light ** (1 / 2.2)).max() <= 1
    with pytest.raises(InputError, match="no clip of 13 frames"):
        write_validation(tmp_path / "out", tmp_path / "other", "frames")


def moment(number: int) -> np.ndarray:
    return data.coffee()[50:114, 100 + 2 * number : 164 + 2 * number]


def test_frames_are_sorted_by_their_numbers_and_cut_where_some_are_missing(tmp_path: Path):
    numbers = [*range(5), *range(7, 20), *range(95, 109)]
    save(tmp_path / "mine", {f"val/240fps/pan/{number}.png": moment(number) for number in numbers})
    assert write_validation(tmp_path / "mine", tmp_path / "out", "frames") == 2
    pairs = read_pairs(tmp_path / "out")
    assert [pair.name for pair in pairs] == ["val_240fps_pan_000005.png", "val_240fps_pan_000018.png"]
    for pair, middle, reach in zip(pairs, (7 + 6, 95 + 6), (3, 4), strict=True):  # TL7, TL9
        assert np.array_equal(pair.sharp, moment(middle))
        light = np.mean([(moment(n) / 255.0) ** 2.2 for n in range(middle - reach, middle + reach + 1)], axis=0)
        assert np.abs(pair.blurred - 255 * light ** (1 / 2.2)).max() <= 1


def test_frames_of_two_sizes_are_no_clip_to_validate_on(tmp_path: Path):
    save(
        tmp_path / "mine", {f"val/240fps/pan/{number}.png": moment(number)[: 64 - number // 12] for number in range(13)}
    )
    with pytest.raises(InputError, match="frames of val/240fps/pan differ in size"):
        write_validation(tmp_path / "mine", tmp_path / "out", "frames")


def test_a_folder_holds_one_set(tmp_path: Path, capsys: pytest.CaptureFixture):
    mine, target = tmp_path / "mine", tmp_path / "out"
    save(mine, {f"val/240fps/pan/{number:06d}.png": moment(number) for number in range(13)})
    np.savez(mine / "cifar.npz", x_train=np.zeros((1, 32, 32, 3), np.uint8), x_test=data.coffee()[None, :32, :32])
    for _ in range(2):
        assert write_validation(mine, target, "frames") == 1
    with pytest.raises(OutputError, match="holds a set of other blur"):
        write_validation(mine, target, "gaussian")
    save(mine, {f"val/240fps/walk/{number:06d}.png": moment(number) for number in range(13)})
    assert main(["prepare", str(mine), "--validation", str(target), "--kind", "frames"]) == 1
    err = capsys.readouterr().err
    assert "holds a set of other pictures" in err and err.count("\n") == 1
    assert len(read_pairs(target)) == 1
    (target / "set.json").unlink()
    with pytest.raises(OutputError, match=r"holds something, without a set.json"):
        write_validation(mine, target, "frames")
    (target / "set.json").write_text('{"blur": "motion", "kind": "frames"}')
    assert write_validation(mine, target, "frames") == 2, "an earlier version said no more"
    with pytest.raises(OutputError, match="is the source itself"):
        write_validation(mine, mine, "frames")


def test_a_small_photo_is_refused_in_one_line(tmp_path: Path, capsys: pytest.CaptureFixture):
    save(tmp_path / "mine", {f"val/photos/{name}.png": data.astronaut()[:300, :400] for name in "ab"})
    for kind in ("motion", "clips"):
        assert main(["prepare", str(tmp_path / "mine"), "--validation", str(tmp_path / kind), "--kind", kind]) == 1
        err = capsys.readouterr().err
        assert "a photo to blur is 400x300" in err and err.count("\n") == 1
        assert not (tmp_path / kind).exists()


def test_what_does_not_fit_on_the_disk_is_no_success(tmp_path: Path):
    """A file may have no more bytes than the picture needs, as if the disk were full."""
    noise = torch.rand(3, 64, 64, generator=torch.Generator().manual_seed(0))
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, hard))
    try:
        with pytest.raises(OutputError, match="a.png cannot be written"):
            write_pair(tmp_path, "a", noise, noise)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_validation_of_sharp_photos_adds_a_camera_and_no_blur(corpus_folder: Path, tmp_path: Path):
    for target in ("one", "two"):
        folder = tmp_path / target
        assert main(["prepare", str(corpus_folder), "--validation", str(folder), "--kind", "sharp"]) == 0
    pairs = {pair.name: pair for pair in read_pairs(tmp_path / "one") if "kodak_01" in pair.name}
    again = {pair.name: pair.blurred for pair in read_pairs(tmp_path / "two")}
    assert all(np.array_equal(pair.blurred, again[name]) for name, pair in pairs.items())
    jpeg, noise, bright, soft = (pairs[f"photos_kodak_01_{ill}.png"] for ill in ("jpeg", "noise", "bright", "soft"))
    photo = data.astronaut()[102:358, 102:358]  # the middle of the 460 pixels that the corpus has of it
    assert np.array_equal(noise.sharp, photo) and np.array_equal(jpeg.sharp, photo)
    assert np.array_equal(bright.sharp, np.clip(photo * 2.2, 0, 255).round())
    unclipped = (noise.sharp > 15) & (noise.sharp < 240)
    assert np.std(noise.blurred[unclipped].astype(float) - noise.sharp[unclipped]) == pytest.approx(5, abs=0.1)
    assert 28 < metrics.psnr(jpeg.blurred, photo) < 38, "quality 60"
    detail = [np.abs(np.diff(shown.astype(float), axis=0)).mean() for shown in (photo[42:213, 42:213], soft.sharp)]
    assert detail[1] < 0.8 * detail[0], "the same middle, enlarged, is softer"
