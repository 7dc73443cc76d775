"""The sounds of a clip on their way into a new file: packet by packet as they are, or as AAC or Opus.

Packets are read alongside the pictures, never all at once, so a long clip takes no more memory
than a short one.
"""

from __future__ import annotations

from contextlib import ExitStack
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.container import OutputContainer

from deblur_demo.media.container import opened
from deblur_demo.media.undisturbed import undisturbed

# What a container holds and players know in it; sound in another codec is encoded anew.
COPIED = {".mp4": ("aac", "mp3", "opus", "flac", "ac3", "eac3", "alac"), ".webm": ("opus", "vorbis")}
SLOWEST_MP3 = 16_000  # samples a second that FFmpeg writes into an .mp4, whose standard leaves out slower ones
ENCODERS = {".mp4": "aac", ".webm": "libopus"}
BITS_PER_CHANNEL = 96_000
# Sample rates that the encoders take; sound of another is converted to the last.
RATES = {"aac": (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000), "libopus": (48000,)}
LAYOUTS = {1: "mono", 2: "stereo", 6: "5.1", 8: "7.1"}  # any other number is mixed to stereo
GAP, LONGEST_GAP = Fraction(1, 10), 1800  # seconds without samples that become silence; samples behind more are lost


class Sounds:
    """The sound tracks of a clip, copied or encoded into another container.

    Args:
        source: the clip.
        target: an open container whose header is not yet written; the tracks are added to it.
        suffix: of the target's name, ``.mp4`` or ``.webm``.
    """

    def __init__(self, source: Path, target: OutputContainer, suffix: str):
        self._files = ExitStack()
        clip = self._files.enter_context(opened(source))
        self._origin = clip.origin
        self._tracks: dict[int, _Copied | _Encoded] = {}
        for stream in clip.sounds:
            kind = _Copied if copied(stream, suffix) else _Encoded
            self._tracks[stream.index] = kind(stream, target, ENCODERS[suffix])
        self._packets = clip.packets(*clip.sounds) if clip.sounds else iter(())
        self._waiting: av.Packet | None = None

    def write(self, start: Fraction, end: Fraction, last: bool = False) -> None:
        """Write what sounds from start on and before end, as far as it is not written yet.

        Args:
            start: time of the clip that is 0 in the target; the same at every call.
            end: how far the pictures are written.
            last: nothing comes after this, so every track is brought to its end.
        """
        beyond: set[int] = set()
        while len(beyond) < len(self._tracks):
            packet = self._waiting or self._next()
            self._waiting = None
            if packet is None:
                break
            time = packet.pts * packet.time_base - self._origin
            if time < end:
                track = self._tracks[packet.stream.index]
                track.take(packet, time - start, trimmed=start > 0)
                track.release(time - start, last=False)  # at once, as hours of sound may lie before the end
            elif last:
                beyond.add(packet.stream.index)
            else:
                self._waiting = packet
                break
        for track in self._tracks.values():
            track.release(end - start, last)

    def close(self) -> None:
        """Close the source."""
        self._files.close()

    def _next(self) -> av.Packet | None:
        """The next whole packet that has a time; a file that is damaged ends there."""
        whole = (packet for packet in self._packets if packet.pts is not None and not packet.is_corrupt)
        try:
            return next(whole, None)
        except (av.FFmpegError, ValueError):
            return None


def copied(stream: av.AudioStream, suffix: str) -> bool:
    """Whether a file of a suffix, ``.mp4`` or ``.webm``, holds a track as it is."""
    codec = stream.codec.canonical_name
    return codec in COPIED[suffix] and not (codec == "mp3" and stream.rate < SLOWEST_MP3)


