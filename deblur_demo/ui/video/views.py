"""What is drawn about a clip: its sharpness frame by frame, and its figures."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from statistics import fmean

from deblur_demo.ui import text
from deblur_demo.ui.video import text as video_text
from deblur_demo.ui.video.run import VideoRun
from deblur_demo.ui.viewer.plot import Plot

_MOST_POINTS = 300


def curve(run: VideoRun) -> str:
    """Sharpness before and after over the time of the result; the player moves the mark."""
    times = [float(time) for time in run.times]
    before = [frame.sharpness_before for frame in run.frames]
    after = [frame.sharpness for frame in run.frames]
    end = times[-1] + _last_duration(times)
    return Plot(
        title=video_text.CURVE,
        why=video_text.CURVE_HELP,
        words=video_text.curve(fmean(before), fmean(after), len(before)),
        lines={"before": _thinned(times, before), "after": _thinned(times, after)},
        span=(0.0, end),
        ends=("0 s", f"{end:.2f} s"),
        legend={name: video_text.PLAYER[name] for name in ("before", "after")},
    ).html()


def figures(run: VideoRun) -> str:
    """Before and after in numbers, how long it took, and what was assumed."""
    frames, report = run.frames, run.report
    rows = [("sharpness", *(fmean(getattr(f, name) for f in frames) for name in ("sharpness_before", "sharpness")))]
    if report is not None and report.flicker is not None:
        rows.append(("flicker", report.flicker_before, report.flicker))
    body = "".join(
        f'<tr><th scope="row" title="{escape(video_text.CLIP_ROWS[name][1])}">{video_text.CLIP_ROWS[name][0]}</th>'
        f"<td>{before:.2f}</td><td>{after:.2f}</td></tr>"
        for name, before, after in rows
    )
    change = fmean(frame.change for frame in frames)
    body += (
        f'<tr><th scope="row" title="{escape(video_text.CHANGE_HELP)}">{video_text.CHANGE}</th>'
        f"<td>{text.NO_VALUE}</td><td>{change:.2f}</td></tr>"
    )
    times = [float(time) for time in run.times]
    network = sum(frame.seconds for frame in frames)
    line = video_text.clip_figures(len(frames), times[-1] + _last_duration(times), run.elapsed, network)
    notes = "".join(f"<li>{escape(notice)}</li>" for notice in run.notices)
    columns = "".join(f'<th scope="col">{video_text.PLAYER[side]}</th>' for side in ("before", "after"))
    return (
        f'<div class="figures"><table><caption>{video_text.CLIP_TABLE}</caption>'
        f"<thead><tr><td></td>{columns}</tr></thead>"
        f'<tbody>{body}</tbody></table></div><p class="line">{line}</p>'
        + (f'<ul class="notices">{notes}</ul>' if notes else "")
    )


def _last_duration(times: Sequence[float]) -> float:
    """How long the last frame is shown: as long as the others on average."""
    return (times[-1] - times[0]) / (len(times) - 1) if len(times) > 1 else 1.0


def _thinned(times: Sequence[float], values: Sequence[float]) -> list[tuple[float, float]]:
    """Points of a line that a page can draw: means over as many frames as it takes."""
    step = -(-len(times) // _MOST_POINTS)
    starts = range(0, len(times), step)
    return [(fmean(times[at : at + step]), fmean(values[at : at + step])) for at in starts]
