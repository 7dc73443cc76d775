"""Measuring sticks for networks: lively weights, and how far they see; and a Hub to fetch from."""

from __future__ import annotations

import base64
import hashlib
import http.server
import json
import os
import re
import socket
import struct
import threading
from collections.abc import Callable

import huggingface_hub
import pytest
import torch

from deblur_demo.models import checkpoint
from deblur_demo.models.contract import Restorer
from deblur_demo.models.hub import HubFile

COMMIT = "89abcdef0123456789abcdef0123456789abcdef"  # the only one of the Hub's only repository


@pytest.fixture
def liven() -> Callable[[Restorer], Restorer]:
    """Give every bias a value, as training does, so that padding and borders matter; evaluation mode."""

    @torch.no_grad()
    def liven(network: Restorer) -> Restorer:
        generator = torch.Generator().manual_seed(0)
        for value in network.parameters():
            if value.ndim == 1:
                value.add_(0.05 * torch.randn(value.shape, generator=generator))
        return network.eval()

    return liven


@pytest.fixture
def reach() -> Callable[..., int]:
    """Measure the receptive radius of one step along the height, by the gradient in fp64."""

    def reach(network: Restorer, beyond: int = 16) -> int:
        """How far from a pixel the input still moves it; the picture ends ``beyond`` px behind the halo."""
        network = network.double()
        traits = network.traits
        align = traits.align
        width = -(-max(traits.minimum, align) // align) * align
        height = 2 * (-(-(traits.halo + beyond) // align) + 1) * align
        generator = torch.Generator().manual_seed(0)
        window = torch.rand(1, traits.frames, 3, height, width, dtype=torch.float64, generator=generator)
        previous = window[:, traits.frames // 2].clone().requires_grad_()
        image = network(window.requires_grad_(), previous, ()).image
        farthest = 0
        for row in range(height // 2, height // 2 + align):  # strided networks see differently far from row to row
            inputs = (window, previous)
            for gradient in torch.autograd.grad(image[:, :, row].sum(), inputs, retain_graph=True, allow_unused=True):
                if gradient is not None:
                    seen = gradient.reshape(-1, height, width).abs().sum((0, 2)).nonzero()
                    farthest = max(farthest, int((seen - row).abs().max()))
        return farthest

    return reach


@pytest.fixture
def positive() -> Callable[[Restorer], Restorer]:
    """Give every weight a positive value, so that no path from a pixel to another cancels out."""

    @torch.no_grad()
    def positive(network: Restorer) -> Restorer:
        generator = torch.Generator().manual_seed(0)
        for value in network.parameters():
            value.copy_((0.5 + torch.rand(value.shape, generator=generator)) / value[0].numel())
        return network

    return positive


@pytest.fixture
def patterned() -> Callable[[Restorer], Restorer]:
    """Fill weights by a formula, for golden numbers that hold whatever the random generator; evaluation mode."""

    @torch.no_grad()
    def patterned(network: Restorer) -> Restorer:
        for index, (key, value) in enumerate(network.named_parameters()):
            wave = torch.sin(torch.arange(value.numel(), dtype=torch.float64) * 1.7 + index).view(value.shape)
            spread = 0.1 if value.ndim == 1 else (2 / value[0].numel()) ** 0.5
            value.copy_(spread * wave + key.endswith("scale"))  # a learned scale lies around 1
        return network.eval()

    return patterned


@pytest.fixture
def ramp() -> Callable[..., torch.Tensor]:
    """A smooth window (1, N, 3, H, W) in [0, 1] that no random generator makes."""

    def ramp(frames: int, height: int, width: int) -> torch.Tensor:
        count = frames * 3 * height * width
        wave = torch.sin(torch.arange(count, dtype=torch.float64) * 0.37) * 0.5 + 0.5
        return wave.view(1, frames, 3, height, width).float()

    return ramp


class Hub(http.server.ThreadingHTTPServer):
    """One repository, ``me/nets``, with one commit, which is also ``main``."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Answer)
        self.files: dict[str, bytes] = {}
        self.torn: set[str] = set()  # files whose first transfer breaks off in the middle
        self.reset: set[str] = set()  # files at whose transfers the connection is reset
        self.asked: list[str] = []
        self.logins: list[str | None] = []


class Answer(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_HEAD(self):
        self._file(body=False)

    def do_GET(self):
        self._file(body=True)

    def _file(self, body: bool) -> None:
        self.server.logins.append(self.headers.get("Authorization"))
        self.server.asked.append(f"{self.command} {self.path} {self.headers.get('Range', '')}".strip())
        repository, _, rest = self.path.removeprefix("/").partition("/resolve/")
        revision, _, file = rest.partition("/")
        if repository != "me/nets":
            return self._answer(404, b"", {"X-Error-Code": "RepoNotFound"})
        if revision not in ("main", COMMIT):
            return self._answer(404, b"", {"X-Error-Code": "RevisionNotFound"})
        if file not in self.server.files:
            return self._answer(404, b"", {"X-Error-Code": "EntryNotFound", "X-Repo-Commit": COMMIT})
        if body and file in self.server.reset:
            # Closed with nothing to linger for, a socket says RST, not FIN.
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.close_connection = True
            return os.close(self.connection.detach())
        content = self.server.files[file]
        headers = {"ETag": f'"{hashlib.sha1(content).hexdigest()}"', "X-Repo-Commit": COMMIT}
        span = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        first = int(span[1]) if span else 0
        if span:
            headers["Content-Range"] = f"bytes {first}-{len(content) - 1}/{len(content)}"
        torn = body and file in self.server.torn
        self.server.torn -= {file} if torn else set()
        self.close_connection = torn
        content = content[first:]
        return self._answer(206 if span else 200, content, headers, content[: len(content) // 2] if torn else content)

    def do_POST(self):
        sent = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.asked.append(f"POST {self.path}")
        here = f"http://127.0.0.1:{self.server.server_port}/me/nets"
        if self.headers.get("Authorization") != "Bearer made-up":
            return self._answer(401, b'{"error": "Invalid username or password."}')
        if self.path == "/api/repos/create":
            answer = {"url": here}
        elif self.path.endswith("/preupload/main"):
            files = json.loads(sent)["files"]
            answer = {"files": [{**file, "uploadMode": "regular", "shouldIgnore": False} for file in files]}
        elif self.path.endswith("/commit/main"):
            for line in map(json.loads, sent.splitlines()):
                if line["key"] == "file":
                    self.server.files[line["value"]["path"]] = base64.b64decode(line["value"]["content"])
            answer = {"success": True, "commitOid": COMMIT, "commitUrl": f"{here}/commit/{COMMIT}", "hookOutput": ""}
        else:  # whatever the client checks before it commits
            answer = {"errors": [], "warnings": []}
        return self._answer(200, json.dumps(answer).encode())

    def _answer(self, code: int, content: bytes, headers: dict | None = None, sent: bytes | None = None) -> None:
        self.send_response(code)
        for name, value in {"Content-Length": str(len(content)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content if sent is None else sent)

    def log_message(self, *arguments):
        pass


@pytest.fixture
def server(tmp_path, monkeypatch):
    """The Hub, for this process: its address, an empty cache, and someone who is logged in."""
    with Hub() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        endpoint = f"http://127.0.0.1:{server.server_port}"
        # What HF_ENDPOINT and HF_HUB_CACHE set, had they been there when the client was imported.
        for name, value in {
            "ENDPOINT": endpoint,
            "HUGGINGFACE_CO_URL_TEMPLATE": endpoint + "/{repo_id}/resolve/{revision}/{filename}",
            "HF_HUB_CACHE": str(tmp_path / "hub"),
            "HF_HUB_OFFLINE": False,
        }.items():
            monkeypatch.setattr(huggingface_hub.constants, name, value)
        monkeypatch.setenv("HF_TOKEN", "made-up")
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def published(server, lively_checkpoint) -> HubFile:
    """The lively weights in a folder of the repository."""
    server.files["nets/lively.safetensors"] = lively_checkpoint.read_bytes()
    server.files["nets/lively.json"] = lively_checkpoint.with_suffix(".json").read_bytes()
    return HubFile("me/nets", COMMIT, "nets/lively.safetensors", checkpoint.sha256(lively_checkpoint))
