"""Clips out: times, colours and sides of what is written, also when it is cut, cancelled or continued."""

from __future__ import annotations

import os
import resource
import signal
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from av.video.reformatter import ColorPrimaries, ColorRange, Colorspace, ColorTrc

from deblur_demo.errors import OutputError
from deblur_demo.media.clip import ClipWriter, Frame, probe, read_frames, tag_of
from deblur_demo.media.clip_file import ClipFile
from deblur_demo.media.sound import Sounds
from tests.media.rewriting import LONG, left_over, rewrite, times


@pytest.mark.parametrize(
    ("codec", "name"),
    [("h264", "b.mp4"), ("auto", "b.mp4"), ("vp9", "b.mp4"), ("vp9", "b.webm"), ("av1", "b.mp4"), ("av1", "b.webm")],
)
def test_frames_come_back_at_their_times(home, clips, codec, name):
    source = clips.make(home / "a.mp4")
    assert rewrite(source, home / name, codec=codec, tag="made so") == []
    before, after = list(read_frames(source)), list(read_frames(home / name))
    assert [frame.time for frame in after] == [Fraction(time, 1000) for time in clips.vfr]
    for frame, same in zip(after, before, strict=True):
        assert np.abs(frame.pixels.astype(float) - same.pixels).mean() < 4
    assert after[-1].duration == Fraction(40, 1000)
    assert probe(home / name).seconds == pytest.approx(0.54, abs=0.001)
    assert tag_of(home / name) == "made so"
    assert left_over(home) == []
    with av.open(str(home / name)) as container:
        assert container.streams.video[0].codec.canonical_name == ("h264" if codec == "auto" else codec)
        assert not container.streams.video[0].codec_context.has_b_frames


def test_broadcast_rates_stay_exact(home, clips):
    source = clips.make(home / "a.mp4", tuple(range(0, 9 * 1001, 1001)), clock=30000, last=1001)
    rewrite(source, home / "b.mp4")
    assert times(home / "b.mp4") == [Fraction(1001 * index, 30000) for index in range(9)]
    assert probe(home / "b.mp4").rate == Fraction(30000, 1001)


@pytest.mark.parametrize(("codec", "name"), [("h264", "b.mp4"), ("av1", "b.webm")])
def test_more_frames_a_second_than_a_codec_knows_keep_their_times(home, clips, codec, name):
    source = clips.make(home / "a.mp4", tuple(range(0, 20, 2)), last=2)
    assert probe(source).rate == 500
    rewrite(source, home / name, codec=codec)
    assert times(home / name) == [Fraction(time, 1000) for time in range(0, 20, 2)]


@pytest.mark.parametrize("folder", ["12:30", "http:", "data:x"])
def test_a_folder_is_no_address(home, clips, folder):
    source = clips.make(home / "a.mp4")
    Path(folder).mkdir()
    rewrite(source, Path(folder, "b.mp4"))
    assert times(home / folder / "b.mp4") == [Fraction(time, 1000) for time in clips.vfr]


def test_the_index_stands_before_the_pictures(home, clips):
    """So that a browser plays while it loads."""
    rewrite(clips.make(home / "a.mp4"), home / "b.mp4")
    raw = (home / "b.mp4").read_bytes()
    assert 0 < raw.index(b"moov") < raw.index(b"mdat")


@pytest.mark.parametrize("colour", [(255, 255, 255), (0, 0, 0), (200, 30, 30), (20, 90, 160), (128, 128, 128)])
@pytest.mark.parametrize("codec", ["h264", "vp9"])
def test_colours_do_not_shift(home, clips, codec, colour):
    source = clips.make(home / "a.mp4", times=(0, 40))
    with ClipWriter(probe(source), home / "b.mp4", codec) as writer:
        for index in range(2):
            writer.write(Frame(index, Fraction(index, 25), clips.flat(colour)(index, 64, 48)))
    for frame in read_frames(home / "b.mp4"):
        assert np.abs(frame.pixels.astype(int) - colour).max() <= 3
    with av.open(str(home / "b.mp4")) as container:
        frame = next(container.decode(video=0))
    assert frame.format.name == "yuv420p"
    assert (frame.colorspace, frame.color_range) == (Colorspace.ITU709, ColorRange.MPEG)
    assert (frame.color_trc, frame.color_primaries) == (ColorTrc.BT709, ColorPrimaries.BT709)
    luma = 16 + np.dot(colour, (0.2126, 0.7152, 0.0722)) * 219 / 255
    assert np.abs(frame.to_ndarray()[:48].astype(float) - luma).max() <= 2


