"""A folder of numbered pictures as a clip. What is written is called frame_000000.png, frame_000001.png, ...; what
is read may be called anything that ends in a number."""

from __future__ import annotations

import re
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

from deblur_demo import settings
from deblur_demo.errors import InputError, LimitError, OutputError
from deblur_demo.media.clip_reader import check_frame_size, exact
from deblur_demo.media.clip_types import ClipInfo, Frame
from deblur_demo.media.image import ACCEPTED_SUFFIXES, Photo, read_image, write_image
from deblur_demo.media.paths import shown

NAME = "frame_{:06d}.png"
PATTERN = re.compile(r"frame_(\d{6})\.png")
RATE = Fraction(24)  # frames a second, as a folder does not say
TAG_FILE = "tag.txt"


def is_folder_of_frames(path: Path) -> bool:
    """Whether a folder holds any picture that is named as a frame."""
    return path.is_dir() and any(map(_series, path.iterdir()))


def probe_folder(path: Path, start: float = 0.0, end: float | None = None) -> ClipInfo:
    """What is known of a folder of frames; see ``clip.probe``."""
    paths = _frames(path)
    most = settings.MAX_CLIP_FRAMES.current()
    wanted = len(range(*_part(len(paths), start, end)))
    if wanted > most:
        raise LimitError(f"{shown(path)} has {wanted} frames", f"at most {most} frames", "Choose a shorter part")
    height, width = read_image(paths[0]).pixels.shape[:2]
    check_frame_size(shown(paths[0]), width, height)
    notice = f"The folder does not say how fast it is: it is shown at {RATE} frames a second."
    return ClipInfo(path, width, height, len(paths), float(len(paths) / RATE), RATE, 1 / RATE, notices=(notice,))


def read_folder(path: Path, start: float, end: float | None) -> Iterator[Frame]:
    """Frames of a folder; see ``clip.read_frames``."""
    paths = _frames(path)
    shape = None
    for index, number in enumerate(range(*_part(len(paths), start, end))):
        photo = read_image(paths[number])
        pixels = photo.pixels if photo.pixels.dtype.itemsize == 1 else (photo.pixels // 257).astype("uint8")
        shape = shape or pixels.shape
        if pixels.shape != shape:
            raise InputError(
                f"{shown(paths[number])} is {pixels.shape[1]} x {pixels.shape[0]} pixels",
                f"{shape[1]} x {shape[0]} pixels as the frames before",
                "Scale it or take it out",
            )
        yield Frame(index, number / RATE, pixels, 1 / RATE)


class FrameFolder:
    """A folder that frames are written to, each lossless and at once in its place.

    Args:
        target: the folder; it is made if it is not there.
        tag: kept in a text file beside the frames.
        resume: count the frames that are there and go on behind them.
        size: (width, height) of a frame.
    """

    def __init__(self, target: Path, tag: str, resume: bool, size: tuple[int, int]):
        self.notices: list[str] = []
        self._target, self._size = target, size
        try:
            target.mkdir(parents=True, exist_ok=True)
            there = sorted(entry.name for entry in target.iterdir() if PATTERN.fullmatch(entry.name))
            if resume and there and tag_of_folder(target) != tag:
                raise OutputError(
                    f"{shown(target)} cannot be continued: it was made with other settings",
                    "a folder that was begun with the same settings",
                    "Start anew, or in another folder",
                )
            self.frames = next((i for i, name in enumerate(there) if name != NAME.format(i)), len(there))
            if not resume:
                self.frames = 0
            for name in there[self.frames :]:  # what an earlier clip left would follow this one
                (target / name).unlink()
            (target / TAG_FILE).write_text(tag, encoding="utf-8")
        except OSError as error:
            raise OutputError(
                f"{shown(target)} cannot be written: {error.strerror}",
                "a folder with space that may be written to",
                "Choose another folder",
            ) from error

    def write(self, frame: Frame) -> None:
        """Write one frame."""
        width, height = self._size
        if frame.pixels.shape != (height, width, 3):
            raise ValueError(f"a frame of {frame.pixels.shape} in a clip of {width} x {height}")
        write_image(Photo(frame.pixels), self._target / NAME.format(self.frames))
        self.frames += 1

    def close(self, complete: bool = False) -> None:
        """All is in its place already."""


def tag_of_folder(path: Path) -> str:
    """The tag that a folder was written with, "" if none."""
    try:
        return (path / TAG_FILE).read_text(encoding="utf-8")
    except (OSError, ValueError):
        return ""


def _frames(path: Path) -> list[Path]:
    """The pictures of a folder in the order of their numbers."""
    frames = sorted((series, entry) for entry in path.iterdir() if (series := _series(entry)))
    names = {(before, after) for (before, _, after), _ in frames}
    if len(names) != 1:
        raise InputError(
            f"{shown(path)} holds {len(names) or 'no'} series of numbered pictures",
            "one series, such as frame_000000.png and so on",
            "Choose another folder",
        )
    return [entry for _, entry in frames]


def _series(path: Path) -> tuple[str, int, str] | None:
    """What stands before a picture's number, the number, and the suffix; None if it is no numbered picture."""
    numbered = re.fullmatch(r"(.*?)(\d{1,18})", path.stem)
    suffix = path.suffix.lower()
    return (numbered[1], int(numbered[2]), suffix) if numbered and suffix in ACCEPTED_SUFFIXES else None


def _part(count: int, start: float, end: float | None) -> tuple[int, int]:
    """First frame and the one behind the last."""
    first = max(0, -int(-exact(start) * RATE // 1))
    last = count if end is None else min(count, max(0, -int(-exact(end) * RATE // 1)))
    return first, last
