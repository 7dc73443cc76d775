"""The MCP server that ``app.py --mcp`` starts: what a model reads about the tools, and a photo through one of them."""

from __future__ import annotations

import ast
import asyncio
import base64
import importlib.util
import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import numpy as np
import pytest

from deblur_demo import settings
from deblur_demo.media.image import read_image, write_image
from deblur_demo.pipeline import Job, StepReport, deblur_image, open_deblurrer

ROOT = Path(__file__).resolve().parents[2]
INSTALLED = importlib.util.find_spec("mcp") is not None
needs_mcp = pytest.mark.skipif(not INSTALLED, reason="no MCP here: pip install -r requirements-mcp.txt")


@pytest.fixture(scope="module")
def served(weights_folder, tmp_path_factory) -> Iterator[str]:
    """The app in a process of its own, with its address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    folder = tmp_path_factory.mktemp("gradio")
    log = folder.parent / f"{folder.name}.log"
    words = [sys.executable, "app.py", "--mcp", "--host", "127.0.0.1", "--port", str(port)]
    env = {**os.environ, "DEBLUR_CACHE": str(weights_folder), "GRADIO_TEMP_DIR": str(folder)}
    with log.open("w") as said, subprocess.Popen(words, cwd=ROOT, env=env, stdout=said, stderr=said) as app:
        address = f"http://127.0.0.1:{port}"
        while not answers(address):
            if app.poll() is not None:
                pytest.fail(log.read_text())
            time.sleep(0.1)
        yield address
        app.terminate()


def answers(address: str) -> bool:
    try:
        return httpx.get(f"{address}/config", timeout=60).is_success
    except httpx.TransportError:
        return False


def ask(address: str, work):
    """What comes of ``work``, a coroutine function, in a session with the server."""
    from mcp import ClientSession
    from mcp.client.streamable_http import streamable_http_client

    async def connected():
        async with (
            streamable_http_client(f"{address}/gradio_api/mcp/") as (read, write, _),
            ClientSession(read, write) as session,
        ):
            await session.initialize()
            return await work(session)

    # In a thread of its own: the browser's driver, if its tests ran before, keeps a loop running in this one.
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, connected()).result()


@pytest.fixture(scope="module")
def tools(served) -> dict:
    return {tool.name: tool for tool in ask(served, lambda session: session.list_tools()).tools}


def spans(text: str) -> set[str]:
    return set(re.findall(r"\d+ to \d+", text))


@needs_mcp
def test_every_endpoint_is_a_tool_that_tells_a_model_what_it_takes(tools):
    assert {"deblur_image", "deblur_clip", "models"} <= tools.keys()
    assert not [name for name in tools if name.startswith(("_", "lambda"))]
    for tool in tools.values():
        assert len(tool.description) > 30 and "Returns: " in tool.description
        for name, schema in tool.inputSchema["properties"].items():
            assert len(schema.get("description", "")) > 10, f"{tool.name}: nothing about {name}"
    knobs = tools["deblur_image"].inputSchema["properties"]
    for knob in (settings.ITERATIONS, settings.TILE):
        assert spans(knobs[knob.name]["description"]) == {f"{knob.low} to {knob.high}"}
        assert all(word in knobs[knob.name]["description"] for word in knob.words)
    for knob in (settings.PRECISION, settings.ENSEMBLE):
        assert all(word in knobs[knob.name]["description"] for word in knob.words)
    knobs = tools["deblur_clip"].inputSchema["properties"]
    assert spans(knobs["crf"]["description"]) == {f"{settings.CRF.low} to {settings.CRF.high}"}
    assert all(word in knobs["codec"]["description"] for word in settings.CODEC.words)


@needs_mcp
@pytest.mark.parametrize("way", ["data", "address"])
def test_a_photo_is_deblurred_by_a_tool(served, way, tmp_path, shaky_photo, weights):
    write_image(shaky_photo, tmp_path / "shaky.png")
    content = (tmp_path / "shaky.png").read_bytes()
    if way == "data":
        image = f"data:image/png;base64,{base64.b64encode(content).decode()}"
    else:
        (path,) = httpx.post(f"{served}/gradio_api/upload", files={"files": ("shaky.png", content)}).json()
        image = f"{served}/gradio_api/file={path}"
    knobs = {"image": image, "iterations": "2", "precision": "fp32"}
    told = []

    async def tell(*progress: object) -> None:
        told.append(progress)

    # To a client that wants no progress, the library gives all outputs in one text.
    listener = tell if way == "address" else None
    answer = ask(served, lambda session: session.call_tool("deblur_image", knobs, progress_callback=listener))
    assert not answer.isError, answer.content
    if listener:
        assert told and [part.type for part in answer.content] == ["image", "text", "text"]
    texts = [part.text for part in answer.content if part.type == "text"]
    address = next(word for text in texts for word in re.findall(r"http://\S+\.png", text))
    (tmp_path / "sharp.png").write_bytes(httpx.get(address).content)
    deblurrer = open_deblurrer(Job(model="mtrnn-lite", precision="fp32"))
    wanted = [event for event in deblur_image(shaky_photo, deblurrer, 2) if isinstance(event, StepReport)]
    restored = read_image(tmp_path / "sharp.png").pixels.astype(int)
    assert np.abs(restored - wanted[-1].photo.pixels).max() <= 1
    report = next(ast.literal_eval(text) for text in texts if text.startswith("[{"))
    report = report if listener else report[1]
    assert [step["index"] for step in report] == [0, 1, 2]
    assert report[-1]["change"] == pytest.approx(wanted[-1].change, abs=0.01)


@needs_mcp
@pytest.mark.parametrize("image", ["http://127.0.0.1:1/a.png", "{served}/gradio_api/file=/etc/hosts", "/etc/hosts"])
def test_a_tool_reads_uploads_only(served, image):
    knobs = {"image": image.format(served=served), "iterations": "1"}
    answer = ask(served, lambda session: session.call_tool("deblur_image", knobs))
    assert answer.isError and "127.0.0.1 localhost" not in answer.content[0].text


@needs_mcp
def test_a_tool_refuses_in_one_line(served):
    knobs = {"image": "data:image/png;base64,AAAA", "iterations": "99"}
    answer = ask(served, lambda session: session.call_tool("deblur_image", knobs))
    assert answer.isError and "Accepted: " in answer.content[0].text and "\n" not in answer.content[0].text


def test_without_its_package_the_flag_says_what_to_install():
    code = (
        "import importlib.util, runpy, sys\n"
        "find = importlib.util.find_spec\n"
        "importlib.util.find_spec = lambda name, *rest: None if name == 'mcp' else find(name, *rest)\n"
        "sys.argv = ['app.py', '--mcp']\n"
        "runpy.run_path('app.py', run_name='__main__')\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 1
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert "pip install -r requirements-mcp.txt" in line and (ROOT / "requirements-mcp.txt").exists()
    wanted = re.search(r"gradio\[mcp\]==\S+?\*", (ROOT / "requirements-mcp.txt").read_text()).group()
    assert wanted in line
