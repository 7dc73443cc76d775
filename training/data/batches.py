"""Batches for training: windows of blurred crops with the temporal levels that lie below them.

Every batch follows from (recipe, its index) alone, so a run continues exactly where it stopped
without saving any random state, and two runs with the same recipe see the same data. It also
means that a batch can be drawn ahead, in another thread.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import accumulate, pairwise
from math import floor, sqrt
from typing import NamedTuple

import torch
from torch import Tensor

from deblur_demo.errors import InputError
from deblur_demo.synthesis.camera import develop
from deblur_demo.synthesis.exposure import temporal_level
from training.config import Recipe, Shares
from training.data.augment import overexposed
from training.data.corpus import Corpus
from training.data.crops import below
from training.data.samples import Sampler

# Between the seeds of the two generators of a batch. From one seed two generators of a CPU draw the same numbers: what
# was enlarged was also moved the farthest. A CPU's has 32 bits of it.
_APART = 1_500_450_271

# Its multiples, less their whole parts, fill the unit interval evenly however many there are.
_GOLDEN = (sqrt(5) - 1) / 2


class Run(NamedTuple):
    """Iterations on one blurring of the crops.

    Attributes:
        window: blurred frames around the one to restore, (B, N, 3, c, c).
        goals: temporal level that each iteration aims at.
    """

    window: Tensor
    goals: list[int]


@dataclass
class Batch:
    """Sequences of crops, and the runs of iterations that train on them.

    Attributes:
        light: frames in linear light of the first crops, (B - P, T, 3, c, c).
        truth: sharp pictures of the last P crops, which are pairs, (P, 3, c, c).
        runs: windows and what to make of them.
    """

    light: Tensor
    truth: Tensor
    runs: list[Run]

    def goal(self, level: int) -> Tensor:
        """TL``level`` of every crop that has one: (B, 3, c, c) at TL1, else (B - P, 3, c, c)."""
        known = temporal_level(self.light, level)
        return torch.cat((known, self.truth)) if level == 1 else known

    def has(self, level: int) -> bool:
        """Whether any crop has TL``level``."""
        return level == 1 or len(self.light) > 0

    @property
    def updates(self) -> int:
        """Optimiser steps that the batch is good for, one for each iteration with a goal."""
        return sum(self.has(level) for run in self.runs for level in run.goals)


def draw_batch(
    corpus: Corpus, recipe: Recipe, index: int, crop: int, one_stage: bool, frames: int = 1, turn: int = 0
) -> Batch:
    """Make batch number ``index``, or piece number ``index`` of all pieces of the run.

    Args:
        corpus: pictures.
        recipe: shares, motion, camera, curriculum, batch size, seed.
        index: position in the run.
        crop: side in pixels.
        one_stage: aim at TL1 in a single iteration, once from every level, because making a
            sequence costs as much as training on it; just once where the batch is all pairs.
        frames: frames in a window, N, odd: the network's ``traits.frames``.
        turn: which kinds of samples have theirs where there are too few crops for all: the number of
            the whole batch, the same for all of its pieces.
    """
    device = corpus.device
    seed = recipe.seed * 1_000_003 + index
    chance = torch.Generator().manual_seed(seed)  # decisions, on the CPU
    generator = torch.Generator(device).manual_seed(seed + _APART)  # pixels, where the pictures are
    border = recipe.neighbours.border(frames)
    sampler = Sampler(corpus, recipe, frames, crop + 2 * border, chance, generator)

    photos, clips, pairs, gaussian = apportion(recipe.batch, recipe.shares, _available(sampler), turn)
    exposures = [
        torch.zeros(0, frames, recipe.motion.frames, 3, *[sampler.side] * 2, device=device)
    ]  # (B', N, T, 3, s, s)
    exposures += [sampler.photo_exposures(photos)] if photos else []
    exposures += [sampler.clip_exposures(clips)] if clips else []
    light = overexposed(torch.cat(exposures), recipe.augment, chance)  # (B - P, N, T, 3, s, s)
    real = [torch.zeros(0, frames + 1, 3, *[sampler.side] * 2, device=device)]  # (P', N + 1, 3, s, s)
    real += [sampler.pair_windows(pairs)] if pairs else []
    real += [sampler.gaussian_windows(gaussian)] if gaussian else []
    known = torch.cat(real)

    def blurred_to(level: int) -> Tensor:
        made = temporal_level(light.flatten(0, 1), level).unflatten(0, light.shape[:2])  # (B - P, N, 3, s, s)
        window = develop(torch.cat((made, known[:, :-1])), recipe.camera, generator)
        return _shifted(window, border, chance) if border else window

    levels, (low, high) = recipe.curriculum.levels, recipe.curriculum.extra
    if one_stage:
        runs = [Run(blurred_to(level), [1]) for level in (levels if len(light) else levels[:1])]
    else:
        level = levels[below(len(levels), chance)]
        goals = recipe.curriculum.goals(level, low + below(high - low + 1, chance))
        runs = [Run(blurred_to(level), goals)]
    inner = slice(border, border + crop)
    return Batch(light[:, frames // 2, ..., inner, inner], known[:, -1, :, inner, inner], runs)


def apportion(
    batch: int, shares: Shares, available: tuple[bool, bool, bool, bool], turn: int = 0
) -> tuple[int, int, int, int]:
    """Whole numbers of photos, clips, pairs and Gaussian samples in a batch.

    They are nearest to their shares. Where a kind would go without a crop in every batch, the kinds take
    turns, so that over many batches each has its share.

    Args:
        batch: crops.
        shares: of the kinds, in parts.
        available: whether there is any of each kind.
        turn: number of the batch, which decides whose turn it is.

    Raises:
        InputError: nothing that the recipe asks for is available.
    """
    named = (shares.photos, shares.clips, shares.pairs, shares.gaussian)
    wanted = [share * there for share, there in zip(named, available, strict=True)]
    if not sum(wanted):
        raise InputError(
            "the corpus has nothing of what the recipe's [shares] ask for",
            "photos, 240 fps clips at least as long as a window, pairs, or CIFAR-10",
            "Change the shares, or point --data at another folder",
        )
    exact = [batch * share / sum(wanted) for share in wanted]
    counts = [int(share) for share in exact]
    by_remainder = sorted(range(4), key=lambda kind: counts[kind] - exact[kind])
    for kind in by_remainder[: batch - sum(counts)]:
        counts[kind] += 1
    everyone = all(count for count, share in zip(counts, wanted, strict=True) if share)
    return tuple(counts) if everyone else _in_turns(batch, wanted, turn)


def _in_turns(batch: int, wanted: list[float], turn: int) -> tuple[int, int, int, int]:
    """Crops laid side by side on a line of the shares, which is moved a little further for every batch."""
    ends = list(accumulate(wanted, initial=0.0))
    moved = turn * _GOLDEN % 1
    return tuple(after - before for before, after in pairwise(floor(batch * (end / ends[-1]) + moved) for end in ends))


def _available(sampler: Sampler) -> tuple[bool, bool, bool, bool]:
    corpus = sampler.corpus
    return bool(corpus.photos), bool(sampler.usable_clips), bool(corpus.pairs), bool(corpus.cifar or corpus.photos)


def _shifted(window: Tensor, border: int, chance: torch.Generator) -> Tensor:
    """Cut the border off, moving the frames before and after the middle in opposite directions.

    Args:
        window: (B, N, 3, c + 2 border, c + 2 border).
        border: largest move in pixels.
        chance: random source on the CPU.

    Returns:
        (B, N, 3, c, c).
    """
    middle, crop = window.shape[1] // 2, window.shape[-1] - 2 * border
    moved = []
    for sample in window:
        down, right = (below(2 * border + 1, chance) - border for _ in range(2))
        for index, frame in enumerate(sample):
            sign = (index > middle) - (index < middle)
            top, left = border + sign * down, border + sign * right
            moved.append(frame[:, top : top + crop, left : left + crop])
    return torch.stack(moved).unflatten(0, window.shape[:2])
