"""The sound of clips that are written: copied where it can be, encoded anew where not, at its times."""

from __future__ import annotations

import tracemalloc
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from deblur_demo.media.clip import probe
from tests.media.rewriting import LONG, rewrite, times


@pytest.mark.parametrize(
    ("name", "codec", "target"),
    [
        ("a.mp4", "aac", "b.mp4"),
        ("a.mp4", "libopus", "b.mp4"),
        ("a.mkv", "libmp3lame", "b.mp4"),
        ("a.mkv", "flac", "b.mp4"),
        ("a.mkv", "alac", "b.mp4"),
        ("a.webm", "libopus", "b.webm"),
    ],
)
def test_sound_is_copied_untouched(home, clips, name, codec, target):
    picture = "libvpx-vp9" if name == "a.webm" else "libx264"
    source = clips.make(home / name, LONG, codec=picture, sound=codec)
    rewrite(source, home / target, codec="vp9" if target == "b.webm" else "h264")
    before, after = clips.packets(source, "audio"), clips.packets(home / target, "audio")
    # A codec's run-out behind the last picture is not needed.
    assert len(before) - 2 <= len(after) <= len(before)
    assert [data for _, data in after] == [data for _, data in before][: len(after)]
    for (time, _), (same, _) in zip(after, before, strict=False):
        assert abs(time - same) < Fraction(1, 1000)
    assert times(home / target) == [Fraction(time, 1000) for time in LONG]


def test_sound_of_a_transport_stream_loses_only_its_headers(home, clips):
    """Every packet of such AAC begins with a header of 7 bytes, which an .mp4 states once."""
    source = clips.make(home / "a.ts", LONG, sound="aac", format="mpegts")
    rewrite(source, home / "b.mp4")
    before, after = clips.packets(source, "audio"), clips.packets(home / "b.mp4", "audio")
    assert [data for _, data in after] == [data[7:] for _, data in before][: len(after)]
    assert len(after) >= len(before) - 2
    lag = {time - same for (time, _), (same, _) in zip(after, before, strict=False)}
    assert max(abs(time) for time in lag) < Fraction(1, 10000)
    pictures = zip(times(home / "b.mp4"), times(source), strict=True)
    assert all(time == same for time, same in pictures)


