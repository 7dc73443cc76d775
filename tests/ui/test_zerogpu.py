"""ZeroGPU: how long a job borrows the card, and its way to another process and back, with the real package."""

from __future__ import annotations

import importlib.util
import json
import math
import os
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from deblur_demo import catalogue
from deblur_demo.clips import ClipJob
from deblur_demo.errors import LimitError
from deblur_demo.media.clip import probe
from deblur_demo.media.image import write_image
from deblur_demo.pipeline import Job, StepReport, deblur_image, open_deblurrer
from deblur_demo.ui import borrowed, zerogpu
from deblur_demo.ui.bench import Bench

ROOT = Path(__file__).resolve().parents[2]
TITAN_V = 4.07e12  # FLOP of six iterations of MT-RNN at 1280 x 720, as in its paper

# A Space on ZeroGPU as far as one goes without its scheduler and without a GPU: the scheduler is a server that agrees
# to everything, and a process that has been given the card skips what only works with one. All else is the package's.
SPACE = """
import http.server, json, os, sys, threading
from pathlib import Path
class Scheduler(http.server.BaseHTTPRequestHandler):
    asked, spent = [], False
    def do_POST(self):
        self.asked.append(self.path)
        given = {"idle": True, "nvidiaIndex": 0, "nvidiaUUID": "none", "allowToken": "token"}
        content = json.dumps({"left": 0, "wait": 3600} if self.spent else given).encode()
        self.send_response(429 if self.spent else 200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)
    def log_message(self, *words):
        pass
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Scheduler)
threading.Thread(target=server.serve_forever, daemon=True).start()
os.environ |= {"SPACES_ZERO_GPU": "true", "SPACES_ZERO_DEVICE_API_URL": f"http://127.0.0.1:{server.server_port}"}
import torch
if torch.version.cuda is None:  # a build for CPUs lacks what the package looks for
    torch.version.cuda, torch._C._cuda_init, torch.cuda._is_in_bad_fork = "12.8", None, bool
import spaces.zero.torch
spaces.zero.torch.init = spaces.zero.torch.move = lambda *words, **more: None

from deblur_demo.errors import DeblurError
from deblur_demo.media.image import read_image
from deblur_demo.clips import ClipJob, ClipReport, FrameReport
from deblur_demo.pipeline import Job, StepReport, deblur_image, default_model
from deblur_demo.ui.bench import Bench

bench = Bench()
placed, *_ = bench._open.values()
said = {"ready": [job.model for job in bench._open], "default": default_model()}
said |= {"placed": str(next(placed.ready(placed.placement)[0].parameters()).device), "server": os.getpid()}

def visit():  # in another thread than the main one, as handlers are
    job, folder = Job(model="mtrnn-lite", device="cpu", precision="fp32"), Path(sys.argv[1])
    photo = read_image(folder / "shaky.png")
    reports = [event for event in deblur_image(photo, bench.deblurrer(job), 3) if isinstance(event, StepReport)]
    said["changes"] = [report.change for report in reports[1:]]
    said["sums"] = [int(report.photo.pixels.sum()) for report in reports]
    clip = bench.deblur_clip(ClipJob(folder / "shaky.mp4", folder / "sharp.mp4"), Job("mtrnn-lite", 1, "cpu", "fp32"))
    events = list(clip)
    said["frames"] = [float(event.time) for event in events if isinstance(event, FrameReport)]
    said["whole"] = isinstance(events[-1], ClipReport)
    try:
        list(deblur_image(photo, bench.deblurrer(Job(model="mtrnn-lite", checkpoint=folder / "no.safetensors")), 1))
    except DeblurError as error:
        said["error"] = [type(error).__name__, str(error)]
    cancelled = deblur_image(photo, bench.deblurrer(job), 10)
    next(cancelled), next(cancelled)
    cancelled.close()
    Scheduler.spent = True
    try:
        list(deblur_image(photo, bench.deblurrer(job), 1))
    except DeblurError as error:
        said["spent"] = [type(error).__name__, str(error)]

visitor = threading.Thread(target=visit)
visitor.start()
visitor.join()
print("SAID", json.dumps({**said, "asked": Scheduler.asked}))
"""


def seconds(model: str, pixels: int, steps: int, frames: int | None = None) -> int:
    return zerogpu.duration(catalogue.gmacs(model), pixels, steps, frames)


def test_the_formula_counts_the_papers_arithmetic():
    computing = TITAN_V / zerogpu.RATE + 6 * 0.9216 * zerogpu.HANDLING
    assert seconds("mtrnn", 1280 * 720, 6) == math.ceil(zerogpu.STARTING + computing)


def test_seconds_grow_with_pixels_iterations_and_frames(monkeypatch):
    monkeypatch.setenv("DEBLUR_GPU_SECONDS", "3600")
    start = zerogpu.STARTING
    one = seconds("mtrnn", 10**8, 4) - start
    assert one == pytest.approx(4 * 100 * (catalogue.gmacs("mtrnn") * 1e9 / 65536 * 2e6 / zerogpu.RATE + 0.05), abs=1)
    assert seconds("mtrnn", 2 * 10**8, 4) - start == pytest.approx(2 * one, abs=2)
    assert seconds("mtrnn", 10**8, 8) - start == pytest.approx(2 * one, abs=2)
    filmed = 100 * zerogpu.FILMING
    assert seconds("mtrnn", 10**7, 4, 10) - start == pytest.approx(one + filmed, abs=2)
    assert seconds("mtrnn-lite", 10**8, 4) < seconds("mtrnn", 10**8, 4)


