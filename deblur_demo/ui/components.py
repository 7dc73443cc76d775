"""Inputs that hand over an upload as it is: no decoding, no conversion, no fetching of addresses.

The UI library's own would open pictures before our reader has looked at them, leave an empty
file behind for every upload, and download any address that a client sends in place of a file.
(The library writes ``components.pyi`` beside this file when it is imported; it is not ours.)
"""

from __future__ import annotations

import gradio as gr
from gradio.components.gallery import GalleryData, GalleryImage
from gradio.data_classes import FileData, ImageData

from deblur_demo.errors import InputError
from deblur_demo.ui import text


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


def _a_file(path: str | None) -> str | None:
    if path is not None and "://" in str(path):
        raise gr.Error(str(InputError(*text.NOT_UPLOADED)), print_exception=False)
    return path
