"""Fetching published weights, all of it, from a local server with files made here."""

from __future__ import annotations

import hashlib
import http.server
import io
import json
import socket
import threading
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import nn

from deblur_demo.cli import main
from deblur_demo.errors import CheckpointError, OutputError
from deblur_demo.models import checkpoint, fetch, registry
from deblur_demo.models.fetch import RemoteFile, Upstream
from deblur_demo.models.upstream import dmphn, mtrnn

SHARED = Path(__file__).resolve().parents[3] / "shared"
COMMIT = "0123456789abcdef0123456789abcdef01234567"


class Server(http.server.ThreadingHTTPServer):
    """Serves ``files`` by path; ``torn`` ones break off in the middle; remembers what was asked for."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Answer)
        self.files: dict[str, bytes] = {}
        self.torn: set[str] = set()
        self.asked: list[str] = []

    @property
    def base(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.server.asked.append(self.path)
        content = self.server.files.get(self.path)
        if content is None:
            self.send_error(404)
            return
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content[: len(content) // 2] if self.path in self.server.torn else content)

    def log_message(self, *arguments):
        pass


@pytest.fixture
def server():
    with Server() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch) -> Path:
    """An empty cache, and nothing bundled."""
    monkeypatch.setenv("DEBLUR_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(checkpoint, "BUNDLED", tmp_path / "bundled")
    return tmp_path / "cache"


def pickled(tensors: object) -> bytes:
    buffer = io.BytesIO()
    torch.save(tensors, buffer)
    return buffer.getvalue()


def publish(server: Server, model: str, files: dict[str, bytes]) -> Upstream:
    """Put files on the server as a repository's, and state them as the product's table does."""
    for path, content in files.items():
        server.files[f"/someone/nets/{COMMIT}/{path}"] = content
    stated = tuple(
        RemoteFile(path, hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest(), len(content))
        for path, content in files.items()
    )
    return Upstream(model, "someone/nets", COMMIT, stated, data="made up", megabytes=1)


def mtrnn_file(head: float = 0.1) -> dict[str, torch.Tensor]:
    """An untrained MT-RNN under the authors' names and in 0..255; with a weak head it stays near the identity."""
    torch.manual_seed(0)
    names = dict(mtrnn.LAYERS)
    for ours, blocks in mtrnn.BLOCKS.items():
        for index, theirs in enumerate(blocks):
            names |= {f"{ours}.{index}.conv1": f"{theirs}.stem.0", f"{ours}.{index}.conv2": f"{theirs}.stem.2"}
    tensors = {}
    for key, value in registry.build("mtrnn").state_dict().items():
        layer, _, kind = key.rpartition(".")
        tensors[f"{names[layer]}.{kind}"] = value * (head if layer == "head" else 1)
    for layer, sign in (("sub_mean", -1), ("add_mean", 1)):
        tensors[f"{layer}.weight"] = torch.eye(3).view(3, 3, 1, 1)
        tensors[f"{layer}.bias"] = sign * 255 * torch.tensor([0.4488, 0.4371, 0.4040])
    return tensors


@torch.no_grad()
def dmphn_files() -> dict[str, bytes]:
    """A DMPHN that hands the picture through: level 1 folds it twice and unfolds it again, the others are silent."""
    network = registry.build("dmphn")
    for value in network.parameters():
        value.zero_()
    encoder, decoder = network.encoders[0], network.decoders[0]
    for colour in range(3):
        encoder[0].weight[colour, colour, 1, 1] = decoder[8].weight[colour, colour, 1, 1] = 1
    for channels, down, up in ((3, encoder[3], decoder[5]), (12, encoder[6], decoder[2])):
        for index in range(4 * channels):
            channel, (row, column) = index // 4, divmod(index % 4, 2)
            down.weight[index, channel, 1 + row, 1 + column] = 1
            up.weight[index, channel, 1 + row, 1 + column] = 1
    files = {}
    for name in dmphn.FILES:
        part, level = name.removesuffix(".pkl").split("_lv")
        tensors = {}
        for number, layer in zip(dmphn.NUMBERS[part], getattr(network, f"{part}s")[int(level) - 1], strict=True):
            plain = isinstance(layer, (nn.Conv2d, nn.ConvTranspose2d))
            convolutions = {"": layer} if plain else {".0": layer.conv1, ".2": layer.conv2}
            for suffix, convolution in convolutions.items():
                tensors[f"layer{number}{suffix}.weight"] = convolution.weight.clone()
                tensors[f"layer{number}{suffix}.bias"] = convolution.bias.clone()
        files[f"checkpoints/{name}"] = pickled(tensors)
    return files


