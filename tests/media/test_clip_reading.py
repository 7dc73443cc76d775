"""Clips in: times, sizes, turns and notices of files that this module makes itself."""

from __future__ import annotations

import signal
import sys
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from deblur_demo.errors import InputError
from deblur_demo.media.clip import is_clip, probe, read_frames
from deblur_demo.media.image import Photo, write_image


def times(path: Path, *part: float) -> list[Fraction]:
    return [frame.time for frame in read_frames(path, *part)]


def mean_difference(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.abs(a.astype(float) - b).mean())


@pytest.mark.parametrize(
    ("name", "codec"), [("a.mp4", "libx264"), ("a.mov", "libx264"), ("a.mkv", "libx264"), ("a.webm", "libvpx-vp9")]
)
def test_times_of_a_variable_frame_rate_are_exact(home, clips, name, codec):
    path = clips.make(home / name, codec=codec)
    frames = list(read_frames(path))
    assert [frame.time for frame in frames] == [Fraction(time, 1000) for time in clips.vfr]
    assert [frame.index for frame in frames] == [0, 1, 2, 3, 4, 5]
    info = probe(path)
    assert (info.width, info.height, info.rotation, info.pixel_aspect) == (64, 48, 0, 1)
    assert all(time % info.time_base == 0 for time in (frame.time for frame in frames))
    assert info.sounds == () and info.notices == ()
    for frame in frames:
        assert mean_difference(frame.pixels, clips.picture(frame.index, 64, 48)) < 6
    if name == "a.mp4":
        assert info.frames == 6
        assert info.seconds == pytest.approx(0.54)
        assert [frame.duration for frame in frames] == [Fraction(t, 1000) for t in (33, 33, 134, 33, 267, 40)]


@pytest.mark.parametrize(("name", "frames"), [("a.mp4", 6), ("a.mov", 6), ("long.mp4", 60)])
def test_a_declared_length_that_ends_before_the_last_frame_is_not_believed(home, clips, name, frames):
    """With frames stored in another order, the steps from packet to packet leave out a late last frame."""
    times = (*range(0, 33 * (frames - 2), 33), 33 * frames + 200, 33 * frames + 1000)
    path = clips.make(home / name, times=times, options={"bf": "2", "g": "250"}, last=40)
    with av.open(str(path)) as container:
        video = container.streams.video[0]
        assert float(video.duration * video.time_base) < times[-1] / 1000
    info = probe(path)
    assert times[-1] < 1000 * info.seconds <= times[-1] + 40 + 1e-6  # it also says how long the last is shown
    assert float(info.rate) == pytest.approx(frames / info.seconds)
    assert [frame.time for frame in read_frames(path)] == [Fraction(time, 1000) for time in times]


def test_times_of_broadcast_rates_are_exact(home, clips):
    path = clips.make(home / "a.mp4", tuple(range(0, 9 * 1001, 1001)), clock=30000, last=1001)
    assert times(path) == [Fraction(1001 * index, 30000) for index in range(9)]
    assert probe(path).rate == Fraction(30000, 1001)


def test_without_a_rate_it_is_measured(home, clips):
    """As a browser records: at about 30 frames a second, each told to the millisecond."""
    shaken = np.random.default_rng(0).uniform(-6, 6, 120)
    times = tuple(int(33.4 * index + 10 + late) for index, late in enumerate(shaken))
    path = clips.make(home / "a.webm", times, codec="libvpx-vp9")
    without_rate(path)
    with av.open(str(path)) as container:
        assert container.streams.video[0].guessed_rate == 1000, "it is the clock's"
    assert float(probe(path).rate) == pytest.approx(1000 / 33.4, rel=0.005)


def without_rate(path: Path) -> None:
    """Take the duration that all frames have by default out of a Matroska file: what stands there becomes void."""
    before, mark, after = path.read_bytes().partition(b"\x23\xe3\x83")
    size = 1 + (after[0] & 0x7F)
    path.write_bytes(before + b"\xec" + bytes([0x80 | size + 1]) + bytes(size + 1) + after[size:])


def test_a_transport_stream_counts_from_its_beginning(home, clips):
    """Such streams begin at any time."""
    path = clips.make(home / "a.ts", tuple(time + 1400 for time in clips.vfr), format="mpegts")
    with av.open(str(path)) as container:
        assert container.streams.video[0].start_time == 126000
    assert times(path) == [Fraction(time, 1000) for time in clips.vfr]