def test_what_takes_too_long_is_refused_with_the_limit(monkeypatch):
    with pytest.raises(LimitError, match=r"about \d{4} s of the shared GPU\. Accepted: at most 120 s"):
        seconds("mtrnn-lite", 1280 * 720, 6, frames=3000)
    monkeypatch.setenv("DEBLUR_GPU_SECONDS", "20")
    assert seconds("mtrnn-lite", 1280 * 720, 6) <= 20
    with pytest.raises(LimitError, match="at most 20 s"):
        seconds("mtrnn-lite", 60_000_000, 6)


def test_clips_auto_and_ensembles_are_counted(shaky_clip, monkeypatch):
    monkeypatch.setattr(zerogpu, "RATE", 1e9)  # slow, so that small things count
    monkeypatch.setenv("DEBLUR_GPU_SECONDS", "3600")
    lite, size, frames = catalogue.gmacs("mtrnn-lite"), 64 * 48, probe(shaky_clip).frames
    whole = ClipJob(shaky_clip, Path("out.mp4"))
    two = borrowed.clip_seconds(whole, Job("mtrnn-lite", 2))
    assert two == zerogpu.duration(lite, size, 2, frames) > zerogpu.STARTING + 5
    settling = borrowed.clip_seconds(whole, Job("mtrnn-lite", "auto", ensemble="4"))
    assert settling == zerogpu.duration(4 * lite, size, 6, frames) > 6 * (two - zerogpu.STARTING)
    smaller = borrowed.clip_seconds(whole, Job("mtrnn-lite", 6, size="half"))
    assert smaller == zerogpu.duration(lite / 4, size, 6, frames) < borrowed.clip_seconds(whole, Job("mtrnn-lite", 6))
    assert borrowed.clip_seconds(ClipJob(shaky_clip, Path("out.mp4"), start=0.3), Job("mtrnn-lite", 2)) < two
    assert borrowed.steps(Job("wiener"), 6) == 1


def test_elsewhere_nothing_is_borrowed(weights, monkeypatch):
    monkeypatch.delenv("SPACES_ZERO_GPU", raising=False)
    assert not zerogpu.shared()
    deblurrer = Bench().deblurrer(Job("mtrnn-lite", device="cpu"))
    assert deblurrer.placement.device.type == "cpu"


def test_maps_cross_over_as_arrays(lively_checkpoint, shaky_photo):
    job = Job(checkpoint=lively_checkpoint, model="mtrnn-lite", device="cpu", precision="fp32", ensemble="4")
    ours = open_deblurrer(job)

    def lent(seconds: int, job: Job, window, iterations):
        for event in borrowed.portable_events(ours, window, iterations):
            crossed = pickle.dumps(event)
            assert b"torch" not in crossed
            yield pickle.loads(crossed)

    theirs = borrowed.BorrowedDeblurrer(job, lent)
    mine, other = (
        [event for event in deblur_image(shaky_photo, deblurrer, 1) if isinstance(event, StepReport)][1]
        for deblurrer in (ours, theirs)
    )
    assert np.array_equal(mine.photo.pixels, other.photo.pixels)
    assert np.array_equal(mine.maps["doubt"], other.maps["doubt"]) and mine.maps["doubt"].max() > 0


@pytest.mark.skipif(importlib.util.find_spec("spaces") is None, reason="the package spaces is not installed")
def test_a_job_goes_to_the_cards_process_and_back(tmp_path, weights, shaky_photo, shaky_clip):
    write_image(shaky_photo, tmp_path / "shaky.png")
    (tmp_path / "shaky.mp4").write_bytes(shaky_clip.read_bytes())
    (tmp_path / "no.json").write_text('{"model": "mtrnn-lite"}')  # a card, by which a GPU is asked for, without weights
    env = {**os.environ, "PYTHONPATH": str(ROOT), "ZEROGPU_OFFLOAD_DIR": str(tmp_path / "tensors")}
    done = subprocess.run([sys.executable, "-c", SPACE, tmp_path], env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    said = json.loads(next(line for line in done.stdout.splitlines() if line.startswith("SAID"))[5:])
    assert len(said["ready"]) == 2 and said["ready"][-1] == said["default"]
    assert said["placed"] == "cuda:0", "before the launch and in the main thread, as every process inherits it"
    deblurrer = open_deblurrer(Job("mtrnn-lite", device="cpu", precision="fp32"))
    wanted = [event for event in deblur_image(shaky_photo, deblurrer, 3) if isinstance(event, StepReport)]
    assert said["changes"] == pytest.approx([report.change for report in wanted[1:]], abs=0.01)
    assert said["sums"] == pytest.approx([int(report.photo.pixels.sum()) for report in wanted], rel=1e-4)
    assert said["whole"] and len(said["frames"]) == 6 and (tmp_path / "sharp.mp4").stat().st_size > 0
    name, line = said["error"]
    assert name == "CheckpointError" and "no.safetensors" in line, "our words, not only the name of the error"
    ways = [path.partition("?")[0] for path in said["asked"]]
    assert ways.count("/schedule") == 5 and ways.count("/release") == 4, "all that was lent is given back"
    assert "fail=true" not in str(said["asked"])
    processes = [path.partition("pid=")[2] for path in said["asked"] if path.startswith("/allow")]
    assert processes and str(said["server"]) not in processes
    durations = [path.partition("durationSeconds=")[2] for path in said["asked"] if path.startswith("/schedule")]
    assert [int(text.partition("&")[0]) for text in durations] == 5 * [16]
    name, line = said["spent"]
    assert name == "DeviceError" and "GPU limit" in line and "Try again later" in line and "\n" not in line
