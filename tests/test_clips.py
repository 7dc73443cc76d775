"""A clip through the networks: times, sound and order kept, cut short and gone on with, measured against the truth."""

from __future__ import annotations

import json
import os
from collections import deque
from contextlib import closing
from dataclasses import replace
from fractions import Fraction
from itertools import islice
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from deblur_demo import metrics
from deblur_demo.cli import main
from deblur_demo.clips import Begun, ClipJob, ClipReport, FrameReport, deblur_clip, expected_frames, maker
from deblur_demo.errors import InputError, OutputError, SettingError
from deblur_demo.media.clip import ClipWriter, probe, read_frames
from deblur_demo.media.frames import to_pixels, to_tensor, window
from deblur_demo.media.image import Photo, read_image, write_image
from deblur_demo.pipeline import Job, open_deblurrer, resolve
from deblur_demo.ui.examples import CLIPS

CLIP_TIMES = tuple(Fraction(ms, 1000) for ms in (0, 33, 66, 200, 233, 500))  # of the clip of ``shaky_clip``


@pytest.fixture(scope="module")
def job(lively_checkpoint) -> Job:
    return Job(checkpoint=lively_checkpoint, device="cpu", precision="fp32", iterations=2)


@pytest.fixture(scope="module")
def deblurrer(job):
    return open_deblurrer(job)


@pytest.fixture
def clip_job(shaky_clip, tmp_path, job) -> ClipJob:
    return ClipJob(shaky_clip, tmp_path / "out.mp4", maker=maker(resolve(job)))


def sound_packets(path: Path) -> list[bytes]:
    with av.open(str(path)) as container:
        return [bytes(packet) for packet in container.demux(audio=0) if packet.size]


def luma(pixels: np.ndarray) -> np.ndarray:
    """What H.264 keeps at full resolution, (H, W, 1)."""
    return cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)[..., None]


def times(path: Path) -> list:
    return [frame.time for frame in read_frames(path)]


@pytest.mark.parametrize("overlapped", [False, True])
def test_every_frame_is_the_photos_result_at_its_own_time(clip_job, deblurrer, overlapped):
    begun, *events = deblur_clip(clip_job, deblurrer, 2, overlapped)
    assert isinstance(begun, Begun) and (begun.info.width, begun.info.height, begun.done) == (64, 48, 0)
    reports = [event for event in events if isinstance(event, FrameReport)]
    assert [report.time for report in reports] == list(CLIP_TIMES)
    for report, frame in zip(reports, read_frames(clip_job.source), strict=True):
        *_, last = deblurrer.steps(window([to_tensor(frame.pixels)]), 2)
        assert np.array_equal(report.blurred, frame.pixels)
        assert np.array_equal(report.restored, to_pixels(last.image, np.uint8))
        assert report.steps == 2 and report.change == metrics.change(report.blurred, report.restored) > 0
    assert isinstance(events[-1], ClipReport) and events[-1].frames == len(CLIP_TIMES)

    written = list(read_frames(clip_job.target))
    assert [frame.time for frame in written] == list(CLIP_TIMES)
    for frame, report in zip(written, reports, strict=True):
        assert metrics.psnr(luma(frame.pixels), luma(report.restored)) > 33, "H.264 at the default quality"
    assert sound_packets(clip_job.target) == sound_packets(clip_job.source)


@pytest.mark.parametrize("part", [(0.0, None), (0.0, 0.3), (0.3, 0.5), (0.25, 1.0), (1.9, None), (0.0, 99.0)])
def test_the_frames_of_a_part_are_known_before(tmp_path, part):
    steady = CLIPS[0].clip  # 24 frames a second
    expected = expected_frames(probe(steady), ClipJob(steady, tmp_path / "out.mp4", *part))
    assert expected == len(list(read_frames(steady, *part)))


def test_a_part_without_frames_is_refused_and_makes_no_file(clip_job, deblurrer):
    with pytest.raises(InputError, match="shows nothing from 99 s on"):
        list(deblur_clip(replace(clip_job, start=99.0), deblurrer, 1))
    assert not clip_job.target.exists()


