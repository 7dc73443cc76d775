"""The files of a run over photos: full depth, nothing lossy, every notice kept."""

from __future__ import annotations

import json
import zipfile
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from deblur_demo.media.heat import paint
from deblur_demo.media.image import Photo, read_image
from deblur_demo.media.shrink import shrink
from deblur_demo.pipeline import StepReport
from deblur_demo.ui.image import plots, views
from deblur_demo.ui.image.run import ImageRun, figures
from deblur_demo.verdict import judge


def deep_photo(height: int = 30, width: int = 40) -> Photo:
    random = np.random.default_rng(0)
    pixels = random.integers(0, 65536, (height, width, 3), dtype=np.uint16)
    return Photo(pixels, alpha=random.integers(0, 65536, (height, width), dtype=np.uint16))


def report(index: int, photo: Photo) -> StepReport:
    return StepReport(index, photo, 0.5, 1.25 if index else None, 0.3, 30.0 + index, 0.9, 12.0)


def test_steps_keep_depth_and_alpha_and_the_zip_holds_them(tmp_path):
    photos = [deep_photo(), Photo(deep_photo().pixels // 2, deep_photo().alpha)]
    run = ImageRun(tmp_path)
    run.begin("../../my photo.tif")
    for index, photo in enumerate(photos):
        step = run.add(report(index, photo))
        assert step.shown == step.full and step.full.name == f"my_photo_step_{index:02d}.png"
        assert np.array_equal(read_image(step.full).pixels, photo.pixels)
        assert np.array_equal(read_image(step.full).alpha, photo.alpha)
    run.finish(judge(*(report(index, photo) for index, photo in enumerate(photos))))
    (result,) = run.results
    with zipfile.ZipFile(result.archive) as archive:
        assert archive.testzip() is None
        assert archive.read("my_photo/step_01.png") == result.steps[1].full.read_bytes()
        packed = json.loads(archive.read("my_photo/report.json"))["steps"]
    assert [step["psnr"] for step in packed] == [30.0, 31.0] and packed[0]["change"] is None


def test_notices_of_reading_and_of_every_step_are_kept_once(tmp_path):
    run = ImageRun(tmp_path)
    run.begin("photo.png")
    photo = replace(deep_photo(), notices=("It is an animation.",))
    run.add(report(0, photo))
    run.add(report(1, photo))
    run.add(report(2, replace(photo, notices=(*photo.notices, "It was computed again in fp32."))))
    assert run.results[0].notices == ("It is an animation.", "It was computed again in fp32.")


def test_a_step_that_equals_the_reference_is_scored_without_a_psnr(tmp_path):
    run, photo = ImageRun(tmp_path), deep_photo()
    run.begin("photo.png", rows=2)
    for change in (None, 0.5):
        run.add(replace(report(0 if change is None else 1, photo), psnr=None, ssim=1.0, mse=0.0, change=change))
    result = run.results[0]
    json.dumps([figures(step) for step in result.steps], allow_nan=False)
    table, drawn = views.table(result, 1), plots.quality(result.steps, 1)
    assert ">SSIM<" in table and ">1.0000<" in table and "best" not in table
    assert not any(word in table + drawn for word in ("nan", "inf"))


def test_a_photo_that_is_dropped_takes_the_choice_of_its_step_along(tmp_path):
    run = ImageRun(tmp_path)
    for name in ("first.png", "second.png"):
        run.begin(name, rows=3)
        for index in range(3):
            run.add(report(index, deep_photo()))
    run.picked = 1
    run.drop()
    assert run.looked_at(run.results[0]).index == 2


def test_all_photos_are_in_one_zip_each_as_its_last_step_shows_it(tmp_path):
    run = ImageRun(tmp_path)
    for size in (8, 12):
        run.begin("photo.png", rows=2)
        for index in (0, 1):
            run.add(report(index, deep_photo(size, size)))
    with zipfile.ZipFile(run.pack()) as archive:
        assert archive.namelist() == ["deblurred/001_photo.png", "deblurred/002_photo.png"]
        for name, result in zip(archive.namelist(), run.results, strict=True):
            assert archive.read(name) == result.steps[1].full.read_bytes()


def test_only_what_is_shown_of_a_large_photo_is_smaller(tmp_path, monkeypatch):
    monkeypatch.setenv("DEBLUR_PREVIEW_MEGAPIXELS", "0.1")
    run = ImageRun(tmp_path)
    run.begin("large.png", truth=deep_photo(400, 800))
    step = run.add(report(0, deep_photo(400, 800)))
    assert read_image(step.full).pixels.shape == (400, 800, 3)
    shown = read_image(step.shown).pixels
    assert shown.shape[0] * shown.shape[1] <= 100_000 < 1.02 * shown.shape[0] * shown.shape[1]
    assert abs(shown.shape[1] - 2 * shown.shape[0]) <= 2 and shown.dtype == np.uint16
    assert run.results[0].scale == pytest.approx(shown.shape[1] / 800, abs=0.002)
    assert read_image(run.results[0].truth).pixels.shape == shown.shape


def test_many_large_pictures_are_shown_smaller_than_few(tmp_path):
    run = ImageRun(tmp_path)
    for rows, side in ((7, 480), (700, 331)):  # 64 megapixels of all together
        run.begin("photo.png", rows)
        assert max(read_image(run.add(report(0, deep_photo(400, 480))).shown).pixels.shape) == pytest.approx(
            side, abs=1
        )


def test_a_small_photo_is_not_resampled():
    photo = deep_photo()
    assert shrink(photo, 0.01) is photo
    flat = Photo(np.full((100, 200, 3), 77, np.uint8))
    assert (shrink(flat, 0.005).pixels == 77).all() and shrink(flat, 0.005).pixels.shape == (50, 100, 3)


def test_equal_names_do_not_collide(tmp_path):
    run = ImageRun(tmp_path)
    paths = []
    for _ in range(2):
        run.begin("same.png")
        paths.append(run.add(report(0, deep_photo())).full)
        run.finish(judge(report(0, deep_photo()), report(0, deep_photo())))
    assert paths[0] != paths[1] and paths[0].name == paths[1].name
    run.drop()
    assert paths[0].exists() and not paths[1].exists() and len(run.results) == 1


def test_the_last_steps_maps_are_in_the_zip_and_the_figures_of_all(tmp_path, monkeypatch):
    monkeypatch.setenv("DEBLUR_PREVIEW_MEGAPIXELS", "0.01")
    run, doubts = ImageRun(tmp_path), [np.full((100, 200), level, np.float32) for level in (1, 4)]
    doubts[1][:10] = 20
    run.begin("photo.png", rows=4, maps=("doubt",))
    run.add(report(0, deep_photo(100, 200)))
    for index, doubt in enumerate(doubts, 1):
        step = run.add(replace(report(index, deep_photo(100, 200)), maps={"doubt": doubt}))
        assert read_image(step.drawn["doubt"]).pixels.shape == read_image(step.shown).pixels.shape == (70, 141, 3)
    assert step.map_figures["doubt"]["mean"] == pytest.approx(5.6) and step.map_figures["doubt"]["p95"] == 20
    run.finish(judge(report(0, deep_photo()), report(2, deep_photo())))
    with zipfile.ZipFile(run.results[0].archive) as archive:
        names = ["step_00.png", "step_01.png", "step_02.png", "step_02_doubt.png", "report.json"]
        assert archive.namelist() == [f"photo/{name}" for name in names]
        painted = np.asarray(Image.open(archive.open("photo/step_02_doubt.png")))
        steps = json.loads(archive.read("photo/report.json"))["steps"]
    assert np.array_equal(painted, paint(doubts[1], 8))
    assert [row["maps"] for row in steps] == [{}, {"doubt": {"mean": 1, "p95": 1}}, step.map_figures]