@pytest.mark.parametrize("stored", [Fraction(4, 3), Fraction(3, 4)])
@pytest.mark.parametrize(("name", "codec"), [("b.mp4", "h264"), ("b.webm", "vp9")])
def test_the_shape_of_the_picture_is_kept_and_the_turn_is_not(home, clips, name, codec, stored):
    """With pixels as wide as the source's, or scaled to square ones where the file cannot tell."""
    source = clips.make(home / "a.mp4", turn=(-90, False), sample_aspect_ratio=stored)
    notices = rewrite(source, home / name, codec=codec)
    info = probe(home / name)
    if name == "b.mp4":
        assert (info.width, info.height, info.rotation, info.pixel_aspect) == (48, 64, 0, 1 / stored)
        assert notices == []
        return
    size = (48, 85) if stored > 1 else (64, 64)
    assert (info.width, info.height, info.rotation, info.pixel_aspect) == (*size, 0, 1)
    assert notices == [f"A .webm has square pixels: frames of 48 x 64 were scaled to {size[0]} x {size[1]}."]
    scaled = cv2.resize(next(read_frames(source)).pixels, size)
    assert np.abs(next(read_frames(home / name)).pixels.astype(float) - scaled).mean() < 4


def test_odd_sides_are_even_in_h264_only(home, clips):
    source = clips.make(home / "a.webm", codec="libvpx-vp9", size=(63, 47))
    (notice,) = rewrite(source, home / "b.mp4")
    assert notice == "H.264 has even sides only: the last column and the last row is repeated once."
    before, after = next(read_frames(source)).pixels, next(read_frames(home / "b.mp4")).pixels
    assert after.shape == (48, 64, 3)
    assert np.abs(after[:47, :63].astype(float) - before).mean() < 4
    assert np.abs(after[47, :63].astype(float) - before[46]).mean() < 6
    assert rewrite(source, home / "c.mp4", codec="vp9") == []
    assert (probe(home / "c.mp4").width, probe(home / "c.mp4").height) == (63, 47)


def test_one_frame(home, clips):
    rewrite(clips.make(home / "a.mp4", times=(0,), last=500), home / "b.mp4")
    assert times(home / "b.mp4") == [0]
    assert probe(home / "b.mp4").seconds == 0.5


def test_the_last_frame_ends_where_the_part_ends(home, clips):
    source = clips.make(home / "a.mp4")
    rewrite(source, home / "b.mp4", end=0.3)
    assert times(home / "b.mp4")[-1] == Fraction(233, 1000)
    assert probe(home / "b.mp4").seconds == pytest.approx(0.3, abs=0.001)


@pytest.mark.parametrize("sound", ["aac", "pcm_s16le"])
def test_closed_early_it_plays_as_far_as_it_goes(home, clips, sound):
    source = clips.make(home / "a.mov", LONG, sound=sound)
    rewrite(source, home / "b.mp4", most=20)
    assert times(home / "b.mp4") == [Fraction(time, 1000) for time in LONG[:20]]
    assert probe(home / "b.mp4").seconds == pytest.approx(0.8, abs=0.001)
    assert len(clips.heard(home / "b.mp4")) == pytest.approx(0.8 * 48000, abs=1100)


def test_an_exception_closes_it_early(home, clips):
    source = clips.make(home / "a.mp4", LONG)
    with pytest.raises(KeyboardInterrupt), ClipWriter(probe(source), home / "b.mp4") as writer:
        for frame in read_frames(source):
            writer.write(frame)
            if frame.index == 9:
                raise KeyboardInterrupt
    assert len(times(home / "b.mp4")) == 10
    writer.close()
    assert len(times(home / "b.mp4")) == 10


