"""The path from photo to steps: its numbers against the bare network's, and what it refuses."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch

from deblur_demo import metrics
from deblur_demo.catalogue import models
from deblur_demo.errors import CheckpointError, InputError, SettingError
from deblur_demo.media.image import Photo
from deblur_demo.models import checkpoint, registry
from deblur_demo.pipeline import Job, StepReport, deblur_image, default_model, open_deblurrer, resolve
from deblur_demo.runtime.deblurrer import TileDone

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture
def job(lively_checkpoint) -> Job:
    return Job(checkpoint=lively_checkpoint, iterations=3, device="cpu", precision="fp32", tile=0)


@pytest.fixture
def no_weights(tmp_path, monkeypatch):
    """An empty folder of bundled weights and an empty cache; gives the cache."""
    monkeypatch.setattr(checkpoint, "BUNDLED", tmp_path / "bundled")
    monkeypatch.setenv("DEBLUR_CACHE", str(tmp_path / "cache"))
    (tmp_path / "cache").mkdir()
    return tmp_path / "cache"


def reports(*arguments) -> list[StepReport]:
    return [event for event in deblur_image(*arguments) if isinstance(event, StepReport)]


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_each_step_is_the_networks_own_estimate(job, shaky_photo, dtype):
    levels = np.iinfo(dtype).max
    pixels = (shaky_photo.pixels.astype(dtype) * (levels // 255)).astype(dtype)
    alpha = np.arange(pixels[..., 0].size, dtype=dtype).reshape(pixels.shape[:2])
    photo = Photo(pixels, alpha, icc=b"profile", exif=b"Exif\0\0", notices=("One.",))
    steps = reports(photo, open_deblurrer(job), 3)

    network, _ = checkpoint.load(job.checkpoint)
    window = torch.from_numpy(pixels.astype(np.float32) / levels).permute(2, 0, 1)[None, None]
    with torch.no_grad():
        wanted = [estimate.image.clamp(0, 1)[0].permute(1, 2, 0).numpy() for estimate in network.run(window, 3)]
    assert [step.index for step in steps] == [0, 1, 2, 3]
    assert steps[0].photo is photo
    for step, estimate in zip(steps[1:], wanted, strict=True):
        assert step.photo.pixels.dtype == dtype and step.photo.pixels.shape == pixels.shape
        assert np.abs(step.photo.pixels / levels - estimate).max() <= 0.5 / levels + 1e-5
        assert step.photo.alpha is alpha
        assert (step.photo.icc, step.photo.exif, step.photo.notices) == (b"profile", b"Exif\0\0", ("One.",))


def test_the_figures_are_those_of_the_pictures(job, shaky_photo, sharp_photo):
    steps = reports(shaky_photo, open_deblurrer(job), 3, sharp_photo)
    assert steps[0].seconds == 0 and steps[0].change is None
    for step in steps:
        pixels = step.photo.pixels
        assert step.psnr == metrics.psnr(pixels, sharp_photo.pixels)
        assert step.ssim == metrics.ssim(pixels, sharp_photo.pixels)
        assert step.mse == metrics.mse(pixels, sharp_photo.pixels)
        assert step.sharpness == metrics.sharpness(pixels)
    for before, after in pairwise(steps):
        assert after.seconds > 0
        # The one is taken before rounding to 8 bits, the other after.
        assert after.change == pytest.approx(metrics.change(before.photo.pixels, after.photo.pixels), abs=0.3)
        assert after.change > 0.1, "the weights must do something here"
    assert steps[0].sharpness < metrics.sharpness(sharp_photo.pixels)


def test_without_a_truth_nothing_is_measured_against_it(job, shaky_photo):
    for step in reports(shaky_photo, open_deblurrer(job), 1):
        assert step.psnr is step.ssim is step.mse is None


def test_a_truth_of_another_size_is_refused_before_anything_runs(job, shaky_photo, sharp_photo):
    smaller = replace(sharp_photo, pixels=sharp_photo.pixels[:-1])
    with pytest.raises(InputError, match="72x47.*72x48"):
        next(deblur_image(shaky_photo, open_deblurrer(job), 1, smaller))


def test_tiles_are_reported_and_change_nothing(job, shaky_photo):
    wide = replace(shaky_photo, pixels=np.tile(shaky_photo.pixels, (1, 3, 1)))
    whole = reports(wide, open_deblurrer(job), 2)
    events = list(deblur_image(wide, open_deblurrer(replace(job, tile=64)), 2))
    assert isinstance(events[0], StepReport), "the input comes first"
    tiles = [event for event in events if isinstance(event, TileDone)]
    for index in (1, 2):
        done = [tile for tile in tiles if tile.index == index]
        assert len(done) > 1
        assert [tile.tile for tile in done] == list(range(1, done[0].tiles + 1))
    tiled = [event for event in events if isinstance(event, StepReport)]
    for one, other in zip(whole, tiled, strict=True):
        assert np.abs(one.photo.pixels.astype(int) - other.photo.pixels).max() <= 1, "rounding may fall either way"


def test_a_job_can_be_left_at_any_yield(job, shaky_photo):
    events = deblur_image(shaky_photo, open_deblurrer(job), 10)
    assert next(events).index == 0
    next(events)
    events.close()
    assert list(events) == []


def test_auto_stops_within_the_most_steps(job, shaky_photo):
    assert 2 <= len(reports(shaky_photo, open_deblurrer(job), "auto")) <= 11


def test_a_one_stage_network_ignores_the_iterations(shaky_photo):
    deblurrer = open_deblurrer(Job("carlo-s", device="cpu", precision="fp32", untrained=True))
    assert [step.index for step in reports(shaky_photo, deblurrer, 6)] == [0, 1]


def test_a_network_for_clips_sees_a_photo_standing_still(shaky_photo):
    deblurrer = open_deblurrer(Job("kaist-3f-s", device="cpu", precision="fp32", tile=0, untrained=True))
    pixels = np.pad(shaky_photo.pixels, ((0, 16), (0, 24), (0, 0)), mode="reflect")  # 64 x 96 needs no padding
    last = reports(Photo(pixels), deblurrer, None)[-1]
    frame = torch.from_numpy(pixels.astype(np.float32) / 255).permute(2, 0, 1)[None]
    with torch.no_grad():
        wanted = next(deblurrer.model.run(torch.stack([frame] * 3, dim=1), 1)).image
    wanted = wanted.clamp(0, 1).mul(255).round()[0].permute(1, 2, 0).numpy()
    assert np.abs(last.photo.pixels.astype(int) - wanted).max() <= 1
    assert np.abs(last.photo.pixels.astype(int) - pixels).max() > 1


def test_a_classic_filter_needs_no_weights(no_weights, shaky_photo):
    job = resolve(Job("richardson-lucy", device="cpu"))
    assert job.checkpoint is None
    assert len(reports(shaky_photo, open_deblurrer(job), 2)) == 3


def test_without_weights_the_ways_out_are_named(no_weights):
    with pytest.raises(CheckpointError) as caught:
        open_deblurrer(Job("sgenet", device="cpu"))
    message = str(caught.value)
    assert str(no_weights) in message and "--untrained" in message
    assert 'python -m training train RECIPE.toml, with model = "sgenet"' in message
    assert "convert" not in message, "nobody has published a file of it that we read"


def test_every_way_to_weights_is_named(no_weights):
    with pytest.raises(CheckpointError) as caught:
        open_deblurrer(Job("mtrnn", device="cpu"))
    message = str(caught.value)
    assert "python -m training train training/recipes/mtrnn.toml --data FOLDER" in message
    assert "python -m deblur_demo convert FILE -o OUT.safetensors --model mtrnn" in message
    assert "python -m deblur_demo fetch mtrnn-gopro" in message and "--checkpoint FILE.safetensors" in message
    assert (ROOT / "training" / "recipes" / "mtrnn.toml").is_file()


def test_fresh_weights_are_the_same_every_time_and_leave_the_generator_alone(no_weights):
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    first = open_deblurrer(Job("mtrnn", device="cpu", precision="fp32", untrained=True)).model
    assert torch.equal(torch.rand(1), expected)
    second = open_deblurrer(Job("mtrnn", device="cpu", precision="fp32", untrained=True)).model
    for key, value in first.state_dict().items():
        assert torch.equal(value, second.state_dict()[key])


def test_weights_in_the_cache_are_found_and_a_named_file_goes_first(no_weights, lively_checkpoint):
    for suffix in (".safetensors", ".json"):
        source = lively_checkpoint.with_suffix(suffix)
        (no_weights / f"mtrnn-lite{suffix}").write_bytes(source.read_bytes())
    assert resolve(Job("mtrnn-lite")).checkpoint == no_weights / "mtrnn-lite.safetensors"
    named = resolve(Job(checkpoint=lively_checkpoint))
    assert (named.model, named.checkpoint) == ("mtrnn-lite", lively_checkpoint)
    assert resolve(Job("mtrnn-lite", checkpoint=lively_checkpoint)).model == "mtrnn-lite"
    with pytest.raises(CheckpointError, match="holds weights of mtrnn-lite, not of mtrnn"):
        resolve(Job("mtrnn", checkpoint=lively_checkpoint))


def test_weights_under_the_name_of_another_model_are_refused_by_their_own(no_weights, lively_checkpoint):
    for suffix in (".safetensors", ".json"):
        (no_weights / f"mtrnn{suffix}").write_bytes(lively_checkpoint.with_suffix(suffix).read_bytes())
    with pytest.raises(CheckpointError) as caught:
        resolve(Job("mtrnn", device="cpu"))
    assert f"{no_weights / 'mtrnn.safetensors'} holds weights of mtrnn-lite" in str(caught.value)
    row = next(row for row in models() if row["id"] == "mtrnn")
    assert row["problem"] == str(caught.value) and not row["ready"] and row["licence"] is None


def test_the_default_model_suits_a_cpu(no_weights):
    assert default_model("cpu") == "mtrnn-lite"
    assert resolve(Job(device="cpu", untrained=True)).model == "mtrnn-lite"


@pytest.mark.parametrize(
    "wrong", [{"model": "mtrnm"}, {"iterations": 0}, {"iterations": "6;rm"}, {"device": "tpu"}, {"tile": -1}]
)
def test_a_job_checks_every_value(wrong):
    with pytest.raises(SettingError):
        Job(**wrong)


def test_a_job_holds_parsed_values_and_the_owners_defaults(monkeypatch):
    assert (Job(iterations="4").iterations, Job(tile="256").tile) == (4, 256)
    monkeypatch.setenv("DEBLUR_ITERATIONS", "2")
    assert Job().iterations == 2


def test_models_has_a_row_for_every_variant(no_weights, lively_checkpoint):
    for suffix in (".safetensors", ".json"):
        source = lively_checkpoint.with_suffix(suffix)
        (no_weights / f"mtrnn-lite{suffix}").write_bytes(source.read_bytes())
    (no_weights / "mtrnn.safetensors").write_bytes(b"")
    (no_weights / "mtrnn.json").write_text("{")
    rows = {row["id"]: row for row in json.loads(json.dumps(models()))}
    assert list(rows) == list(registry.variants())

    lite = rows["mtrnn-lite"]
    assert (lite["parameters"], lite["frames"], lite["steps"], lite["max_steps"]) == (2_643_308, 1, 6, 10)
    assert lite["ready"] and lite["checkpoint"] == str(no_weights / "mtrnn-lite.safetensors")
    assert lite["licence"] == "CC0" and lite["metrics"]["made up"]["psnr"] == [24.0, 24.5]
    assert "Park" in lite["paper"] and lite["trained_for"] == "motion" and lite["problem"] is None

    damaged = rows["mtrnn"]
    assert damaged["parameters"] == 2_635_523
    assert not damaged["ready"] and "mtrnn.json is not a card" in damaged["problem"]
    absent = rows["carlo"]
    assert (absent["ready"], absent["checkpoint"], absent["metrics"], absent["licence"]) == (False, None, {}, None)
    assert rows["wiener"]["ready"] and rows["wiener"]["parameters"] == 0


def test_an_ensemble_says_where_its_copies_are_apart(job, shaky_photo):
    single = reports(shaky_photo, open_deblurrer(job), 2)
    start, *steps = reports(shaky_photo, open_deblurrer(replace(job, ensemble="4")), 2)
    assert all(report.maps == {} for report in (start, *single))
    for step in steps:
        doubt = step.maps["doubt"]
        assert doubt.shape == shaky_photo.pixels.shape[:2] and doubt.dtype == np.float32
        assert 0 <= doubt.min() < doubt.mean() < doubt.max() < 128