@pytest.mark.parametrize("mirrored", [False, True])
@pytest.mark.parametrize("degrees", [0, 90, 180, -90])
def test_turned_once(home, clips, degrees, mirrored):
    """The file asks the player to turn counterclockwise, then to mirror."""
    path = clips.make(home / "a.mp4", turn=(degrees, mirrored), sample_aspect_ratio=Fraction(4, 3))
    expected = np.rot90(clips.picture(0, 64, 48), degrees // 90)
    expected = expected[:, ::-1] if mirrored else expected
    frame = next(read_frames(path))
    assert frame.pixels.shape == expected.shape
    assert mean_difference(frame.pixels, expected) < 6
    info = probe(path)
    assert (info.height, info.width) == expected.shape[:2]
    assert info.rotation == (degrees if mirrored else -degrees) % 360
    assert info.pixel_aspect == (Fraction(3, 4) if degrees % 180 else Fraction(4, 3))


def test_odd_sides(home, clips):
    path = clips.make(home / "a.webm", codec="libvpx-vp9", size=(63, 47))
    assert next(read_frames(path)).pixels.shape == (47, 63, 3)
    assert (probe(path).width, probe(path).height) == (63, 47)


def test_one_frame(home, clips):
    path = clips.make(home / "a.mp4", times=(0,))
    assert times(path) == [0]
    assert probe(path).frames == 1


def test_interlaced_frames_are_deinterlaced(home, clips):
    """A bar that moves between the two fields of a frame stands in combs before and not after."""

    def combed(index: int, width: int, height: int) -> av.VideoFrame:
        pixels = np.full((height, width, 3), 40, np.uint8)
        for field in (0, 1):
            at = 4 + 8 * index + 4 * field
            pixels[field::2, at : at + 12] = 220
        return av.VideoFrame.from_ndarray(pixels, format="rgb24").reformat(format="yuv420p")

    path = clips.make(
        home / "a.mp4", times=(0, 40, 80, 120, 160), size=(96, 64), draw=combed, options={"x264-params": "tff=1:crf=5"}
    )
    info = probe(path)
    assert info.notices == ("It is interlaced: every frame was deinterlaced first.",)
    frames = list(read_frames(path))
    assert [frame.time for frame in frames] == [Fraction(time, 1000) for time in (0, 40, 80, 120, 160)]

    def combs(pixels: np.ndarray) -> float:
        grey = pixels[..., 1].astype(float)
        return float(np.abs(2 * grey[1:-1] - grey[:-2] - grey[2:]).mean())

    with av.open(str(path)) as container:
        raw = [combs(frame.to_ndarray(format="rgb24")) for frame in container.decode(video=0)]
    for frame, before in list(zip(frames, raw, strict=True))[1:-1]:
        assert combs(frame.pixels) < 0.25 * before


def test_transparency_is_left_out(home, clips):
    def half(index: int, width: int, height: int) -> av.VideoFrame:
        alpha = np.full((height, width, 1), 100 if index else 90, np.uint8)
        return av.VideoFrame.from_ndarray(np.dstack((clips.picture(index, width, height), alpha)), format="rgba")

    path = clips.make(home / "a.mov", codec="png", pix_fmt="rgba", draw=half)
    assert probe(path).notices == ("Its transparency was left out.",)
    np.testing.assert_array_equal(next(read_frames(path)).pixels, clips.picture(0, 64, 48))


def test_cover_picture_is_not_the_clip(home, clips):
    path = clips.make(home / "a.mp4", cover=True)
    info = probe(path)
    assert (info.width, info.height) == (64, 48)
    assert info.notices == ("Its cover picture was left out.",)
    assert len(times(path)) == 6


def test_subtitles_are_left_out_with_a_word(home, clips):
    path = home / "a.mkv"
    with av.open(str(path), "w") as container:
        stream, words = container.add_stream("libx264", 25, width=64, height=48), container.add_mux_stream("subrip")
        frame = av.VideoFrame.from_ndarray(clips.picture(0, 64, 48), format="rgb24")
        container.mux([*stream.encode(frame), *stream.encode(None)])
        packet = av.Packet(b"Hello")
        packet.stream, packet.pts, packet.dts, packet.duration = words, 0, 0, 40
        container.mux(packet)
    assert probe(path).notices == ("Its subtitles were left out.",)


def test_the_main_one_of_two_video_streams_is_used(home, clips):
    path = home / "a.mkv"
    with av.open(str(path), "w") as container:
        streams = [container.add_stream("libx264", 25, width=side, height=side) for side in (32, 64)]
        for index in range(3):
            for stream in streams:
                frame = av.VideoFrame.from_ndarray(clips.picture(index, stream.width, stream.height), format="rgb24")
                container.mux(stream.encode(frame))
        for stream in streams:
            container.mux(stream.encode(None))
    info = probe(path)
    assert (info.width, info.height) == (64, 64)
    assert info.notices == ("It has 2 video streams: only the main one is used.",)
    assert {frame.pixels.shape for frame in read_frames(path)} == {(64, 64, 3)}


def test_animated_gif(home, clips):
    pictures = [Image.fromarray(clips.picture(index, 64, 48)) for index in range(4)]
    pictures[0].save("a.gif", save_all=True, append_images=pictures[1:], duration=[30, 100, 70, 50], loop=0)
    path = Path("a.gif")
    assert is_clip(path)
    assert times(path) == [0, Fraction(3, 100), Fraction(13, 100), Fraction(20, 100)]
    assert probe(path).notices == ()
    for frame in read_frames(path):
        np.testing.assert_array_equal(frame.pixels, clips.picture(frame.index, 64, 48))


def test_a_gif_that_stands_still_is_a_clip_of_one_frame(home, clips):
    """To the page's video side, that is; by itself it counts as a picture."""
    Image.fromarray(clips.picture(0, 64, 48)).save("a.gif")
    assert not is_clip(Path("a.gif"))
    assert times(Path("a.gif")) == [0]
    assert probe(Path("a.gif")).rate > 0


def test_part_of_a_clip(home, clips):
    """From start on and before end, with the source's times, whatever the key frames; as in the whole clip."""
    path = clips.make(home / "a.mp4", times=tuple(range(0, 4000, 40)), size=(32, 32))
    whole = list(read_frames(path))
    part = list(read_frames(path, 2.2, 3.0))
    assert [frame.time for frame in part] == [Fraction(time, 1000) for time in range(2200, 3000, 40)]
    assert [frame.index for frame in part] == list(range(20))
    for frame, same in zip(part, whole[55:75], strict=True):
        np.testing.assert_array_equal(frame.pixels, same.pixels)
    assert times(path, 3.96) == [Fraction(99, 25)]
    assert times(path, 0.0, 0.04) == [0]


def test_part_of_a_format_that_cannot_seek(home, clips):
    pictures = [Image.fromarray(clips.picture(index, 64, 48)) for index in range(12)]
    pictures[0].save("a.gif", save_all=True, append_images=pictures[1:], duration=200)
    assert times(Path("a.gif"), 1.6, 2.0) == [Fraction(16, 10), Fraction(18, 10)]
    path = clips.make(
        home / "a.ts", times=tuple(range(0, 4000, 40)), size=(32, 32), format="mpegts", options={"g": "99"}
    )
    assert times(path, 3.0, 3.1) == [Fraction(300, 100), Fraction(304, 100), Fraction(308, 100)]


def test_frames_are_read_when_they_are_asked_for(home, clips):
    """The file is left at once when the reader is, with most of it unread."""
    path = clips.make(home / "a.mkv", times=tuple(range(0, 10000, 40)), size=(32, 32))
    frames = read_frames(path)
    next(frames)
    frames.close()
    raw = path.read_bytes()
    path.write_bytes(raw[: len(raw) // 3])
    frames = read_frames(path)
    assert [next(frames).index for _ in range(20)] == list(range(20))


def test_sounds_are_listed(home, clips):
    aac, pcm = clips.make(home / "a.mp4", sound="aac"), clips.make(home / "a.mov", sound="pcm_s16le")
    (sound,) = probe(aac).sounds
    assert (sound.codec, sound.channels, sound.rate, sound.copied) == ("aac", 1, 48000, True)
    (sound,) = probe(pcm).sounds
    assert (sound.codec, sound.copied) == ("pcm_s16le", False)


def test_what_is_a_clip(home, clips, kit):
    assert is_clip(clips.make(home / "a.mp4"))
    (home / "b.png").write_bytes((home / "a.mp4").read_bytes())
    assert is_clip(home / "b.png")
    still = kit.pil(clips.picture(0, 64, 48), "GIF")
    photo = kit.pil(clips.picture(0, 64, 48), "PNG")
    tiff = kit.tiff(clips.picture(0, 64, 48))
    heic = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(99)
    for content in (still, photo, tiff, heic, b"", b"#EXTM3U\n", b"GIF89a", still[:40]):
        (home / "c.mp4").write_bytes(content)
        assert not is_clip(home / "c.mp4"), content[:10]
    assert not is_clip(home) and not is_clip(home / "absent.mp4") and not is_clip(Path("a\0b.mp4"))


def test_a_folder_of_any_numbered_pictures_is_a_clip_in_the_order_of_numbers(tmp_path):
    for number in (9, 10, 11):
        write_image(Photo(np.full((8, 10, 3), number * 10, np.uint8)), tmp_path / f"IMG_{number}.png")
    assert is_clip(tmp_path)
    assert [frame.pixels[0, 0, 0] for frame in read_frames(tmp_path)] == [90, 100, 110]
    write_image(Photo(np.zeros((8, 10, 3), np.uint8)), tmp_path / "other_1.png")
    with pytest.raises(InputError, match="2 series"):
        probe(tmp_path)


def test_a_signal_is_heard_while_an_error_passes_through_the_decoder(home, clips):
    path = clips.make(home / "a.mp4")
    passed = 0

    def signalled(wanted: int | None) -> int:
        """Read all frames; Ctrl-C comes at one of the moments when compiled Python writes its traceback."""
        nonlocal passed
        passed = 0

        def trace(frame, event, argument) -> None:
            nonlocal passed
            if frame.f_code.co_filename.startswith("av/"):
                passed += 1
                if passed == wanted:
                    signal.raise_signal(signal.SIGINT)

        frames = read_frames(path)
        next(frames)
        sys.settrace(trace)
        try:
            return len(list(frames))
        finally:
            sys.settrace(None)

    assert signalled(None) == 5 and passed > 0
    for moment in range(1, passed + 1):
        with pytest.raises(KeyboardInterrupt):
            signalled(moment)
