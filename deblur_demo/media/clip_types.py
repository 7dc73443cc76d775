"""What is known of a clip, and one picture of it."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from numpy import ndarray


@dataclass(frozen=True)
class Sound:
    """One sound track.

    Attributes:
        codec: as FFmpeg calls it, such as ``aac``.
        channels: 1 or more.
        rate: samples a second.
        copied: whether an .mp4 holds it as it is; otherwise it becomes AAC there.
    """

    codec: str
    channels: int
    rate: int
    copied: bool


@dataclass(frozen=True)
class ClipInfo:
    """One clip.

    Attributes:
        path: the file, or the folder of frames.
        width, height: of a frame as it is shown, upright.
        frames: as declared, or estimated from duration and rate; None where neither says.
        seconds: as declared, or until the end of the last frame where that is later or the times
            jump; None where the file does not say.
        rate: mean frames a second.
        time_base: every frame's time is a multiple of it, in seconds.
        rotation: 0, 90, 180 or 270 degrees clockwise that the frames are turned by when they are
            read; width and height are those after the turn.
        pixel_aspect: width of a pixel by its height, upright.
        sounds: the tracks that a result gets too.
        notices: what is assumed, converted or left out, in sentences for a person.
        icc: the colour profile of a folder's frames; None: they have none, or it is a file.
    """

    path: Path
    width: int
    height: int
    frames: int | None
    seconds: float | None
    rate: Fraction
    time_base: Fraction
    rotation: int = 0
    pixel_aspect: Fraction = Fraction(1)
    sounds: tuple[Sound, ...] = ()
    notices: tuple[str, ...] = ()
    icc: bytes | None = None


@dataclass(frozen=True, eq=False)
class Frame:
    """One picture of a clip.

    Attributes:
        index: counts from 0 within the frames that are read.
        time: seconds from the beginning of the clip, exact; of the whole clip, not of its trimmed part.
        pixels: (H,W,3) uint8 RGB, upright.
        duration: seconds until the next, as declared; 0 where the file does not say.
    """

    index: int
    time: Fraction
    pixels: ndarray
    duration: Fraction = Fraction(0)
