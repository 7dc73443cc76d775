"""Clips that must be refused, and damaged ones of which the good part is used, by their rows 39 to 59 in the
table of bad inputs."""

from __future__ import annotations

import io
import struct
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

import av
import numpy as np
import pytest
from PIL import Image

from deblur_demo.errors import InputError, LimitError, OutputError
from deblur_demo.media import encoders
from deblur_demo.media.clip import ClipWriter, becomes_frames, is_clip, probe, read_frames, tag_of
from deblur_demo.media.container import CUT_SHORT
from deblur_demo.media.declared import MOST_BOXES, cut_short

LONG = tuple(range(0, 4000, 40))


def assert_rejected(path: Path, kind: type[InputError] = InputError, found: str = ".", act: Callable = probe) -> None:
    """One error of exactly this type, one line with its three parts, and nothing left behind."""
    before = sorted(Path.cwd().parent.rglob("*"))
    with pytest.raises(InputError, match=found) as caught:
        act(path)
    error = caught.value
    assert type(error) is kind
    message = str(error)
    assert message.isprintable()
    assert message == f"{error.found}. Accepted: {error.accepted}. {error.action}."
    assert str(path.parent.resolve()) not in message, "folders of the server are nobody's business"
    assert sorted(Path.cwd().parent.rglob("*")) == before


def made(clips, name: str, **options) -> bytes:
    """The bytes of a clip that is not left behind."""
    path = clips.make(Path(f"made_{name}"), **options)
    raw = path.read_bytes()
    path.unlink()
    return raw


def sound(clips, cover: bool) -> bytes:
    raw = clips.make_sound(Path("made.mp4"), cover).read_bytes()
    Path("made.mp4").unlink()
    return raw


def box(raw: bytes, name: bytes) -> int:
    """Where the content of the only box of a name begins."""
    assert raw.count(name) == 1
    return raw.index(name) + 4


def without_frames(clips) -> bytes:
    """An MP4 whose table of samples is empty."""
    raw = made(clips, "a.mp4", times=(0,))
    for name, at in ((b"stsz", 8), (b"stts", 4), (b"stsc", 4), (b"stco", 4)):
        start = box(raw, name) + at
        raw = raw[:start] + bytes(4) + raw[start + 4 :]
    return raw


def claiming(clips, width: int, height: int) -> bytes:
    """A GIF whose screen and first frame have another size than its picture."""
    pictures = [Image.new("P", (10, 10), colour) for colour in (1, 2)]
    pictures[0].save("made.gif", save_all=True, append_images=pictures[1:], duration=40)
    raw = Path("made.gif").read_bytes()
    Path("made.gif").unlink()
    return raw[:6] + struct.pack("<HH", width, height) + raw[10:]


def avi_at_no_rate(clips) -> bytes:
    raw = made(clips, "a.avi", codec="mpeg4", options={}, times=(0, 1, 2), clock=25)
    start = raw.index(b"vids") + 24
    return raw[:start] + bytes(4) + raw[start + 4 :]


class Bad(NamedTuple):
    """A file, and the error that must come of it."""

    found: str
    build: Callable
    kind: type[InputError] = InputError
    name: str = "a.mp4"