def test_a_file_that_is_being_finished_is_finished_before_it_is_interrupted(home, clips, monkeypatch):
    source = clips.make(home / "a.mp4", LONG, sound="pcm_s16le")
    finish = Sounds.close

    def interrupted(sounds: Sounds) -> None:
        signal.raise_signal(signal.SIGINT)
        finish(sounds)

    monkeypatch.setattr(Sounds, "close", interrupted)
    with pytest.raises(KeyboardInterrupt):
        rewrite(source, home / "b.mp4", most=20)
    assert len(times(home / "b.mp4")) == 20 and left_over(home) == []
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)


def test_who_interrupts_the_taking_over_finds_nothing_changed(home, clips, monkeypatch):
    source = clips.make(home / "a.mp4", LONG)
    rewrite(source, home / "b.mp4", most=20, tag="same")
    before = (home / "b.mp4").read_bytes()

    def interrupted(file: ClipFile, packets: list) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(ClipFile, "_mux", interrupted)
    with pytest.raises(KeyboardInterrupt):
        ClipWriter(probe(source), home / "b.mp4", tag="same", resume=True)
    assert (home / "b.mp4").read_bytes() == before and left_over(home) == []


def test_without_frames_nothing_is_written_or_replaced(home, clips):
    source = clips.make(home / "a.mp4")
    (home / "b.mp4").write_bytes(b"older")
    for name in ("b.mp4", "c.mp4"):
        with ClipWriter(probe(source), home / name):
            pass
    assert (home / "b.mp4").read_bytes() == b"older"
    assert not (home / "c.mp4").exists() and left_over(home) == []


@pytest.mark.skipif(not hasattr(os, "sched_getscheduler"), reason="only Linux has real-time threads of this kind")
def test_no_encoder_leaves_real_time_threads_behind(home, clips):
    source = clips.make(home / "a.mp4")
    for most in (2, 50):
        rewrite(source, home / "b.mp4", codec="av1", most=most, resume=most > 2)
        threads = [int(task.name) for task in Path("/proc/self/task").iterdir()]
        assert {os.sched_getscheduler(thread) for thread in threads} == {os.SCHED_OTHER}


@pytest.mark.parametrize(("codec", "name"), [("h264", "b.mp4"), ("vp9", "b.webm"), ("av1", "b.mp4")])
@pytest.mark.parametrize("start", [0.0, 0.4])
def test_continued_it_equals_one_that_was_never_stopped(home, clips, codec, name, start):
    source = clips.make(home / "a.mp4", LONG, sound="aac")
    options = {"codec": codec, "tag": "same", "start": start}
    whole, parts = home / f"whole{name}", home / name
    rewrite(source, whole, **options)
    rewrite(source, parts, most=17, **options)
    first = clips.packets(parts, "video")
    with ClipWriter(probe(source), parts, resume=True, **options) as writer:
        assert writer.frames == 17
        for frame in list(read_frames(source, start))[17:30]:
            writer.write(frame)
    rewrite(source, parts, resume=True, **options)
    taken_over = clips.packets(parts, "video")[:17]
    for (time, data), (same, old) in zip(taken_over, first, strict=True):
        assert time == same
        assert data[-50:] == old[-50:], "not encoded again; H.264 only has its headers in key frames too"
    assert clips.packets(parts, "audio") == clips.packets(whole, "audio")
    frames, expected = list(read_frames(parts)), list(read_frames(whole))
    assert [frame.time for frame in frames] == [frame.time for frame in expected]
    assert len(frames) == (50 if start == 0 else 40)
    for frame, same in zip(frames, expected, strict=True):
        assert np.abs(frame.pixels.astype(float) - same.pixels).mean() < 3
    assert probe(parts).seconds == pytest.approx(probe(whole).seconds, abs=0.001)


