"""What stage 1 makes of a corpus, as pairs for stage 2: Brehm 2020 (section 3.2) trains it while stage 1 stays fixed.

A frame is restored once, and then serves in three windows and in as many crops as are drawn from
it; with stage 1 in the loop it would be restored anew for each.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch
from torch import Tensor
from tqdm import tqdm

from deblur_demo.errors import InputError
from deblur_demo.light import to_light
from deblur_demo.runtime.deblurrer import Deblurrer
from deblur_demo.runtime.footage import FrameDone, deblur_frames
from deblur_demo.synthesis.exposure import temporal_level
from training.config import Neighbours
from training.data.corpus import Corpus, load_corpus
from training.data.files import Picture, write_sources
from training.data.validation import CLIP_ROOM, LEVELS, middle_square, photo_clip, write_pair

SIDE = 448  # of the clips made of photos

Pairs = Iterator[tuple[Tensor, Tensor]]  # blurred and sharp frames of a clip, (3, H, W) in [0, 1]


def write_restored(source: Path, target: Path, deblurrer: Deblurrer, side: int = SIDE) -> tuple[int, int]:
    """Write what a network makes of blurred frames and the sharp ones, as a folder of pairs for each clip.

    The clips are the corpus' training pairs, its 240 fps clips as consecutive exposures at each of
    four levels, and, as a single one, its photos under synthetic motion. Frames that are no
    neighbours are far apart in their numbers. Footage is written whole or not at all, so an
    interrupted run goes on where it stopped.

    Args:
        source: corpus.
        target: folder for the pairs.
        deblurrer: stage 1, a network of one frame; all its steps run.
        side: of the clips made of photos, in pixels.

    Returns:
        Pieces of footage written, and pieces that were there already.

    Raises:
        InputError: the corpus has nothing but CIFAR-10.
    """
    room = min(CLIP_ROOM, 2 * side)
    corpus = load_corpus(source, torch.device("cpu"), room)
    pieces = list(_pieces(corpus, side, room))
    if not pieces:
        raise InputError(f"{source} has no clips, pairs or photos", "a corpus with some", "Point to such a folder")
    write_sources(target, corpus.sources)
    missing = [piece for piece in pieces if not piece.last(target).is_file()]
    for piece in tqdm(missing, total=len(pieces), initial=len(pieces) - len(missing), desc="stage 1", unit="piece"):
        piece.write(target, deblurrer)
    return len(missing), len(pieces) - len(missing)


@dataclass(frozen=True)
class _Piece:
    """Consecutive frames of a clip.

    Attributes:
        clip: folder of the clip.
        number: of the piece within its clip.
        frames: makes its pairs, when its turn comes.
    """

    clip: str
    number: int
    frames: Callable[[], Pairs]

    def name(self, index: int) -> str:
        return f"{self.number:04d}{index:04d}"

    def last(self, target: Path) -> Path:
        """The file that is written last."""
        return target / self.clip / "sharp" / f"{self.name(0)}.png"

    def write(self, target: Path, deblurrer: Deblurrer) -> None:
        truths: list[Tensor] = []

        def blurred() -> Iterator[Tensor]:
            for frame, truth in self.frames():
                truths.append(truth)
                yield frame[None]

        done = (event for event in deblur_frames(deblurrer, blurred()) if isinstance(event, FrameDone))
        first = next(done).steps[-1].image[0]
        for event in done:
            write_pair(target / self.clip, self.name(event.index), event.steps[-1].image[0], truths[event.index])
        write_pair(target / self.clip, self.name(0), first, truths[0])


def _pieces(corpus: Corpus, side: int, room: int) -> Iterator[_Piece]:
    for number, series in enumerate(corpus.pairs):
        # Single pictures have no neighbours: each is a piece.
        parts = [series] if series.numbers else [[pair] for pair in series]
        for part, pairs in enumerate(parts):
            yield _Piece(f"pairs_{number:03d}", part, partial(_real, pairs))
    for number, frames in enumerate(corpus.clips):
        for part, level in enumerate(LEVELS):
            if len(frames) >= level:
                yield _Piece(f"clip_{number:03d}", part, partial(_exposed, frames, level))
    for index, photo in enumerate(corpus.photos):
        yield _Piece("photos", index, partial(_moved, [photo, corpus.photos[index - 1]], room, side, index))


def _real(pairs: Sequence) -> Pairs:
    for blurred, sharp in pairs:
        yield _whole(blurred), _whole(sharp)


def _exposed(frames: Sequence[Tensor | Picture], level: int) -> Pairs:
    for start in range(0, len(frames) - level + 1, Neighbours().period):
        light = to_light(torch.stack([_whole(frame) for frame in frames[start : start + level]]))[None]
        yield temporal_level(light, level)[0], temporal_level(light, 1)[0]


def _moved(photos: Sequence[Tensor | Picture], room: int, side: int, index: int) -> Pairs:
    yield from photo_clip(*(middle_square(photo, room) for photo in photos), side, index)


def _whole(picture: Tensor | Picture) -> Tensor:
    return picture[:].float() / 255
