"""Files of video, opened with care: the content decides the format, and nothing but the file is read.

FFmpeg knows some hundred formats, and a few of them are texts that name other files or addresses
to open. So the few formats of clips are recognised here by their first bytes, and FFmpeg is told
which one to expect and that it may open local files only.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
from av.container import InputContainer
from av.stream import Disposition
from av.video.stream import VideoStream

from deblur_demo import settings
from deblur_demo.errors import DeblurError, InputError, LimitError
from deblur_demo.media import plain
from deblur_demo.media.declared import cut_short
from deblur_demo.media.joints import Joints
from deblur_demo.media.paths import check_file, printable, shown
from deblur_demo.media.undisturbed import undisturbed

ACCEPTED = "MP4, MOV, WebM, MKV, AVI, MPEG-TS, FLV, OGG or animated GIF"
HEAD_BYTES = 1024
CUT_SHORT = "It is damaged: it ends early."

BOXES = (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot")  # that a MOV may begin with
PICTURES = (b"heic", b"heix", b"mif1", b"msf1", b"hevc", b"avif", b"avis")  # brands of stills
TS_PACKET, M2TS_PACKET, SYNC = 188, 192, 0x47
AVI_SCALE = 20  # where AVISTREAMHEADER has dwScale and dwRate, counted from its fccType
COVER_CODECS = ("mjpeg", "png", "bmp", "gif", "webp")


@dataclass(frozen=True, eq=False)
class Opened:
    """An open file and what of it is used.

    Attributes:
        container: to demultiplex and seek in.
        video: the stream of pictures.
        sounds: the streams of sound that can be decoded.
        origin: seconds that FFmpeg's times have where the clip begins.
        notices: which other streams are left out, and whether the file ends early.
        joints: where the times jump, as far as packets were read; None where a format lets none jump.
    """

    container: InputContainer
    video: VideoStream
    sounds: tuple[av.AudioStream, ...]
    origin: Fraction
    notices: tuple[str, ...]
    joints: Joints | None

    def packets(self, *streams: av.stream.Stream) -> Iterator[av.Packet]:
        """What the file holds of some of its streams, from where it stands; a signal is heard after a packet."""
        packets = self.container.demux(*((self.video, *self.sounds) if self.joints else streams))
        while True:
            with undisturbed():
                packet = next(packets, None)
            if packet is None:
                return
            if self.joints:
                self.joints.shift(packet)
            if packet.stream in streams:
                yield packet


def recognise(head: bytes) -> str | None:
    """FFmpeg's name of the format that a file of these first bytes is in, if it is one of clips."""
    if head[4:8] in BOXES:
        return None if head[4:8] == b"ftyp" and head[8:12] in PICTURES else "mov"
    if head.startswith(b"\x1a\x45\xdf\xa3"):
        return "matroska"
    if head.startswith(b"RIFF") and head[8:12] == b"AVI ":
        return "avi"
    if head.startswith((b"GIF87a", b"GIF89a")):
        return "gif"
    if head.startswith(b"FLV\x01"):
        return "flv"
    if head.startswith(b"OggS"):
        return "ogg"
    for first, step in ((0, TS_PACKET), (4, M2TS_PACKET)):
        marks = head[first : first + 4 * step : step]
        if len(marks) == 4 and set(marks) == {SYNC}:
            return "mpegts"
    return None


def describe(head: bytes) -> str:
    """What a file is that holds no clip, for an error."""
    start = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    if start.startswith((b"#EXTM3U", b"ffconcat")):
        return "a playlist, which names other files to open"
    if plain.recognise(head[:64]) is not None:
        return "a picture"
    described = plain.describe(head[:64])
    return "no video that is known here" if described.startswith("no picture") else described