@pytest.mark.parametrize(
    ("name", "codec", "target", "encoded"),
    [
        ("a.mov", "pcm_s16le", "b.mp4", "aac"),
        ("a.mkv", "mp2", "b.mp4", "aac"),
        ("a.mp4", "aac", "b.webm", "opus"),
    ],
)
def test_other_sound_is_encoded(home, clips, name, codec, target, encoded):
    """It sounds the same, at the same time: the tone begins after 0.7 s and lasts to the end."""
    samples = clips.tone(48000, 2.0, silence=0.7)
    source = clips.make(home / name, LONG, sound=codec, samples=samples)
    rewrite(source, home / target, codec="vp9" if target == "b.webm" else "h264")
    with av.open(str(home / target)) as container:
        assert container.streams.audio[0].codec.canonical_name == encoded
    heard = clips.heard(home / target)
    assert len(heard) == pytest.approx(96000, abs=1500)
    expected = samples[0] / 32768
    assert np.abs(heard[: 48000 * 6 // 10]).max() < 0.01
    assert np.argmax(np.abs(heard) > 0.1) == pytest.approx(33600, abs=400)
    # A .webm counts in milliseconds.
    same = max(np.corrcoef(heard[40000 + lag : 90000 + lag], expected[40000:90000])[0, 1] for lag in range(-48, 49))
    assert same > 0.98


@pytest.mark.parametrize(("rate", "expected"), [(11025, "aac"), (16000, "mp3")])
def test_mp3_too_slow_for_an_mp4_is_encoded(home, clips, rate, expected):
    source = make(home / "a.mkv", clips, (0, 1), "libmp3lame", rate, [(0, 1.5, "mono")])
    assert probe(source).sounds[0].copied == (expected == "mp3")
    rewrite(source, home / "b.mp4")
    with av.open(str(home / "b.mp4")) as container:
        track = container.streams.audio[0]
        assert (track.codec.canonical_name, track.rate) == (expected, rate)
    heard = clips.heard(home / "b.mp4")
    assert len(heard) == pytest.approx(len(clips.heard(source)), abs=rate // 10)
    assert np.abs(heard[: rate // 2]).max() > 0.1


def test_the_last_packet_of_a_codec_without_durations_is_heard(home, clips):
    source = clips.make(home / "a.mkv", LONG, sound="alac")
    rewrite(source, home / "b.mp4")
    assert len(clips.heard(home / "b.mp4")) == pytest.approx(96000, abs=100)


@pytest.mark.parametrize(("name", "codec"), [("a.mp4", "aac"), ("a.mov", "pcm_s16le")])
def test_a_part_has_its_part_of_the_sound(home, clips, name, codec):
    """The tone begins 1.2 s into the clip, so 0.4 s into the part from 0.8 s to 1.6 s."""
    source = clips.make(home / name, LONG, sound=codec, samples=clips.tone(48000, 2.0, silence=1.2))
    rewrite(source, home / "b.mp4", start=0.79, end=1.6)
    assert times(home / "b.mp4") == [Fraction(time, 1000) for time in range(0, 800, 40)]
    heard = clips.heard(home / "b.mp4")
    assert np.argmax(np.abs(heard) > 0.1) == pytest.approx(0.4 * 48000, abs=400)
    assert 0.79 * 48000 < len(heard) <= 0.8 * 48000 + 1100
    assert probe(home / "b.mp4").seconds == pytest.approx(0.8, abs=0.001)


def make(path: Path, clips, times: tuple[int, ...], codec: str, rate: int, parts: list[tuple[int, float, str]]) -> Path:
    """A clip of pictures at some seconds, and of tones: when each begins, how long it is, in which channels."""
    with av.open(str(path), "w") as container:
        pictures = container.add_stream("libx264", 1, width=64, height=48)
        sound = container.add_stream(codec, rate=rate, layout=parts[0][2])
        for time in times:
            picture = av.VideoFrame.from_ndarray(clips.picture(0, 64, 48), format="rgb24").reformat(format="yuv420p")
            picture.pts, picture.time_base = time, Fraction(1)
            container.mux(pictures.encode(picture))
        container.mux(pictures.encode(None))
        for time, seconds, layout in parts:
            encoder = av.CodecContext.create(codec, "w")
            encoder.rate, encoder.layout, encoder.format = rate, layout, "s16"
            tone = clips.tone(rate, seconds).repeat(encoder.channels, axis=1)
            heard = av.AudioFrame.from_ndarray(tone, "s16", layout)
            heard.rate, heard.pts, heard.time_base = rate, rate * time, Fraction(1, rate)
            for packet in encoder.encode(heard):
                packet.stream = sound
                container.mux(packet)
    return path


def test_sound_after_a_long_silence_comes_at_its_time(home, clips):
    source = make(home / "a.mkv", clips, (0, 50, 100), "pcm_s16le", 8000, [(0, 0.5, "mono"), (99, 0.5, "mono")])
    rewrite(source, home / "b.mp4")
    with av.open(str(home / "b.mp4")) as container:
        parts = [(frame.time, np.abs(frame.to_ndarray()).max()) for frame in container.decode(audio=0)]
    loud = [time for time, level in parts if level > 0.1]
    assert loud[0] < 0.2 and [time for time in loud if time > 1][0] == pytest.approx(99, abs=0.2)
    assert loud[-1] == pytest.approx(99.4, abs=0.2)


def test_sound_that_changes_its_channels_is_kept(home, clips):
    """As in broadcasts, where a programme in stereo follows one in mono."""
    source = make(home / "a.mkv", clips, (0, 1, 2), "mp2", 48000, [(0, 1.0, "mono"), (1, 1.0, "stereo")])
    rewrite(source, home / "b.mp4")
    heard = clips.heard(home / "b.mp4")
    assert len(heard) == pytest.approx(96000, abs=3000)
    assert min(np.abs(heard[start : start + 4800]).max() for start in range(0, 90000, 4800)) > 0.1


def test_sound_between_pictures_far_apart_takes_no_more_memory(home, clips):
    seconds = [(time, 1.0, "mono") for time in range(60)]
    source = make(home / "a.mkv", clips, (0, 60), "pcm_s16le", 48000, seconds)
    tracemalloc.start()
    try:
        rewrite(source, home / "b.mp4")
        assert tracemalloc.get_traced_memory()[1] < 4e6, "a minute of it takes 12 MB"
    finally:
        tracemalloc.stop()
