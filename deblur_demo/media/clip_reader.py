"""Video files in: what is known of them, and their frames one by one, at their exact times."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from fractions import Fraction
from itertools import chain, pairwise
from pathlib import Path

import av
from av.error import BlockingIOError as NothingYet
from av.error import EOFError as Finished

from deblur_demo import settings
from deblur_demo.errors import InputError, LimitError
from deblur_demo.media import clip_length, decoded
from deblur_demo.media.clip_types import ClipInfo, Frame, Sound
from deblur_demo.media.container import CUT_SHORT, Opened, opened
from deblur_demo.media.paths import shown
from deblur_demo.media.sound import copied
from deblur_demo.media.undisturbed import undisturbed

PREROLL = 1  # seconds before the start from which is decoded, for key frames that are stored late

DAMAGED = "It is damaged: some frames were left out, and those after them may show traces."
JOINED = "Its times jump: the parts were joined."
TIMES_MENDED = "Some of its frames have no time of their own: it was set to follow the frame before."


def probe_file(
    path: Path, start: float = 0.0, end: float | None = None, max_megapixels: float | None = None
) -> ClipInfo:
    """What is known of a video file; see ``clip.probe``."""
    with opened(path) as clip:
        name = shown(path)
        check_frame_size(name, clip.video.width, clip.video.height, max_megapixels)  # before anything is decoded
        first = next(_intact(clip, []), None)
        if first is None and not clip.video.width:  # FFmpeg did not look beyond ``max_pixels``
            limit = settings.MAX_CLIP_MEGAPIXELS.current()
            raise LimitError(
                f"{name} has frames that are far too large", f"at most {limit:g} megapixels a frame", "Scale it down"
            )
        if first is None:
            raise InputError(f"{name} has no frame that can be decoded", "at least one intact frame", "Export it again")
        degrees, _ = decoded.orientation(first)
        width, height = (first.height, first.width) if degrees % 180 else (first.width, first.height)
        check_frame_size(name, width, height, max_megapixels)
        joined = clip_length.joined_length(path) if clip.joints else None
        seconds, rate = clip_length.length(clip, path, joined)
        clip_length.check_length(name, clip.video.frames, seconds, start, end)
        frames = clip.video.frames or None
        if frames is None and seconds and clip.video.average_rate:
            frames = max(1, round(seconds * rate))
        notices = [*clip.notices, *decoded.notices(first)]
        if clip.video.metadata.get("alpha_mode") == "1":
            notices.append("Its transparency was left out.")
        if joined is not None:
            notices.append(JOINED)
        sounds = tuple(
            Sound(stream.codec.canonical_name, stream.channels, stream.rate, copied(stream, ".mp4"))
            for stream in clip.sounds
        )
        aspect = decoded.pixel_aspect(clip.video.sample_aspect_ratio, degrees)
        time_base = clip.video.time_base
        return ClipInfo(path, width, height, frames, seconds, rate, time_base, degrees, aspect, sounds, tuple(notices))


def read_file(path: Path, start: float, end: float | None, notices: list[str]) -> Iterator[Frame]:
    """Frames of a video file; see ``clip.read_frames``."""
    name = shown(path)
    first, last = exact(start), None if end is None else exact(end)
    for preroll in (PREROLL, None):  # None: from the beginning, where seeking came out too late
        with opened(path) as clip:
            sought = preroll is not None and _seek(clip, path, first - preroll)
            frames = _timed(clip, name, notices)
            head = next(frames, None)
            if sought and (head is None or head[0] > first):
                continue
            if head is None:
                raise InputError(
                    f"{name} has no frame that can be decoded", "at least one intact frame", "Export it again"
                )
            yield from _trimmed(chain([head], frames), first, last, lambda: _ending(clip, notices), name)
            return


def check_frame_size(name: str, width: int, height: int, max_megapixels: float | None = None) -> None:
    """Refuse frames beyond the budget; ``max_megapixels`` as for ``clip.probe``.

    Raises:
        LimitError: the message says the budget.
    """
    wanted = settings.MAX_MEGAPIXELS.current() if max_megapixels is None else max_megapixels
    limit = min(settings.MAX_CLIP_MEGAPIXELS.current(), wanted)
    if width * height > limit * 1e6:
        raise LimitError(
            f"{name} has frames of {width} x {height} pixels, {width * height / 1e6:.1f} megapixels",
            f"at most {limit:g} megapixels a frame",
            "Scale it down first",
        )


def exact(seconds: float) -> Fraction:
    """The number that was meant: 0.1 is a tenth, not the nearest binary number."""
    return Fraction(seconds).limit_denominator(1_000_000)


def _intact(clip: Opened, notices: list[str]) -> Iterator[av.VideoFrame]:
    """Decode, leaving out what is damaged; all frames are of one size."""
    clip.video.thread_type = "AUTO"
    packets = clip.packets(clip.video)
    newest = None
    while True:
        try:
            # The packets at the end are empty, and let go of the frames that the decoder still holds.
            packet = next((packet for packet in packets if packet.size), None)
        except (av.FFmpegError, ValueError):
            note(notices, CUT_SHORT)
            packet = None
        if packet is None and _lacks_end(clip, newest):
            note(notices, CUT_SHORT)
        newest = newest if packet is None else packet.dts
        if packet is not None and packet.is_corrupt:  # cut off by the end of the file
            note(notices, DAMAGED)
            continue
        try:
            with undisturbed():
                frames = clip.video.decode(packet)
        except (Finished, NothingYet):
            frames = []
        except av.FFmpegError as error:
            if isinstance(error, MemoryError):
                raise
            note(notices, DAMAGED)
            frames = []
        for frame in frames:
            if frame.is_corrupt:
                note(notices, DAMAGED)
            else:
                frame.time_base = clip.video.time_base  # those let go of at the end lack it
                yield frame
        if packet is None:
            return


def _lacks_end(clip: Opened, newest: int | None) -> bool:
    """Whether an index, where there is one, lists frames behind the newest packet."""
    index = clip.video.index_entries
    complete = 0 < clip.video.frames == len(index)
    return complete and newest is not None and newest < index[len(index) - 1].timestamp


def _progressive(frames: Iterator[av.VideoFrame], notices: list[str]) -> Iterator[av.VideoFrame]:
    """Deinterlace the interlaced ones: both fields of a frame become one frame at its time."""
    graph = None
    for frame in frames:
        if graph is None and frame.interlaced_frame:
            note(notices, decoded.INTERLACED)
            graph = _deinterlacer(frame)
        if graph is None:
            yield frame
            continue
        graph.push(frame)
        yield from _pulled(graph)
    if graph is not None:
        graph.push(None)
        yield from _pulled(graph)


def _deinterlacer(frame: av.VideoFrame) -> av.filter.Graph:
    graph = av.filter.Graph()
    source = graph.add_buffer(
        width=frame.width, height=frame.height, format=frame.format.name, time_base=frame.time_base
    )
    graph.link_nodes(source, graph.add("yadif", "mode=send_frame:deint=interlaced"), graph.add("buffersink"))
    graph.configure()
    return graph


def _pulled(graph: av.filter.Graph) -> Iterator[av.VideoFrame]:
    while True:
        try:
            yield graph.vpull()
        except (NothingYet, Finished):
            return


def _one_size(frames: Iterator[av.VideoFrame], name: str) -> Iterator[av.VideoFrame]:
    """Refuse a clip at the first frame whose size is not that of those before, or beyond the budget."""
    size = None
    for frame in frames:
        if size is None:
            size = frame.width, frame.height
            check_frame_size(name, *size)
        if (frame.width, frame.height) != size:
            raise InputError(
                f"{name} changes its size in mid-stream, from {size[0]} x {size[1]} to {frame.width} x {frame.height}",
                "frames of one size",
                "Cut it where the size changes",
            )
        yield frame


def _timed(clip: Opened, name: str, notices: list[str]) -> Iterator[tuple[Fraction, av.VideoFrame]]:
    """Frames with their times, which grow from one to the next."""
    step = 1 / (clip_length.stated_rate(clip.video) or clip_length.FALLBACK_RATE)
    before = None
    for frame in _progressive(_one_size(_intact(clip, notices), name), notices):
        time = None if frame.pts is None else frame.pts * frame.time_base - clip.origin
        if time is None or (before is not None and time <= before):
            note(notices, TIMES_MENDED)
            after = step if time is None else clip.video.time_base
            time = Fraction(0) if before is None else before + after
        yield time, frame
        before = time


def _trimmed(
    timed: Iterator[tuple[Fraction, av.VideoFrame]], start: Fraction, end: Fraction | None, ending: Callable, name: str
) -> Iterator[Frame]:
    """The frames from start on and before end, in RGB; the last of the clip is shown until its ending."""
    minutes, most = settings.MAX_CLIP_MINUTES.current(), settings.MAX_CLIP_FRAMES.current()
    upright = decoded.Upright()
    index = early = 0
    for (time, frame), after in pairwise(chain(timed, [None])):
        if end is not None and time >= end:
            return
        if time - start > minutes * 60:
            raise LimitError(f"{name} is longer than it says", f"at most {minutes:g} minutes", "Choose a shorter part")
        if max(index, early) >= most:
            raise LimitError(f"{name} has more than {most} frames", f"at most {most} frames", "Choose a shorter part")
        if time < start:
            early += 1
            continue
        duration = after[0] - time if after else max(Fraction(0), ending() - time)
        yield Frame(index, time, upright(frame), duration or frame.duration * frame.time_base)
        index += 1


def _seek(clip: Opened, path: Path, start: Fraction) -> bool:
    """Go to the last key frame before a time; False where that is the beginning, or one that cannot be found."""
    if start <= 0 or (clip.joints and clip_length.joined_length(path) is not None):
        return False
    try:
        clip.container.seek(int((start + clip.origin) / clip.video.time_base), stream=clip.video)
    except (av.FFmpegError, OverflowError):  # more ticks than an integer of FFmpeg's holds
        return False
    return True


def _ending(clip: Opened, notices: list[str]) -> Fraction:
    """When the last frame ends, by the declared length; 0 where it is not declared for the pictures alone."""
    if not clip.video.frames or clip.video.duration is None or CUT_SHORT in notices:
        return Fraction(0)
    return ((clip.video.start_time or 0) + clip.video.duration) * clip.video.time_base - clip.origin


def note(notices: list[str], sentence: str) -> None:
    """Say it once."""
    if sentence not in notices:
        notices.append(sentence)