@pytest.mark.parametrize("overlapped", [False, True])
def test_closed_early_it_leaves_what_is_done_and_resuming_completes_it(clip_job, deblurrer, tmp_path, overlapped):
    events = deblur_clip(clip_job, deblurrer, 2, overlapped)
    done = 0
    while done < 3:
        done += isinstance(next(events), FrameReport)
    events.close()
    assert times(clip_job.target) == list(CLIP_TIMES[:3])

    begun, *events = deblur_clip(replace(clip_job, resume=True), deblurrer, 2)
    assert begun.done == 3
    assert [event.index for event in events if isinstance(event, FrameReport)] == [3, 4, 5]
    assert "3 frames are of an earlier run." in events[-1].notices
    assert times(clip_job.target) == list(CLIP_TIMES)
    assert sound_packets(clip_job.target) == sound_packets(clip_job.source)
    whole = replace(clip_job, target=tmp_path / "whole.mp4")
    list(deblur_clip(whole, deblurrer, 2))
    for ours, theirs in zip(read_frames(clip_job.target), read_frames(whole.target), strict=True):
        assert metrics.psnr(luma(ours.pixels), luma(theirs.pixels)) > 33


def test_a_second_run_that_is_interrupted_does_not_replace_more_of_the_same(clip_job, deblurrer):
    def interrupted(job: ClipJob, frames: int) -> bytes:
        with closing(deblur_clip(job, deblurrer, 1)) as events:
            done = (event for event in events if isinstance(event, FrameReport))
            deque(islice(done, frames), maxlen=0)
        return job.target.read_bytes()

    first = interrupted(clip_job, 3)
    assert interrupted(clip_job, 1) == interrupted(clip_job, 3) == first
    assert os.listdir(clip_job.target.parent) == [clip_job.target.name]
    interrupted(clip_job, 4)
    assert times(clip_job.target) == list(CLIP_TIMES[:4])
    interrupted(replace(clip_job, maker="another network"), 2)
    assert times(clip_job.target) == list(CLIP_TIMES[:2])


@pytest.mark.parametrize("other", [{"maker": "another network"}, {"crf": 30}, {"codec": "vp9"}])
def test_going_on_with_another_works_result_is_refused(clip_job, deblurrer, other):
    list(deblur_clip(clip_job, deblurrer, 1))
    with pytest.raises(OutputError, match="continued: it was made with other settings"):
        list(deblur_clip(replace(clip_job, resume=True, **other), deblurrer, 1))


def test_frames_are_gone_on_with_whatever_the_quality_of_files(clip_job, deblurrer, tmp_path):
    job = replace(clip_job, target=tmp_path / "frames")
    list(deblur_clip(job, deblurrer, 1))
    begun, *_ = deblur_clip(replace(job, resume=True, crf=30), deblurrer, 1)
    assert begun.done == len(CLIP_TIMES)


def test_what_else_changes_pixels_is_another_work():
    plain = Job("mtrnn-lite", untrained=True)
    others = [{"model": "wiener"}, {"iterations": 2}, {"ensemble": "4"}, {"size": "half"}]
    assert len({maker(plain), *(maker(replace(plain, **other)) for other in others)}) == 5


def test_a_part_keeps_its_own_times(clip_job, deblurrer):
    part = replace(clip_job, start=0.05, end=0.21)
    reports = [event for event in deblur_clip(part, deblurrer, 1) if isinstance(event, FrameReport)]
    assert [report.time for report in reports] == list(CLIP_TIMES[2:4])
    assert [report.index for report in reports] == [0, 1]


def test_side_by_side_has_the_source_on_the_left(clip_job, deblurrer):
    list(deblur_clip(replace(clip_job, side_by_side=True), deblurrer, 1))
    for frame, source in zip(read_frames(clip_job.target), read_frames(clip_job.source), strict=True):
        assert frame.pixels.shape == (48, 128, 3)
        assert metrics.psnr(np.ascontiguousarray(frame.pixels[:, :64]), source.pixels) > 30


def test_the_truth_gives_figures_for_every_frame(clip_job, deblurrer, tmp_path):
    for index, frame in enumerate(read_frames(clip_job.source)):
        write_image(Photo(255 - frame.pixels), _made(tmp_path / "truth") / f"frame_{index:06d}.png")
    job = replace(clip_job, truth=tmp_path / "truth")
    for event in deblur_clip(job, deblurrer, 1):
        if isinstance(event, FrameReport):
            assert event.psnr_before == metrics.psnr(event.blurred, 255 - event.blurred)
            assert event.psnr == metrics.psnr(event.restored, 255 - event.blurred) != event.psnr_before
    (tmp_path / "truth" / "frame_000005.png").unlink()
    with pytest.raises(InputError, match="ends at frame 5"):
        list(deblur_clip(job, deblurrer, 1))


