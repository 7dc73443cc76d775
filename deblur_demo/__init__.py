"""Deblur photos and clips step by step: the public names, each loaded when it is first used.

So importing the package costs nothing: no torch, no device, no download.

Example:
    >>> from deblur_demo import Job, deblur_image, open_deblurrer, read_image
    >>> deblurrer = open_deblurrer(Job(model="mtrnn-lite"))
    >>> for event in deblur_image(read_image("shaky.jpg"), deblurrer, iterations=6): ...
"""

from __future__ import annotations

from importlib import import_module

_HOMES = {
    "ClipJob": "clips",
    "DeblurError": "errors",
    "Deblurrer": "runtime.deblurrer",
    "FrameReport": "clips",
    "Job": "pipeline",
    "Photo": "media.image",
    "StepReport": "pipeline",
    "TileDone": "runtime.deblurrer",
    "deblur_clip": "clips",
    "deblur_image": "pipeline",
    "open_deblurrer": "pipeline",
    "read_image": "media.image",
    "write_image": "media.image",
}
__all__ = list(_HOMES)


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
