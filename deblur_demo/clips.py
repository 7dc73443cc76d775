"""A clip goes in, a sharper clip comes out, frame by frame: the path that page, command line and API share.

Beside a GPU, reading and writing run in threads of their own, so that it never waits for a file.
"""

from __future__ import annotations

import math
import os
from collections import deque
from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass, field, replace
from fractions import Fraction
from hashlib import sha256
from itertools import islice
from pathlib import Path

import numpy as np
from numpy import ndarray
from torch import Tensor

from deblur_demo import metrics
from deblur_demo.errors import InputError, SettingError
from deblur_demo.flicker import Flicker
from deblur_demo.media.clip import ClipInfo, ClipWriter, Frame, becomes_frames, probe, read_frames
from deblur_demo.media.frames import to_pixels, to_tensor
from deblur_demo.media.paths import printable
from deblur_demo.models import checkpoint
from deblur_demo.pipeline import Job
from deblur_demo.runtime.ahead import Behind, ahead
from deblur_demo.runtime.deblurrer import Deblurrer, TileDone
from deblur_demo.runtime.footage import FrameDone, deblur_frames
from deblur_demo.settings import CODEC, CRF, END, START


@dataclass(frozen=True)
class ClipJob:
    """What is to become of one clip.

    Attributes:
        source: a clip, or a folder of frames.
        target: a file, in the container of its suffix; or a folder, which gets ``frame_000000.png`` ...
        start, end: seconds of the source to take; ``end`` None or "end": all that is left.
        codec, crf: as in ``settings``.
        side_by_side: whether the source stands to the left of the result.
        truth: the same clip, sharp (a clip or a folder of frames), to measure against; or None.
        resume: whether to go on where an earlier run of the same source, ``maker`` and quality stopped.
        maker: what makes the result (network, weights, iterations), kept in the file.
        max_megapixels: largest frame accepted, as for ``probe``.

    Raises:
        SettingError: a value is out of range, or the end comes before the start.
    """

    source: Path
    target: Path
    start: float = 0.0
    end: float | None = None
    codec: str = field(default_factory=CODEC.current)
    crf: int = field(default_factory=CRF.current)
    side_by_side: bool = False
    truth: Path | None = None
    resume: bool = False
    maker: str = ""
    max_megapixels: float | None = None

    def __post_init__(self):
        for knob in (START, CODEC, CRF):
            object.__setattr__(self, knob.name, knob.parse(getattr(self, knob.name)))
        end = END.parse(END.default if self.end is None else self.end)
        object.__setattr__(self, "end", None if end == END.default else end)
        if self.end is not None and self.start >= self.end:
            raise SettingError(
                f"the part from {self.start:g} s to {self.end:g} s is empty",
                "a start of at least 0 and an end after it",
                "Change start or end",
            )


@dataclass(frozen=True)
class Begun:
    """A clip that has been looked at and can be deblurred.

    Attributes:
        info: what the source is.
        frames: frames in the part that was asked for, as far as the source tells; None if unknown.
        done: frames taken over from an earlier run.
    """

    info: ClipInfo
    frames: int | None
    done: int


@dataclass(frozen=True, eq=False)
class FrameReport:
    """One frame that is done, with its figures; those taken over from an earlier run have no report.

    Attributes:
        index: 0 is the first frame of the part that was taken.
        time: of the source, in seconds.
        blurred, restored: (H, W, 3) uint8 RGB.
        steps: how many steps it took.
        seconds: computing time of all steps.
        sharpness_before, sharpness: of the two pictures, see ``metrics.sharpness``.
        change: mean absolute difference between the two, in 8-bit levels.
        cut: whether a new scene begins.
        psnr_before, psnr, ssim: against the truth, in 8 bit; None where there is none, and PSNR of equal pictures.
    """

    index: int
    time: Fraction
    blurred: ndarray
    restored: ndarray
    steps: int
    seconds: float
    sharpness_before: float
    sharpness: float
    change: float
    cut: bool
    psnr_before: float | None
    psnr: float | None
    ssim: float | None


@dataclass(frozen=True)
class ClipReport:
    """A clip that is done.

    Attributes:
        frames: frames in the result, those of an earlier run included.
        flicker_before, flicker: of source and result, see ``flicker.Flicker``, without the frames of an earlier run;
            None where no two frames could be compared.
        notices: what was assumed while reading, what an earlier run had done, and what the result cannot hold.
    """

    frames: int
    flicker_before: float | None
    flicker: float | None
    notices: tuple[str, ...]