def retimed(clip: Path, target: Path, factor: int | Fraction, count: int = 6) -> Path:
    """The first frames of a clip, ``factor`` times as slow, as H.264."""
    with ClipWriter(replace(probe(clip), sounds=()), target) as writer:
        for frame in islice(read_frames(clip), count):
            writer.write(replace(frame, time=frame.time * factor, duration=frame.duration * factor))
        writer.close(complete=True)
    return target


@pytest.mark.parametrize(
    ("factor", "count", "found"),
    [
        (2, 6, "shows frame 1 at 0.066 s, the blurred at 0.033 s"),
        (Fraction(1, 2), 6, "shows frame 3 at 0.100 s, the blurred at 0.200 s"),
        (1, 5, "ends at frame 5"),
    ],
)
def test_a_truth_of_other_moments_is_refused(clip_job, deblurrer, tmp_path, factor, count, found):
    same = retimed(clip_job.source, tmp_path / "same.mp4", 1)
    reports = [e for e in deblur_clip(replace(clip_job, truth=same), deblurrer, 1) if isinstance(e, FrameReport)]
    for report, truth in zip(reports, read_frames(same), strict=True):
        assert report.psnr == metrics.psnr(report.restored, truth.pixels)
    other = retimed(clip_job.source, tmp_path / "other.mp4", factor, count)
    with pytest.raises(InputError, match=f"the sharp clip {found}"):
        list(deblur_clip(replace(clip_job, truth=other), deblurrer, 1))


def test_a_longer_truth_is_refused_and_a_part_finds_its_own_in_it(clip_job, deblurrer, tmp_path):
    for index, frame in enumerate(read_frames(clip_job.source)):
        write_image(Photo(255 - frame.pixels), _made(tmp_path / "truth") / f"frame_{index:06d}.png")
    # From 0.15 s on these are frames 3 and 4; in a folder, whose times are made up, frame 4 is at 0.167 s.
    job = replace(clip_job, truth=tmp_path / "truth", start=0.15, end=0.3)
    for target in (clip_job.target, tmp_path / "frames"):
        events = list(deblur_clip(replace(job, target=target), deblurrer, 1))
        reports = [event for event in events if isinstance(event, FrameReport)]
        assert [report.psnr_before for report in reports] == [
            metrics.psnr(report.blurred, 255 - report.blurred) for report in reports
        ]
        assert [report.time for report in reports] == list(CLIP_TIMES[3:5])
    write_image(Photo(255 - frame.pixels), tmp_path / "truth" / "frame_000006.png")
    with pytest.raises(InputError, match="the sharp clip goes on after the last frame"):
        list(deblur_clip(replace(job, start=0.0, end=None), deblurrer, 1))


def test_a_part_that_begins_a_moment_earlier_is_another_work(clip_job, deblurrer, tmp_path):
    long = retimed(clip_job.source, tmp_path / "long.mp4", 3000)  # the last frames are at 699 s and 1500 s
    job = replace(clip_job, source=long, start=699.0001)
    assert [e.time for e in deblur_clip(job, deblurrer, 1) if isinstance(e, FrameReport)] == [1500]
    with pytest.raises(OutputError, match="continued: it was made with other settings"):
        list(deblur_clip(replace(job, start=698.9999, resume=True), deblurrer, 1))


def test_a_truth_that_lies_where_the_result_would_go_stays_whole(deblur, sharp_photo, tmp_path, capsys):
    for name, count in (("blur/c1", 2), ("sharp/c1", 3)):
        (tmp_path / name).mkdir(parents=True)
        for index in range(count):
            write_image(Photo(np.roll(sharp_photo.pixels, index, 1)), tmp_path / name / f"frame_{index:06d}.png")
    before = {path: path.read_bytes() for path in (tmp_path / "sharp").rglob("*.*")}
    words = [tmp_path / "blur" / "c1", "-o", tmp_path / "sharp", "--truth", tmp_path / "sharp"]
    assert deblur(*words, iterations=1) == 1
    assert "c1 is one of the files given" in capsys.readouterr().err
    assert {path: path.read_bytes() for path in (tmp_path / "sharp").rglob("*.*")} == before