def test_one_command_makes_a_model_ready(server, cache, monkeypatch, capsys):
    source = publish(server, "mtrnn", {"model_best.pt": pickled(mtrnn_file())})
    monkeypatch.setitem(fetch.UPSTREAM, "mtrnn-gopro", source)
    monkeypatch.setattr(fetch, "RAW", server.base)
    assert main(["fetch", "mtrnn-gopro", "--yes"]) == 0
    said = capsys.readouterr().out
    assert "github.com/someone/nets, commit 0123456789ab" in said and "1 MB" in said
    assert "the authors state none" in said and str(cache / "mtrnn.safetensors") in said
    assert server.asked == [f"/someone/nets/{COMMIT}/model_best.pt"]
    assert sorted(path.name for path in cache.iterdir()) == ["mtrnn.json", "mtrnn.safetensors"]

    network, card = checkpoint.load(checkpoint.find("mtrnn"))
    assert card.licence == "none stated by the authors; for your own use"
    assert "someone/nets" in card.recipe and COMMIT in card.recipe and card.data == ("made up",)
    assert torch.equal(network.state_dict()["down1.weight"], mtrnn_file()["conv2_1.0.weight"])
    assert network.settings.clamp is False
    assert main(["models", "--json"]) == 0
    row = next(row for row in json.loads(capsys.readouterr().out) if row["id"] == "mtrnn")
    assert row["ready"] and row["licence"] == card.licence


