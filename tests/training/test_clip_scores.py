"""Evaluation along a clip: real windows, frame by frame, flicker, and what counts as a neighbour."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from skimage import data

from deblur_demo import metrics
from deblur_demo.flicker import Flicker
from deblur_demo.models import checkpoint, registry
from deblur_demo.models.contract import Estimate, Restorer, Traits
from deblur_demo.runtime.deblurrer import Deblurrer
from training.__main__ import main
from training.clip_scores import frames_table, score_clip
from training.evaluation import table
from training.scores import Pair, quick_psnr, read_pairs, score, windows


class Backwards(Restorer):
    """Shows the frame before, a little darker: wrong windows would show."""

    traits = Traits(halo=0, frames=3)
    settings = None

    def __init__(self):
        super().__init__()
        self.gain = torch.nn.Parameter(torch.tensor(0.987))

    def forward(self, window, previous, state):
        return Estimate(window[:, 0] * self.gain.float())


@pytest.fixture(scope="module")
def clip_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five frames that pan over a picture, numbered from 98 on."""
    folder = tmp_path_factory.mktemp("clip")
    for index in range(5):
        sharp = data.astronaut()[60:140, 150 + 4 * index : 270 + 4 * index]
        for side, picture in (("blur", cv2.blur(sharp, (7, 1))), ("sharp", sharp)):
            (folder / side).mkdir(exist_ok=True)
            cv2.imwrite(str(folder / side / f"{98 + index:06d}.png"), picture[..., ::-1])
    return folder


@pytest.fixture(scope="module")
def clip(clip_folder: Path) -> list[Pair]:
    return read_pairs(clip_folder)


def backwards() -> Deblurrer:
    return Deblurrer(Backwards(), "cpu", "fp32")


def darker(picture: np.ndarray) -> np.ndarray:
    """Of no level is the result halfway between two."""
    return np.round(picture * 0.987).astype(np.uint8)


def test_each_frame_is_scored_with_its_neighbours_in_the_clip(clip: list[Pair]):
    scores = score_clip(backwards(), iter(clip))
    restored = [darker(clip[max(0, index - 1)].blurred) for index in range(5)]
    assert scores.names == [f"{number:06d}.png" for number in range(98, 103)]
    for pair, result, found in zip(clip, restored, scores.frames, strict=True):
        pictures = (pair.blurred, result)
        assert found.psnr == pytest.approx([metrics.psnr(picture, pair.sharp) for picture in pictures])
        assert found.ssim == pytest.approx([metrics.ssim(picture, pair.sharp) for picture in pictures])
        assert found.seconds[0] == 0 < found.seconds[1]
    mean = scores.mean
    for name in ("psnr", "ssim", "seconds"):
        assert getattr(mean, name) == pytest.approx(np.mean([getattr(f, name) for f in scores.frames], axis=0))
    flicker, truth = Flicker(), Flicker()
    for pair, result in zip(clip, restored, strict=True):
        flicker.add(pair.blurred, result)
        truth.add(pair.blurred, pair.sharp)
    assert scores.flicker == (*flicker.value, truth.value[1]) and scores.flicker[1] > scores.flicker[0] > 0


@pytest.mark.parametrize("chosen", [slice(None), slice(0, 3)])
def test_pairs_that_are_a_clip_get_the_same_windows_in_every_score(clip: list[Pair], chosen: slice):
    pairs = clip[chosen]
    along = score_clip(backwards(), pairs).mean
    assert score(backwards(), pairs).psnr == pytest.approx(along.psnr)
    assert quick_psnr(Backwards(), pairs, 1) == pytest.approx(along.psnr, abs=1e-3)


def shown(pairs: list[Pair]) -> list[list[str]]:
    """Names of the pairs in each window of three, found by what the windows show."""
    names = {pair.blurred.tobytes(): pair.name for pair in pairs}
    return [
        [names[(frame * 255).round().byte().permute(1, 2, 0).numpy().tobytes()] for frame in window[0]]
        for _, window in windows(pairs, 3)
    ]


def pair(name: str, picture: np.ndarray) -> Pair:
    return Pair(name, np.ascontiguousarray(picture), np.ascontiguousarray(picture))


def test_neighbours_are_numbered_one_after_the_other(clip: list[Pair]):
    a, b, c, d, e = clip
    names = [p.name for p in clip]
    assert shown(clip) == [[names[max(i - 1, 0)], names[i], names[min(i + 1, 4)]] for i in range(5)]
    assert shown([a, b, d]) == [[a.name, a.name, b.name], [a.name, b.name, b.name], [d.name] * 3]
    assert shown([a, c, e]) == [[p.name] * 3 for p in (a, c, e)]
    others = [Pair("x_1.png", *[a.blurred] * 2), Pair("y_2.png", *[b.blurred] * 2), Pair("z.png", *[c.blurred] * 2)]
    assert shown(others) == [[p.name] * 3 for p in others]


def test_photos_that_are_numbered_are_no_clip():
    photos = [
        pair(f"{number}.png", cv2.resize(picture, (120, 80)))
        for number, picture in enumerate((data.astronaut(), data.coffee(), data.chelsea()))
    ]
    photos.append(pair("3.png", photos[-1].blurred[:70]))
    assert shown(photos) == [[p.name] * 3 for p in photos]


def test_a_window_of_one_frame_is_the_frame(clip: list[Pair]):
    for found, (center, window) in zip(clip, windows(clip, 1), strict=True):
        assert center is found and window.shape == (1, 1, 3, 80, 120)
        assert np.array_equal((window[0, 0] * 255).round().byte().permute(1, 2, 0).numpy(), found.blurred)


def test_evaluate_prints_means_frames_and_flicker(clip_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture):
    model = registry.build("mtrnn-lite")
    with torch.no_grad():
        model.head.weight.zero_()
        model.head.bias.fill_(0.01)
    weights = tmp_path / "brighter.safetensors"
    checkpoint.save(model, weights, checkpoint.Card("mtrnn-lite"))
    command = ["evaluate", str(weights), "--clip", f"{clip_folder}@1:4", "--iterations", "2", "--device", "cpu"]
    assert main([*command, "--precision", "fp32"]) == 0
    out = capsys.readouterr().out
    expected = score_clip(Deblurrer(checkpoint.load(weights)[0], "cpu", "fp32"), read_pairs(clip_folder)[1:4], 2)
    rows = [line.split("|")[1:4] for line in out.splitlines() if line.startswith(("| 0 ", "| 1 ", "| 2 "))]
    assert rows == [line.split("|")[1:4] for line in table(expected.mean).splitlines()[2:]] and len(rows) == 3
    assert expected.mean.psnr[0] != pytest.approx(expected.mean.psnr[2], abs=0.01)
    assert frames_table(expected) in out
    assert [line[2:12] for line in out.splitlines() if line.startswith("| 000")] == [
        f"{number:06d}.png" for number in (99, 100, 101)
    ]
    assert "flicker in 8-bit levels" in out


def test_one_frame_has_no_flicker(clip: list[Pair]):
    assert "flicker" not in frames_table(score_clip(backwards(), clip[:1]))


def test_evaluate_wants_something_to_evaluate_on(tmp_path: Path, capsys: pytest.CaptureFixture):
    assert main(["evaluate", str(tmp_path / "any.safetensors")]) == 1
    assert "--pairs or --clip" in capsys.readouterr().err
