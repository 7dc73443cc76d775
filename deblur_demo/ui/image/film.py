"""A photo's steps as an animation, made when a visitor asks for it."""

from __future__ import annotations

from pathlib import Path

from deblur_demo.media.image import read_image
from deblur_demo.ui.image import text as image_text
from deblur_demo.ui.image.run import Result
from deblur_demo.ui.runs import safe_stem


def film(result: Result, suffix: str) -> Path:
    """The animation of a photo that is done; a second time it is there already.

    Args:
        result: with all its steps on disk.
        suffix: one of ``animation.SUFFIXES``.

    Raises:
        OutputError: no space.
    """
    from deblur_demo.media import animation

    target = result.steps[0].full.with_name(f"{safe_stem(result.name)}_steps{suffix}")
    if not target.exists():
        frames = [animation.frame_of(read_image(step.shown), image_text.label(step.index)) for step in result.steps]
        animation.write_animation(frames, target)
    return target
