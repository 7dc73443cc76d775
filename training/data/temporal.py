"""Temporal levels on disk, as Park 2020 (section 3.2) makes T-GoPro: a 240 fps clip -> TL1, TL3 ... TL13.

Seven pictures are then read for a sample instead of thirteen frames, and none of the averaging is
done again at every batch. Each sample is written whole or not at all, so an interrupted run goes on
where it stopped.
"""

from __future__ import annotations

import os
from collections import OrderedDict
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Protocol

import cv2
import torch
from torch import Tensor
from tqdm import tqdm

from deblur_demo.errors import InputError, SettingError
from deblur_demo.light import to_light
from deblur_demo.media.paths import make_folder, store
from deblur_demo.synthesis.exposure import temporal_level
from training.data.files import Files, Shelf, write_sources
from training.data.recognise import by_clip, in_runs, recognise
from training.targets import check_apart, check_folder

VIDEOS = (".mp4", ".mov", ".avi", ".mkv", ".m4v")
_KEPT = 512 * 2**20  # bytes of decoded frames kept, since neighbouring samples share most of theirs

TREE = """  train/GOPR0372_07_00/000001.png    240 fps frames, a folder for each clip, or
  train/walk.mp4                     a video that plays each of its 240 fps frames"""


class Clip(Protocol):
    """Frames in time. ``numbers`` names them; ``pixels`` decodes one, (3, H, W) uint8, from any thread."""

    name: str
    numbers: list[int]

    def pixels(self, index: int) -> Tensor: ...


def write_levels(source: Path, target: Path, highest: int = 13, every: int = 4) -> tuple[int, int]:
    """Write the levels of all clips below a folder as ``<clip>/TL<n>/<number of the middle frame>.png``.

    Args:
        source: folder of 240 fps clips, each a folder of numbered pictures or a video.
        target: folder to write to; the clips lie in it as they lie in ``source``.
        highest: odd number of frames of the highest level.
        every: frames from one sample to the next. GoPro's 22 training clips give about as many samples
            as the paper's 5,500 at 4.

    Returns:
        Samples written, and samples that were there already.

    Raises:
        SettingError: ``highest`` is not odd, or a number is not positive.
        InputError: there is no clip of ``highest`` frames, or one whose frames differ in size.
        OutputError: the levels would lie among the frames, or cannot be written.
    """
    if highest < 1 or highest % 2 == 0 or every < 1:
        raise SettingError(
            f"--highest is {highest} and --every is {every}", "an odd number, and one above 0", "Change the flags"
        )
    check_apart(target, source)
    files = Files(source)
    clips = [clip for clip in _clips(files) if len(clip.numbers) >= highest]
    if not clips:
        raise InputError(
            f"{source} has no clip of at least {highest} frames", f"a folder like\n{TREE}", "Point to such a folder"
        )
    samples = [
        (clip, middle) for clip in clips for middle in range(highest // 2, len(clip.numbers) - highest // 2, every)
    ]
    check_folder(target)
    if sources := files.sources:
        write_sources(target, sources)
    missing = [(clip, middle) for clip, middle in samples if not _complete(target, clip, middle, highest)]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        work = pool.map(lambda sample: _write_sample(target, *sample, highest), missing)
        bar = tqdm(work, total=len(samples), initial=len(samples) - len(missing), desc="temporal levels", unit="sample")
        written = sum(1 for _ in bar)
    return written, len(samples) - len(missing)


def _complete(target: Path, clip: Clip, middle: int, highest: int) -> bool:
    return all(path.is_file() for path in _paths(target, clip, middle, highest).values())


def _paths(target: Path, clip: Clip, middle: int, highest: int) -> dict[int, Path]:
    """Where each level of a sample goes; TL1 last, so that a sample that has it is whole."""
    name = f"{clip.numbers[middle]:06d}.png"
    return {n: target / clip.name / f"TL{n}" / name for n in range(highest, 0, -2)}


def _write_sample(target: Path, clip: Clip, middle: int, highest: int) -> None:
    reach = highest // 2
    pictures = [clip.pixels(index) for index in range(middle - reach, middle + reach + 1)]
    if len({picture.shape for picture in pictures}) > 1:
        raise InputError(
            f"the numbered pictures of {clip.name} differ in size", "frames of one clip", "Move photos elsewhere"
        )
    frames = torch.stack(pictures)
    light = to_light(frames.float() / 255)[None]  # (1, n, 3, H, W)
    for n, path in _paths(target, clip, middle, highest).items():
        # TL1 is the frame itself, without a detour through light.
        level = frames[reach] if n == 1 else (temporal_level(light, n)[0] * 255).round().byte()
        make_folder(path.parent)
        pixels = cv2.cvtColor(level.permute(1, 2, 0).numpy(), cv2.COLOR_RGB2BGR)
        store(cv2.imencode(".png", pixels, [cv2.IMWRITE_PNG_COMPRESSION, 1])[1], path)


def _clips(files: Files) -> Iterator[Clip]:
    """Clips by name: those of numbered pictures as training sees them, and videos.

    Where nothing lies as frames do, all pictures that are neither pairs nor blurred may be some.
    """
    entries = recognise(files)
    shelf = Shelf(files, _KEPT)
    for clip in by_clip(entries, "frames") or by_clip(entries, "photos"):
        for run in in_runs(entry for entry in clip if entry.moment is not None):
            name = files.source.resolve().name if run[0].clip == "." else run[0].clip
            yield _FolderClip(name, [entry.moment for entry in run], [entry.files[0] for entry in run], shelf)
    for name in files.names:
        if name.lower().endswith(VIDEOS):
            yield _VideoClip(files.source / name, name.rsplit(".", 1)[0])


@dataclass
class _FolderClip:
    name: str
    numbers: list[int]
    files: list[str]
    shelf: Shelf

    def pixels(self, index: int) -> Tensor:
        return self.shelf.pixels(self.files[index])


class _VideoClip:
    """A video read forward once; the latest frames are kept for the samples that share them."""

    def __init__(self, path: Path, name: str):
        self.path, self.name = path, name
        counter = cv2.VideoCapture(str(path))
        count = 0
        while counter.grab():  # what the container says is often wrong
            count += 1
        self.numbers = list(range(count))
        self._video, self._next = cv2.VideoCapture(str(path)), 0
        self._kept: OrderedDict[int, Tensor] = OrderedDict()
        self._lock = Lock()

    def pixels(self, index: int) -> Tensor:
        with self._lock:
            if index not in self._kept and index < self._next:
                self._video, self._next = cv2.VideoCapture(str(self.path)), 0
            while self._next <= index:
                there, frame = self._video.read()
                if not there:
                    raise InputError(f"{self.path} ends at frame {self._next}", "a whole video", "Convert it again")
                rgb = cv2.cvtColor(frame, cv2.COLOR_BGR2RGB)
                self._kept[self._next] = torch.from_numpy(rgb).permute(2, 0, 1)
                self._next += 1
                while sum(kept.numel() for kept in self._kept.values()) > _KEPT:
                    self._kept.popitem(last=False)
            return self._kept[index]