REJECTED = {
    "empty": Bad("0 bytes", lambda clips, kit: b""),
    "text": Bad("no video", lambda clips, kit: b"hello"),
    "html": Bad("HTML", lambda clips, kit: b"<!doctype html><video src=x>"),
    "zip": Bad("ZIP", lambda clips, kit: kit.zip()),
    "png": Bad("a picture", lambda clips, kit: kit.png(clips.picture(0, 64, 48))),
    "heic": Bad("HEIC", lambda clips, kit: b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(99)),
    "wav": Bad("no video", lambda clips, kit: b"RIFF\x24\0\0\0WAVEfmt " + bytes(40)),
    "39-no-frames": Bad("no frame|cannot be read", lambda clips, kit: without_frames(clips)),
    "41-audio-only": Bad("sound, no video", lambda clips, kit: sound(clips, cover=False)),
    "58-audio-with-cover": Bad("sound and a cover picture, no video", lambda clips, kit: sound(clips, cover=True)),
    "51-missing-moov": Bad("cannot be read", lambda clips, kit: made(clips, "a.mp4").partition(b"moov")[0][:-4]),
    "51-only-ftyp": Bad("cannot be read", lambda clips, kit: made(clips, "a.mp4")[:40]),
    "51-truncated-mkv": Bad("cannot be read|no video|moves", lambda clips, kit: made(clips, "a.mkv")[:200]),
    "53-fps-1e6": Bad(
        "declares 1e.06 frames", lambda clips, kit: made(clips, "a.mp4", times=(0, 1, 2, 3), clock=10**6, last=1)
    ),
    "53-fps-0": Bad("0 frames a second", lambda clips, kit: avi_at_no_rate(clips)),
    "57-8k-gif": Bad("7680 x 4320 .* 33.2 megapixels", lambda clips, kit: claiming(clips, 7680, 4320), LimitError),
    "57-gif-beyond-decoders": Bad("far too large", lambda clips, kit: claiming(clips, 65535, 65535), LimitError),
    "55-3-hours": Bad(
        "180.0 minutes",
        lambda clips, kit: made(clips, "a.mp4", times=(0, 180 * 60 * 1000 - 40)),
        LimitError,
    ),
    "56-hls": Bad("a playlist", lambda clips, kit: b"#EXTM3U\n#EXTINF:1,\na.ts\n#EXT-X-ENDLIST\n"),
    "56-hls-with-mark": Bad("a playlist", lambda clips, kit: b"\xef\xbb\xbf#EXTM3U\nhttp://127.0.0.1:9/a.ts\n"),
    "56-concat": Bad("a playlist", lambda clips, kit: b"ffconcat version 1.0\nfile a.ts\n"),
}


@pytest.mark.parametrize("case", REJECTED.values(), ids=REJECTED)
def test_rejected(home, kit, clips, case):
    path = home / case.name
    path.write_bytes(case.build(clips, kit))
    assert_rejected(path, case.kind, case.found)
    assert tag_of(path) == ""
    is_clip(path)  # whatever it says, it says it


def test_56_a_playlist_opens_nothing_else(home, clips):
    """Also where the file that it names is a good clip beside it."""
    clips.make(home / "a.ts", format="mpegts")
    (home / "a.mp4").write_bytes(b"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:0.5,\na.ts\n#EXT-X-ENDLIST\n")
    assert len(list(av.open("a.mp4", format="hls").decode(video=0))) == 6, "FFmpeg alone would open it"
    assert_rejected(home / "a.mp4", found="a playlist")
    assert_rejected(home / "a.mp4", found="a playlist", act=lambda path: next(read_frames(path)))
    assert not is_clip(home / "a.mp4")


@pytest.mark.parametrize("name", ["http://127.0.0.1:9/a.mp4", "file:///etc/passwd", "concat:a.mp4|b.mp4", "a\0b.mp4"])
def test_37_only_paths_are_opened(home, name):
    assert_rejected(Path(name), found="URL|cannot be opened")


def test_37_a_strange_name_is_a_name(home, clips):
    for name in ("-i.mp4", "http:x.mp4", "concat:a|b.mp4", "a%03d.mp4", "\u202e4pm.mp4", "a b\nc.mp4", "file:a.mp4"):
        path = clips.make(home / "plain.mp4").rename(home / name)
        assert probe(path).frames == 6
        with ClipWriter(probe(Path(name)), Path("out" + name)) as writer:
            for frame in read_frames(Path(name)):
                writer.write(frame)
        assert probe(Path("out" + name)).frames == 6


def test_37_folders_and_devices(home):
    assert_rejected(home, found="no series of numbered pictures")
    assert_rejected(Path("/dev/zero"), found="a device")


def test_50_damage_in_mid_stream(home, clips):
    """Some frames are lost; those that are yielded are good, at their own times."""
    path = clips.make(home / "a.mkv", LONG, options={"g": "10"})
    good = {frame.time: frame.pixels for frame in read_frames(path)}
    raw = bytearray(path.read_bytes())
    middle = len(raw) // 2
    raw[middle : middle + 400] = np.random.default_rng(0).bytes(400)
    path.write_bytes(raw)
    notices: list[str] = []
    frames = list(read_frames(path, notices=notices))
    assert 60 < len(frames) < 100
    assert [frame.index for frame in frames] == list(range(len(frames)))
    times = [frame.time for frame in frames]
    assert times == sorted(set(times)) and set(times) <= set(good)
    same = [np.abs(frame.pixels.astype(int) - good[frame.time]).max() == 0 for frame in frames]
    assert sum(same) >= 75
    assert times[-1] == Fraction(3960, 1000)
    assert len(notices) == 1 and "damaged" in notices[0]


