"""How a picture is cut into tiles: their rectangles, their halos, their order and their number."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import product

from torch import Tensor

from deblur_demo.models.contract import Traits
from deblur_demo.runtime.footprint import Footprint

SMALLEST_TILE = 128  # px; below this the halo is nearly all of the work
PIXEL = 3 * 4  # bytes of a pixel: RGB, fp32


@dataclass(frozen=True)
class Box:
    """A rectangle in pixels: rows [top, bottom), columns [left, right)."""

    top: int
    bottom: int
    left: int
    right: int

    @property
    def height(self) -> int:
        return self.bottom - self.top

    @property
    def width(self) -> int:
        return self.right - self.left

    def of(self, tensor: Tensor, stride: int = 1) -> Tensor:
        """A view of this rectangle: (..., H / stride, W / stride) -> (..., height / stride, width / stride)."""
        rows = slice(self.top // stride, self.bottom // stride)
        return tensor[..., rows, self.left // stride : self.right // stride]

    def seen_from(self, other: Box) -> Box:
        """The same rectangle, counted from the corner of another."""
        return Box(self.top - other.top, self.bottom - other.top, self.left - other.left, self.right - other.left)


@dataclass(frozen=True)
class Tile:
    """What is restored at once: the network sees ``outer``, and ``inner`` of its result is kept."""

    inner: Box
    outer: Box

    @property
    def side(self) -> int:
        """The longer side, without the halo."""
        return max(self.inner.height, self.inner.width)


def round_up(size: int, step: int) -> int:
    return -(-size // step) * step


class Axis:
    """One side of a picture, or a part of it, cut into spans of like length.

    Args:
        size: of the whole side in pixels, a multiple of ``traits.align``.
        count: spans, at most.
        traits: of the network.
        part: what to cut of the side, [start, stop); all of it by default.

    Attributes:
        spans: (start, stop, low, high) each: [start, stop) is kept, [low, high) is seen. The halo is
            rounded up, so that all bounds are multiples of ``traits.align``.
    """

    def __init__(self, size: int, count: int, traits: Traits, part: tuple[int, int] | None = None):
        begin, end = part or (0, size)
        halo, minimum = round_up(traits.halo, traits.align), round_up(traits.minimum, traits.align)
        self.length = round_up(-(-(end - begin) // count), traits.align)
        self.spans = []
        for start in range(begin, end, self.length):
            stop = min(start + self.length, end)
            low, high = max(0, start - halo), min(size, stop + halo)
            low = max(0, min(low, high - minimum))
            high = min(size, max(high, low + minimum))
            self.spans.append((start, stop, low, high))

    @cached_property
    def seen(self) -> list[int]:
        """Pixels that each span sees."""
        return [high - low for _, _, low, high in self.spans]

    @cached_property
    def last_look(self) -> list[int]:
        """For each span, the index of the last one that sees its pixels."""
        return [
            max(index for index, (_, _, low, high) in enumerate(self.spans) if low < stop and start < high)
            for start, stop, _, _ in self.spans
        ]

    @cached_property
    def reach(self) -> int:
        """How many spans later a span's pixels are seen last."""
        return max(last - index for index, last in enumerate(self.last_look))


class Grid:
    """A padded picture and the tiles that cover it, row by row.

    Args:
        rows, columns: the two axes of the picture, cut.
        traits: of the network.
    """

    def __init__(self, rows: Axis, columns: Axis, traits: Traits):
        self.rows, self.columns, self.traits = rows, columns, traits
        self.height, self.width = rows.spans[-1][1], columns.spans[-1][1]
        self.tiles = _tiles(rows, columns)
        # For each tile, the index of the last one that sees its pixels.
        self.last_look = [r * len(columns.spans) + c for r, c in product(rows.last_look, columns.last_look)]

    def halves(self, tile: Tile) -> list[Tile]:
        """A tile cut in two across its longer side."""
        box = tile.inner
        tall = box.height >= box.width
        rows = Axis(self.height, 2 if tall else 1, self.traits, (box.top, box.bottom))
        columns = Axis(self.width, 1 if tall else 2, self.traits, (box.left, box.right))
        return _tiles(rows, columns)


def _tiles(rows: Axis, columns: Axis) -> list[Tile]:
    return [Tile(Box(*r[:2], *c[:2]), Box(*r[2:], *c[2:])) for r, c in product(rows.spans, columns.spans)]


def grid_of_side(height: int, width: int, traits: Traits, side: int) -> Grid:
    """Tiles of at most ``side`` pixels a side, rounded up to what the network takes; 0: a single tile."""
    height, width = traits.padded(height), traits.padded(width)
    side = round_up(side, traits.align) or max(height, width)
    return Grid(Axis(height, -(-height // side), traits), Axis(width, -(-width // side), traits), traits)


def grid_within(height: int, width: int, traits: Traits, footprint: Footprint, budget: float) -> Grid:
    """The tiles that compute the fewest pixels, halos included, among those whose work fits a budget in bytes.

    Where none fit: those of at least ``SMALLEST_TILE`` that need the least memory.
    """

    def cuts(side: int) -> list[Axis]:
        return [Axis(side, count, traits) for count in range(1, max(2, side // SMALLEST_TILE + 1))]

    def cost(axes: tuple[Axis, Axis]) -> tuple[float, int]:
        rows, columns = axes
        excess = max(0.0, bytes_at_work(rows, columns, traits, footprint) - budget)
        return excess, sum(rows.seen) * sum(columns.seen)

    return Grid(*min(product(cuts(traits.padded(height)), cuts(traits.padded(width))), key=cost), traits)


def bytes_at_work(rows: Axis, columns: Axis, traits: Traits, footprint: Footprint) -> float:
    """Memory for the largest tile at work, the copies that it starts from, and the tiles that wait."""
    inputs = footprint.state + PIXEL * (traits.frames + 1)
    at_work = max(rows.seen) * max(columns.seen) * (footprint.working + inputs)
    waiting = (rows.reach * len(columns.spans) + columns.reach) * rows.length * columns.length
    return at_work + waiting * (footprint.state + PIXEL)
