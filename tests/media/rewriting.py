"""Passing clips through reader and writer, and looking at what comes out."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

from deblur_demo.media.clip import ClipWriter, probe, read_frames

LONG = tuple(range(0, 2000, 40))  # 50 frames, 2 seconds


def rewrite(source: Path, target: Path, most: int | None = None, start: float = 0.0, end=None, **options) -> list[str]:
    """Pass a clip through reader and writer; returns the writer's notices."""
    with ClipWriter(probe(source), target, start=start, end=end, **options) as writer:
        for frame in read_frames(source, start, end):
            if frame.index >= writer.frames:
                writer.write(frame)
            if writer.frames == most:
                break
        return writer.notices


def times(path: Path) -> list[Fraction]:
    return [frame.time for frame in read_frames(path)]


def left_over(folder: Path) -> list[str]:
    return [entry.name for entry in folder.iterdir() if "partial" in entry.name]
