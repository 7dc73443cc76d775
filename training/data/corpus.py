"""Training pictures in memory: photos, high-speed clips and blurred / sharp pairs.

A corpus is a folder, or a ``.zip`` of one (see ``pack``). What a picture is follows from where
it lies, so any folder of one's own works:

    photos/**/*.jpg                      sharp pictures
    gopro_240fps/<clip>/000001.jpg ...   consecutive sharp frames at 240 frames/s
    <set>/<clip>/{blur,sharp}/*.png      pairs of the same file name
"""

from __future__ import annotations

import zipfile
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

import cv2
import numpy as np
import torch
from torch import Tensor

from deblur_demo.errors import InputError
from training.data.crops import Cut

SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff")

# Never trained on: the scenes of GoPro's test set, the end of a training sequence that clips are
# evaluated on, and the photos of the synthetic validation set.
HELD_OUT_SCENES = tuple(
    f"GOPR{n}" for n in ("0384", "0385", "0396", "0410", "0854", "0862", "0868", "0869", "0871", "0881")
)
HELD_OUT_CLIP, HELD_OUT_FROM = "GOPR0372_07_00", 110
HELD_OUT_PHOTOS = (
    "kodak/01",
    "kodak/05",
    "kodak/08",
    "kodak/13",
    "kodak/19",
    "kodak/23",
    "urban100/img_004",
    "urban100/img_012",
    "urban100/img_039",
    "urban100/img_092",
)

TREE = """a folder (or its .zip) with any of
    photos/**/*.jpg                     sharp pictures
    gopro_240fps/<clip>/000001.jpg      consecutive 240 fps frames
    <set>/<clip>/{blur,sharp}/*.png     pairs"""


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

    def near(self, index: int, offset: int) -> tuple[Tensor, ...]:
        """The item nearest to ``offset`` moments after item ``index``, which may be that item itself."""
        if self.numbers is None or offset == 0:
            return self.items[index]
        moment = self.numbers[index] + offset
        after = bisect_left(self.numbers, moment)
        candidates = [index, *range(max(0, after - 1), min(len(self), after + 1))]
        return self.items[min(candidates, key=lambda other: abs(self.numbers[other] - moment))]


@dataclass
class Corpus:
    """Pictures to train on, each (3, H, W) uint8 RGB.

    Attributes:
        device: where batches are made.
        photos: sharp pictures, the truths of pairs among them.
        clips: consecutive frames of one high-speed clip each.
        levels: (TL1, TL3, TL5, ...) of moments of a clip, numbered in frames of that clip.
        pairs: (blurred, sharp), a series for each clip, so that a long clip need not drown a short one.
        cifar: pictures of CIFAR-10, whose small size suits no other use.
    """

    device: torch.device = torch.device("cpu")
    photos: Sequence[Tensor] = field(default_factory=list)
    clips: list[Sequence[Tensor]] = field(default_factory=list)
    levels: list[Series] = field(default_factory=list)
    pairs: list[Series] = field(default_factory=list)
    cifar: Sequence[Tensor] = field(default_factory=list)

    def cut(self, cuts: list[Cut]) -> list[Tensor]:
        """Squares of pictures, each (3, s, s) uint8 on the corpus' device."""
        return [cut.pixels() for cut in cuts]


def load_corpus(source: Path, device: torch.device, least_side: int = 0) -> Corpus:
    """Decode a corpus.

    Args:
        source: folder or zip of a folder.
        device: where the pictures stay.
        least_side: photos with a shorter side are left out.

    Raises:
        InputError: nothing usable there; the message shows the expected tree.
    """
    files = {name: read for name, read in _files(source) if not held_out(name)}
    with ThreadPoolExecutor() as pool:
        decoded = pool.map(lambda item: _decode(item[0], item[1]()), files.items())
        pictures = {name: picture.to(device) for name, picture in zip(files, decoded, strict=True)}

    corpus, clips, pairs, numbers = Corpus(device), defaultdict(list), defaultdict(list), defaultdict(list)
    for name, picture in pictures.items():
        path = PurePosixPath(name)
        if path.parent.name == "sharp":
            blurred = path.parent.parent / "blur" / path.name
            if str(blurred) in pictures:
                pairs[path.parent].append((pictures[str(blurred)], picture))
                numbers[path.parent].append(int(path.stem) if path.stem.isdigit() else -1)
            corpus.photos.append(picture)
        elif "240fps" in name:
            clips[path.parent].append(picture)
        elif path.parent.name != "blur":
            corpus.photos.append(picture)
    corpus.clips = list(clips.values())
    for clip, items in pairs.items():
        moments = numbers[clip]
        corpus.pairs.append(Series(items, moments if sorted(set(moments)) == moments else None))
    corpus.photos = [photo for photo in corpus.photos if min(photo.shape[-2:]) >= least_side]
    if not (corpus.photos or corpus.clips):
        raise InputError(f"{source} holds no training pictures", TREE, "Point --data at such a folder")
    return corpus


def list_files(source: Path) -> list[str]:
    """Relative names of all pictures in a corpus, sorted, the held-out ones included."""
    return [name for name, _ in _files(source)]


def read_picture(source: Path, name: str) -> Tensor:
    """One picture of a corpus by its relative name: (3, H, W) uint8."""
    return _decode(name, dict(_files(source))[name]())


def held_out(name: str) -> bool:
    """Whether a file must never be trained on."""
    path = PurePosixPath(name)
    if any(scene in name for scene in HELD_OUT_SCENES):
        return True
    if HELD_OUT_CLIP in name:
        return path.stem.isdigit() and int(path.stem) >= HELD_OUT_FROM
    return str(path.with_suffix("")).endswith(HELD_OUT_PHOTOS)


def _files(source: Path) -> Iterator[tuple[str, object]]:
    """Yield (relative name, function that reads the bytes), sorted by name."""
    source = Path(source)
    if source.suffix == ".zip" and source.is_file():
        archive = zipfile.ZipFile(source)
        names = sorted(archive.namelist())
        contents = {name: archive.read(name) for name in names if name.lower().endswith(SUFFIXES)}
        yield from ((name, lambda data=data: data) for name, data in contents.items())
        return
    if not source.is_dir():
        raise InputError(f"{source} is neither a folder nor a .zip", TREE, "Point --data at such a folder")
    for path in sorted(source.rglob("*")):
        if path.suffix.lower() in SUFFIXES:
            yield path.relative_to(source).as_posix(), path.read_bytes


def _decode(name: str, data: bytes) -> Tensor:
    image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR_RGB)
    if image is None:
        raise InputError(f"{name} cannot be decoded", ", ".join(SUFFIXES), "Remove or replace the file")
    return torch.from_numpy(image).permute(2, 0, 1)
