"""What a request may bring in: uploads and nothing else, in bodies that are not too long."""

from __future__ import annotations

import asyncio
from pathlib import Path

import gradio as gr
import httpx
import pytest
from fastapi.middleware import Middleware
from fastapi.responses import PlainTextResponse

from deblur_demo.ui.components import Files, OneFile, OnePhoto, Photos
from deblur_demo.ui.door import LONGEST, Door, Page

META = {"meta": {"_type": "gradio.FileData"}}
SECRET = Path(__file__)  # below the working directory, from where the library would hand it out
NOT_UPLOADED = r"What came in place of a file was not uploaded. Accepted: an uploaded file."


def told(value: object) -> str:
    return repr(value)


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """A page with one listener for each kind of input, which says what came in."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GRADIO_TEMP_DIR", str(tmp_path_factory.mktemp("gradio")))
        with Page() as page:
            said = gr.Textbox()
            for name, block in (("photos", Photos()), ("photo", OnePhoto()), ("file", OneFile()),
                                ("files", Files(file_count="multiple")), ("words", gr.Textbox())):  # fmt: skip
                gr.Button().click(told, block, said, api_name=name, queue=False)
        middleware = [Middleware(Door)]
        _, address, _ = page.launch(prevent_thread_lock=True, quiet=True, app_kwargs={"middleware": middleware})
        yield address.rstrip("/")
        page.close()


def ask(server: str, name: str, *values: object) -> str:
    answer = httpx.post(f"{server}/gradio_api/run/{name}", json={"data": list(values)}, timeout=30)
    return str(answer.json().get("data") or answer.json().get("error"))


def of_kind(name: str, file: object) -> object:
    """A file as the input of that name takes it."""
    return {"photos": [{"image": file}], "files": [file]}.get(name, file)


@pytest.mark.parametrize("meta", [META, {}])
@pytest.mark.parametrize("name", ["photos", "photo", "file", "files"])
def test_an_upload_comes_in(server, name, meta):
    (path,) = httpx.post(f"{server}/gradio_api/upload", files={"files": ("a.png", b"x")}).json()
    if name in ("photos", "photo") or meta:  # a file without its kind is no file to the library
        assert ask(server, name, of_kind(name, {"path": path, **meta})).count(Path(path).name) == 1
    assert ask(server, name, None) == str([repr([] if name in ("photos", "files") else None)])


@pytest.mark.parametrize("meta", [META, {}])
@pytest.mark.parametrize("name", ["photos", "photo", "file", "files", "words"])
@pytest.mark.parametrize(
    "path", [str(SECRET), "/proc/self/environ", "../../app.py", "a\0b", "http://127.0.0.1:9/x.png", 7, ["a"], {}]
)
def test_nothing_else_comes_in(server, name, path, meta):
    assert NOT_UPLOADED in ask(server, name, of_kind(name, {"path": path, **meta}))


@pytest.mark.parametrize("name", ["photos", "photo", "file", "files"])
def test_what_is_no_file_is_refused_in_a_line(server, name):
    assert NOT_UPLOADED in ask(server, name, str(SECRET))


def test_too_few_values_are_refused_in_a_line(server):
    assert "0 values came. Accepted: 1," in ask(server, "words")


def test_long_requests_are_cut_off(server):
    words = "x" * (LONGEST - 1000)
    assert len(ask(server, "words", words)) > len(words)
    address, body = f"{server}/gradio_api/run/words", b'{"data": ["' + b"x" * LONGEST + b'"]}'
    answer = httpx.post(address, content=body, headers={"content-type": "application/json"})
    assert answer.status_code == 413 and "Accepted: at most 1 MB" in answer.text
    with pytest.raises(httpx.HTTPError):  # in pieces, without saying how long it will be
        httpx.post(address, content=iter([body[:1000], body[1000:]]), timeout=5).raise_for_status()


@pytest.mark.parametrize("path", ["process_recording", "deep_link?session_hash=a"])
def test_what_the_page_does_not_use_is_closed(server, path):
    assert httpx.get(f"{server}/gradio_api/{path}").status_code == 404
    assert httpx.post(f"{server}/gradio_api/{path}", files={"video": b"x"}).status_code == 404


@pytest.mark.parametrize(("path", "status"), [("mcp/", 200), ("mcp", 200), ("run/words", 413)])
def test_a_file_may_be_in_the_request_of_a_language_model(monkeypatch, path, status):
    monkeypatch.setenv("DEBLUR_MAX_UPLOAD_MB", "2")

    async def app(scope, receive, send) -> None:
        await PlainTextResponse("in")(scope, receive, send)

    async def post(size: int) -> int:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(Door(app)), base_url="http://here") as client:
            return (await client.post(f"/gradio_api/{path}", content=bytes(size))).status_code

    assert asyncio.run(post(4 * 2**20)) == status and asyncio.run(post(6 * 2**20)) == 413
