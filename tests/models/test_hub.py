"""Weights to the Hub and back, on a local server that speaks as much of its language as that takes."""

from __future__ import annotations

import base64
import hashlib
import http.server
import json
import os
import re
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

import huggingface_hub
import pytest
import torch
from huggingface_hub import ModelCard

from deblur_demo import catalogue
from deblur_demo.cli import main
from deblur_demo.errors import CheckpointError, OutputError, SettingError
from deblur_demo.media.image import write_image
from deblur_demo.models import checkpoint, export, hub
from deblur_demo.models.hub import HubFile
from deblur_demo.pipeline import Job, resolve
from deblur_demo.ui import shelf

ROOT = Path(__file__).resolve().parents[2]
COMMIT = "89abcdef0123456789abcdef0123456789abcdef"


class Hub(http.server.ThreadingHTTPServer):
    """One repository, ``me/nets``, with one commit, which is also ``main``."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Answer)
        self.files: dict[str, bytes] = {}
        self.torn: set[str] = set()  # files whose first transfer breaks off in the middle
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


def offline(monkeypatch) -> None:
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)


@pytest.mark.parametrize("revision", [COMMIT, "main"])
def test_an_address_is_downloaded_once_with_its_card(server, published, lively_checkpoint, monkeypatch, revision):
    job = resolve(Job(checkpoint=f"hf://me/nets@{revision}/nets/lively.safetensors", device="cpu"))
    assert job.model == "mtrnn-lite"
    network, card = checkpoint.load(job.checkpoint)
    assert card.licence == "CC0" and card.sha256 == published.sha256
    assert torch.equal(network.state_dict()["head.weight"], checkpoint.load(lively_checkpoint)[0].head.weight)
    before = len(server.asked)
    assert sum(line.startswith("GET /me/nets/") for line in server.asked) == 2
    offline(monkeypatch)
    assert resolve(replace(job, checkpoint=f"hf://me/nets@{revision}/nets/lively.safetensors")) == job
    assert len(server.asked) == before


def test_a_transfer_that_breaks_off_is_continued(server, published, monkeypatch):
    monkeypatch.setattr(huggingface_hub.constants, "DOWNLOAD_CHUNK_SIZE", 1 << 16)  # what came whole is kept
    server.torn.add(published.file)
    assert checkpoint.sha256(hub.download(published)) == published.sha256
    size = len(server.files[published.file])
    transfers = [line for line in server.asked if line.startswith("GET") and "lively.safetensors" in line]
    assert len(transfers) == 2
    first = int(re.search(r" bytes=(\d+)-$", transfers[1])[1])
    assert size // 2 - (1 << 16) <= first <= size // 2, "not from the beginning again"


def test_the_hub_comes_after_checkpoints_and_cache(server, published, tmp_path, monkeypatch, lively_checkpoint):
    bundled, cache = tmp_path / "bundled", tmp_path / "cache"
    monkeypatch.setattr(checkpoint, "BUNDLED", bundled)
    monkeypatch.setenv("DEBLUR_CACHE", str(cache))
    monkeypatch.setitem(hub.SOURCES, "mtrnn-lite", published)

    def row() -> dict:
        return next(row for row in catalogue.models() if row["id"] == "mtrnn-lite")

    assert row()["ready"] and row()["checkpoint"] is None and server.asked == [], "listing asks no server"
    job = Job("mtrnn-lite", device="cpu")
    from_hub = resolve(job).checkpoint
    assert from_hub.is_relative_to(tmp_path / "hub") and checkpoint.load(from_hub)[1].model == "mtrnn-lite"
    assert row()["checkpoint"] == str(from_hub) and row()["licence"] == "CC0"
    for folder in (cache, bundled):
        folder.mkdir()
        for suffix in (".safetensors", ".json"):
            content = lively_checkpoint.with_suffix(suffix).read_bytes()
            (folder / "mtrnn-lite").with_suffix(suffix).write_bytes(content)
        assert resolve(job).checkpoint == folder / "mtrnn-lite.safetensors"
    assert resolve(replace(job, checkpoint=lively_checkpoint)).checkpoint == lively_checkpoint


def test_offline_without_a_copy_names_the_three_ways_out(server, published, tmp_path, monkeypatch):
    monkeypatch.setattr(checkpoint, "BUNDLED", tmp_path / "bundled")
    monkeypatch.setenv("DEBLUR_CACHE", str(tmp_path / "cache"))
    monkeypatch.setitem(hub.SOURCES, "mtrnn", published)
    offline(monkeypatch)
    with pytest.raises(CheckpointError) as caught:
        resolve(Job("mtrnn", device="cpu"))
    message = str(caught.value)
    assert "HF_HUB_OFFLINE is set" in message and server.asked == []
    for way in ("training train", "deblur_demo fetch mtrnn-gopro", "deblur_demo convert", "--checkpoint FILE"):
        assert way in message
    assert resolve(Job("mtrnn", device="cpu", untrained=True)).checkpoint is None
    with pytest.raises(CheckpointError, match="HF_HUB_OFFLINE is set"):
        hub.locate(str(published))


def test_weights_are_held_to_the_published_hash_and_to_their_cards(server, published, tmp_path, monkeypatch):
    monkeypatch.setitem(hub.SOURCES, "mtrnn-lite", replace(published, sha256="0" * 64))
    with pytest.raises(CheckpointError, match=f"has sha256 {published.sha256[:12]}. Accepted: 000000000000"):
        hub.find("mtrnn-lite")
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path / "another"))
    server.files[published.file] = b"something else"
    with pytest.raises(CheckpointError, match="as its card says"):
        checkpoint.load(hub.locate("hf://me/nets@main/nets/lively.safetensors"))


@pytest.mark.parametrize(
    ("address", "named"),
    [
        (f"hf://you/nets@{COMMIT}/nets/lively.safetensors", "no repository you/nets"),
        ("hf://me/nets@v7/nets/lively.safetensors", "no revision v7"),
        ("hf://me/nets@main/lively.safetensors", r"no lively\.safetensors with a card"),
        ("hf://me/nets/lively.safetensors", r"hf://owner/repo@revision/file\.safetensors"),
        ("hf://me/nets@main/model.pt", r"hf://owner/repo@revision/file\.safetensors"),
        ("hf://me/nets@main/../../x.safetensors", r"hf://owner/repo@revision/file\.safetensors"),
        ("hf://", r"hf://owner/repo@revision/file\.safetensors"),
    ],
)
def test_an_address_of_nothing_is_refused_in_one_line(published, address, named):
    with pytest.raises(CheckpointError, match=named) as caught:
        hub.locate(address)
    assert "\n" not in str(caught.value)


def test_a_stranger_gets_a_copy_of_his_own(server, published, tmp_path):
    brought = tmp_path / "brought"
    path = hub.bring(replace(published, revision="main"), brought, 6_000_000, 100_000)
    assert path == brought / "lively.safetensors" and checkpoint.load(path)[1].sha256 == published.sha256
    assert sorted(file.name for file in brought.iterdir()) == ["lively.json", "lively.safetensors"]
    assert not (tmp_path / "hub").exists(), "the cache of this machine is not touched"


def test_a_stranger_has_no_login_and_no_unbounded_disk(server, published, tmp_path):
    with pytest.raises(
        CheckpointError, match=r"nets/lively\.safetensors on the Hub has \d+ bytes. Accepted: at most 1000"
    ):
        hub.bring(published, tmp_path / "brought", 1000, 100_000)
    with pytest.raises(CheckpointError, match=r"lively\.json on the Hub has \d+ bytes. Accepted: at most 10"):
        hub.bring(published, tmp_path / "brought", 6_000_000, 10)
    assert not any((tmp_path / "brought").rglob("*.safetensors"))
    hub.bring(published, tmp_path / "brought", 6_000_000, 100_000)
    assert set(server.logins) == {None}, "the owner's token stays at home"


@pytest.mark.parametrize(
    ("address", "named"),
    [
        (f"hf://you/nets@{COMMIT}/nets/lively.safetensors", "no repository you/nets"),
        ("hf://me/nets@v7/nets/lively.safetensors", "no revision v7"),
        ("hf://me/nets@main/lively.safetensors", r"no lively\.safetensors with a card"),
    ],
)
def test_a_stranger_is_told_what_is_not_there(published, tmp_path, address, named):
    with pytest.raises(CheckpointError, match=named):
        hub.bring(hub.parse(address), tmp_path / "brought", 6_000_000, 100_000)


def test_what_a_visitor_names_reaches_his_shelf(server, published, tmp_path, monkeypatch):
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "cache"))
    own = shelf.load(None, f" {replace(published, sha256='')} ", ())
    assert (own.name, own.model, shelf.name_of(own.choice)) == ("lively", "mtrnn-lite", "lively")
    assert checkpoint.sha256(shelf.find(own.choice)) == published.sha256
    server.files["nets/lively.json"] = b'{"model": "mtrnn"}'
    with pytest.raises(CheckpointError, match="lively.safetensors"):
        shelf.load(None, str(published), ())
    assert list((tmp_path / "cache").iterdir()) == [own.folder]


def test_every_published_source_is_pinned():
    for source in hub.SOURCES.values():
        assert hub.parse(str(source)) == replace(source, sha256="")
        assert re.fullmatch("[0-9a-f]{40}", source.revision) and re.fullmatch("[0-9a-f]{64}", source.sha256)


def test_what_is_exported_comes_back(server, lively_checkpoint, capsys):
    assert main(["export", str(lively_checkpoint), "--repo", "me/nets"]) == 0
    address = f"hf://me/nets@{COMMIT}/mtrnn-lite.safetensors"
    assert capsys.readouterr().out.splitlines()[-1] == f"{lively_checkpoint} -> {address}"
    assert sorted(server.files) == ["README.md", "mtrnn-lite.json", "mtrnn-lite.safetensors"]
    path = hub.locate(address)
    assert path.read_bytes() == lively_checkpoint.read_bytes()
    assert checkpoint.load(path)[1] == checkpoint.read_card(lively_checkpoint)


def test_an_export_without_permission_is_one_line(server, lively_checkpoint, monkeypatch, capsys):
    monkeypatch.setenv("HF_TOKEN", "wrong")
    assert main(["export", str(lively_checkpoint), "--repo", "me/nets"]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert "me/nets cannot be written on the Hub" in line and "hf auth login" in line
    assert server.files == {}


def test_a_dry_run_is_read_back_offline_from_the_hubs_layout(lively_checkpoint, tmp_path, shaky_photo, capsys):
    """As a user would: the folder as a snapshot in an otherwise empty cache, a new process, no network."""
    folder = tmp_path / "dry"
    assert main(["export", str(lively_checkpoint), "--repo", "me/nets", "--dry-run", str(folder)]) == 0
    assert sorted(capsys.readouterr().out.split()) == sorted(map(str, folder.iterdir()))
    repository = tmp_path / "home" / "hub" / "models--me--nets"
    (repository / "refs").mkdir(parents=True)
    (repository / "refs" / "v1").write_text(COMMIT)
    (repository / "snapshots").mkdir()
    folder.rename(repository / "snapshots" / COMMIT)
    write_image(shaky_photo, tmp_path / "in.png")
    words = ["deblur", "in.png", "-o", "out.png", "--iterations", "1", "--device", "cpu", "--json", "report.json"]
    done = subprocess.run(
        [sys.executable, "-m", "deblur_demo", *words, "--checkpoint", "hf://me/nets@v1/mtrnn-lite.safetensors"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT), "HF_HOME": str(tmp_path / "home"), "HF_HUB_OFFLINE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["model"] == "mtrnn-lite" and COMMIT in report["checkpoint"] and (tmp_path / "out.png").exists()


def test_the_readme_says_what_the_card_says(lively_checkpoint, tmp_path):
    readme, *_ = export.write_folder(lively_checkpoint, "me/nets", tmp_path / "dry")
    page = ModelCard.load(readme)
    assert page.data.license == "cc0-1.0" and page.data.pipeline_tag == "image-to-image"
    assert page.data.model_name == "mtrnn-lite"
    figures = {(result.dataset_name, result.metric_type): result.metric_value for result in page.data.eval_results}
    assert figures == {("made up", "psnr"): 24.5, ("made up", "ssim"): 0.71}
    assert "2,643,308 parameters, for motion blur. Park et al." in page.text
    assert "| 0 | 24.00 | 0.7000 |\n| 1 | 24.50 | 0.7100 |" in page.text
    assert "hf://me/nets@REVISION/mtrnn-lite.safetensors" in page.text


def test_what_may_not_or_cannot_be_published_is_refused(lively_checkpoint, tmp_path):
    network, card = checkpoint.load(lively_checkpoint)
    borrowed = tmp_path / "borrowed.safetensors"
    checkpoint.save(network, borrowed, replace(card, licence="none stated by the authors; for your own use"))
    with pytest.raises(CheckpointError, match="none stated by the authors"):
        export.write_folder(borrowed, "me/nets", tmp_path / "dry")
    with pytest.raises(SettingError, match="owner/name"):
        export.write_folder(lively_checkpoint, "nets", tmp_path / "dry")
    assert not (tmp_path / "dry").exists()
    with pytest.raises(OutputError, match="not empty"):
        export.write_folder(lively_checkpoint, "me/nets", tmp_path)
    with pytest.raises(OutputError, match="cannot be written"):
        export.write_folder(lively_checkpoint, "me/nets", borrowed / "dry")
    with pytest.raises(SettingError, match="Did you mean"):
        export.weights_of("mtrnn-light")
    with pytest.raises(CheckpointError, match="no card"):
        export.write_folder(export.weights_of("absent.safetensors"), "me/nets", tmp_path / "dry")
