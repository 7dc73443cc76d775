"""Clips in and out: video files, animated GIFs and folders of frames.

This is the door to the modules beside it: what a clip is (``clip_types``), which files are opened
and how (``container``, ``joints``), frames in (``clip_reader``, ``clip_length``, ``frame_folder``)
and out (``clip_file``, ``sound``, ``frame_folder``).
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType

from PIL import Image

from deblur_demo import settings
from deblur_demo.errors import DeblurError
from deblur_demo.media import container
from deblur_demo.media.clip_file import ClipFile, tag_of_container
from deblur_demo.media.clip_reader import exact, probe_file, read_file
from deblur_demo.media.clip_types import ClipInfo, Frame, Sound
from deblur_demo.media.frame_folder import (
    FrameFolder,
    is_folder_of_frames,
    probe_folder,
    read_folder,
    tag_of_folder,
)

__all__ = ["ClipInfo", "ClipWriter", "Frame", "Sound", "becomes_frames", "is_clip", "probe", "read_frames", "tag_of"]


def is_clip(path: Path) -> bool:
    """Whether something is to be treated as a clip rather than as a picture, by its content.

    A video or sound file, a GIF of several frames or a folder of frames is; a photo is not, and
    neither is what cannot be read. Whether a clip is intact only ``probe`` says.
    """
    try:
        if path.is_dir():
            return is_folder_of_frames(path)
        with open(path, "rb") as file:
            kind = container.recognise(file.read(container.HEAD_BYTES)) if path.is_file() else None
        if kind == "gif":
            with Image.open(path, formats=["GIF"]) as image:
                return image.is_animated
        return kind is not None
    except Exception:  # hostile bytes may raise anything
        return False


def probe(path: Path, start: float = 0.0, end: float | None = None, max_megapixels: float | None = None) -> ClipInfo:
    """Look at a clip, decoding its first frame.

    Args:
        path: a file or a folder of frames. It is only ever a path: a URL is not fetched.
        start, end: seconds of the part that is wanted; the budgets apply to it. None: to the end.
        max_megapixels: largest frame accepted, as far as ``MAX_CLIP_MEGAPIXELS`` allows it; None:
            ``settings.MAX_MEGAPIXELS``.

    Raises:
        InputError: not a clip, damaged, or without moving pictures.
        LimitError: beyond ``MAX_CLIP_FRAMES``, ``MAX_CLIP_MINUTES`` or ``MAX_CLIP_MEGAPIXELS``.
    """
    return (probe_folder if os.path.isdir(path) else probe_file)(path, start, end, max_megapixels)


def read_frames(
    path: Path, start: float = 0.0, end: float | None = None, notices: list[str] | None = None
) -> Iterator[Frame]:
    """Decode a clip frame by frame; memory does not grow with its length.

    Args:
        path: as for ``probe``.
        start, end: seconds from the clip's beginning; frames from start on and before end are yielded.
        notices: receives what turns out on the way, such as damage, in sentences for a person.

    Raises:
        InputError: as ``probe``; or the size changes in mid-stream, after the frames before it were yielded.
        LimitError: as ``probe``; or there are more frames than declared and allowed.
    """
    if os.path.isdir(path):
        return read_folder(path, start, end)
    return read_file(path, start, end, [] if notices is None else notices)


def becomes_frames(target: Path) -> bool:
    """Whether what is written there is a folder of frames rather than a file."""
    return os.path.isdir(target) or not target.suffix


def tag_of(path: Path) -> str:
    """The tag of a clip that ``ClipWriter`` has written, "" if it has none or is no clip."""
    if os.path.isdir(path):
        return tag_of_folder(path)
    try:
        with container.opened(path) as clip:
            return tag_of_container(clip.container)
    except DeblurError:
        return ""


class ClipWriter:
    """Writes frames at their times, with the sound of the clip they come from.

    A context manager. When it closes, also early or by an exception, what was written becomes a
    playable file with the sound that belongs to it; a file is replaced only then, and one without
    frames is not made. A folder's frames stand in it from the moment they are written.

    Args:
        source: the clip that the frames come from, as ``probe`` says.
        target: .mp4 or .webm, or a name without a suffix or an existing folder for frames as PNG.
        codec: one of ``settings.CODEC``. H.264 has even sides only: an odd one gets its last row or
            column once more. A .webm has times in whole milliseconds, an .mp4 the source's; and square
            pixels, to which others are scaled.
        crf: quality on the scale of H.264, smaller is better; other codecs get the like of it.
        start: seconds in the source where the frames begin. If it is not 0, the first frame's time
            becomes 0 in the result, and the sound is cut to match.
        end: seconds in the source where they end; the last frame is shown until then at the longest.
        tag: kept in the file, to know later how it was made.
        resume: take the frames over that the target holds already; ``frames`` says how many.
        size: (width, height) of the frames if not the source's.

    Attributes:
        notices: what the target cannot hold, in sentences for a person.

    Raises:
        OutputError: no such format, codec and container do not match, no space, no permission, a
            size that the codec cannot hold, or a target to resume that was made in another way.
    """

    def __init__(
        self,
        source: ClipInfo,
        target: Path,
        codec: str = settings.CODEC.default,
        crf: int = settings.CRF.default,
        start: float = 0.0,
        end: float | None = None,
        tag: str = "",
        resume: bool = False,
        size: tuple[int, int] | None = None,
    ):
        size = size or (source.width, source.height)
        if becomes_frames(target):
            self._sink = FrameFolder(target, tag, resume, size, source.icc)
        else:
            self._sink = ClipFile(
                source, target, codec, crf, exact(start), None if end is None else exact(end), tag, resume, size
            )

    @property
    def frames(self) -> int:
        """How many are written, those included that were taken over."""
        return self._sink.frames

    @property
    def notices(self) -> list[str]:
        return self._sink.notices

    def write(self, frame: Frame) -> None:
        """Encode a frame at its time, which lies behind that of the frame before.

        Raises:
            OutputError: the disk is full or the file cannot be written for another reason; nothing
                is left of it.
        """
        self._sink.write(frame)

    def close(self, complete: bool = False) -> None:
        """Finish the file; a second time does nothing.

        Args:
            complete: whether all frames are written: sound that outlasts the pictures is kept then.

        Raises:
            OutputError: as ``write``.
        """
        self._sink.close(complete)

    def __enter__(self) -> ClipWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
