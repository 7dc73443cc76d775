"""The repository as a Space: nothing to object to, every fault found, and uploaded to a server that stands in."""

from __future__ import annotations

import base64
import http.server
import json
import re
import shutil
import threading
from pathlib import Path

import huggingface_hub
import pytest

from deblur_demo import space
from deblur_demo.cli import main
from deblur_demo.models import hub
from deblur_demo.models.hub import HubFile

ROOT = Path(__file__).resolve().parents[1]
COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture
def copy(tmp_path) -> Path:
    """A small repository that is a Space, to be spoilt."""
    root = tmp_path / "repository"
    (root / "deblur_demo").mkdir(parents=True)
    (root / "checkpoints").mkdir()
    for name in (*space.FILES, "deblur_demo/errors.py", "checkpoints/mtrnn-lite.json"):
        shutil.copy(ROOT / name, root / name)
    (root / "checkpoints" / "mtrnn-lite.safetensors").write_bytes(b"weights")
    assert space.problems(root) == []
    return root


def spoil(root: Path, name: str, pattern: str, replacement: str) -> None:
    text, count = re.subn(pattern, replacement, (root / name).read_text(), flags=re.MULTILINE)
    assert count, f"{pattern} is not in {name}"
    (root / name).write_text(text)


def test_this_repository_is_a_space(capsys):
    assert main(["space", "--check"]) == 0
    assert capsys.readouterr().out == f"{len(space.belonging())} files, no problem\n"


@pytest.mark.parametrize(
    ("name", "pattern", "replacement", "said"),
    [
        ("README.md", r"^short_description: .*", f"short_description: {'x' * 61}", "short_description is 'xxx"),
        ("README.md", r"^emoji: .*", "emoji: camera", "emoji is 'camera'"),
        ("README.md", r"^colorTo: .*", "colorTo: mauve", "colorTo is 'mauve'"),
        ("README.md", r"^title: .*\n", "", "title is missing"),
        ("README.md", r'^python_version: "3.12"', "python_version: 3.12", "python_version is 3.12"),  # a number
        ("README.md", r"^python_version: .*", 'python_version: "3.11"', "Accepted on ZeroGPU: 3.10, 3.12"),
        ("README.md", r"^sdk_version: .*", "sdk_version: 5.0.0", "sdk_version is 5.0.0. Accepted: ==6."),
        ("README.md", r"^app_file: .*", "app_file: main.py", "names main.py, which is not there"),
        ("README.md", r"^suggested_hardware: .*", "suggested_hardware: zero-h200", "Accepted: cpu-basic, "),
        ("README.md", r"^sdk: .*", "sdk: docker", "sdk is 'docker'"),
        ("README.md", r"^tags:\n", "tags: deblurring\nother:\n", "tags is 'deblurring'"),
        ("README.md", r"^license: .*", "licence: mit", "licence means nothing to a Space"),
        ("README.md", r"\A---", "", "no front matter"),
        ("README.md", r"^title: .*", "title: [", "no front matter that can be read: while parsing"),
        ("requirements.txt", r"^torch==2.11.0;", "torch==2.13.0;", "Python 3.10 gets torch==2.13.0"),
        ("requirements.txt", r'; python_version == "3.11".*', "", "Python 3.12 gets torch==2.13.0, torch==2.11.0"),
        ("requirements.txt", r"^torch==2.11.0;.*\n", "", "Python 3.12 gets no torch"),
        ("requirements.txt", r"^torch==2.11.0;", "torch>=2.11;", "Python 3.12 gets torch>=2.11"),
        ("requirements.txt", r"^numpy", "-r more.txt", "'-r more.txt'"),
        ("requirements.txt", r"^gradio==6", "gradio==7", "Accepted: ==7."),
        ("checkpoints/mtrnn-lite.json", r'"licence": "[^"]*"', '"licence": "ask first"', "its licence is 'ask first'"),
    ],
)
def test_each_fault_is_a_line_and_exit_code_1(copy, name, pattern, replacement, said, capsys, monkeypatch):
    spoil(copy, name, pattern, replacement)
    found = space.problems(copy)
    assert any(said in line for line in found), found
    assert all(re.match(r"(README\.md|requirements\.txt|checkpoints/\S+): [^\n]+$", line) for line in found)
    monkeypatch.setattr(space.problems, "__defaults__", (copy,))
    assert main(["space", "--check"]) == 1
    assert capsys.readouterr().out.splitlines() == found


def test_large_files_need_a_rule_and_everything_has_its_card(copy):
    film, weights = copy / "docs" / "film.mp4", copy / "checkpoints" / "large.safetensors"
    film.parent.mkdir(exist_ok=True)
    for large in (film, weights):
        with large.open("wb") as file:
            file.truncate(11 * 1024**2)
    size, card = space.problems(copy)
    assert size.startswith("docs/film.mp4: 11.0 MB. Accepted: 10 MB"), "the Hub's own rules know weights, not films"
    assert card.startswith("checkpoints/large.safetensors: large.safetensors has no card")
    (copy / ".gitattributes").write_text("*.mp4 filter=lfs diff=lfs merge=lfs -text\n")
    assert space.problems(copy)[0].startswith("checkpoints/large.safetensors: 11.0 MB"), "ours replace them"
    with weights.open("wb") as file:
        file.truncate(1024**3)
    assert "1.01 GB in all. Accepted: 1 GB" in space.problems(copy)


