"""Inputs that hand over what was sent as it is: no decoding, no conversion, no fetching of addresses.

The UI library's own inputs would open pictures before our reader has looked at them, leave an empty
file behind for every upload, and download any address that a client sends in place of a file. And
they refuse a value that is not, or no longer, among those offered before anybody can say in words
what is wrong with it: a slider's while it is being typed, or weights that went while a job waited.
(The library writes ``components.pyi`` beside this file when it is imported; it is not ours.)
"""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import unquote

import gradio as gr
from gradio.components.gallery import GalleryData, GalleryImage
from gradio.data_classes import FileData, ImageData, ListFiles
from gradio.utils import get_upload_folder

from deblur_demo.errors import InputError
from deblur_demo.ui import text

_ADDRESS = re.compile(r"https?://[^/]+/(?:.*/)?gradio_api/file=(?P<path>/.+|[A-Za-z]:.+)")


class Photos(gr.Gallery):
    """Several photos as thumbnails; the value is a list of paths."""

    is_template = True  # the page draws it as its parent

    def preprocess(self, payload: GalleryData | None) -> list[str]:
        items = [] if payload is None else payload.root
        return [item.image.path for item in items if isinstance(item, GalleryImage) and item.image.path]

    async def async_move_resource_to_block_cache(self, url_or_file_path: str | None) -> str | None:
        return await super().async_move_resource_to_block_cache(_a_file(url_or_file_path))


class OnePhoto(gr.Image):
    """One photo; the value is its path."""

    is_template = True

    def preprocess(self, payload: ImageData | None) -> str | None:
        return None if payload is None else payload.path

    async def async_move_resource_to_block_cache(self, url_or_file_path: str | None) -> str | None:
        return await super().async_move_resource_to_block_cache(_a_file(url_or_file_path))


class OneFile(gr.File):
    """One file of an API call; the value is its path."""

    is_template = True

    def preprocess(self, payload: FileData | None) -> str | None:
        return None if payload is None else payload.path

    async def async_move_resource_to_block_cache(self, url_or_file_path: str | None) -> str | None:
        return await super().async_move_resource_to_block_cache(_a_file(url_or_file_path))


class Files(gr.File):
    """Several files; the value is a list of paths."""

    is_template = True

    def preprocess(self, payload: ListFiles | FileData | None) -> list[str]:
        files = [] if payload is None else payload.root if isinstance(payload, ListFiles) else [payload]
        return [file.path for file in files]

    async def async_move_resource_to_block_cache(self, url_or_file_path: str | None) -> str | None:
        return await super().async_move_resource_to_block_cache(_a_file(url_or_file_path))


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


def _a_file(path: str | None) -> str | None:
    if path is None or "://" not in str(path):
        return path
    # Clients of the MCP server name what they have uploaded by its address here, which stands for the file.
    ours = _ADDRESS.fullmatch(str(path))
    file = Path(unquote(ours["path"])).resolve() if ours else None
    if file is None or not file.is_relative_to(Path(get_upload_folder()).resolve()) or not file.is_file():
        raise gr.Error(str(InputError(*text.NOT_UPLOADED)), print_exception=False)
    return str(file)
