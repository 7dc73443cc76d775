"""PNG files: their chunks, checked before any decoder sees them (PNG, 3rd edition, sections 5 and 11), and writing.

Decoders differ in what they forgive: some skip checksums of pixel data, some hand out a half
filled picture, all of them inflate text that nobody asked for. So the file is walked here, every
checksum is compared, and only the chunks that make up the picture are passed on.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from numpy import ndarray

from deblur_demo.errors import InputError, LimitError

SIGNATURE = b"\x89PNG\r\n\x1a\n"
PICTURE = {b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND"}
EXIF_MARK = b"Exif\0\0"  # JPEG puts it before EXIF, PNG does not
TEXT = {b"tEXt", b"zTXt", b"iTXt"}

SAMPLES_PER_PIXEL = {2: 3, 4: 2, 6: 4}  # by colour type; the others have one
ADAM7 = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))

MAX_CHUNKS = 1 << 18  # encoders that write 4 kB at a time still pass with a gigabyte
MAX_TEXT = 16 << 20  # bytes, inflated; the largest honest text (layered XMP) has a few megabytes

INTACT, COPY_AGAIN = "an intact PNG", "Copy or export the picture again"


@dataclass(frozen=True)
class Png:
    """What the chunks say.

    Attributes:
        depth: bits per sample, 1 to 16.
        key: the one transparent colour of a grey or RGB picture, in samples; empty if there is none.
        animated: whether it is an APNG; its default picture is then the first frame.
        icc: the ``iCCP`` chunk, inflated; empty if it does not inflate, None if there is none.
        exif: the ``eXIf`` chunk or None.
        picture: a PNG of the picture alone, without text, animation and metadata.
    """

    depth: int
    key: tuple[int, ...]
    animated: bool
    icc: bytes | None
    exif: bytes | None
    picture: bytes


def size(data: bytes, name: str) -> tuple[int, int]:
    """Width and height in pixels, from the first 33 bytes alone."""
    if data[12:16] != b"IHDR" or len(data) < 33:
        raise InputError(f"{name} has no PNG header", INTACT, COPY_AGAIN)
    return struct.unpack(">II", data[16:24])


def parse(data: bytes, name: str, max_icc: int) -> Png:
    """Walk all chunks and compare their checksums.

    Args:
        data: the whole file; bytes after its end mark are ignored.
        name: of the file, for errors.
        max_icc: most bytes of an inflated profile; a larger one comes back cut to ``max_icc + 1``.

    Raises:
        InputError: truncated, a wrong checksum, not a chunk, a second header.
        LimitError: more chunks or more text than a picture has.
    """
    parts, found, text, packed = [SIGNATURE], {}, 0, []
    for kind, body, chunk in _chunks(memoryview(data), name):
        if kind == b"IHDR" and kind in found:  # decoders go by the last one, checks of size by the first
            raise InputError(f"{name} has two PNG headers", INTACT, COPY_AGAIN)
        if kind in PICTURE:
            parts.append(chunk)
        if kind == b"IDAT":
            packed.append(body)
        if kind in TEXT:
            text += _unpacked_size(kind, bytes(body), MAX_TEXT - text)
            if text > MAX_TEXT:
                raise LimitError(
                    f"the text chunks of {name} unpack to more than {MAX_TEXT >> 20} MB",
                    f"at most {MAX_TEXT >> 20} MB of text",
                    "Export the picture again without its text",
                )
        elif kind not in found:
            found[kind] = body
    depth, colour = data[24], data[25]
    if _missing_bytes(packed, _raster_bytes(data)):
        raise InputError(f"{name} is truncated: rows are missing from its pixel data", INTACT, COPY_AGAIN)
    key = bytes(found.get(b"tRNS", b"")) if colour in (0, 2) else b""
    return Png(
        depth=depth,
        key=struct.unpack(f">{len(key) // 2}H", key[: len(key) // 2 * 2]),
        animated=b"acTL" in found,
        # Profile name, NUL, method, then the packed profile.
        icc=_unpack(bytes(found[b"iCCP"]).partition(b"\0")[2][1:], max_icc) if b"iCCP" in found else None,
        exif=bytes(found[b"eXIf"]) if b"eXIf" in found else None,
        picture=b"".join(parts),
    )


def _chunks(data: memoryview, name: str) -> Iterator[tuple[bytes, memoryview, memoryview]]:
    """Yield (kind, body, whole chunk) up to and with IEND."""
    position = len(SIGNATURE)
    for _ in range(MAX_CHUNKS):
        head = data[position : position + 8]
        length = int.from_bytes(head[:4], "big")
        end = position + 12 + length
        if len(head) < 8 or end > len(data):
            raise InputError(f"{name} is truncated: it ends before its PNG end mark", INTACT, COPY_AGAIN)
        kind, body = bytes(head[4:]), data[position + 8 : end - 4]
        if zlib.crc32(data[position + 4 : end - 4]) != int.from_bytes(data[end - 4 : end], "big"):
            shown = kind.decode("latin-1") if kind.isalpha() else "unknown"
            raise InputError(f"{name} is damaged: wrong checksum in its {shown} chunk", INTACT, COPY_AGAIN)
        yield kind, body, data[position:end]
        if kind == b"IEND":
            return
        position = end
    raise LimitError(f"{name} has more than {MAX_CHUNKS} chunks", f"at most {MAX_CHUNKS}", "Export the picture again")


def _raster_bytes(data: bytes) -> int:
    """Bytes that the pixel data must unpack to: every row with its filter type, of every pass (section 7.3)."""
    width, height, depth, colour, _, _, interlaced = struct.unpack(">IIBBBBB", data[16:29])
    bits = depth * SAMPLES_PER_PIXEL.get(colour, 1)
    total = 0
    for x, y, step_x, step_y in ADAM7 if interlaced else ((0, 0, 1, 1),):
        columns, rows = -((x - width) // step_x), -((y - height) // step_y)  # rounded up
        if columns > 0 and rows > 0:
            total += rows * (1 + (columns * bits + 7) // 8)
    return total


def _missing_bytes(packed: list[memoryview], wanted: int) -> int:
    """How many of the wanted bytes the pixel data lacks; unpacks a megabyte at a time and keeps none."""
    stream = zlib.decompressobj()
    for body in packed:
        while wanted > 0 and (piece := stream.decompress(body, 1 << 20)):
            wanted -= len(piece)
            body = stream.unconsumed_tail
    return max(0, wanted)


def _unpacked_size(kind: bytes, body: bytes, budget: int) -> int:
    """Bytes of a text chunk, unpacked if it is packed; unpacking stops soon after ``budget``."""
    rest = body.partition(b"\0")[2]  # behind the keyword
    if kind == b"tEXt" or (kind == b"iTXt" and rest[:1] != b"\1"):
        return len(body)
    # zTXt: method, text. iTXt: flag, method, language, NUL, translated keyword, NUL, text.
    packed = rest[1:] if kind == b"zTXt" else rest[2:].split(b"\0", 2)[-1]
    return max(len(body), len(_unpack(packed, budget)))


def _unpack(packed: bytes, limit: int) -> bytes:
    """Inflate up to ``limit + 1`` bytes; nothing where there is no zlib stream."""
    try:
        return zlib.decompressobj().decompress(packed, limit + 1)
    except zlib.error:
        return b""


def encode(pixels: ndarray, alpha: ndarray | None, icc: bytes | None, exif: bytes | None) -> ndarray:
    """A PNG in the depth of the pixels.

    Args:
        pixels: (H,W,3) RGB, uint8 or uint16.
        alpha: (H,W) of the same type or None.
        icc: colour profile or None.
        exif: as in ``Photo`` or None.

    Returns:
        The file's bytes, as an array.
    """
    bgr = pixels[..., ::-1]
    samples = np.ascontiguousarray(bgr) if alpha is None else np.dstack((bgr, alpha))
    extras = [(cv2.IMAGE_METADATA_ICCP, icc)] if icc else []
    if exif:
        extras.append((cv2.IMAGE_METADATA_EXIF, exif.removeprefix(EXIF_MARK)))
    _, file = cv2.imencodeWithMetadata(
        ".png",
        samples,
        [kind for kind, _ in extras],
        [np.frombuffer(body, np.uint8) for _, body in extras],
        [cv2.IMWRITE_PNG_COMPRESSION, 3],  # a quarter larger at 1, twice the time at 6
    )
    return file
