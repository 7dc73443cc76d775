"""Inputs that hand over what was sent as it is: no decoding, no conversion.

The UI library's own inputs would open pictures before our reader has looked at them, and leave an
empty file behind for every upload (which files may come in at all, the ``door`` decides). And they
refuse a value that is not, or no longer, among those offered before anybody can say in words what
is wrong with it: a slider's while it is being typed, or weights that went while a job waited.
(The library writes ``components.pyi`` beside this file when it is imported; it is not ours.)
"""

from __future__ import annotations

import gradio as gr
from gradio.components.gallery import GalleryData, GalleryImage
from gradio.data_classes import FileData, ImageData, ListFiles


class Photos(gr.Gallery):
    """Several photos as thumbnails; the value is a list of paths."""

    is_template = True  # the page draws it as its parent

    def preprocess(self, payload: GalleryData | None) -> list[str]:
        items = [] if payload is None else payload.root
        return [item.image.path for item in items if isinstance(item, GalleryImage) and item.image.path]


class OnePhoto(gr.Image):
    """One photo; the value is its path."""

    is_template = True

    def preprocess(self, payload: ImageData | None) -> str | None:
        return None if payload is None else payload.path


class OneFile(gr.File):
    """One file of an API call; the value is its path."""

    is_template = True

    def preprocess(self, payload: FileData | None) -> str | None:
        return None if payload is None else payload.path


class Files(gr.File):
    """Several files; the value is a list of paths."""

    is_template = True

    def preprocess(self, payload: ListFiles | FileData | None) -> list[str]:
        files = [] if payload is None else payload.root if isinstance(payload, ListFiles) else [payload]
        return [file.path for file in files]


class OptionalNumber(gr.Number):
    """A number that may be missing; the value is None then. The library's own field would begin with 0."""

    is_template = True

    def preprocess(self, payload: float | str | None) -> float | int | None:
        return super().preprocess(None if payload == "" else payload)

    def postprocess(self, value: float | int | None) -> float | int | str:
        return "" if value is None else super().postprocess(value)


class Choice(gr.Dropdown):
    """One of several values, which whoever takes it checks."""

    is_template = True

    def preprocess(self, payload: str | int | float | None) -> str | int | float | None:
        return payload


class Choices(gr.CheckboxGroup):
    """Some of several values, which whoever takes them checks."""

    is_template = True

    def preprocess(self, payload: list[str | int | float] | None) -> list[str | int | float]:
        return payload or []


class Knob(gr.Slider):
    """A number in a range, which whoever takes it checks; None while the field is empty."""

    is_template = True

    def preprocess(self, payload: float | None) -> float | None:
        return payload
