"""Random squares of pictures: first decided for a whole batch, then cut, in parallel where pictures lie on disk."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from deblur_demo.errors import InputError
from training.config import Augment


class Cut(NamedTuple):
    """One square of one picture, and how it is turned.

    Attributes:
        picture: (3, H, W) uint8, a tensor or a ``training.data.pictures.Picture``.
        top, left, side: the square, in pixels.
        turns: quarter turns.
        flip: whether it is mirrored after that.
    """

    picture: Tensor
    top: int
    left: int
    side: int
    turns: int
    flip: bool

    def pixels(self) -> Tensor:
        """The square: (3, side, side) uint8."""
        rows, columns = slice(self.top, self.top + self.side), slice(self.left, self.left + self.side)
        square = self.picture[:, rows, columns].rot90(self.turns, (1, 2))
        return square.flip(2) if self.flip else square


def below(limit: int, chance: torch.Generator) -> int:
    """A whole number from 0 to ``limit - 1``."""
    return int(torch.randint(limit, (1,), generator=chance))


def random_cuts(pictures: Sequence[Tensor], side: int, augment: Augment, chance: torch.Generator) -> list[Cut]:
    """The same random square of several pictures of one size, turned and flipped alike.

    Raises:
        InputError: the pictures are smaller than the square.
    """
    height, width = pictures[0].shape[-2:]
    if side > min(height, width):
        raise InputError(
            f"a picture of {width}x{height} is smaller than a crop of {side}",
            "pictures at least as large as the crop and the room that its motion needs",
            "Lower the recipe's crop, or leave such pictures out",
        )
    top, left = below(height - side + 1, chance), below(width - side + 1, chance)
    turns = below(augment.turns, chance) * 4 // augment.turns if augment.turns > 1 else 0
    flip = bool(below(2, chance)) if augment.flips else False
    return [Cut(picture, top, left, side, turns, flip) for picture in pictures]