def test_truths_of_several_clips_come_from_a_folder(deblur, shaky_clip, sharp_photo, tmp_path, capsys):
    write_image(sharp_photo, _made(tmp_path / "take.1") / "frame_000000.png")
    write_image(Photo(255 - sharp_photo.pixels), _made(_made(tmp_path / "truth") / "take.1") / "frame_000000.png")
    for name in ("truth/shaky.mp4", "other.mp4"):
        (tmp_path / name).write_bytes(shaky_clip.read_bytes())
    inputs = [tmp_path / "take.1", shaky_clip, tmp_path / "other.mp4"]
    words = [*inputs, "-o", tmp_path / "out", "--truth", tmp_path / "truth", "--json", tmp_path / "r.json"]
    assert deblur(*words, iterations=1) == 1
    (frame,), second, third = (file["frames"] for file in json.loads((tmp_path / "r.json").read_text())["files"])
    assert frame["psnr_before"] == metrics.psnr(sharp_photo.pixels, 255 - sharp_photo.pixels)
    assert len(second) == len(CLIP_TIMES) and second[0]["ssim"] is not None and not third
    assert "truth has 0 clips called other" in capsys.readouterr().err


def test_a_part_that_is_empty_is_refused(shaky_clip, tmp_path):
    for start, end in ((2, 1), (-1, 5), (1, 1), (float("nan"), None), (0, float("inf"))):
        with pytest.raises(SettingError, match="Change (start|end)"):
            ClipJob(shaky_clip, tmp_path / "out.mp4", start=start, end=end)


def test_the_command_line_tells_clips_from_photos(shaky_clip, shaky_photo, lively_checkpoint, tmp_path, capsys):
    photo = tmp_path / "photo.png"
    write_image(shaky_photo, photo)
    (tmp_path / "notes.mp4").write_text("not a clip")
    words = ["deblur", photo, shaky_clip, tmp_path / "notes.mp4", "-o", tmp_path / "out", "--json", tmp_path / "r.json"]
    assert main([*map(str, [*words, "--checkpoint", lively_checkpoint, "--iterations", 1])]) == 1
    assert read_image(tmp_path / "out" / "photo.png").pixels.shape == shaky_photo.pixels.shape
    assert times(tmp_path / "out" / "shaky.mp4") == list(CLIP_TIMES)
    assert capsys.readouterr().err.count("\n") == 1, "one line for the file that failed"
    first, second, third = json.loads((tmp_path / "r.json").read_text())["files"]
    assert len(first["steps"]) == 2 and not first["frames"]
    assert [frame["time"] for frame in second["frames"]] == [float(time) for time in CLIP_TIMES]
    assert len(second["flicker"]) == 2 and third["error"]


def test_a_complete_clip_that_is_gone_on_with_tells_its_frames(deblur, shaky_clip, tmp_path, capsys):
    words = (shaky_clip, "-o", tmp_path / "out.mp4", "--json", tmp_path / "r.json")
    assert deblur(*words, iterations=1) == 0
    capsys.readouterr()
    assert deblur(*words, "--resume", iterations=1) == 0
    assert f"out.mp4 ({len(CLIP_TIMES)} frames, 0.0 s)" in capsys.readouterr().out
    (file,) = json.loads((tmp_path / "r.json").read_text())["files"]
    assert (file["frames"], file["frame_count"], file["flicker"]) == ([], len(CLIP_TIMES), None)


def test_a_folder_of_frames_becomes_one(shaky_clip, lively_checkpoint, tmp_path):
    for index, frame in enumerate(read_frames(shaky_clip)):
        write_image(Photo(frame.pixels), _made(tmp_path / "frames") / f"frame_{index:06d}.png")
    words = [
        "deblur",
        tmp_path / "frames",
        "-o",
        tmp_path / "out",
        "--checkpoint",
        lively_checkpoint,
        "--iterations",
        1,
    ]
    assert main([*map(str, [*words, "--device", "cpu", "--precision", "fp32"])]) == 0
    names = [path.name for path in sorted((tmp_path / "out" / "frames").glob("*.png"))]
    assert names == [f"frame_{index:06d}.png" for index in range(6)]
    deblurrer = open_deblurrer(Job(checkpoint=lively_checkpoint, device="cpu", precision="fp32"))
    source = read_image(tmp_path / "frames" / "frame_000002.png")
    *_, last = deblurrer.steps(window([to_tensor(source.pixels)]), 1)
    result = read_image(tmp_path / "out" / "frames" / "frame_000002.png")
    assert np.array_equal(result.pixels, to_pixels(last.image, np.uint8)), "frames are lossless"


def _made(folder: Path) -> Path:
    folder.mkdir(exist_ok=True)
    return folder