def deblur_clip(
    job: ClipJob, deblurrer: Deblurrer, iterations: int | str | None = None, overlapped: bool | None = None
) -> Iterator[Begun | TileDone | FrameReport | ClipReport]:
    """Deblur a clip and write it as it comes.

    Closing the generator early, or an error in mid-clip, leaves a playable file of the frames that
    are done; ``ClipJob.resume`` goes on from there. Memory does not grow with the clip.

    Args:
        job: from where to where.
        deblurrer: the network, placed on its device.
        iterations: 1 to 10, "auto", or None for the network's own number; of every frame.
        overlapped: whether files are read and written in threads of their own; None: beside a GPU. A
            CPU has no idle time to fill: there they would only slow the network down.

    Yields:
        First what the clip is, then for each frame its tiles and its report, at the end the clip's.

    Raises:
        InputError, LimitError: the source is no clip, beyond the budgets, or without a frame in the part; or the
            truth is no clip of the same frames.
        OutputError: the result cannot be written, or is not one to go on with.
    """
    info = probe(job.source, job.start, job.end, job.max_megapixels)
    notices = list(info.notices)
    size = (2 * info.width, info.height) if job.side_by_side else None
    with ClipWriter(
        info, job.target, job.codec, job.crf, job.start, job.end, tag=_tag(job), resume=job.resume, size=size
    ) as writer:
        done = writer.frames
        if done:
            notices.append(f"{done} {'frame is' if done == 1 else 'frames are'} of an earlier run.")
        yield Begun(info, expected_frames(info, job), done)
        # A network that sees neighbours needs the last finished frame once more.
        again = min(done, deblurrer.model.traits.frames // 2)
        if overlapped is None:
            overlapped = deblurrer.placement.device.type != "cpu"
        reading = ahead if overlapped else iter
        flicker = Flicker()

        def write(result: tuple[Frame, ndarray]) -> None:
            frame, restored = result
            flicker.add(frame.pixels, restored)
            shown = np.hstack((frame.pixels, restored)) if job.side_by_side else restored
            writer.write(replace(frame, pixels=shown))

        with ExitStack() as stack:
            source = stack.enter_context(closing(reading(_part(job.source, job, done - again, notices))))
            truths = job.truth and stack.enter_context(closing(reading(_truths(job, done - again))))
            put = stack.enter_context(Behind(write)).put if overlapped else write
            waiting: deque[tuple[Frame, Frame | None]] = deque()
            pairs = _with_truths(source, truths, job, info) if truths else ((frame, None) for frame in source)
            frames = _handing_over(pairs, waiting)
            for event in stack.enter_context(closing(deblur_frames(deblurrer, frames, iterations))):
                if isinstance(event, TileDone):
                    yield event
                    continue
                frame, truth = waiting.popleft()
                if event.index >= again:
                    report = _report(frame, truth, event)
                    put((frame, report.restored))
                    yield report
                    notices.extend(notice for step in event.steps for notice in step.notices)
        writer.close(complete=True)
        notices.extend(writer.notices)
    if not writer.frames:
        raise InputError(
            f"{job.source.name} shows nothing from {job.start:g} s on",
            f"a start before its end{'' if info.seconds is None else f' at {info.seconds:.4g} s'}",
            "Change start",
        )
    before, after = flicker.value
    yield ClipReport(writer.frames, before, after, tuple(dict.fromkeys(notices)))


def maker(job: Job) -> str:
    """What a job's results are made with, in one line: the network, its weights, how often it runs."""
    weights = "none" if job.checkpoint is None else checkpoint.read_card(job.checkpoint).sha256[:12]
    return f"{job.model}, weights {weights}, iterations {job.iterations}, ensemble {job.ensemble}, size {job.size}"


def _tag(job: ClipJob) -> str:
    """Two results with the same tag are parts of the same work."""
    if os.path.isfile(job.source):
        which = f"{job.source.stat().st_size} bytes"
    else:  # many folders of frames have the same name; where this one lies is nobody's business who gets the result
        which = f"folder {sha256(os.fsencode(job.source.resolve())).hexdigest()[:12]}"
    source = f"{printable(job.source.name)} ({which}), {job.start:.15g} s to {job.end or 'end'}"
    side = ", side by side" if job.side_by_side else ""
    quality = "" if becomes_frames(job.target) else f", {job.codec} of crf {job.crf}"
    return f"deblurred: {job.maker}; from {source}{side}{quality}"


def expected_frames(info: ClipInfo, job: ClipJob) -> int | None:
    """Frames in the part that a job takes, as far as the source tells; None if unknown."""
    if info.frames is None or not info.seconds:
        return info.frames
    rate, end = info.frames / info.seconds, info.seconds if job.end is None else min(job.end, info.seconds)
    # Frames begin at multiples of 1 / rate, and one that begins at a mark must not slip to its other side.
    first, last = (math.ceil(round(mark * rate, 3)) for mark in (job.start, end))
    return max(1, last - first)


def _part(path: Path, job: ClipJob, skipped: int, notices: list[str]) -> Iterator[Frame]:
    yield from islice(read_frames(path, job.start, job.end, notices), skipped, None)


def _truths(job: ClipJob, skipped: int) -> Iterator[Frame]:
    """Frames of the truth, from the one that belongs to the first of the part on."""
    if _times_agree(job):
        yield from _part(job.truth, job, skipped, [])
    else:
        before = sum(1 for _ in read_frames(job.source, end=job.start))
        yield from islice(read_frames(job.truth), before + skipped, None)


def _times_agree(job: ClipJob) -> bool:
    """Whether source and truth tell times alike. A folder makes its own up: beside a file, frames go by number."""
    return os.path.isdir(job.source) == os.path.isdir(job.truth)


def _with_truths(
    source: Iterator[Frame], truths: Iterator[Frame], job: ClipJob, info: ClipInfo
) -> Iterator[tuple[Frame, Frame]]:
    """Every frame and its truth.

    Raises:
        InputError: the truth has fewer frames or more, or one of another size, or at another time by half a frame.
    """
    timed = _times_agree(job)
    for frame in source:
        truth = next(truths, None)
        if truth is None:
            raise _other_truth(f"ends at frame {frame.index}", info)
        if truth.pixels.shape != frame.pixels.shape:
            height, width, _ = truth.pixels.shape
            raise _other_truth(f"has {width}x{height} pixels at frame {frame.index}", info)
        if timed and abs(truth.time - frame.time) > (frame.duration or 1 / info.rate) / 2:
            times = f"shows frame {frame.index} at {float(truth.time):.3f} s, the blurred at {float(frame.time):.3f} s"
            raise _other_truth(times, info)
        yield frame, truth
    # Beside a part that ends by the times of the other kind, the truth goes on.
    if (timed or job.end is None) and next(truths, None) is not None:
        raise _other_truth("goes on after the last frame", info)


def _other_truth(found: str, info: ClipInfo) -> InputError:
    return InputError(
        f"the sharp clip {found}",
        f"as many frames as the blurred clip, of {info.width}x{info.height} pixels, at the same times",
        "Use the same clip, uncut, as the truth",
    )


def _handing_over(
    pairs: Iterator[tuple[Frame, Frame | None]], waiting: deque[tuple[Frame, Frame | None]]
) -> Iterator[Tensor]:
    """Frames as the networks take them, each (1, 3, H, W); the originals wait for their result."""
    for frame, truth in pairs:
        waiting.append((frame, truth))
        yield to_tensor(frame.pixels)


def _report(frame: Frame, truth: Frame | None, done: FrameDone) -> FrameReport:
    restored = to_pixels(done.steps[-1].image, np.uint8)
    return FrameReport(
        index=frame.index,
        time=frame.time,
        blurred=frame.pixels,
        restored=restored,
        steps=len(done.steps),
        seconds=sum(step.seconds for step in done.steps),
        sharpness_before=metrics.sharpness(frame.pixels),
        sharpness=metrics.sharpness(restored),
        change=metrics.change(frame.pixels, restored),
        cut=done.cut,
        psnr_before=None if truth is None else metrics.decibel(frame.pixels, truth.pixels),
        psnr=None if truth is None else metrics.decibel(restored, truth.pixels),
        ssim=None if truth is None else metrics.ssim(restored, truth.pixels),
    )
