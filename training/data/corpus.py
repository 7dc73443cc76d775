"""Training pictures: photos, high-speed clips, temporal levels, blurred / sharp pairs and CIFAR-10.

What a picture is follows from where it lies, see ``training/data/layouts.py``, so any folder of
one's own works, and a ``.zip`` of one (see ``pack.py``). A corpus that fits into half of the
free memory is decoded at once and stays on the training device. A larger one stays on disk: each batch
decodes what it needs, in parallel, and the pictures used last are kept.
"""

from __future__ import annotations

import math
import os
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path, PurePosixPath

import torch
from torch import Tensor

from deblur_demo.errors import InputError
from deblur_demo.runtime.device import free_memory
from training.data.cifar import read_cifar
from training.data.crops import Cut
from training.data.files import Files, Picture, Shelf
from training.data.recognise import Entry, LayoutError, by_clip, holdings, in_runs, is_in_time, recognise, trees


@dataclass
class Series(Sequence):
    """Samples of one clip, or of a set of single pictures.

    Attributes:
        items: what belongs to one moment, a tuple of pictures each.
        numbers: moments of the items, ascending; None where they do not follow one another.
    """

    items: list[tuple[Tensor, ...]]
    numbers: list[int] | None = None

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, index: int) -> tuple[Tensor, ...]:
        return self.items[index]

    def large(self, least: int) -> Series:
        """The items whose sides have at least so many pixels."""
        kept = [index for index, item in enumerate(self.items) if _side(item[0]) >= least]
        return Series([self.items[index] for index in kept], self.numbers and [self.numbers[index] for index in kept])

    def near(self, index: int, offset: int) -> tuple[Tensor, ...]:
        """The item nearest to ``offset`` moments after item ``index``, which may be that item itself.

        Numbered pictures of many sizes are no frames of one clip: one of another size is not near.
        """
        if self.numbers is None or offset == 0:
            return self.items[index]
        moment = self.numbers[index] + offset
        after = bisect_left(self.numbers, moment)
        candidates = [index, *range(max(0, after - 1), min(len(self), after + 1))]
        alike = [other for other in candidates if self.items[other][0].shape == self.items[index][0].shape]
        return self.items[min(alike, key=lambda other: abs(self.numbers[other] - moment))]


@dataclass
class Corpus:
    """Pictures to train on, each (3, H, W) uint8 RGB: tensors on the device, or ``Picture`` on disk.

    Attributes:
        device: where batches are made.
        photos: sharp pictures, the truths of pairs and TL1 among them.
        clips: consecutive frames of one high-speed clip each.
        levels: (TL1, TL3, TL5, ...) of moments of a clip, numbered in frames of that clip.
        pairs: (blurred, sharp), a series for each clip, so that a long clip need not drown a short one.
        cifar: pictures of CIFAR-10, whose small size suits no other use.
        sources: a line for each set with its licence, for the card of what it trains.
        readers: threads that decode pictures on disk; None where there are only tensors.
        left_out: how many of each kind are not among them, because a side is too short.
        cut_short: how many clips are not, because they have too few frames.
        least_side, least_crop: shortest sides of a photo and of the other kinds, in pixels.
        least_frames: length of the shortest clip.
    """

    device: torch.device = torch.device("cpu")
    photos: Sequence[Tensor | Picture] = field(default_factory=list)
    clips: list[Sequence[Tensor | Picture]] = field(default_factory=list)
    levels: list[Series] = field(default_factory=list)
    pairs: list[Series] = field(default_factory=list)
    cifar: Sequence[Tensor] = field(default_factory=list)
    sources: tuple[str, ...] = ()
    readers: ThreadPoolExecutor | None = None
    left_out: dict[str, int] = field(default_factory=dict)
    cut_short: int = 0
    least_side: int = 0
    least_crop: int = 0
    least_frames: int = 1

    def __str__(self) -> str:
        kinds = ["photos", "clips", "pairs"]
        kinds += ["levels"] if self.levels or self.left_out.get("levels") else []
        said = {kind: f"{_count(getattr(self, kind))} {kind}{self._small(kind)}" for kind in kinds}
        if self.cut_short:
            said["clips"] += f" ({self.cut_short} shorter than a window, {self.least_frames} frames, left out)"
        return ", ".join(said.values())

    def _small(self, kind: str) -> str:
        few = self.left_out.get(kind, 0)
        needed = f"a crop and its room, {self.least_side}" if kind == "photos" else f"a crop, {self.least_crop}"
        return f" ({few} smaller than {needed} pixels, left out)" * bool(few)

    def cut(self, cuts: list[Cut]) -> list[Tensor]:
        """Squares of pictures, each (3, s, s) uint8 on the corpus' device."""
        squares = self.readers.map(Cut.pixels, cuts) if self.readers else map(Cut.pixels, cuts)
        return [square.to(self.device) for square in squares]


