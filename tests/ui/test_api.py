"""The API of a served page: numbers as the pipeline's, refusals in one line, limits kept by the server."""

from __future__ import annotations

import runpy
import zipfile
from pathlib import Path

import httpx
import numpy as np
import pytest
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError
from PIL import Image

from deblur_demo import catalogue, metrics
from deblur_demo.clips import ClipJob, FrameReport, deblur_clip
from deblur_demo.lab import Shake, shake_photo
from deblur_demo.media.clip import read_frames
from deblur_demo.media.image import read_image, write_image
from deblur_demo.pipeline import Job, StepReport, deblur_image, open_deblurrer
from deblur_demo.ui import text
from deblur_demo.ui.components import Files, OneFile, OnePhoto, Photos

APP = Path(__file__).resolve().parents[2] / "app.py"


@pytest.fixture(scope="module")
def served(weights_folder, tmp_path_factory):
    """The page on a free port, as ``app.py`` serves it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DEBLUR_CACHE", str(weights_folder))
        patch.setenv("GRADIO_TEMP_DIR", str(tmp_path_factory.mktemp("gradio")))
        patch.setenv("DEBLUR_MAX_UPLOAD_MB", "1")
        app = runpy.run_path(str(APP))
        _, address, _ = app["demo"].launch(**app["serving"](), prevent_thread_lock=True, quiet=True)
        yield address.rstrip("/"), app["demo"]
        app["demo"].close()


@pytest.fixture(scope="module")
def client(served, tmp_path_factory) -> Client:
    return Client(served[0], verbose=False, download_files=str(tmp_path_factory.mktemp("downloads")))


@pytest.fixture(scope="module")
def shaky(tmp_path_factory, shaky_photo) -> Path:
    path = tmp_path_factory.mktemp("photos") / "shaky.png"
    write_image(shaky_photo, path)
    return path


def test_the_answer_is_the_pipelines(client, shaky, sharp_photo, tmp_path, weights):
    write_image(sharp_photo, tmp_path / "sharp.png")
    picture, steps = client.predict(
        image=handle_file(shaky), iterations="3", precision="fp32", truth=handle_file(tmp_path / "sharp.png"),
        api_name="/deblur_image",
    )  # fmt: skip
    deblurrer = open_deblurrer(Job(model="mtrnn-lite", precision="fp32"))
    events = deblur_image(read_image(shaky), deblurrer, 3, sharp_photo)
    wanted = [event for event in events if isinstance(event, StepReport)]
    restored = read_image(Path(picture)).pixels.astype(int)
    assert np.abs(restored - wanted[-1].photo.pixels).max() <= 1
    assert [step["psnr"] for step in steps] == pytest.approx([step.psnr for step in wanted], abs=0.01)
    assert [step["index"] for step in steps] == [0, 1, 2, 3] and Path(picture).suffix == ".png"
    assert steps[0]["blur"] == pytest.approx(metrics.blur(read_image(shaky).pixels)) and steps[1]["blur"] is None
    assert steps[3]["blur"] == pytest.approx(metrics.blur(restored.astype(np.uint8)), abs=1e-3)


def test_the_size_is_used(client, shaky, weights):
    options = {"image": handle_file(shaky), "iterations": "1", "precision": "fp32", "api_name": "/deblur_image"}
    picture, (_, step) = client.predict(**options, size="half")
    deblurrer = open_deblurrer(Job("mtrnn-lite", precision="fp32", size="half"))
    *_, wanted = deblur_image(read_image(shaky), deblurrer, 1)
    restored = read_image(Path(picture)).pixels.astype(int)
    assert restored.shape == wanted.photo.pixels.shape and np.abs(restored - wanted.photo.pixels).max() <= 1
    assert step["change"] == pytest.approx(wanted.change, abs=1e-3)
    *_, plain = deblur_image(read_image(shaky), open_deblurrer(Job("mtrnn-lite", precision="fp32")), 1)
    assert np.abs(restored - plain.photo.pixels).max() > 1


def test_the_ensemble_is_used(client, shaky, weights):
    options = {"image": handle_file(shaky), "iterations": "1", "precision": "fp32", "api_name": "/deblur_image"}
    single, _ = client.predict(**options)
    several, (_, step) = client.predict(**options, ensemble="4")
    deblurrer = open_deblurrer(Job("mtrnn-lite", precision="fp32", ensemble="4"))
    wanted = list(deblur_image(read_image(shaky), deblurrer, 1))
    pictures = [read_image(Path(path)).pixels.astype(int) for path in (single, several)]
    assert np.abs(pictures[1] - wanted[-1].photo.pixels).max() <= 1 < np.abs(pictures[1] - pictures[0]).max()
    assert step["maps"]["doubt"]["mean"] == pytest.approx(wanted[-1].maps["doubt"].mean(), abs=1e-3)


def test_a_clip_comes_back_with_its_times_and_figures(client, shaky_clip, weights, tmp_path):
    path, report = client.predict(
        clip=handle_file(shaky_clip), iterations="1", precision="fp32", start="0.03", api_name="/deblur_clip"
    )
    part = ClipJob(shaky_clip, tmp_path / "out.mp4", start=0.03)
    events = deblur_clip(part, open_deblurrer(Job(model="mtrnn-lite", precision="fp32")), 1)
    wanted = [event for event in events if isinstance(event, FrameReport)]
    assert [frame["time"] for frame in report["frames"]] == [float(frame.time) for frame in wanted]
    assert [f["sharpness"] for f in report["frames"]] == pytest.approx([f.sharpness for f in wanted], abs=0.01)
    assert len(report["flicker"]) == 2 and isinstance(report["notices"], list)
    assert [frame.time for frame in read_frames(Path(path))] == [f.time for f in read_frames(part.target)]


@pytest.mark.parametrize(
    "knobs", [{"end": "never"}, {"start": "2", "end": "1"}, {"codec": "gif"}, {"crf": "-1"}, {"start": "100"}]
)
def test_a_clip_that_makes_no_sense_is_refused_in_one_line(client, shaky_clip, knobs):
    with pytest.raises(AppError, match=r"^[^\n]*Accepted: [^\n]*$"):
        client.predict(clip=handle_file(shaky_clip), iterations="1", api_name="/deblur_clip", **knobs)


def test_a_shake_is_the_labs_and_can_be_repeated(client, sharp_photo, tmp_path):
    write_image(sharp_photo, tmp_path / "sharp.png")
    photo = {"image": handle_file(tmp_path / "sharp.png"), "api_name": "/blur_photo"}
    first, sharp, report = client.predict(**photo, seed=4, shift=20, level=13, noise=0.5)
    wanted = shake_photo(sharp_photo, Shake(seed=4, shift=20, level=13, noise=0.5))
    assert np.array_equal(read_image(Path(first)).pixels, wanted.blurred.pixels)
    assert np.array_equal(read_image(Path(sharp)).pixels, wanted.sharp.pixels)
    shake = report["shake"]
    assert shake["level"] == 13 and shake["path"] == [list(point) for point in wanted.shake.path]
    again, _, _ = client.predict(**photo, **shake)
    assert metrics.psnr(read_image(Path(again)).pixels, wanted.blurred.pixels) > 50


@pytest.mark.parametrize(
    "knobs",
    [{"path": bad} for bad in ([[0, 0], [600, 0]], [[0]], {"x": 1}, [["a", "b"]], [[0, 0]] * 2001)]
    + [{"level": 4}, {"level": 99}, {"seed": -1}, {"seed": 0.5}, {"objects": 4}, {"noise": 1e9}, {"saturation": 0}]
    + [{"shift": 1000}],
)
def test_a_shake_that_makes_no_sense_is_refused_in_one_line(client, shaky, knobs):
    with pytest.raises(AppError, match=r"^[^\n]*Accepted: [^\n]*$"):
        client.predict(image=handle_file(shaky), api_name="/blur_photo", **knobs)


def test_models_are_listed_without_the_servers_folders(client):
    rows = client.predict(api_name="/models")
    assert [row["id"] for row in rows] == [row["id"] for row in catalogue.models()]
    assert all(row["checkpoint"] is None or "/" not in row["checkpoint"] for row in rows)


@pytest.mark.parametrize(
    "knobs",
    [{"iterations": bad} for bad in ("0", "-1", "1e6", "6;rm", "nan")]
    + [{"model": "no such model"}, {"tile": "-1"}, {"precision": "fp8"}, {"ensemble": "2"}, {"size": "third"}]
    + [{"tile": "1"}, {"keep_metadata": "false"}, {"keep_metadata": "no"}],
)
def test_values_out_of_range_are_refused_in_one_line(client, shaky, knobs):
    with pytest.raises(AppError, match=r"^[^\n]*Accepted: [^\n]*$"):
        client.predict(image=handle_file(shaky), api_name="/deblur_image", **knobs)


def call(address: str, image: object) -> str:
    """What the server answers to a hand-made call."""
    data = [image, "mtrnn-lite", "1", "fp32", "auto", None, False, "1", "full"]
    event = httpx.post(f"{address}/gradio_api/call/deblur_image", json={"data": data}).json()["event_id"]
    return httpx.get(f"{address}/gradio_api/call/deblur_image/{event}", timeout=60).text


@pytest.mark.parametrize("meta", [{"meta": {"_type": "gradio.FileData"}}, {}])
@pytest.mark.parametrize("path", ["/proc/self/environ", str(APP), "../../app.py", "http://127.0.0.1:9/photo.png"])
def test_only_uploaded_files_are_read(served, path, meta):
    assert text.NOT_UPLOADED[0] in call(served[0], {"path": path, **meta})


def test_the_pages_own_listeners_read_only_uploaded_files_too(served):
    address, page = served
    kinds = (Photos, OnePhoto, OneFile, Files)
    asked = 0
    for fn in page.fns.values():
        if not fn.queue and any(isinstance(block, kinds) for block in fn.inputs):
            file = {"path": str(APP)}
            values = {Photos: [{"image": file}], OnePhoto: file}
            data = [values.get(type(block), {**file, "meta": {"_type": "gradio.FileData"}})
                    if isinstance(block, kinds) else None for block in fn.inputs]  # fmt: skip
            body = {"data": data, "fn_index": fn._id, "session_hash": "stranger"}
            answer = httpx.post(f"{address}/gradio_api/run/predict", json=body, timeout=30)
            assert text.NOT_UPLOADED[0] in answer.text
            asked += 1
    assert asked > 3


def test_a_bad_file_leaves_nothing_and_the_next_call_works(client, served, shaky, tmp_path):
    (tmp_path / "bad.png").write_bytes(b"\x7fELF")
    with pytest.raises(AppError, match="bad.png"):
        client.predict(image=handle_file(tmp_path / "bad.png"), api_name="/deblur_image")
    cache = Path(served[1].GRADIO_CACHE)
    before = len(list(cache.glob("deblur-run-*")))
    client.predict(image=handle_file(shaky), iterations="1", api_name="/deblur_image")
    assert len(list(cache.glob("deblur-run-*"))) == before + 1


def test_large_uploads_are_refused(served):
    for size, status in ((1024**2 - 1000, 200), (1024**2 + 1, 413)):
        answer = httpx.post(f"{served[0]}/gradio_api/upload", files={"files": ("photo.png", bytes(size))})
        assert answer.status_code == status


def test_the_librarys_open_defaults_are_closed(served):
    address, page = served
    config = httpx.get(f"{address}/config").json()
    assert config["analytics_enabled"] is False and page.run_history is False
    assert httpx.get(f"{address}/monitoring/summary").status_code in (401, 403, 404)
    assert min(page.delete_cache) > 365 * 86_400, "the sweep alone knows what is in use"
    assert page.max_file_size == 1024**2
    assert page._queue.max_size == 20 and not page.api_open
    heavy = [fn for fn in page.fns.values() if fn.concurrency_id == "device"]
    assert {"deblur_image", "deblur_clip", "blur_photo", "compare"} <= {fn.api_name for fn in heavy}
    assert all(fn.concurrency_limit == 1 for fn in heavy)
    light = [fn for fn in page.fns.values() if fn.concurrency_id != "device"]
    assert light and not any(fn.queue for fn in light)
    pictures = [block for block in page.blocks.values() if hasattr(block, "format") and hasattr(block, "buttons")]
    assert len(pictures) >= 6 and {block.format for block in pictures} == {"png"}


def test_a_comparison_comes_back_with_its_figures(client, shaky, weights):
    archive, rows = client.predict(
        image=handle_file(shaky), models="mtrnn-lite, wiener", iterations="1, 2", precision="fp32", api_name="/compare"
    )
    assert [row["name"] for row in rows] == ["Input", "mtrnn-lite × 1", "mtrnn-lite × 2", "wiener"]
    options = {"models": "mtrnn-lite", "iterations": "1", "sizes": "half, full", "api_name": "/compare"}
    _, sized = client.predict(image=handle_file(shaky), **options)
    assert [row["name"] for row in sized] == ["Input", "mtrnn-lite × 1, half size", "mtrnn-lite × 1"]
    events = deblur_image(read_image(shaky), open_deblurrer(Job(model="mtrnn-lite", precision="fp32")), 2)
    wanted = [event for event in events if isinstance(event, StepReport)]
    with zipfile.ZipFile(archive) as packed, packed.open("shaky/shaky_02_mtrnn-lite_2.png") as picture:
        restored = np.asarray(Image.open(picture)).astype(int)
    assert np.abs(restored - wanted[2].photo.pixels).max() <= 1


@pytest.mark.parametrize(
    "knobs",
    [{"iterations": bad} for bad in ("0", "-1", "1e6", "6;rm", "nan", "auto", "", "1,2,3,4,5,6,7,8,9")]
    + [{"models": "no such model"}, {"models": ""}, {"models": "own:../../etc"}, {"precision": "fp8"}]
    + [{"sizes": bad} for bad in ("", "third", "full, third")],
)
def test_a_comparison_that_makes_no_sense_is_refused_in_one_line(client, shaky, knobs):
    with pytest.raises(AppError, match=r"^[^\n]*Accepted: [^\n]*$"):
        client.predict(image=handle_file(shaky), api_name="/compare", **{"models": "mtrnn-lite", **knobs})
