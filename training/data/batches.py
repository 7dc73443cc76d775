"""Batches for training: blurred crops with the temporal levels that lie below them.

Every batch follows from (recipe, its index) alone, so a run continues exactly where it stopped
without saving any random state, and two runs with the same recipe see the same data.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from deblur_demo.synthesis.camera import develop
from deblur_demo.synthesis.exposure import moving_frames, temporal_level, to_light
from training.config import Recipe, Shares
from training.data.corpus import Corpus

MARGIN = 32  # pixels around a photo's crop that the motion may uncover


@dataclass
class Batch:
    """Sequences of crops, and the runs of iterations that train on them.

    Attributes:
        light: frames in linear light of the first crops, (B - P, T, 3, c, c).
        truth: sharp pictures of the last P crops, which are real pairs, (P, 3, c, c).
        runs: (blurred inputs (B, 3, c, c), temporal level that each iteration aims at).
    """

    light: Tensor
    truth: Tensor
    runs: list[tuple[Tensor, list[int]]]

    def goal(self, level: int) -> Tensor:
        """TL``level`` of every crop that has one: (B, 3, c, c) at TL1, else (B - P, 3, c, c)."""
        known = temporal_level(self.light, level)
        return torch.cat((known, self.truth)) if level == 1 else known


def draw_batch(corpus: Corpus, recipe: Recipe, index: int, crop: int, one_stage: bool) -> Batch:
    """Make batch number ``index``.

    Args:
        corpus: pictures on the training device.
        recipe: shares, motion, camera, curriculum, batch size, seed.
        index: position in the run.
        crop: side in pixels.
        one_stage: aim at TL1 in a single iteration, once from every level, because making a
            sequence costs as much as training on it.
    """
    device = corpus.device
    seed = recipe.seed * 1_000_003 + index
    chance = torch.Generator().manual_seed(seed)  # decisions, on the CPU
    generator = torch.Generator(device).manual_seed(seed)  # pixels, where the pictures are

    photos, clips, pairs = apportion(recipe.batch, recipe.shares, corpus)
    parts, real, truth = [], [], []
    if photos:
        background, thing = (_photo_crops(corpus, photos, crop + 2 * MARGIN, chance) for _ in range(2))
        parts.append(moving_frames(background, thing, crop, recipe.motion, generator))
    if clips:
        windows = [_random_window(corpus.clips, recipe.motion.frames, crop, chance) for _ in range(clips)]
        parts.append(to_light(torch.stack(windows).float() / 255))
    for _ in range(pairs):
        clip = corpus.pairs[_below(len(corpus.pairs), chance)]
        blurred, sharp = _random_crop(clip[_below(len(clip), chance)], crop, chance)
        real.append(blurred.float() / 255)
        truth.append(sharp.float() / 255)
    light = torch.cat(parts)  # (B - P, T, 3, c, c)

    def blurred_to(level: int) -> Tensor:
        blurred = temporal_level(light, level)
        return develop(torch.cat((blurred, torch.stack(real))) if real else blurred, recipe.camera, generator)

    levels, (low, high) = recipe.curriculum.levels, recipe.curriculum.extra
    if one_stage:
        runs = [(blurred_to(level), [1]) for level in levels]
    else:
        level = levels[_below(len(levels), chance)]
        goals = recipe.curriculum.goals(level, low + _below(high - low + 1, chance))
        runs = [(blurred_to(level), goals)]
    return Batch(light, torch.stack(truth) if truth else light.new_zeros(0, 3, crop, crop), runs)


def apportion(batch: int, shares: Shares, corpus: Corpus) -> tuple[int, int, int]:
    """Whole numbers of photos, clips and pairs in a batch, nearest to their shares."""
    wanted = [
        shares.photos * bool(corpus.photos),
        shares.clips * bool(corpus.clips),
        shares.pairs * bool(corpus.pairs),
    ]
    exact = [batch * share / sum(wanted) for share in wanted]
    counts = [int(share) for share in exact]
    by_remainder = sorted(range(3), key=lambda kind: counts[kind] - exact[kind])
    for kind in by_remainder[: batch - sum(counts)]:
        counts[kind] += 1
    return tuple(counts)


def _photo_crops(corpus: Corpus, count: int, side: int, chance: torch.Generator) -> Tensor:
    """Random squares of random photos: (B', 3, S, S) in [0, 1]."""
    photos = [corpus.photos[_below(len(corpus.photos), chance)] for _ in range(count)]
    return torch.stack([_random_crop([photo], side, chance)[0] for photo in photos]).float() / 255


def _below(limit: int, chance: torch.Generator) -> int:
    return int(torch.randint(limit, (1,), generator=chance))


def _random_window(clips: list[list[Tensor]], frames: int, crop: int, chance: torch.Generator) -> Tensor:
    """Consecutive frames of a clip, forward or backward in time: (T, 3, c, c) uint8."""
    clip = clips[_below(len(clips), chance)]
    start = _below(len(clip) - frames + 1, chance)
    window = clip[start : start + frames]
    if _below(2, chance):
        window = window[::-1]
    return torch.stack(_random_crop(window, crop, chance))


def _random_crop(pictures, side: int, chance: torch.Generator) -> list[Tensor]:
    """The same random square of several pictures, turned and flipped alike: each (3, s, s)."""
    height, width = pictures[0].shape[-2:]
    top, left = _below(height - side + 1, chance), _below(width - side + 1, chance)
    turns, flip = _below(4, chance), _below(2, chance)
    crops = [picture[:, top : top + side, left : left + side].rot90(turns, (1, 2)) for picture in pictures]
    return [crop.flip(2) for crop in crops] if flip else crops
