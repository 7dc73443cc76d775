"""Whether a file of video is shorter than it says itself.

FFmpeg reads what is there of a copy that was cut off, and takes its end for the clip's. The formats
that declare how many bytes follow tell otherwise, without decoding anything.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from itertools import islice
from typing import BinaryIO

MATROSKA_SEGMENT = b"\x18\x53\x80\x67"
ID_BYTES = 4  # of a Matroska file's first two elements
BOXES = (b"moov", b"moof", b"mdat", b"mfra")  # of an MP4 that hold its pictures and where they are
MOST_BOXES = 100_000  # of hours in pieces; a file of nothing but empty boxes is not worth the time
FLV_TAGS = (8, 9, 18)  # sound, pictures, data
FLV_TAG_HEADER = 11


def cut_short(file: BinaryIO, kind: str) -> bool:
    """Whether an open file lacks bytes at its end.

    Args:
        file: can be sought in; where it stands then is undefined.
        kind: FFmpeg's name of its format, as ``container.recognise`` gives it.

    Returns:
        False also where a format does not declare its size, or a recorder left that open.
    """
    size = file.seek(0, os.SEEK_END)
    declared = {"matroska": _matroska_end, "avi": _avi_end, "mov": _mov_end}
    try:
        if kind == "flv":
            return not _flv_is_whole(file, size)
        return kind in declared and declared[kind](file, size) > size
    except struct.error:  # too short for what it should begin with, which is said when it is read
        return False


def _matroska_end(file: BinaryIO, size: int) -> int:
    """Where the segment ends, which holds all but the header; 0 where it was left open."""
    file.seek(ID_BYTES)
    header = _matroska_size(file)
    file.seek(header or 0, os.SEEK_CUR)
    if file.read(ID_BYTES) != MATROSKA_SEGMENT:
        return 0
    segment = _matroska_size(file)
    return 0 if segment is None else file.tell() + segment


def _matroska_size(file: BinaryIO) -> int | None:
    """A size of as many bytes as its first has zeros in front of a one, and one more; None: all ones, unknown."""
    (first,) = struct.unpack("B", file.read(1))
    more = 8 - first.bit_length()
    marked = int.from_bytes(bytes([first]) + file.read(more), "big")
    value = marked - (1 << 7 * (more + 1))
    return None if value == (1 << 7 * (more + 1)) - 1 else value


def _avi_end(file: BinaryIO, size: int) -> int:
    file.seek(4)
    return 8 + struct.unpack("<I", file.read(4))[0]


def _mov_end(file: BinaryIO, size: int) -> int:
    """Where the last of the boxes ends that matter."""
    return max((end for name, end in islice(_boxes(file, size), MOST_BOXES) if name in BOXES), default=0)


def _boxes(file: BinaryIO, size: int) -> Iterator[tuple[bytes, int]]:
    """Name and end of each outermost box."""
    at = 0
    while at + 8 <= size:
        file.seek(at)
        length, name = struct.unpack(">I4s", file.read(8))
        if length == 1:
            (length,) = struct.unpack(">Q", file.read(8))
        if length < 8:  # 0: to the end of the file
            return
        at += length
        yield name, at


def _flv_is_whole(file: BinaryIO, size: int) -> bool:
    """Whether the last four bytes are the length of the tag before them."""
    file.seek(size - 4)
    (length,) = struct.unpack(">I", file.read(4))
    begin = size - 4 - length
    if length < FLV_TAG_HEADER or begin < 0:
        return False
    file.seek(begin)
    head = file.read(4)
    return head[0] in FLV_TAGS and int.from_bytes(head[1:], "big") == length - FLV_TAG_HEADER