def load_corpus(
    source: Path,
    device: torch.device,
    least_side: int = 0,
    least_crop: int = 0,
    least_frames: int = 1,
    limit: int | None = None,
) -> Corpus:
    """Open a corpus.

    Args:
        source: folder, zip of a folder, or ``.npz`` of CIFAR-10.
        device: where batches are made, and where the pictures stay if they are decoded at once.
        least_side: photos with a shorter side are left out.
        least_crop: pairs, clips and temporal levels with a shorter side are left out.
        least_frames: clips of fewer frames are left out.
        limit: bytes of decoded pictures above which they stay on disk; None: half of the free memory.

    Raises:
        LayoutError: nothing to train on there; the message draws the expected trees.
        InputError: a file that cannot be decoded, a pair or a clip of two sizes, or nothing large enough.
    """
    files = Files(source)
    entries = [entry for entry in recognise(files) if not entry.test]
    cifar = read_cifar(files, "train")
    if not entries and cifar is None:
        raise LayoutError(
            f"{source} holds no training pictures, {len(files.pictures)} pictures in all",
            "photos, high-speed clips, pairs or CIFAR-10, as drawn below; test sets are never trained on",
            "Point --data at such a folder",
            trees(files.pictures),
        )
    check_sizes(files, entries)
    picture, readers = _pictures(files, entries, device, limit)
    found = {
        "photos": [*map(picture, photo_names(entries))],
        "clips": _clips(entries, picture),
        "levels": _levels(entries, picture),
        "pairs": _pairs(entries, picture),
    }
    large = {
        "photos": [photo for photo in found["photos"] if _side(photo) >= least_side],
        "clips": [clip for clip in found["clips"] if _side(clip[0]) >= least_crop],
        **{kind: [*filter(len, (each.large(least_crop) for each in found[kind]))] for kind in ("levels", "pairs")},
    }
    usable = large | {"clips": [clip for clip in large["clips"] if len(clip) >= least_frames]}
    if cifar is None and any(found.values()) and not any(usable.values()):
        raise InputError(
            f"{source} holds nothing that is large enough for the recipe",
            f"photos of {least_side} pixels a side or more, pairs, clips or temporal levels of {least_crop}, "
            f"and clips of {least_frames} frames",
            "Lower the recipe's crop, or point --data at larger pictures",
        )
    return Corpus(
        device=device,
        **usable,
        cifar=[] if cifar is None else list(cifar.to(device)),
        sources=sources_of(files, entries, cifar),
        readers=readers,
        left_out={kind: _count(items) - _count(large[kind]) for kind, items in found.items()},
        cut_short=len(large["clips"]) - len(usable["clips"]),
        least_side=least_side,
        least_crop=least_crop,
        least_frames=least_frames,
    )


def _side(picture: Tensor | Picture) -> int:
    """The shorter one, in pixels."""
    return min(picture.shape[-2:])


def _count(items: Sequence) -> int:
    """Photos, clips, or what series hold."""
    return sum(len(item) if isinstance(item, Series) else 1 for item in items)