class _Copied:
    """A track whose packets are passed on untouched, at their times."""

    def __init__(self, stream: av.AudioStream, target: OutputContainer, encoder: str):
        self._stream = target.add_stream_from_template(stream)
        self._stream.metadata.update(_language(stream))
        self._target = target
        self._before: int | None = None

    def take(self, packet: av.Packet, time: Fraction, trimmed: bool) -> None:
        if trimmed and time < 0:  # without a trim it is the codec's run-in, which belongs to the track
            return
        packet.pts = packet.dts = round(time / packet.time_base)
        if self._before is not None and packet.dts <= self._before:  # no container takes it
            return
        if not packet.duration and self._before is not None:  # Matroska tells ALAC's not, and a last one of 0 is lost
            packet.duration = packet.dts - self._before
        self._before = packet.dts
        packet.stream = self._stream
        self._target.mux(packet)

    def release(self, end: Fraction, last: bool) -> None:
        """Nothing is held back."""


class _Encoded:
    """A track that is decoded and encoded anew, cut to the sample."""

    def __init__(self, stream: av.AudioStream, target: OutputContainer, encoder: str):
        self._rate = stream.rate if stream.rate in RATES[encoder] else RATES[encoder][-1]
        self._layout = LAYOUTS.get(stream.channels, "stereo")
        self._resampler: av.AudioResampler | None = None
        self._kind: tuple[str, str, int] | None = None  # of the frames that the resampler takes
        channels = len(av.AudioLayout(self._layout).channels)
        self._stream = target.add_stream(encoder, self._rate, layout=self._layout, bit_rate=BITS_PER_CHANNEL * channels)
        self._stream.metadata.update(_language(stream))
        self._target = target
        self._held = np.zeros((channels, 0), np.float32)  # (C,n) samples that are not encoded yet
        self._position: int | None = None  # of the first sample held, from the target's beginning

    def take(self, packet: av.Packet, time: Fraction, trimmed: bool) -> None:
        try:
            with undisturbed():
                frames = packet.decode()
        except av.FFmpegError:  # becomes silence, if it is long
            return
        delay = time - packet.pts * packet.time_base
        for frame in frames:
            samples = self._resampled(frame)
            if frame.pts is None or self._reach(round((frame.pts * frame.time_base + delay) * self._rate)):
                self._held = np.concatenate([self._held, *samples], axis=1)

    def _resampled(self, frame: av.AudioFrame) -> list[np.ndarray]:
        """A frame's samples, (C,n) each, in the channels and at the rate of the track."""
        kind = frame.format.name, frame.layout.name, frame.sample_rate
        if kind != self._kind:  # broadcasts change it in mid-stream, and a resampler takes one kind only
            self._resampler, self._kind = av.AudioResampler("fltp", self._layout, self._rate), kind
        return [part.to_ndarray() for part in self._resampler.resample(frame)]

    def _reach(self, position: int) -> bool:
        """Let the next samples begin where they belong, near the end of those held or behind silence, if they can."""
        if self._position is None:
            self._position = position
        gap = position - self._position - self._held.shape[1]
        if gap > LONGEST_GAP * self._rate:
            return False
        while gap > GAP * self._rate:  # a second at a time, as hours of it would not fit into memory
            silence = np.zeros((len(self._held), min(gap, self._rate)), np.float32)
            self._held = np.concatenate([self._held, silence], axis=1)
            gap -= silence.shape[1]
            self._encode_until(position)
        return True

    def release(self, end: Fraction, last: bool) -> None:
        if self._position is not None:
            self._encode_until(round(end * self._rate))
        if last:
            self._target.mux(self._stream.encode(None))

    def _encode_until(self, end: int) -> None:
        self._cut(max(0, -self._position))
        self._encode(self._cut(max(0, end - self._position)))

    def _cut(self, count: int) -> np.ndarray:
        samples, self._held = self._held[:, :count], self._held[:, count:]
        self._position += samples.shape[1]
        return samples

    def _encode(self, samples: np.ndarray) -> None:
        if samples.shape[1] == 0:
            return
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(samples), "fltp", self._layout)
        frame.rate, frame.time_base = self._rate, Fraction(1, self._rate)
        frame.pts = self._position - samples.shape[1]
        self._target.mux(self._stream.encode(frame))


def _language(stream: av.AudioStream) -> dict[str, str]:
    return {key: value for key, value in stream.metadata.items() if key == "language"}