def test_50_a_clip_that_ends_early(home, clips):
    """The index is in front, so the frames that came through are used, and so is their sound."""
    made = clips.make(home / "a.mp4", LONG, sound="aac")
    with ClipWriter(probe(made), home / "b.mp4") as writer:
        for frame in read_frames(made):
            writer.write(frame)
    path = home / "c.mp4"
    path.write_bytes((home / "b.mp4").read_bytes()[: (home / "b.mp4").stat().st_size * 6 // 10])
    notices: list[str] = []
    with ClipWriter(probe(path), home / "d.mp4") as writer:
        for frame in read_frames(path, notices=notices):
            writer.write(frame)
    assert 20 < writer.frames < 90
    assert len(notices) == 1 and "damaged" in notices[0]
    assert len(list(read_frames(home / "d.mp4"))) == writer.frames
    assert len(clips.heard(home / "d.mp4")) / 48000 == pytest.approx(writer.frames / 25, abs=0.5)


@pytest.mark.parametrize(
    ("name", "codec", "options"),
    [
        ("a.mkv", "libx264", {}),
        ("a.webm", "libvpx-vp9", {}),
        ("a.avi", "mjpeg", {"pix_fmt": "yuvj420p"}),
        ("a.flv", "libx264", {}),
        ("a.mp4", "libx264", {"container_options": {"movflags": "frag_keyframe+empty_moov"}}),
    ],
)
def test_50_every_format_tells_that_it_was_cut_off(home, clips, name, codec, options):
    whole = clips.make(home / name, LONG, codec=codec, **options)
    raw = whole.read_bytes()
    for size, notice in ((len(raw), ()), (len(raw) * 6 // 10, (CUT_SHORT,)), (len(raw) - 1, (CUT_SHORT,))):
        whole.write_bytes(raw[:size])
        assert probe(whole).notices == notice, size
        assert 20 < len(list(read_frames(whole))) <= 100


def test_50_a_file_of_empty_boxes_is_not_read_to_its_end():
    file = io.BytesIO(struct.pack(">I4s", 8, b"free") * (MOST_BOXES + 5) + struct.pack(">I4s", 99, b"mdat"))
    assert not cut_short(file, "mov")
    assert cut_short(io.BytesIO(file.getvalue()[-800:]), "mov")


def test_50_a_length_left_open_tells_nothing(home, clips):
    """As a recorder in a browser writes it, which does not know how long it will go on."""
    raw = bytearray(made(clips, "a.mkv", times=LONG))
    at = raw.index(b"\x18\x53\x80\x67") + 4
    raw[at : at + 8] = b"\x01" + b"\xff" * 7
    (home / "a.mkv").write_bytes(raw)
    assert probe(home / "a.mkv").notices == ()


def test_52_size_changes_in_mid_stream(home, clips):
    parts = [
        clips.make(home / f"{side}.ts", tuple(range(at, at + 400, 40)), format="mpegts", size=(side, side)).read_bytes()
        for side, at in ((64, 0), (48, 400))
    ]
    (home / "a.ts").write_bytes(b"".join(parts))
    frames = read_frames(home / "a.ts")
    assert [next(frames).pixels.shape for _ in range(8)] == [(64, 64, 3)] * 8
    assert_rejected(home / "a.ts", found="changes its size .* 64 x 64 to 48 x 48", act=lambda path: list(frames))


def test_53_a_rate_that_is_no_number(home, clips):
    """It stands in the header of an .flv; the frames have times of their own, and those count."""
    raw = clips.make(home / "a.flv", tuple(range(0, 400, 40)), codec="flv1" if "flv1" in av.codecs_available else "flv")
    data = raw.read_bytes()
    at = data.index(b"framerate") + len(b"framerate") + 1
    raw.write_bytes(data[:at] + struct.pack(">d", float("nan")) + data[at + 8 :])
    assert 0 < probe(raw).rate <= 1000
    assert [frame.time for frame in read_frames(raw)] == [Fraction(time, 1000) for time in range(0, 400, 40)]


def test_54_more_frames_than_declared(home, clips, monkeypatch):
    """The declared length passes; reading stops at the budget all the same."""
    path = home / "a.mkv"
    clips.make(path, LONG)
    raw = path.read_bytes()
    at = raw.index(b"\x44\x89\x88") + 3  # Duration, a float of 8 bytes in milliseconds
    assert struct.unpack(">d", raw[at : at + 8])[0] == 4000
    path.write_bytes(raw[:at] + struct.pack(">d", 40.0) + raw[at + 8 :].replace(b"DURATION", b"XURATION"))
    monkeypatch.setenv("DEBLUR_MAX_CLIP_FRAMES", "30")
    assert probe(path).frames <= 30
    frames = read_frames(path)
    for index in range(29):
        assert next(frames).index == index
    assert_rejected(path, LimitError, "more than 30 frames", act=lambda path: list(frames))
    monkeypatch.delenv("DEBLUR_MAX_CLIP_FRAMES")
    monkeypatch.setenv("DEBLUR_MAX_CLIP_MINUTES", "0.05")
    assert_rejected(path, LimitError, "longer than it says", act=lambda path: list(read_frames(path)))


def test_55_budgets_of_the_settings(home, clips, monkeypatch):
    """A part within the budget of a clip beyond it may be used."""
    path = clips.make(home / "a.mp4", LONG)
    monkeypatch.setenv("DEBLUR_MAX_CLIP_FRAMES", "50")
    assert_rejected(path, LimitError, "100 frames")
    assert probe(path, 1.0, 3.0).frames == 100
    assert len(list(read_frames(path, 1.0, 3.0))) == 50
    monkeypatch.delenv("DEBLUR_MAX_CLIP_FRAMES")
    monkeypatch.setenv("DEBLUR_MAX_CLIP_MINUTES", "0.05")
    assert_rejected(path, LimitError, "0.1 minutes")
    monkeypatch.delenv("DEBLUR_MAX_CLIP_MINUTES")
    monkeypatch.setenv("DEBLUR_MAX_CLIP_MEGAPIXELS", "0.01")
    assert probe(path).width == 64
    assert_rejected(clips.make(home / "b.mp4", size=(128, 96)), LimitError, "0.0 megapixels")


def test_55_the_largest_frame_that_someone_asks_for(home, clips, kit):
    (home / "a").mkdir()
    (home / "a" / "frame_000000.png").write_bytes(kit.png(clips.picture(0, 128, 96)))
    for path in (clips.make(home / "a.mp4", size=(128, 96)), home / "a"):
        assert probe(path, max_megapixels=0.0123).width == 128
        assert_rejected(path, LimitError, "at most 0.0122 ", act=lambda path: probe(path, max_megapixels=0.0122))


def test_a_name_too_long_for_the_disk(home):
    long = home / (300 * "x")
    for act in (probe, lambda path: list(read_frames(path))):
        assert_rejected(long, found="File name too long", act=act)
    assert (tag_of(long), is_clip(long), becomes_frames(long)) == ("", False, True)


def test_another_name_is_advised_in_words_that_hold(home):
    with pytest.raises(OutputError) as caught:
        encoders.find("h264", ".gif", (64, 48), "a.gif")
    assert caught.value.accepted == "a name that ends in .mp4 for h264; for a folder of frames also a folder"


def test_folder_whose_frames_differ(home, clips, kit):
    for index, side in enumerate((64, 64, 32)):
        (home / f"frame_{index:06d}.png").write_bytes(kit.png(clips.picture(index, side, side)))
    assert is_clip(home)
    frames = read_frames(home)
    assert [next(frames).index, next(frames).index] == [0, 1]
    assert_rejected(home / "frame_000002.png", found="32 x 32", act=lambda path: next(frames))


def test_frames_far_beyond_the_budget_are_not_even_decoded(clips, home, monkeypatch):
    path = clips.make(home / "bomb.mov", codec="png", size=(640, 480), pix_fmt="rgb24")
    assert probe(path).width == 640
    monkeypatch.setenv("DEBLUR_MAX_CLIP_MEGAPIXELS", "0.01")
    assert_rejected(path, LimitError, "frames that are far too large", act=probe)
    assert_rejected(path, InputError, "no frame that can be decoded", act=lambda path: next(read_frames(path)))
