"""Every word of the video screen; ``text`` has those that it shares with others."""

from __future__ import annotations

from deblur_demo.ui.text import duration, rounded

WELCOME = (
    ("Add a clip", "one that was shaken or smeared while it was filmed"),
    ("Press Deblur", "every frame shows up as soon as it is ready"),
    ("Compare", "both play as one: drag the handle, step through the frames, keep the result"),
)
CLIP = "Blurred clip"
EXAMPLES = "No clip at hand? Try this one:"
START = "From (seconds)"
END = "To (empty: end)"
CODEC = "Codec"
CODEC_HELP = "H.264 plays everywhere; VP9 and AV1 make smaller files and take longer."
CODECS = {"auto": "H.264, by the graphics card where it can", "h264": "H.264", "vp9": "VP9", "av1": "AV1"}
CRF = "Quality"
CRF_HELP = "1 is best and largest; 18 is hard to tell from the original."
NEWEST = "Before | After: frame {number}"
PLAYER = {
    "player": "Clip, before and after",
    "before": "Before",
    "after": "After",
    "wipe": "Move the line between before and after",
    "seek": "Position",
    "play": "Play",
    "pause": "Pause",
    "back": "One frame back",
    "forward": "One frame on",
    "first": "Begin here",
    "last": "End here",
    "frame": "Frame {number} of {count}",
    "speed": "Speed",
    "loop": "Loop",
    "sound": "Sound",
    "full": "Full screen",
    "unplayable": "This browser cannot play the clip. It can be deblurred all the same.",
    "unplayable_result": "This browser cannot play the result. Download it, or choose H.264 under More options.",
    "unplayable_source": "This browser cannot play your file, so only the result is shown.",
}
DOWNLOAD_CLIP = "Download the clip (MP4)"
DOWNLOAD_PART = "Download the finished part (MP4)"
DOWNLOAD_EARLIER = "Download {name}, made before"
CURVE = "Sharpness, frame by frame"
CURVE_HELP = "Steepness of edges in levels a pixel; it rises with detail and with noise"
CLIP_TABLE = "The clip in numbers"
CLIP_ROWS = {
    "sharpness": ("Sharpness", "Mean over all frames: steepness of edges in levels a pixel"),
    "flicker": ("Flicker", "Change from frame to frame where nothing moved, in 8-bit levels; lower is calmer"),
}
CHANGE = "Change"
CHANGE_HELP = "Mean absolute difference between before and after, in 8-bit levels"


def filming(
    done: int, count: int | None, pace: float | None = None, seconds: float | None = None, iteration: str = ""
) -> str:
    """What is being done to a clip right now, e.g. "Frame 3 of 20, about 12 s left, 1.4 frames/s".

    Args:
        done: finished frames.
        count: frames that there will be; None while unknown.
        pace: finished frames a second; None before the first.
        seconds: estimated time left; None while unknown.
        iteration: where in the frame the work is; "" for nowhere in particular.
    """
    number = done + 1 if count is None else min(done + 1, count)
    parts = [f"Frame {number} of {count}" if count else f"Frame {number}"]
    if seconds is not None:
        parts.append(f"about {duration(seconds)} left")
    if pace:
        parts.append(f"{rounded(pace, 2)} frames/s")
    if iteration:
        parts.append(iteration[0].lower() + iteration[1:])
    return ", ".join(parts)


def filmed(frames: int, seconds: float) -> str:
    """The last status of a clip."""
    return f"Done: {frames} frame{'' if frames == 1 else 's'} in {duration(seconds)}."


def kept(frames: int, count: int | None) -> str:
    """The last status of a clip that was cancelled."""
    of = f" of {count}" if count and count >= frames else ""
    return f"Cancelled. The first {frames}{of} frames are finished: they play and can be downloaded."


def about_clip(
    width: int,
    height: int,
    seconds: float | None,
    frames: int | None,
    rate: float,
    sound: bool,
    notices: tuple[str, ...] = (),
) -> str:
    """The line below the clip."""
    parts = [f"{width} × {height} pixels"]
    if seconds is not None:
        parts.append(f"{seconds:.3g} s" if seconds < 100 else duration(seconds))
    if frames is not None:
        parts.append(f"{frames} frames at {rounded(rate, 3)} a second")
    parts.append("with sound" if sound else "silent")
    return " ".join((", ".join(parts) + ".", *notices))


def clip_figures(frames: int, length: float, seconds: float, network: float) -> str:
    """The line below the table of a clip.

    Args:
        frames: how many it has.
        length: how long it plays, in seconds.
        seconds: how long the run took, by the clock of its status lines.
        network: seconds of these that the network computed; the others went into reading and writing the clip.
    """
    pace = f" ({rounded(frames / seconds, 2)} frames/s)" if seconds > 0 else ""
    clip = f"{frames} frame{'' if frames == 1 else 's'}, {length:.2f} s long"
    return f"{clip}, done in {duration(seconds)}{pace}, of which the network took {duration(network)}."


def curve(before: float, after: float, frames: int) -> str:
    """What the curve of sharpness shows, for those who do not see it."""
    return f"Sharpness of {frames} frames: on average {before:.2f} before and {after:.2f} after."