def test_six_files_make_one_network(server, cache):
    path = fetch.fetch(publish(server, "dmphn", dmphn_files()), server.base)
    assert path == cache / "dmphn.safetensors" == checkpoint.find("dmphn")
    assert len(server.asked) == 6
    network, _ = checkpoint.load(path)
    picture = torch.rand(1, 1, 3, 24, 40, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        assert (next(network.run(picture)).image - picture[:, 0]).abs().max() < 1e-6, "it hands pictures through"


def refused(source: Upstream, base: str, *named: str) -> None:
    """Fetching fails with one line that says all this, and leaves nothing behind."""
    with pytest.raises(CheckpointError) as caught:
        fetch.fetch(source, base)
    message = str(caught.value)
    assert all(word in message for word in named), message
    assert "\n" not in message
    assert not checkpoint.user_cache().exists()


def test_what_has_changed_upstream_is_refused(server):
    content = pickled(mtrnn_file())
    source = publish(server, "mtrnn", {"model_best.pt": content})
    address = f"/someone/nets/{COMMIT}/model_best.pt"
    (file,) = source.files

    changed = bytearray(content)
    changed[len(content) // 2] ^= 1
    server.files[address] = bytes(changed)
    refused(source, server.base, "model_best.pt", "git blob id", file.blob[:12])
    refused(replace(source, files=(replace(file, size=None),)), server.base, "git blob id", file.blob[:12])
    server.files[address] = content + b"more"
    refused(source, server.base, f"more than {len(content):,} bytes")
    server.files[address] = b"<html>moved</html>"
    refused(source, server.base, "18 bytes", f"{len(content):,} bytes")
    del server.files[address]
    refused(source, server.base, "404", "convert")


def test_a_broken_transfer_is_refused(server):
    source = publish(server, "mtrnn", {"model_best.pt": pickled(mtrnn_file())})
    server.torn |= set(server.files)
    refused(source, server.base, "model_best.pt")


def test_without_a_connection_the_error_says_so(server):
    source = publish(server, "mtrnn", {"model_best.pt": b""})
    with socket.socket() as taken:  # bound, but nobody listens
        taken.bind(("127.0.0.1", 0))
        refused(source, f"http://127.0.0.1:{taken.getsockname()[1]}", "cannot be fetched", "connection")


def test_a_pickle_that_runs_code_is_refused_unrun(server, tmp_path):
    class Trap:
        def __reduce__(self):
            return (Path.touch, (tmp_path / "sprung",))

    refused(publish(server, "mtrnn", {"model_best.pt": pickled({"state_dict": Trap()})}), server.base, "state_dict()")
    assert not (tmp_path / "sprung").exists()


def test_weights_that_do_not_behave_are_refused(server):
    wild = publish(server, "mtrnn", {"model_best.pt": pickled(mtrnn_file(head=10))})
    refused(wild, server.base, "of the converted mtrnn changes")
    files = dmphn_files()
    files["checkpoints/encoder_lv1.pkl"] = files["checkpoints/encoder_lv2.pkl"]
    refused(publish(server, "dmphn", files), server.base, "step 1 of the converted dmphn changes a flat grey by 0.1")


def test_trained_weights_pass_the_self_check():
    bundled = Path(__file__).resolve().parents[2] / "checkpoints" / "mtrnn-lite.safetensors"
    network, _ = checkpoint.load(bundled)
    fetch.self_check(network, "mtrnn-lite")


def test_nothing_is_fetched_without_consent(server, cache, monkeypatch, capsys):
    source = publish(server, "mtrnn", {"model_best.pt": pickled(mtrnn_file())})
    monkeypatch.setitem(fetch.UPSTREAM, "mtrnn-gopro", source)
    monkeypatch.setattr(fetch, "RAW", server.base)

    class Terminal(io.StringIO):
        def isatty(self):
            return True

    monkeypatch.setattr("sys.stdin", io.StringIO("y\n"))
    assert main(["fetch", "mtrnn-gopro"]) == 1
    assert "--yes" in capsys.readouterr().err
    for answer in ("n\n", "\n", ""):
        monkeypatch.setattr("sys.stdin", Terminal(answer))
        assert main(["fetch", "mtrnn-gopro"]) == 1
        assert "Nothing was fetched" in capsys.readouterr().out
    assert server.asked == [] and not cache.exists()
    monkeypatch.setattr("sys.stdin", Terminal("y\n"))
    assert main(["fetch", "mtrnn-gopro"]) == 0
    assert (cache / "mtrnn.safetensors").exists()


def test_fetched_weights_are_used_instead_of_bundled_ones(server, cache, monkeypatch):
    monkeypatch.setitem(fetch.UPSTREAM, "dmphn-gopro", publish(server, "dmphn", dmphn_files()))
    monkeypatch.setattr(fetch, "RAW", server.base)
    checkpoint.BUNDLED.mkdir()
    (checkpoint.BUNDLED / "dmphn.safetensors").touch()
    assert checkpoint.find("dmphn") == checkpoint.BUNDLED / "dmphn.safetensors"
    assert main(["fetch", "dmphn-gopro", "--yes"]) == 0
    assert checkpoint.find("dmphn") == cache / "dmphn.safetensors"


def test_a_cache_that_cannot_be_written_is_one_line(server, cache):
    cache.write_text("a file where a folder should be")
    with pytest.raises(OutputError, match=r"mtrnn\.safetensors cannot be written.*DEBLUR_CACHE"):
        fetch.fetch(publish(server, "mtrnn", {"model_best.pt": pickled(mtrnn_file())}), server.base)


def test_an_unknown_name_is_refused_with_the_known_ones(capsys):
    assert main(["fetch", "mtrnn-gopr", "--yes"]) == 1
    assert "Did you mean 'mtrnn-gopro'" in capsys.readouterr().err


def test_the_table_is_the_one_agreed_on():
    listed = SHARED / "spec" / "upstream_weights.md"
    if not listed.exists():
        pytest.skip("../shared/spec is not beside this checkout")
    text = listed.read_text()
    for name, source in fetch.UPSTREAM.items():
        assert f"| {name} | {source.repository} {source.commit} |" in text
        for file in source.files:
            line = next(line for line in text.splitlines() if file.blob in line)
            assert Path(file.path).name in line and (file.size is None or f"| {file.size} |" in line)
    assert sum(len(source.files) for source in fetch.UPSTREAM.values()) == 7