@contextmanager
def opened(path: Path) -> Iterator[Opened]:
    """Open a clip for the time of a ``with`` block, in which FFmpeg's errors become ours.

    Raises:
        InputError: not a file, not a clip, damaged, or without moving pictures.
        LimitError: more than memory holds.
    """
    check_file(path, "a video file")
    name = shown(path)
    with reading(name):
        with open(path, "rb") as file:
            head = file.read(HEAD_BYTES)
            kind = recognise(head)
            damage = [CUT_SHORT] if kind is not None and cut_short(file, kind) else []
        if kind is None:
            raise InputError(f"{name} holds {describe(head)}", ACCEPTED, "Convert it to one of these")
        if kind == "avi" and _avi_rate(head) == 0:  # FFmpeg would take it for 25
            raise InputError(f"{name} declares 0 frames a second", "more than 0", "Export it again at its true rate")
        options = {"protocol_whitelist": "file", "max_pixels": max_pixels()}
        # With the protocol before it, no name can be taken for an address.
        with av.open(f"file:{path}", "r", format=kind, options=options, metadata_errors="replace") as container:
            yield _choose(container, name, damage)


def max_pixels() -> str:
    """Where a decoder stops by itself, as FFmpeg takes it: beyond the budget, whose refusal has the better words.

    FFmpeg decodes a first frame while it opens some files, long before anybody could ask how large it is.
    """
    return str(round(4e6 * settings.MAX_CLIP_MEGAPIXELS.current()))


@contextmanager
def reading(name: str) -> Iterator[None]:
    """Turn whatever a decoder raises into an error of ours."""
    try:
        yield
    except DeblurError:
        raise
    except MemoryError as error:
        raise LimitError(f"{name} is too large for the memory at hand", "smaller frames", "Scale it down") from error
    except Exception as error:  # a decoder that is fed hostile bytes may raise anything
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        raise InputError(
            f"{name} cannot be read: {printable(reason[:100])}",
            f"an intact and complete {ACCEPTED}",
            "Copy or export it again",
        ) from error


def _avi_rate(head: bytes) -> float | None:
    """Frames a second as an AVI's header of the stream of pictures says, None where it is not found."""
    at = head.find(b"vids") + AVI_SCALE
    if at < AVI_SCALE or len(head) < at + 8:
        return None
    scale, rate = struct.unpack_from("<II", head, at)
    return rate / scale if scale else 0


def _choose(container: InputContainer, name: str, notices: list[str]) -> Opened:
    """The stream of pictures, the sounds, and the time at which the earliest of them begins."""
    covers, videos = [], []
    for stream in container.streams.video:
        aside = Disposition.attached_pic | Disposition.timed_thumbnails | Disposition.still_image
        (covers if stream.disposition & aside else videos).append(stream)
    videos = [stream for stream in videos if stream.codec_context is not None]
    sounds = tuple(stream for stream in container.streams.audio if stream.codec_context is not None)
    if not videos:
        if container.streams.video and not covers:
            raise InputError(f"{name} has a codec that is not known here", "H.264 or another usual codec", "Convert it")
        found = ("sound and a cover picture" if covers else "sound") if sounds else "nothing that moves"
        raise InputError(f"{name} holds {found}, no video", ACCEPTED, "Choose a file with moving pictures")
    video = max(videos, key=_likelihood)
    video.codec_context.options = {"max_pixels": max_pixels()}  # which those of the container do not reach
    if covers:
        notices.append("Its cover picture was left out.")
    if len(videos) > 1:
        notices.append(f"It has {len(videos)} video streams: only the main one is used.")
    if len(sounds) < len(container.streams.audio):
        notices.append("A sound track in an unknown format was left out.")
    if container.streams.subtitles:
        notices.append("Its subtitles were left out.")
    joints = Joints() if container.format.name == "mpegts" else None
    return Opened(container, video, sounds, _origin(video, sounds), tuple(notices), joints)


def _likelihood(stream: VideoStream) -> tuple[bool, bool, int]:
    """A key by which the stream that a player shows is the greatest: not a still, marked as default, large."""
    still = stream.frames == 1 and stream.codec_context.name in COVER_CODECS
    return not still, bool(stream.disposition & Disposition.default), stream.width * stream.height


def _origin(video: VideoStream, sounds: tuple[av.AudioStream, ...]) -> Fraction:
    """Where the times of a clip begin: 0, but some formats and recorders count from elsewhere.

    Never before 0, where only the run-in of a sound codec lies; a multiple of the pictures' time
    base, so that their times stay exact.
    """
    starts = [stream.start_time * stream.time_base for stream in (video, *sounds) if stream.start_time is not None]
    ticks = min(starts, default=Fraction(0)) // video.time_base
    return max(0, ticks) * video.time_base