def test_weights_from_the_hub_are_named_in_the_front_matter(copy, monkeypatch):
    monkeypatch.setitem(hub.SOURCES, "mtrnn", HubFile("me/nets", COMMIT, "mtrnn.safetensors"))
    assert space.problems(copy) == ["README.md: models lacks me/nets, where the weights of mtrnn are"]
    spoil(copy, "README.md", "^tags:", "models:\n  - me/nets\ntags:")
    assert space.problems(copy) == []


def test_a_dry_run_writes_what_the_page_needs_and_nothing_else(tmp_path, capsys):
    folder = tmp_path / "space"
    assert main(["space", "--push", "me/app", "--dry-run", str(folder)]) == 0
    written = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert sorted(capsys.readouterr().out.split()) == sorted(str(folder / path) for path in written)
    assert {"README.md", "app.py", "deblur_demo/ui/video/player.js", "checkpoints/mtrnn-lite.safetensors"} <= written
    tops = {path.split("/")[0] for path in written}
    assert tops <= {*space.FILES, *space.FOLDERS}
    assert not [path for path in written if "__pycache__" in path or path.endswith((".pyi", ".partial"))]
    assert space.problems(folder) == []
    for path in written:
        assert (folder / path).read_bytes() == (ROOT / path).read_bytes()
    assert main(["space", "--push", "me/app", "--dry-run", str(folder)]) == 1
    assert "is not empty" in capsys.readouterr().err
    assert main(["space", "--check", "--dry-run", str(tmp_path / "x")]) == 1
    assert "--check writes no files" in capsys.readouterr().err and not (tmp_path / "x").exists()
    assert main(["space", "--push", "app", "--dry-run", str(tmp_path / "x")]) == 1
    assert "owner/name" in capsys.readouterr().err and not (tmp_path / "x").exists()


class Hub(http.server.ThreadingHTTPServer):
    """One Space, ``me/app``, as far as an upload takes it."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Answer)
        self.files: dict[str, bytes] = {}
        self.created: dict = {}


class Answer(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        if not self.path.startswith("/api/spaces/me/app/tree/main"):
            return self._answer(404, {})
        # What the client asks before it deletes: the files that are there.
        return self._answer(
            200, [{"type": "file", "path": path, "size": 1, "oid": COMMIT} for path in self.server.files]
        )

    def do_POST(self):
        sent = self.rfile.read(int(self.headers["Content-Length"]))
        here = f"http://127.0.0.1:{self.server.server_port}/spaces/me/app"
        if self.headers.get("Authorization") != "Bearer made-up":
            self._answer(401, {"error": "Invalid username or password."})
        elif self.path == "/api/repos/create":
            self.server.created = json.loads(sent)
            self._answer(200, {"url": here})
        elif self.path == "/api/spaces/me/app/preupload/main":
            files = json.loads(sent)["files"]
            self._answer(200, {"files": [{**f, "uploadMode": "regular", "shouldIgnore": False} for f in files]})
        elif self.path == "/api/spaces/me/app/commit/main":
            for line in map(json.loads, sent.splitlines()):
                if line["key"] == "file":
                    self.server.files[line["value"]["path"]] = base64.b64decode(line["value"]["content"])
                elif line["key"] == "deletedFile":
                    del self.server.files[line["value"]["path"]]
            answer = {"success": True, "commitOid": COMMIT, "commitUrl": f"{here}/commit/{COMMIT}", "hookOutput": ""}
            self._answer(200, answer)
        else:  # whatever else the client checks before it commits
            self._answer(200, {"errors": [], "warnings": []})

    def _answer(self, code: int, content: object) -> None:
        content = json.dumps(content).encode()
        self.send_response(code)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *arguments):
        pass


@pytest.fixture
def server(tmp_path, monkeypatch):
    """The stand-in, for this process, and someone who is logged in."""
    with Hub() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        monkeypatch.setattr(huggingface_hub.constants, "ENDPOINT", f"http://127.0.0.1:{server.server_port}")
        monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", False)
        # A list that the client keeps in the user's home for a day: not from here.
        monkeypatch.setattr(huggingface_hub.constants, "AGENT_HARNESSES_PATH", str(tmp_path / "harnesses.json"))
        monkeypatch.setenv("HF_TOKEN", "made-up")
        yield server
        server.shutdown()
        thread.join()


def test_an_upload_replaces_what_is_ours_and_leaves_the_rest(server, capsys):
    theirs = {".gitattributes": b"theirs", "notes.txt": b"theirs"}
    server.files |= {"deblur_demo/gone.py": b"old", "app.py": b"old", **theirs}
    assert main(["space", "--push", "me/app"]) == 0
    assert capsys.readouterr().out == f"http://127.0.0.1:{server.server_port}/spaces/me/app\n"
    assert server.created["name"] == "app" and server.created["type"] == "space" and server.created["sdk"] == "gradio"
    ours = {path.as_posix() for path in space.belonging()}
    assert server.files.keys() == ours | theirs.keys()
    assert all(server.files[path] == (ROOT / path).read_bytes() for path in ours)


def test_an_upload_without_permission_is_one_line(server, monkeypatch, capsys):
    monkeypatch.setenv("HF_TOKEN", "wrong")
    assert main(["space", "--push", "me/app"]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert "me/app cannot be written on the Hub" in line and "hf auth login" in line and server.files == {}


def test_without_a_connection_an_upload_is_one_line(server, lively_checkpoint, monkeypatch, capsys):
    monkeypatch.setattr(huggingface_hub.constants, "ENDPOINT", "http://127.0.0.1:9")
    for words in (["space", "--push", "me/app"], ["export", str(lively_checkpoint), "--repo", "me/nets"]):
        assert main(words) == 1
        (line,) = capsys.readouterr().err.splitlines()
        assert "cannot be written on the Hub" in line and server.files == {}
