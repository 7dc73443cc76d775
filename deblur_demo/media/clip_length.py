"""How long a clip is and how many frames a second it has, as it declares or, where it does not, as it is stored."""

from __future__ import annotations

import math
from contextlib import suppress
from fractions import Fraction
from itertools import islice
from pathlib import Path

import av
from av.video.stream import VideoStream

from deblur_demo import settings
from deblur_demo.errors import InputError, LimitError
from deblur_demo.media.container import Opened, opened
from deblur_demo.media.paths import shown

MAX_RATE = 1000  # frames a second
FASTEST_SHOWN = Fraction(240)  # frames a second of the fastest clips meant for eyes
FALLBACK_RATE = Fraction(25)
MEASURED = 250  # packets by which a rate is measured
REORDERED = 17  # packets among which the one that is shown last is stored; H.264 and HEVC reorder 16 at most


def stated_rate(video: VideoStream) -> Fraction | None:
    """Frames a second as the file states or FFmpeg guesses; None where neither can be.

    Where no count of frames bears it out, a very high one is the clock's: browsers record in
    milliseconds, without a rate.
    """
    most = math.inf if video.frames else FASTEST_SHOWN
    return next((rate for rate in (video.average_rate, video.guessed_rate) if rate and rate <= most), None)


def length(clip: Opened, path: Path, joined: Fraction | None) -> tuple[float | None, Fraction]:
    """Seconds and mean frames a second of an open file, as declared unless frames are stored behind the declared end.

    Args:
        clip, path: the file.
        joined: what ``joined_length`` says of it; None also for other formats.

    Raises:
        InputError: it declares frames at a rate that cannot be.
    """
    seconds = _seconds(clip) if joined is None else float(joined)
    rate = _rate(clip, seconds, path)
    begins, ends = _last_shown(clip)
    if seconds is None or not 0 <= seconds <= begins or begins == 0:
        return seconds, rate
    return float(ends), Fraction(clip.video.frames / ends).limit_denominator(100_000)


def joined_length(path: Path) -> Fraction | None:
    """Seconds of a file of a format whose times may jump, by all its packets; None where none jumps."""
    ends = Fraction(0)
    with opened(path) as clip, suppress(av.FFmpegError, ValueError):  # damaged, which is said when it is read
        step = 1 / (stated_rate(clip.video) or FALLBACK_RATE)
        for packet in clip.packets(clip.video):
            if packet.size and packet.pts is not None:
                ends = max(ends, packet.pts * packet.time_base - clip.origin + step)
    return ends if clip.joints.found else None


def _last_shown(clip: Opened) -> tuple[Fraction, Fraction]:
    """When the frame that is shown last begins and ends, read from the end of the file; zeros without a whole index.

    The length of an MP4 adds up the steps from one stored frame to the next. Where frames are stored in
    another order than they are shown in, at a variable rate, that is not when the last one ends.
    """
    index = clip.video.index_entries
    if not 0 < clip.video.frames == len(index):
        return Fraction(0), Fraction(0)
    at = index[max(0, len(index) - REORDERED)].timestamp
    try:
        clip.container.seek(at, stream=clip.video, any_frame=True)
        packets = [packet for packet in clip.packets(clip.video) if packet.size and packet.pts is not None]
    except (av.FFmpegError, ValueError):  # damaged there, which is said when it is read
        packets = []
    last = max(packets, key=lambda packet: packet.pts, default=None)
    if last is None:
        return Fraction(0), Fraction(0)
    begins = last.pts * last.time_base - clip.origin
    return begins, begins + (last.duration or 0) * last.time_base


def _seconds(clip: Opened) -> float | None:
    """The declared duration, without what lies before the clip's beginning."""
    if clip.video.duration is not None:
        return float(clip.video.duration * clip.video.time_base)
    if clip.container.duration is not None:
        return clip.container.duration / av.time_base
    return None


def _rate(clip: Opened, seconds: float | None, path: Path) -> Fraction:
    rate = stated_rate(clip.video)
    if not rate and not clip.video.frames:
        rate = _measured_rate(path)
    if not rate and seconds and clip.video.frames:
        rate = Fraction(clip.video.frames / seconds)
    if clip.video.frames == 1:  # its rate says nothing
        return rate if rate and rate <= MAX_RATE else FALLBACK_RATE
    if not rate or not 0 < rate <= MAX_RATE:
        raise InputError(
            f"{shown(path)} declares {float(rate or 0):g} frames a second",
            f"more than 0 and at most {MAX_RATE} frames a second",
            "Export it again at its true rate",
        )
    return rate.limit_denominator(100_000)


def _measured_rate(path: Path) -> Fraction:
    """Frames a second by the times of the first packets."""
    times = set()
    with opened(path) as clip, suppress(av.FFmpegError, ValueError):  # damaged, which is said when it is read
        for packet in islice(clip.packets(clip.video), MEASURED):
            if packet.size and packet.pts is not None:
                times.add(packet.pts * packet.time_base)
    return (len(times) - 1) / (max(times) - min(times)) if len(times) > 1 else FALLBACK_RATE


def check_length(name: str, frames: int, seconds: float | None, start: float, end: float | None) -> None:
    """Refuse a clip whose part between start and end is beyond the budgets, as far as it declares its length.

    Raises:
        InputError: a duration that cannot be.
        LimitError: more minutes or frames than the settings allow.
    """
    share = 1.0
    if seconds is not None:
        if not 0 <= seconds < math.inf:
            raise InputError(f"{name} declares a duration of {seconds:g} seconds", "a duration", "Export it again")
        wanted = max(0.0, (seconds if end is None else min(end, seconds)) - start)
        minutes = settings.MAX_CLIP_MINUTES.current()
        if wanted > minutes * 60:
            found = f"{name} runs for {wanted / 60:.1f} minutes"
            raise LimitError(found, f"at most {minutes:g} minutes", "Choose a shorter part")
        share = wanted / seconds if seconds else 1.0
    most = settings.MAX_CLIP_FRAMES.current()
    if round(frames * share) > most:
        found = f"{name} has {round(frames * share)} frames"
        raise LimitError(found, f"at most {most} frames", "Choose a shorter part")
