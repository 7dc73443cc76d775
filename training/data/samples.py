"""The kinds of sample that a batch is made of: synthetic motion, real clips, real pairs, Gaussian blur.

The first two are exposures, frames in linear light of which every temporal level is a mean; the
last two are a blurred window with its truth, without any level between.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

import torch
from torch import Tensor

from deblur_demo.errors import InputError
from deblur_demo.light import to_light
from deblur_demo.synthesis.exposure import MotionSettings, moving_frames
from deblur_demo.synthesis.gaussian import random_gaussian
from deblur_demo.synthesis.paths import PathSettings
from training.config import Recipe
from training.data.augment import defocused, enlarged, jitter_colours, side_to_enlarge
from training.data.corpus import Corpus, Series
from training.data.crops import Cut, below, random_cuts

MARGIN = 32  # pixels around a photo's crop that the motion may uncover


@dataclass(frozen=True)
class Sampler:
    """Draws samples for one batch.

    Attributes:
        corpus: pictures.
        recipe: motion, neighbours, augmentation.
        frames: frames in a window, N.
        side: of every crop, in pixels.
        chance: decisions, on the CPU.
        generator: pixels, on the corpus' device.
    """

    corpus: Corpus
    recipe: Recipe
    frames: int
    side: int
    chance: torch.Generator
    generator: torch.Generator

    @property
    def span(self) -> int:
        """Sharp frames that a window needs."""
        return self.recipe.span(self.frames)

    @property
    def usable_clips(self) -> list[Sequence]:
        """High-speed clips that are long enough for a window, and all sets of temporal levels."""
        return [clip for clip in self.corpus.clips if len(clip) >= self.span] + list(self.corpus.levels)

    def photo_exposures(self, count: int) -> Tensor:
        """Photos under synthetic motion: (B', N, T, 3, s, s) linear light."""
        room = self.side + 2 * MARGIN
        background, thing = (self._photos(self.corpus.photos, count, room) for _ in range(2))
        motion = lengthened(self.recipe.motion, self.span)
        return self._exposures(moving_frames(background, thing, self.side, motion, self.generator))

    def clip_exposures(self, count: int) -> Tensor:
        """Windows of high-speed clips, forward or backward in time: (B', N, T, 3, s, s) linear light."""
        clips = self.usable_clips
        chosen = [self._level_cuts(clip) if isinstance(clip, Series) else self._frame_cuts(clip)
                  for clip in (clips[below(len(clips), self.chance)] for _ in range(count))]  # fmt: skip
        return torch.stack([
            self._light_of_levels(pictures) if pictures.ndim == 5 else self._exposures(to_light(pictures)[None])[0]
            for pictures in map(self._jittered, self._cut(chosen))
        ])  # fmt: skip

    def pair_windows(self, count: int) -> Tensor:
        """Real pairs: (B', N + 1, 3, s, s) display values, the truth last.

        The other frames of a window are the pair's neighbours in its clip, at the ends of a clip the
        frame itself, and so in a set of single pictures.
        """
        chosen = []
        for _ in range(count):
            clip = self.corpus.pairs[below(len(self.corpus.pairs), self.chance)]
            index = below(len(clip), self.chance)
            blurred = [clip.near(index, offset)[0] for offset in self._offsets()]
            chosen.append(self._random_cuts([*blurred, clip[index][1]]))
        return torch.stack([self._jittered(pictures) for pictures in self._cut(chosen)])

    def gaussian_windows(self, count: int) -> Tensor:
        """Pictures under Gaussian blur: (B', N + 1, 3, s, s) display values, the truth last."""
        sharp = self._photos(self.corpus.cifar or self.corpus.photos, count, self.side)
        blurred = random_gaussian(sharp, self.recipe.gaussian, self.generator)
        return torch.stack([blurred] * self.frames + [sharp], dim=1)

    def _photos(self, pictures: Sequence[Tensor], count: int, side: int) -> Tensor:
        """Random squares of random pictures: (B', 3, S, S) in [0, 1]."""
        chosen = [pictures[below(len(pictures), self.chance)] for _ in range(count)]
        sides = [side_to_enlarge(side, self.recipe.augment, self.chance) for _ in chosen]
        squares = self._cut([self._random_cuts([picture], part) for picture, part in zip(chosen, sides, strict=True)])
        squares = torch.cat([enlarged(square, side) for square in squares])
        squares = defocused(squares, self.recipe.augment, self.chance, self.generator)
        return jitter_colours(squares, self.recipe.augment, self.generator)

    def _frame_cuts(self, clip: Sequence[Tensor]) -> list[Cut]:
        start = below(len(clip) - self.span + 1, self.chance)
        window = clip[start : start + self.span]
        return self._random_cuts(window[::-1] if below(2, self.chance) else window)

    def _level_cuts(self, clip: Series) -> list[list[Cut]]:
        """Cuts of TL1, TL3, ... of each exposure of a window."""
        index = below(len(clip), self.chance)
        windows = [clip.near(index, offset * self.recipe.neighbours.period) for offset in self._offsets()]
        cuts = self._random_cuts([picture for levels in windows for picture in levels])
        each = len(windows[0])
        return [cuts[start : start + each] for start in range(0, len(cuts), each)]

    def _light_of_levels(self, levels: Tensor) -> Tensor:
        """Frames whose centred means are the given levels: (N, K, 3, s, s) -> (N, T, 3, s, s) linear light.

        n times the light of TLn is a sum over n frames, so the two outermost frames of TLn have
        the difference to the sum of TL(n-2) between them; each is given half of it.
        """
        count, frames = levels.shape[1], self.recipe.motion.frames
        if 2 * count - 1 < max(self.recipe.curriculum.levels):
            raise InputError(
                f"the temporal levels on disk end at TL{2 * count - 1}",
                f"levels up to TL{max(self.recipe.curriculum.levels)}, which the recipe draws",
                "Prepare more levels, or lower the recipe's",
            )
        odd = torch.arange(1, 2 * count, 2, device=levels.device).view(1, -1, 1, 1, 1)
        sums = to_light(levels) * odd
        outer = (sums[:, 1:] - sums[:, :-1]) / 2  # (N, K-1, 3, s, s), the frames 1, 2, ... from the middle
        light = torch.cat((outer.flip(1), sums[:, :1], outer), dim=1)  # (N, 2K-1, 3, s, s)
        beyond = (frames - light.shape[1]) // 2
        if beyond > 0:  # levels that the recipe never asks for
            first, last = (frame.repeat(1, beyond, 1, 1, 1) for frame in (light[:, :1], light[:, -1:]))
            return torch.cat((first, light, last), dim=1)
        return light[:, -beyond : light.shape[1] + beyond]

    def _exposures(self, light: Tensor) -> Tensor:
        """Cut a path into the exposures of a window: (B', span, 3, s, s) -> (B', N, T, 3, s, s)."""
        return light.unfold(1, self.recipe.motion.frames, self.recipe.neighbours.period).movedim(-1, 2)

    def _offsets(self) -> list[int]:
        """Places of a window's frames in time, forward or backward."""
        reach = self.frames // 2
        backward = reach > 0 and below(2, self.chance)
        return list(range(reach, -reach - 1, -1)) if backward else list(range(-reach, reach + 1))

    def _random_cuts(self, pictures: Sequence[Tensor], side: int | None = None) -> list[Cut]:
        return random_cuts(pictures, side or self.side, self.recipe.augment, self.chance)

    def _jittered(self, pictures: Tensor) -> Tensor:
        """One sample's pictures with their colours varied alike."""
        return jitter_colours(pictures[None], self.recipe.augment, self.generator)[0]

    def _cut(self, cuts: list[list]) -> list[Tensor]:
        """Cut (nested) lists of squares at once: for each list a tensor (..., 3, s, s) in [0, 1]."""
        flat = [cut for sample in cuts for cut in _flattened(sample)]
        squares = iter(self.corpus.cut(flat))
        return [_stacked(sample, squares).float() / 255 for sample in cuts]


def lengthened(motion: MotionSettings, frames: int) -> MotionSettings:
    """The same motion going on for ``frames`` frames, at the same speed."""
    factor = frames / motion.frames
    if factor == 1:
        return motion
    camera, thing = (
        replace(path, **{f.name: getattr(path, f.name) * factor for f in fields(PathSettings) if f.name in _EXTENTS})
        for path in (motion.camera, motion.thing)
    )
    return replace(motion, frames=frames, camera=camera, thing=thing)


_EXTENTS = ("shift", "least_shift", "rotation", "zoom", "perspective")


def _flattened(sample: list) -> list[Cut]:
    return sample if isinstance(sample[0], Cut) else [cut for part in sample for cut in part]


def _stacked(sample: list, squares) -> Tensor:
    if isinstance(sample, Cut):
        return next(squares)
    return torch.stack([_stacked(part, squares) for part in sample])
