"""A clip on its way into a file: frames at their exact times, sound alongside, continued if asked to.

The file grows under another name beside the target and takes its place when it is complete. All
frames are stored in the order in which they are shown, so that a player needs no list of edits and
new frames can follow the old ones.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.bitstream import BitStreamFilterContext
from av.video.reformatter import ColorPrimaries, ColorRange, Colorspace, ColorTrc, VideoReformatter
from numpy import ndarray

from deblur_demo.errors import DeblurError, OutputError
from deblur_demo.media import encoders
from deblur_demo.media.clip_length import FASTEST_SHOWN
from deblur_demo.media.clip_reader import note, read_file
from deblur_demo.media.clip_types import ClipInfo, Frame
from deblur_demo.media.container import opened
from deblur_demo.media.decoded import EXACT
from deblur_demo.media.paths import printable, shown
from deblur_demo.media.sound import Sounds
from deblur_demo.media.undisturbed import undisturbed
from deblur_demo.whole import partial

MUXERS = {".mp4": "mp4", ".webm": "webm"}
KEY_FRAME_SECONDS = 2  # between two frames that a player can jump to
MOST_BETWEEN_KEYS = 250  # frames, however many a second
FOREVER = Fraction(10**7)  # seconds, longer than any clip
FINE = 48_000  # ticks a second that the times of whole tracks have at least
FINEST = 10_000_000  # ticks a second; a finer time base is rounded to microseconds
PADDED = "H.264 has even sides only: the last {} is repeated once."
SQUARED = "A .webm has square pixels: frames of {} x {} were scaled to {} x {}."
HD = {
    "colorspace": Colorspace.ITU709,
    "color_range": ColorRange.MPEG,
    "color_trc": ColorTrc.BT709,
    "color_primaries": ColorPrimaries.BT709,
}


class ClipFile:
    """A file that frames are written to; the arguments are those of ``ClipWriter``."""

    def __init__(
        self,
        source: ClipInfo,
        target: Path,
        codec: str,
        crf: int,
        start: Fraction,
        end: Fraction | None,
        tag: str,
        resume: bool,
        size: tuple[int, int],
    ):
        self.frames = 0
        self.notices: list[str] = []
        self._source, self._target, self._name, self._tag = source, target, shown(target), tag
        self._suffix = target.suffix.lower()
        self._encoder = encoders.find(codec, self._suffix, size, self._name)
        self._size = size
        # Of a pixel in the file; PyAV writes no other than 1 into a .webm.
        self._aspect = Fraction(1) if self._suffix == ".webm" else source.pixel_aspect
        self._tick = Fraction(1, source.time_base.denominator if source.time_base.denominator <= FINEST else 1_000_000)
        self._start, self._end = start, end
        self._offset: Fraction | None = None if start > 0 else Fraction(0)
        self._last_duration = 1 / source.rate
        self._held: av.Packet | None = None  # the newest packet, until it is known how long it is shown
        self._scaler = VideoReformatter()
        self._container: av.container.OutputContainer | None = None
        self._sounds: Sounds | None = None
        self._unfinished = partial(target)
        with ExitStack() as undo, self._writing():
            undo.callback(self._discard)
            if target.exists() and not target.is_file():
                raise OutputError(f"{self._name} is not a file", "a new name or a file to replace", "Choose another")
            self._unfinished.touch(exist_ok=False)  # FFmpeg opens it only when the first packet comes
            options = {}
            if self._suffix == ".mp4":  # a first frame later than 0 is stored as a number of these ticks
                ticks = self._tick.denominator * -(-FINE // self._tick.denominator)
                options = {"movflags": "+faststart", "movie_timescale": str(ticks)}
            # With the protocol before it, no folder can be taken for an address.
            place, muxer = f"file:{self._unfinished}", MUXERS[self._suffix]
            self._container = av.open(place, "w", format=muxer, container_options=options)
            self._container.metadata["comment"] = tag
            self._stream = self._add_stream(crf)
            if source.icc is not None:
                note(self.notices, "A video holds no colour profile: it was left out, and colours may shift.")
            if source.sounds:
                self._sounds = Sounds(source.path, self._container, self._suffix)
            if resume and target.exists():
                self._take_over()
            undo.pop_all()

    def write(self, frame: Frame) -> None:
        """Encode one frame; its time lies behind that of the frame before."""
        with self._writing():
            if self._offset is None:
                self._offset = frame.time
            picture = av.VideoFrame.from_ndarray(self._fitted(frame.pixels), format="rgb24")
            picture = self._scaler.reformat(
                picture,
                self._stream.width,
                self._stream.height,
                format="yuv420p",
                dst_colorspace=Colorspace.ITU709,
                dst_color_range=ColorRange.MPEG,
                interpolation=EXACT,
            )
            picture.color_trc, picture.color_primaries = ColorTrc.BT709, ColorPrimaries.BT709
            picture.time_base, picture.pts = self._tick, round((frame.time - self._offset) / self._tick)
            self._mux(self._stream.encode(picture))
            if self._sounds:
                self._sounds.write(self._offset, frame.time)
            self._last_duration = frame.duration or 1 / self._source.rate
            self.frames += 1

    def close(self, complete: bool = False) -> None:
        """Bring pictures and sound to their ends and put the file in its place; Ctrl-C waits until it is there.

        Without frames there is none. Nor does what was interrupted take the place of as much or more of the same work.
        """
        if self._container is None:
            return
        if self.frames == 0 or not (complete or self._farther()):
            self._discard()
            return
        with undisturbed(), self._writing():
            self._mux(self._stream.encode(None))
            last = self._offset + self._held.pts * self._held.time_base
            if self._end is not None and self._end > last:
                self._last_duration = min(self._last_duration, self._end - last)
            self._held.duration = max(1, round(self._last_duration / self._held.time_base))
            self._container.mux(self._held)
            if self._sounds:
                rest = FOREVER if self._end is None else self._end
                self._sounds.write(self._offset, rest if complete else last + self._last_duration, last=True)
                self._sounds.close()
            self._container.close()
            self._container = None
            os.replace(self._unfinished, self._target)

    def _farther(self) -> bool:
        """Whether there are more frames than in a file of the same work that is there already."""
        try:
            with opened(self._target) as old:
                same = self._tag and tag_of_container(old.container) == self._tag
                return not same or self.frames > sum(packet.size > 0 for packet in old.packets(old.video))
        except DeblurError:  # none, or none that can be read
            return True

    def _add_stream(self, crf: int) -> av.VideoStream:
        width, height = self._stored_size()
        rate = min(self._source.rate, FASTEST_SHOWN).limit_denominator(1001)  # faster, AV1 refuses; times stay theirs
        stream = self._container.add_stream(
            self._encoder.name, rate, self._encoder.told(crf), width=width, height=height
        )
        context = stream.codec_context
        context.pix_fmt = "yuv420p"
        context.sample_aspect_ratio = self._aspect
        context.gop_size = min(MOST_BETWEEN_KEYS, max(1, round(KEY_FRAME_SECONDS * rate)))
        context.max_b_frames = 0
        for name, value in HD.items():
            setattr(context, name, value)
        context.time_base = stream.time_base = self._tick
        context.open()
        return stream

    def _stored_size(self) -> tuple[int, int]:
        """(width, height) of the frames in the file; what differs from those that are written is noted."""
        width, height = self._size
        if self._aspect != self._source.pixel_aspect:
            wide, high = max(self._source.pixel_aspect, 1), max(1 / self._source.pixel_aspect, 1)
            width, height = round(width * wide), round(height * high)
            note(self.notices, SQUARED.format(*self._size, width, height))
        if self._encoder.even:
            width, height = width + width % 2, height + height % 2
            odd = ["column"] * (width != self._size[0]) + ["row"] * (height != self._size[1])
            if odd:
                note(self.notices, PADDED.format(" and the last ".join(odd)))
        return width, height

    def _fitted(self, pixels: ndarray) -> ndarray:
        """A frame to be encoded, (H,W,3), with even sides where the encoder wants them."""
        width, height = self._size
        if pixels.shape != (height, width, 3):
            raise ValueError(f"a frame of {pixels.shape} in a clip of {width} x {height}")
        if self._encoder.even:
            pixels = np.pad(pixels, ((0, height % 2), (0, width % 2), (0, 0)), "edge")
        return np.ascontiguousarray(pixels)

    def _mux(self, packets: list[av.Packet]) -> None:
        """Hand packets on one late, each with the time until the next as its duration."""
        for packet in packets:
            if self._held is not None:
                ahead = packet.pts * packet.time_base - self._held.pts * self._held.time_base
                self._held.duration = round(ahead / self._held.time_base)
                self._container.mux(self._held)
            self._held = packet

    def _take_over(self) -> None:
        """Copy the frames of the existing file, so that the next one written follows its last."""
        for packet in self._old_packets():
            self._last_duration = packet.duration * packet.time_base or self._last_duration
            packet.stream = self._stream
            self._mux([packet])
            self.frames += 1
        if self.frames and self._offset is None:
            self._offset = next(read_file(self._source.path, float(self._start), None, [])).time

    def _old_packets(self) -> Iterator[av.Packet]:
        """The pictures of the existing file, if it was made as this one is."""
        with opened(self._target) as old:
            video = old.video
            header = video.codec_context.extradata or b""
            codec = video.codec.canonical_name
            same = {
                "settings": tag_of_container(old.container) == self._tag,
                "codec": codec == self._stream.codec.canonical_name,
                "size": (video.width, video.height) == (self._stream.width, self._stream.height),
                "encoder": all(unit in header for unit in _units(self._stream.codec_context)),
            }
            if not all(same.values()):
                other = ", ".join(what for what, agrees in same.items() if not agrees)
                raise OutputError(
                    f"{self._name} cannot be continued: it was made with other {other}",
                    "a clip that was begun with the same settings",
                    "Start anew, or under another name",
                )
            # An .mp4 stores H.264 otherwise than the encoder puts it out, and a track takes one of both.
            plain = BitStreamFilterContext("h264_mp4toannexb" if codec == "h264" else "null", video)
            for packet in old.packets(video):
                for part in plain.filter(packet) if packet.size else []:
                    part.time_base = video.time_base
                    yield part

    def _discard(self) -> None:
        """Leave nothing behind."""
        container, self._container = self._container, None
        if self._sounds:
            self._sounds.close()
        if container:
            with suppress(Exception):  # the end of a file that is thrown away
                container.close()
        with suppress(OSError):
            self._unfinished.unlink(missing_ok=True)

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """Turn what an encoder or the disk says into an error of ours, and take the unfinished file away."""
        try:
            try:
                yield
            finally:
                if self._encoder.seizes:
                    encoders.usual_priority()
        except Exception as error:
            self._discard()
            if isinstance(error, DeblurError):
                raise
            reason = printable((getattr(error, "strerror", None) or str(error))[:100])
            raise OutputError(
                f"{self._name} cannot be written: {reason}",
                "a folder with space, and a size that the codec holds",
                "Choose another folder or codec",
            ) from error


def tag_of_container(container: av.container.InputContainer) -> str:
    """The comment of an open file."""
    return next((value for key, value in container.metadata.items() if key.lower() == "comment"), "")


def _units(context: av.VideoCodecContext) -> list[bytes]:
    """The parts of an H.264 header that must be the same for frames to share a file; others carry their own."""
    if context.codec.canonical_name != "h264":
        return []
    return [unit for unit in re.split(rb"\x00\x00\x00?\x01", context.extradata or b"") if unit]