def sources_of(files: Files, entries: list[Entry], cifar: Tensor | None = None) -> tuple[str, ...]:
    """A line for each set, of its ``SOURCES.txt`` or else of what can be seen."""
    return files.sources or tuple(
        f"{count} {role} in the layout of {layout}, origin and licence not stated"
        for (layout, role, _), count in holdings(entries, train=cifar).items()
    )


def check_sizes(files: Files, entries: list[Entry]) -> None:
    """Refuse a pair or a clip whose pictures differ in size: the same crop of them would show different places."""
    together = [entry.files for entry in entries if entry.role == "pairs"]
    for role in ("frames", "levels"):
        together += [[name for entry in clip for name in entry.files] for clip in by_clip(entries, role)]
    with ThreadPoolExecutor() as pool:
        for names, sizes in zip(together, pool.map(lambda names: [*map(files.size, names)], together), strict=True):
            unlike = [index for index, size in enumerate(sizes) if size != sizes[0]]
            if unlike:
                shown = " and ".join(f"{names[i]} of {sizes[i][1]}x{sizes[i][0]}" for i in (0, unlike[0]))
                raise InputError(
                    f"{shown} belong together", "pairs and clips of one size", "Cut them alike, or leave them out"
                )


def _pictures(
    files: Files, entries: list[Entry], device: torch.device, limit: int | None
) -> tuple[Callable[[str], Tensor | Picture], ThreadPoolExecutor | None]:
    """A function from names to pictures, decoded now or later, and the threads for the latter."""
    names = sorted({name for entry in entries for name in entry.files})
    with ThreadPoolExecutor() as pool:
        needed = 3 * sum(map(math.prod, pool.map(files.size, names)))
    if needed <= (free_memory(device) // 2 if limit is None else limit):
        with ThreadPoolExecutor() as pool:
            decoded = pool.map(files.decode, names)
            pictures = {name: picture.to(device) for name, picture in zip(names, decoded, strict=True)}
        return pictures.__getitem__, None
    shelf = Shelf(files, free_memory(torch.device("cpu")) // 4 if limit is None else limit)
    return partial(Picture, shelf), ThreadPoolExecutor(os.cpu_count())


def photo_names(entries: list[Entry]) -> list[str]:
    """Photos, the truths of pairs and sharp frames of clips, sorted."""
    names = {entry.files[-1] for entry in entries if entry.role in ("photos", "pairs") or entry.level == 1}
    return sorted(names, key=lambda name: PurePosixPath(name).parts)


def _clips(entries: list[Entry], picture: Callable) -> list[list[Tensor | Picture]]:
    """Frames of each clip, in pieces where numbers are missing."""
    runs = (run for clip in by_clip(entries, "frames") for run in in_runs(clip))
    return [[picture(entry.files[0]) for entry in run] for run in runs]


def _levels(entries: list[Entry], picture: Callable) -> list[Series]:
    """Moments of each clip of which all levels are there."""
    series = []
    for clip in by_clip(entries, "levels"):
        known = sorted({entry.level for entry in clip})
        moments = defaultdict(dict)
        for entry in clip:
            moments[entry.moment][entry.level] = entry.files[0]
        whole = {moment: names for moment, names in moments.items() if len(names) == len(known)}
        if len(known) > 1 and known == list(range(1, 2 * len(known), 2)):
            items = [tuple(picture(whole[moment][level]) for level in known) for moment in sorted(whole)]
            series.append(Series(items, sorted(whole)))
    return series


def _pairs(entries: list[Entry], picture: Callable) -> list[Series]:
    """A series for each clip of blurred pictures, or each folder of single ones."""
    series = []
    for clip in by_clip(entries, "pairs"):
        numbers = [entry.moment for entry in clip] if is_in_time(clip) else None
        series.append(Series([tuple(map(picture, entry.files)) for entry in clip], numbers))
    return series