@pytest.mark.parametrize(
    ("other", "found"),
    [({"tag": "other"}, "settings"), ({"codec": "vp9"}, "codec"), ({"size": (32, 32)}, "size"), ({"crf": 40}, None)],
)
def test_what_was_made_otherwise_is_not_continued(home, clips, other, found):
    """A quality that differs is no obstacle: a decoder does not care."""
    source = clips.make(home / "a.mp4")
    rewrite(source, home / "b.mp4", most=2, tag="one")
    before = (home / "b.mp4").read_bytes()
    if found is None:
        rewrite(source, home / "b.mp4", resume=True, tag="one", **other)
        assert len(times(home / "b.mp4")) == 6
        return
    with pytest.raises(OutputError, match=found):
        ClipWriter(probe(source), home / "b.mp4", resume=True, **{"tag": "one"} | other)
    assert (home / "b.mp4").read_bytes() == before
    assert left_over(home) == []


def test_frames_of_another_size(home, clips):
    source = clips.make(home / "a.mp4", sound="aac")
    with ClipWriter(probe(source), home / "b.mp4", size=(128, 48)) as writer:
        for frame in read_frames(source):
            writer.write(Frame(frame.index, frame.time, np.hstack([frame.pixels, frame.pixels])))
    assert next(read_frames(home / "b.mp4")).pixels.shape == (48, 128, 3)


def test_folder_of_frames_out_and_in(home, clips):
    source = clips.make(home / "a.mp4")
    rewrite(source, home / "frames", most=4, tag="t")
    assert sorted(path.name for path in (home / "frames").glob("*.png")) == [f"frame_{i:06d}.png" for i in range(4)]
    rewrite(source, home / "frames", resume=True, tag="t")
    assert tag_of(home / "frames") == "t"
    with pytest.raises(OutputError, match="continued"):
        ClipWriter(probe(source), home / "frames", resume=True, tag="u")
    frames = list(read_frames(home / "frames"))
    for frame, same in zip(frames, read_frames(source), strict=True):
        np.testing.assert_array_equal(frame.pixels, same.pixels)
    assert [frame.time for frame in frames] == [Fraction(index, 24) for index in range(6)]
    assert [frame.time for frame in read_frames(home / "frames", 0.05, 0.2)] == [Fraction(n, 24) for n in (2, 3, 4)]
    info = probe(home / "frames")
    assert (info.width, info.height, info.frames, info.rate, info.sounds) == (64, 48, 6, 24, ())
    rewrite(home / "frames", home / "b.mp4")
    assert times(home / "b.mp4") == [Fraction(index, 24) for index in range(6)]
    rewrite(source, home / "frames", most=3)
    assert len(list(read_frames(home / "frames"))) == 3, "frames of the clip before must not follow"


@pytest.mark.parametrize(
    ("codec", "name", "found"),
    [
        ("h264", "b.webm", "no file for h264"),
        ("h264", "b.avi", "no format of clips"),
        ("h264", "absent/b.mp4", "No such file"),
        ("h264", "a.mp4/b.mp4", "Not a directory"),
    ],
)
def test_targets_that_cannot_be(home, clips, codec, name, found):
    source = clips.make(home / "a.mp4")
    with pytest.raises(OutputError, match=found) as caught:
        ClipWriter(probe(source), home / name, codec)
    assert str(caught.value).isprintable() and str(home) not in str(caught.value)
    assert sorted(path.name for path in home.iterdir()) == ["a.mp4"]


def test_full_disk(home, clips):
    """A file that may not grow beyond 20 kB stands for it: the writer says so and leaves what was there."""
    noise = np.random.default_rng(0).integers(0, 256, (40, 48, 64, 3), dtype=np.uint8)
    source = probe(clips.make(home / "a.mp4"))
    (home / "b.mp4").write_bytes(b"older")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, before[1]))
    try:
        with (
            pytest.raises(OutputError, match=r"b\.mp4 cannot be written"),
            ClipWriter(source, home / "b.mp4") as writer,
        ):
            for index, pixels in enumerate(noise):
                writer.write(Frame(index, Fraction(index, 25), pixels))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert (home / "b.mp4").read_bytes() == b"older"
    assert left_over(home) == []
