"""Pictures too small for the crops of a run, clips too short for its windows: left out and counted at the start."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from deblur_demo.errors import InputError
from deblur_demo.models import registry
from training.config import Neighbours, Recipe, Shares
from training.data.batches import draw_batch
from training.data.corpus import load_corpus
from training.data.samples import MARGIN
from training.start import open_corpus

CPU = torch.device("cpu")


def write(path: Path, height: int, width: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), np.zeros((height, width, 3), np.uint8))


def test_photos_left_out_are_counted(tmp_path: Path):
    for side in (63, 64, 65):
        write(tmp_path / f"photos/{side}.png", side, 90)
    assert str(load_corpus(tmp_path, CPU)) == "3 photos, 0 clips, 0 pairs"
    said = "2 photos (1 smaller than a crop and its room, 64 pixels, left out), 0 clips, 0 pairs"
    for limit in (None, 0):
        assert str(load_corpus(tmp_path, CPU, least_side=64, limit=limit)) == said


def test_pairs_clips_and_levels_left_out_are_counted(tmp_path: Path):
    """They need no room around a crop; where nothing is left, that is said at once."""
    for side in (47, 48):
        folders = ("blur", "sharp", f"240fps/{side}", f"levels/{side}/TL1", f"levels/{side}/TL3")
        for folder in folders:
            for number in (1, 2, 3):
                write(tmp_path / folder / f"{side if folder in folders[:2] else 0}{number:04d}.png", side, 90)
    for limit in (None, 0):
        corpus = load_corpus(tmp_path, CPU, least_crop=48, limit=limit)
        small = " smaller than a crop, 48 pixels, left out)"
        assert str(corpus) == f"12 photos, 1 clips (1{small}, 3 pairs (3{small}, 3 levels (3{small}"
        for pictures in (*corpus.clips, *corpus.pairs[0], *corpus.levels[0]):
            assert {picture.shape for picture in pictures} == {(3, 48, 90)}
        assert corpus.levels[0].numbers == [1, 2, 3]
    with pytest.raises(InputError, match="nothing that is large enough.*photos of 64 pixels.* levels of 49"):
        load_corpus(tmp_path, CPU, least_side=64, least_crop=49)


def test_clips_too_short_for_a_window_are_counted(tmp_path: Path):
    """For several recipes: for the windows of all of them."""
    for clip, frames in (("a", 12), ("b", 38), ("c", 39)):
        for number in range(frames):
            write(tmp_path / f"240fps/{clip}/{number:06d}.png", 64, 90)
    alone, wide = Recipe("mtrnn-lite", crop=48), Recipe("kaist-3f-s", crop=48)  # windows of 1 x 13 and of 3 x 13 frames
    for recipes, said in (
        ([wide], "0 photos, 1 clips (2 shorter than a window, 39 frames, left out), 0 pairs"),
        ([wide, alone], "0 photos, 2 clips (1 shorter than a window, 13 frames, left out), 0 pairs"),
    ):
        assert str(open_corpus(tmp_path, recipes, CPU)) == said
    for clip in "bc":
        shutil.rmtree(tmp_path / "240fps" / clip)
    with pytest.raises(InputError, match="nothing that is large enough.* levels of 48, and clips of 39 frames"):
        open_corpus(tmp_path, [wide], CPU)


@pytest.mark.parametrize(("model", "kept"), [("mtrnn-lite", 3), ("kaist-3f-s", 1)])
def test_pictures_suit_the_largest_crop_of_the_run(tmp_path: Path, model: str, kept: int):
    """It may come late, and the other frames of a window have room to be moved."""
    for side in (95, 96, 99, 100):
        for folder in ("blur", "sharp"):
            write(tmp_path / f"{folder}/{side}.png", side, 120)
    recipe = Recipe(model, batch=8, crop=64, late_crop=96, late_from=0.5, neighbours=Neighbours(shift=2))
    recipe = replace(recipe, shares=Shares(photos=0, pairs=1))
    corpus = open_corpus(tmp_path, [recipe], CPU)
    assert sum(map(len, corpus.pairs)) == kept and corpus.least_side == corpus.least_crop + 2 * MARGIN
    frames = registry.blank(model).traits.frames
    batch = draw_batch(corpus, recipe, 0, recipe.crop_at(recipe.updates), one_stage=True, frames=frames)
    assert batch.truth.shape == (8, 3, 96, 96)
