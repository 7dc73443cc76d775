"""The codecs that clips are written in, and what their encoders are told."""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import av

from deblur_demo.errors import OutputError

CRF_SCALE = 63 / 51  # VP9 and AV1 count quality to 63, H.264 to 51


@dataclass(frozen=True)
class Encoder:
    """One encoder of FFmpeg.

    Attributes:
        name: as FFmpeg calls it.
        suffixes: of the containers that hold its codec.
        even: whether both sides of a frame must be even: H.264 crops 4:2:0 by two pixels at a time.
        quality: the option that takes the quality setting, and what it is multiplied by.
        options: the others. All of them keep the frames in the order of their times.
        seizes: whether it takes the whole machine where it may, see ``usual_priority``.
    """

    name: str
    suffixes: tuple[str, ...]
    even: bool = False
    quality: tuple[str, float] = ("crf", 1.0)
    options: dict[str, str] = field(default_factory=dict)
    seizes: bool = False

    def told(self, crf: int) -> dict[str, str]:
        """Its options for a quality setting."""
        name, scale = self.quality
        return self.options | {name: str(round(crf * scale))}


# stitchable: the same header whatever the pictures are, so that a file can be continued later.
X264 = Encoder(
    "libx264", (".mp4",), True, options={"preset": "medium", "bf": "0", "x264-params": "stitchable=1:rc-lookahead=20"}
)
NVENC = Encoder("h264_nvenc", (".mp4",), True, ("cq", 1.0), {"preset": "p5", "rc": "vbr", "bf": "0"})
VP9 = Encoder(
    "libvpx-vp9",
    (".mp4", ".webm"),
    quality=("crf", CRF_SCALE),
    options={"b": "0", "deadline": "good", "cpu-used": "4", "row-mt": "1", "lag-in-frames": "16"},
)
AV1 = Encoder(
    "libsvtav1",
    (".mp4", ".webm"),
    quality=("crf", CRF_SCALE),
    options={"preset": "8", "svtav1-params": "pred-struct=1"},
    seizes=True,
)

# The words of ``settings.CODEC``; the first encoder of a row that opens on this machine is used.
ENCODERS = {"h264": (X264,), "vp9": (VP9,), "av1": (AV1,), "auto": (NVENC, X264)}


def find(codec: str, suffix: str, size: tuple[int, int], name: str) -> Encoder:
    """The encoder for a codec, if the container holds it.

    Args:
        codec: one of ``settings.CODEC``.
        suffix: of the target, in small letters.
        size: (width, height) of the frames, which a graphics card may find too small or too large.
        name: of the target, for errors.

    Raises:
        OutputError: the container does not hold the codec, or the suffix names no container of clips.
    """
    *hardware, last = ENCODERS[codec]
    if suffix not in last.suffixes:
        known = {suffix for (*_, encoder) in ENCODERS.values() for suffix in encoder.suffixes}
        found = f"{name} is no file for {codec}" if suffix in known else f"{name} names no format of clips"
        accepted = f"a name that ends in {' or '.join(last.suffixes)} for {codec}; for a folder of frames also a folder"
        raise OutputError(found, accepted, "Choose one of these")
    return next((encoder for encoder in hardware if _opens(encoder, size)), last)


def usual_priority() -> None:
    """Undo what SVT-AV1 does where it runs as root on Linux, once it has started.

    It makes its threads and the one that calls it real-time ones of the highest priority: nothing
    else would run beside them, and all that this process starts later would inherit it.
    """
    if not hasattr(os, "sched_setscheduler"):
        return
    for task in Path("/proc/self/task").iterdir():
        with suppress(ProcessLookupError, PermissionError):  # it has just ended; it never was real-time
            if os.sched_getscheduler(int(task.name)) != os.SCHED_OTHER:
                os.sched_setscheduler(int(task.name), os.SCHED_OTHER, os.sched_param(0))


def _opens(encoder: Encoder, size: tuple[int, int]) -> bool:
    """Whether an encoder starts; one that drives a card is known to FFmpeg also where there is no such card."""
    try:
        context = av.CodecContext.create(encoder.name, "w")
        context.width, context.height = (side + side % 2 for side in size)
        context.pix_fmt, context.time_base = "yuv420p", Fraction(1, 25)
        context.options = encoder.told(20)
        context.open()
    except (av.FFmpegError, ValueError):
        return False
    return True
