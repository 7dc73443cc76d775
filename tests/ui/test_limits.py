"""The limits of a served page, each at its border: a server keeps them whatever a client sends."""

from __future__ import annotations

import io
import runpy
import time
from pathlib import Path

import httpx
import numpy as np
import pytest
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError
from PIL import ExifTags, Image

APP = Path(__file__).resolve().parents[2] / "app.py"
LIMITS = {"MAX_MEGAPIXELS": 1, "MAX_CLIP_FRAMES": 5, "QUEUE_LENGTH": 3, "VISITOR_JOBS": 2}


@pytest.fixture(scope="module")
def served(weights_folder, tmp_path_factory):
    """The page on a free port, as ``app.py`` serves it, with small limits."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DEBLUR_CACHE", str(weights_folder))
        patch.setenv("GRADIO_TEMP_DIR", str(tmp_path_factory.mktemp("gradio")))
        for name, value in LIMITS.items():
            patch.setenv(f"DEBLUR_{name}", str(value))
        app = runpy.run_path(str(APP))
        _, address, _ = app["demo"].launch(**app["serving"](), prevent_thread_lock=True, quiet=True)
        yield address.rstrip("/")
        app["demo"].close()


@pytest.fixture(scope="module")
def client(served, tmp_path_factory) -> Client:
    return Client(served, verbose=False, download_files=str(tmp_path_factory.mktemp("downloads")))


def grey(width: int, height: int) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (width, height), (90, 100, 110)).save(file, "PNG")
    return file.getvalue()


def test_megapixels(client, tmp_path, weights):
    for width, accepted in ((1000, True), (1001, False)):
        (tmp_path / "photo.png").write_bytes(grey(width, 1000))
        options = {"image": handle_file(tmp_path / "photo.png"), "model": "wiener", "api_name": "/deblur_image"}
        if accepted:
            assert client.predict(**options)[0].endswith(".png")
        else:
            with pytest.raises(AppError, match=r"^[^\n]*1001 x 1000[^\n]*Accepted: at most 1 mega[^\n]*$"):
                client.predict(**options)


def test_minutes_of_a_job(client, tmp_path, monkeypatch, weights):
    monkeypatch.setenv("DEBLUR_JOB_MINUTES", "0.01")
    (tmp_path / "photo.png").write_bytes(grey(1000, 800))
    options = {"image": handle_file(tmp_path / "photo.png"), "model": "mtrnn-lite", "iterations": 10}
    with pytest.raises(AppError, match=r"^this job has had its 0.01 min[^\n]*Accepted: no more on this server[^\n]*$"):
        client.predict(**options, api_name="/deblur_image")


def test_frames_of_a_clip(client, shaky_clip, weights):
    options = {"clip": handle_file(shaky_clip), "model": "wiener", "api_name": "/deblur_clip"}
    with pytest.raises(AppError, match=r"^[^\n]*6 frames[^\n]*Accepted: [^\n]* 5 [^\n]*$"):
        client.predict(**options)


@pytest.mark.parametrize("kept", [False, True])
def test_the_place_goes_unless_asked(client, kept, tmp_path, weights):
    exif = Image.Exif()
    exif[ExifTags.Base.Artist] = "me"
    exif.get_ifd(ExifTags.IFD.GPSInfo)[ExifTags.GPS.GPSLatitudeRef] = "N"
    noise = np.random.default_rng(0).integers(0, 255, (48, 64, 3), np.uint8)
    Image.fromarray(noise).save(tmp_path / "photo.jpg", exif=exif)
    photo = handle_file(tmp_path / "photo.jpg")
    path, _ = client.predict(image=photo, model="wiener", keep_metadata=kept, api_name="/deblur_image")
    with Image.open(path) as result:
        found = result.getexif()
        assert found[ExifTags.Base.Artist] == "me"
        assert (found.get_ifd(ExifTags.IFD.GPSInfo).get(ExifTags.GPS.GPSLatitudeRef) == "N") is kept


class Visitors:
    """Jobs that last some seconds, by hand-made calls.

    Args:
        served: address of the server.
    """

    def __init__(self, served: str):
        self.api = f"{served}/gradio_api"
        (path,) = httpx.post(f"{self.api}/upload", files={"files": ("photo.png", grey(1200, 800))}).json()
        photo = {"path": path, "meta": {"_type": "gradio.FileData"}}
        self.data = [photo, "mtrnn-lite", "10", "fp32", "auto", None, False, "1", "full"]
        functions = httpx.get(f"{served}/config").json()["dependencies"]
        (self.function,) = (fn["id"] for fn in functions if fn["api_name"] == "deblur_image")
        self.joined: list[tuple[str, str]] = []

    def join(self, session: str) -> httpx.Response:
        body = {"data": self.data, "fn_index": self.function, "session_hash": session}
        answer = httpx.post(f"{self.api}/queue/join", json=body, timeout=60)
        if answer.is_success:
            self.joined.append((session, answer.json()["event_id"]))
        return answer

    def call(self) -> httpx.Response:
        """Without a session."""
        answer = httpx.post(f"{self.api}/call/deblur_image", json={"data": self.data}, timeout=60)
        if answer.is_success:
            event = answer.json()["event_id"]
            self.joined.append((event, event))
        return answer

    def leave(self) -> None:
        for session, event in self.joined:
            body = {"session_hash": session, "fn_index": self.function, "event_id": event}
            httpx.post(f"{self.api}/cancel", json=body, timeout=60)
        self.joined = []


@pytest.fixture
def visitors(served, weights):
    visitors = Visitors(served)
    yield visitors
    visitors.leave()
    while not (answer := visitors.join("the next")).is_success:  # until the places are free again
        assert answer.status_code == 503
        time.sleep(0.1)
    visitors.leave()


def test_jobs_of_one_visitor(visitors):
    assert [visitors.join("ann").status_code for _ in range(3)] == [200, 200, 429]
    refusal = visitors.join("ann").json()["detail"]
    assert refusal.startswith("2 of your jobs are waiting or running. Accepted: at most 2 ") and "\n" not in refusal
    assert visitors.join("bob").status_code == 200, "another visitor's jobs do not count"


def test_calls_without_a_session_stand_for_their_address(visitors):
    assert [visitors.call().status_code for _ in range(3)] == [200, 200, 429]
    assert visitors.join("ann").status_code == 200


def test_who_has_left_may_come_again(visitors):
    assert [visitors.join("ann").status_code for _ in range(3)] == [200, 200, 429]
    visitors.leave()
    while not (answer := visitors.join("ann")).is_success:
        assert answer.status_code == 429
        time.sleep(0.1)


def test_length_of_the_queue(visitors):
    codes = [visitors.join(f"visitor {number}").status_code for number in range(6)]
    # Three wait, and one more runs if it has begun by then.
    assert codes in ([200] * 3 + [503] * 3, [200] * 4 + [503] * 2)
