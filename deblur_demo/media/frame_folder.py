"""A folder of numbered pictures as a clip. What is written is called frame_000000.png, frame_000001.png, ...; what
is read may be called anything that ends in a number."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from itertools import count
from pathlib import Path

from deblur_demo import settings
from deblur_demo.errors import InputError, LimitError, OutputError
from deblur_demo.media.clip_reader import check_frame_size, exact
from deblur_demo.media.clip_types import ClipInfo, Frame
from deblur_demo.media.deep import eight_bit
from deblur_demo.media.image import ACCEPTED_SUFFIXES, Photo, read_image, write_image
from deblur_demo.media.paths import entries, shown

NAME = "frame_{:06d}.png"
PATTERN = re.compile(r"frame_(\d{6})\.png")
RATE = Fraction(24)  # frames a second, as a folder does not say
TAG_FILE = ".deblurred"


def is_folder_of_frames(path: Path) -> bool:
    """Whether a folder holds any picture that is named as a frame."""
    return path.is_dir() and any(map(_series, path.iterdir()))


def probe_folder(
    path: Path, start: float = 0.0, end: float | None = None, max_megapixels: float | None = None
) -> ClipInfo:
    """What is known of a folder of frames; see ``clip.probe``."""
    paths = _frames(path)
    most = settings.MAX_CLIP_FRAMES.current()
    wanted = len(range(*_part(len(paths), start, end)))
    if wanted > most:
        raise LimitError(f"{shown(path)} has {wanted} frames", f"at most {most} frames", "Choose a shorter part")
    photo = read_image(paths[0], max_megapixels)
    height, width = photo.pixels.shape[:2]
    check_frame_size(shown(paths[0]), width, height, max_megapixels)
    notices = [f"The folder does not say how fast it is: it is shown at {RATE} frames a second."]
    if photo.pixels.dtype.itemsize == 2:
        notices.append("Its 16 bits per channel were rounded to 8.")
    if photo.alpha is not None:
        notices.append("Its transparency was left out.")
    seconds = float(len(paths) / RATE)
    return ClipInfo(path, width, height, len(paths), seconds, RATE, 1 / RATE, notices=tuple(notices), icc=photo.icc)


def read_folder(path: Path, start: float, end: float | None) -> Iterator[Frame]:
    """Frames of a folder; see ``clip.read_frames``."""
    paths = _frames(path)
    shape = None
    for index, number in enumerate(range(*_part(len(paths), start, end))):
        photo = read_image(paths[number])
        pixels = eight_bit(photo.pixels)
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

    What it holds of other work goes when the first frame comes; frames of the same work are replaced one by
    one, so that whoever interrupts a second run loses nothing of the first.

    Args:
        target: the folder; it is made if it is not there.
        tag: kept in a text file beside the frames, so that the same work is known again.
        resume: count the frames that are there and go on behind them.
        size: (width, height) of a frame.
        icc: their colour profile.
    """

    def __init__(self, target: Path, tag: str, resume: bool, size: tuple[int, int], icc: bytes | None = None):
        self.notices: list[str] = []
        self._target, self._tag, self._size, self._icc = target, tag, size, icc
        self._begun = False
        with self._writing():
            target.mkdir(parents=True, exist_ok=True)
            there = {entry.name for entry in target.iterdir() if PATTERN.fullmatch(entry.name)}
        if resume and there and tag_of_folder(target) != tag:
            raise OutputError(
                f"{shown(target)} cannot be continued: it was made with other settings",
                "a folder that was begun with the same settings",
                "Start anew, or in another folder",
            )
        self.frames = next(i for i in count() if NAME.format(i) not in there) if resume else 0

    def write(self, frame: Frame) -> None:
        """Write one frame."""
        width, height = self._size
        if frame.pixels.shape != (height, width, 3):
            raise ValueError(f"a frame of {frame.pixels.shape} in a clip of {width} x {height}")
        if not self._begun:
            self._begin()
        write_image(Photo(frame.pixels, icc=self._icc), self._target / NAME.format(self.frames))
        self.frames += 1

    def close(self, complete: bool = False) -> None:
        """All is in its place already; what a longer run left behind the last frame goes."""
        if complete and self.frames:
            self._clear()

    def _begin(self) -> None:
        if tag_of_folder(self._target) != self._tag:
            self._clear()
        with self._writing():
            (self._target / TAG_FILE).write_text(self._tag, encoding="utf-8")
        self._begun = True

    def _clear(self) -> None:
        """Take away all frames from the next one on."""
        with self._writing():
            for entry in list(self._target.iterdir()):
                numbered = PATTERN.fullmatch(entry.name)
                if numbered and int(numbered[1]) >= self.frames:
                    entry.unlink()

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """Turn what the disk says into an error of ours."""
        try:
            yield
        except OSError as error:
            raise OutputError(
                f"{shown(self._target)} cannot be written: {error.strerror}",
                "a folder with space that may be written to",
                "Choose another folder",
            ) from error


def tag_of_folder(path: Path) -> str:
    """The tag that a folder was written with, "" if none."""
    try:
        return (path / TAG_FILE).read_text(encoding="utf-8")
    except (OSError, ValueError):
        return ""


def _frames(path: Path) -> list[Path]:
    """The pictures of a folder in the order of their numbers."""
    frames = sorted((series, entry) for entry in entries(path) if (series := _series(entry)))
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
