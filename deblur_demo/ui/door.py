"""The door: what a request may bring in, whatever it is for and whoever sends it.

The library asks whether a file was uploaded only where a value says that it is a file, downloads any
address that stands in a file's place, for every kind of input, and takes bodies of any length. And it
serves two addresses that the page does not use: one hands a stranger's video to FFmpeg as it is, the
other writes all that a session holds to the disk.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote

import gradio as gr
from fastapi.datastructures import Headers
from fastapi.responses import PlainTextResponse
from gradio.utils import get_upload_folder
from pydantic import ValidationError

from deblur_demo import settings
from deblur_demo.errors import InputError
from deblur_demo.ui import server_text, text

if TYPE_CHECKING:
    from gradio.blocks import BlockFunction
    from gradio.state_holder import SessionState
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

CLOSED = ("/gradio_api/process_recording", "/gradio_api/deep_link")
UPLOAD = "/gradio_api/upload"  # which the library limits itself, file by file
MCP = "/gradio_api/mcp/"  # where files may come in the request itself, in base64
LONGEST = 2**20  # bytes of any other request

_ADDRESS = re.compile(r"https?://[^/]+/(?:.*/)?gradio_api/file=(?P<path>/.+|[A-Za-z]:.+)")


class Page(gr.Blocks):
    """A page whose listeners see of files only those that were uploaded here, or made here and given out."""

    async def preprocess_data(
        self, block_fn: BlockFunction, inputs: list, state: SessionState | None, explicit_call: bool = False
    ) -> list:
        if len(inputs) < len(block_fn.inputs):
            wrong = text.fill(server_text.TOO_FEW_VALUES, count=len(inputs), needed=len(block_fn.inputs))
            raise gr.Error(str(InputError(*wrong)), print_exception=False)
        try:
            return await super().preprocess_data(block_fn, _uploaded(inputs), state, explicit_call)
        except ValidationError as error:  # something else stands where a file belongs
            raise _not_uploaded() from error


class Door:
    """Around the whole server: closes what is not used, and cuts off what is too long.

    Args:
        app: the server.
    """

    def __init__(self, app: ASGIApp):
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        path = scope["path"].rstrip("/")
        if path.endswith(CLOSED):
            return await PlainTextResponse(server_text.CLOSED, 404)(scope, receive, send)
        if path.endswith(UPLOAD):
            return await self.app(scope, receive, send)
        most = LONGEST + (2 * settings.MAX_UPLOAD_MB.current() * 2**20 if MCP in f"{path}/" else 0)
        if int(Headers(scope=scope).get("content-length") or 0) > most:
            too_long = str(InputError(*text.fill(server_text.TOO_MUCH, limit=most // 2**20)))
            return await PlainTextResponse(too_long, 413)(scope, receive, send)
        return await self.app(scope, _limited(receive, most), send)


def _limited(receive: Receive, most: int) -> Receive:
    """The same messages, as long as they are not too long in all: a body need not say its length before."""
    came = 0

    async def limited() -> Message:
        nonlocal came
        message = await receive()
        came += len(message.get("body", b""))
        return message if came <= most else {"type": "http.disconnect"}

    return limited


def _uploaded(value: object) -> object:
    """A request's value with each file in it by its path.

    Raises:
        gr.Error: one of them is no file of the folder of uploads.
    """
    if isinstance(value, list):
        return [_uploaded(part) for part in value]
    if not isinstance(value, dict):
        return value
    return {name: _local(part) if name == "path" and part is not None else _uploaded(part)
            for name, part in value.items()}  # fmt: skip


def _local(path: object) -> str:
    # Clients of the MCP server name what they have uploaded by its address here, which stands for the file.
    ours = _ADDRESS.fullmatch(str(path))
    try:
        file = Path(unquote(ours["path"]) if ours else str(path)).resolve()
    except (OSError, ValueError) as error:  # no name that a file could have
        raise _not_uploaded() from error
    if not file.is_relative_to(Path(get_upload_folder()).resolve()):
        raise _not_uploaded()
    return str(file)


def _not_uploaded() -> gr.Error:
    return gr.Error(str(InputError(*text.NOT_UPLOADED)), print_exception=False)
