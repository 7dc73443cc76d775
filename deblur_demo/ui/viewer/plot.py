"""Small plots as SVG: lines over one axis, drawn on the server, stretched to the page by its style."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape

_WIDTH, _HEIGHT = 600, 100  # units of the drawing
_MARGIN = 0.08  # of the height, above and below


@dataclass(frozen=True)
class Plot:
    """What a plot says.

    Attributes:
        title, why: above it, and what a pointer resting there is told.
        words: the same for those who do not see it.
        lines: points (x, y) by the class of their line; all share one scale. There may be none yet.
        legend: names of the lines, by class; those left out have none.
        span: x of the left and of the right edge.
        ends: what stands below these edges.
        form: how the highest and the lowest y are written.
        marked: whether every point is drawn as one.
    """

    title: str
    why: str
    words: str
    lines: Mapping[str, Sequence[tuple[float, float]]]
    span: tuple[float, float]
    ends: tuple[str, str]
    form: str = "{:.2f}"
    legend: Mapping[str, str] | None = None
    marked: bool = False

    def html(self) -> str:
        """A ``figure``; ``--played`` in the style of its ``.plot`` moves a mark along the axis."""
        heights = [y for points in self.lines.values() for _, y in points]
        low, high = (min(heights), max(heights)) if heights else (0.0, 0.0)
        bounds = "".join(f"<span>{self.form.format(bound)}</span>" for bound in (high, low) if heights)
        drawn = "".join(self._line(name, points, low, high) for name, points in self.lines.items())
        legend = "".join(f'<span class="{name}">{escape(word)}</span>' for name, word in (self.legend or {}).items())
        left, right = map(escape, self.ends)
        return (
            f'<figure class="curve"><figcaption title="{escape(self.why)}">{escape(self.title)}{legend}</figcaption>'
            f'<div class="plot"><svg viewBox="0 0 {_WIDTH} {_HEIGHT}" preserveAspectRatio="none" role="img" '
            f'aria-label="{escape(self.words)}">{drawn}</svg><i></i>'
            f"{bounds}</div>"
            f'<div class="axis"><span>{left}</span><span>{right}</span></div></figure>'
        )

    def _line(self, name: str, points: Sequence[tuple[float, float]], low: float, high: float) -> str:
        (first, last), height = self.span, (high - low) or 1.0
        places = [
            (
                _WIDTH * (x - first) / ((last - first) or 1.0),
                _HEIGHT * (1 - _MARGIN - (1 - 2 * _MARGIN) * (y - low) / height),
            )
            for x, y in points
        ]
        drawn = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
        # A dot is a stroke of no length with round ends: it stays round however the drawing is stretched.
        dots = "".join(
            f'<path class="{name}" d="M{x:.1f} {y:.1f}h0"><title>{self.form.format(value)}</title></path>'
            for (x, y), (_, value) in zip(places, points, strict=True)
        )
        return f'<polyline class="{name}" points="{drawn}" />' + (dots if self.marked else "")
