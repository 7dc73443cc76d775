"""What stage 1 makes of a corpus, as pairs for stage 2: Brehm 2020 (section 3.2) trains it while stage 1 stays fixed.

A frame is restored once, and then serves in three windows and in as many crops as are drawn from
it; with stage 1 in the loop it would be restored anew for each.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import groupby
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
from training.data.corpus import check_sizes, photo_names, sources_of
from training.data.files import Files, Shelf, write_sources
from training.data.recognise import Entry, by_clip, in_runs, is_in_time, recognise
from training.data.validation import CLIP_FRAMES, CLIP_ROOM, LEVELS, middle_square, photo_clip, write_pair
from training.targets import check_apart, claim

SIDE = 448  # of the clips made of photos
KEPT = 512 * 2**20  # bytes of decoded frames kept, since exposures of four levels share theirs

Pairs = Iterator[tuple[Tensor, Tensor]]  # blurred and sharp frames of a clip, (3, H, W) in [0, 1]


def write_restored(source: Path, target: Path, deblurrer: Deblurrer, weights: str, side: int = SIDE) -> tuple[int, int]:
    """Write what a network makes of blurred frames and the sharp ones, as a folder of pairs for each clip.

    The clips are the corpus' training pairs, its 240 fps clips as consecutive exposures at each of
    four levels, and, as a single one, its photos under synthetic motion. Frames that are no
    neighbours are far apart in their numbers. Footage is written whole or not at all, so an
    interrupted run goes on where it stopped; and its name follows from where it lies in the corpus,
    so that a corpus may grow.

    Args:
        source: corpus.
        target: folder for the pairs.
        deblurrer: stage 1, a network of one frame; all its steps run.
        weights: sha256 of its file. What other weights restored stays apart.
        side: of the clips made of photos, in pixels.

    Returns:
        Pieces of footage written, and pieces that were there already.

    Raises:
        InputError: the corpus has nothing but CIFAR-10, or a pair or a clip of two sizes.
        OutputError: the folder holds something else, or cannot be written to.
    """
    check_apart(target, source)
    files = Files(source)
    entries = [entry for entry in recognise(files) if not entry.test]
    check_sizes(files, entries)
    pieces = list(_pieces(files, entries, side, min(CLIP_ROOM, 2 * side)))
    if not pieces:
        raise InputError(f"{source} has no clips, pairs or photos", "a corpus with some", "Point to such a folder")
    claim(target, {"blur": "motion", "kind": "restored", "weights": weights})
    write_sources(target, sources_of(files, entries))
    missing = [piece for piece in pieces if not piece.is_whole(target)]
    for piece in tqdm(missing, total=len(pieces), initial=len(pieces) - len(missing), desc="stage 1", unit="piece"):
        piece.write(target, deblurrer)
    return len(missing), len(pieces) - len(missing)


@dataclass(frozen=True)
class _Piece:
    """Consecutive frames of a clip.

    Attributes:
        clip: folder of the clip.
        number: of the piece within its clip, which follows from the corpus' names and not from their order.
        length: how many pairs it has.
        frames: makes its pairs, when its turn comes.
    """

    clip: str
    number: int
    length: int
    frames: Callable[[], Pairs]

    def name(self, index: int) -> str:
        return f"{self.number:04d}{index:04d}"

    def is_whole(self, target: Path) -> bool:
        """Whether it is written, up to the last pair, for a clip may have grown; the first is written at the end."""
        sharp = target / self.clip / "sharp"
        return all((sharp / f"{self.name(index)}.png").is_file() for index in (self.length - 1, 0))

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


def _pieces(files: Files, entries: list[Entry], side: int, room: int) -> Iterator[_Piece]:
    shelf = Shelf(files, KEPT)
    for clip in by_clip(entries, "pairs"):
        name = f"pairs_{_place(clip[0].clip)}"
        if is_in_time(clip):  # numbered pictures of another size are of another clip
            first, *others = (list(run) for _, run in groupby(clip, lambda pair: files.size(pair.files[0])))
            yield _Piece(name, 0, len(first), partial(_real, shelf, first))
        else:  # single pictures have no neighbours: each is a piece
            others = [[pair] for pair in clip]
        yield from (_Piece(name, _place(run[0].files[0]), len(run), partial(_real, shelf, run)) for run in others)
    for clip in by_clip(entries, "frames"):
        for run in in_runs(clip):
            name = f"clip_{_place(run[0].files[0])}"
            for part, level in enumerate(LEVELS):
                if starts := range(0, len(run) - level + 1, Neighbours().period):
                    yield _Piece(name, part, len(starts), partial(_exposed, shelf, run, level, starts))
    photos = [name for name in photo_names(entries) if min(files.size(name)) >= room]
    for index, name in enumerate(photos):
        moved = partial(_moved, shelf, [name, photos[index - 1]], room, side, index)
        yield _Piece("photos", _place(name), CLIP_FRAMES, moved)


def _place(name: str) -> int:
    """A number that follows from a name alone. A name itself might mean another layout, or that it is held out."""
    return int(hashlib.sha256(name.encode()).hexdigest(), 16) % 10**12


def _real(shelf: Shelf, clip: Sequence[Entry]) -> Pairs:
    for pair in clip:
        yield _whole(shelf, pair.files[0]), _whole(shelf, pair.files[1])


def _exposed(shelf: Shelf, run: Sequence[Entry], level: int, starts: range) -> Pairs:
    for start in starts:
        frames = [_whole(shelf, entry.files[0]) for entry in run[start : start + level]]
        light = to_light(torch.stack(frames))[None]
        yield temporal_level(light, level)[0], temporal_level(light, 1)[0]


def _moved(shelf: Shelf, photos: Sequence[str], room: int, side: int, index: int) -> Pairs:
    yield from photo_clip(*(middle_square(shelf.pixels(name), room) for name in photos), side, index)


def _whole(shelf: Shelf, name: str) -> Tensor:
    return shelf.pixels(name).float() / 255
