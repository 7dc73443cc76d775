"""Files that the tests of media make themselves, byte by byte where a library would refuse to."""

from __future__ import annotations

import io
import struct
import tempfile
import zipfile
import zlib
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace

import av
import numpy as np
import pytest
import tifffile
from av.stream import Disposition
from numpy import ndarray
from PIL import Image

COLOUR_TYPES = {1: 0, 2: 4, 3: 2, 4: 6}  # samples per pixel -> PNG colour type


def png_chunk(kind: bytes, body: bytes = b"") -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png_bytes(samples: ndarray, before: bytes = b"", after: bytes = b"") -> bytes:
    """An unfiltered PNG of (H,W,1..4) uint8 or uint16 samples, with chunks before and after its pixels."""
    height, width, channels = samples.shape
    depth = samples.dtype.itemsize * 8
    rows = samples.astype(samples.dtype.newbyteorder(">")).reshape(height, -1).view(np.uint8)
    scanlines = np.pad(rows, ((0, 0), (1, 0))).tobytes()  # filter type 0 opens every row
    header = struct.pack(">IIBBBBB", width, height, depth, COLOUR_TYPES[channels], 0, 0, 0)
    pixels = png_chunk(b"IDAT", zlib.compress(scanlines))
    return b"\x89PNG\r\n\x1a\n" + png_chunk(b"IHDR", header) + before + pixels + after + png_chunk(b"IEND")


def pil_bytes(image: Image.Image | ndarray, kind: str, **options) -> bytes:
    """A file as Pillow writes it."""
    file = io.BytesIO()
    (image if isinstance(image, Image.Image) else Image.fromarray(image)).save(file, kind, **options)
    return file.getvalue()


def tiff_bytes(samples: ndarray, **options) -> bytes:
    """A file as tifffile writes it."""
    file = io.BytesIO()
    tifffile.imwrite(file, samples, **options)
    return file.getvalue()


def exif_bytes(orientation: int = 1) -> bytes:
    """A little-endian EXIF block by hand: orientation, a camera's name, and a place (GPS 50 deg N)."""
    place_at = 8 + 2 + 3 * 12 + 4
    north_at = place_at + 2 + 2 * 12 + 4
    first = struct.pack("<H", 3)
    first += struct.pack("<HHI4s", 0x010F, 2, 4, b"Cam\0")
    first += struct.pack("<HHIHH", 0x0112, 3, 1, orientation, 0)
    first += struct.pack("<HHII", 0x8825, 4, 1, place_at) + struct.pack("<I", 0)
    place = struct.pack("<H", 2) + struct.pack("<HHI4s", 1, 2, 2, b"N\0\0\0")
    place += struct.pack("<HHII", 2, 5, 3, north_at) + struct.pack("<I", 0)
    return b"Exif\0\0II*\0\x08\0\0\0" + first + place + struct.pack("<6I", 50, 1, 12345, 67, 0, 1)


def zip_bytes() -> bytes:
    """An archive of one text."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("a.txt", "text")
    return file.getvalue()


@pytest.fixture
def home(tmp_path, monkeypatch):
    """An empty folder to work in, and an empty temporary folder that must stay so."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temp"))
    (tmp_path / "temp").mkdir()
    (tmp_path / "home").mkdir()
    monkeypatch.chdir(tmp_path / "home")
    return tmp_path / "home"


def fixed(*numbers: float) -> bytes:
    return struct.pack(f">{len(numbers)}i", *(round(number * 65536) for number in numbers))


def icc_bytes(space: bytes, tags: dict[bytes, bytes]) -> bytes:
    """A display profile of version 4.3 (ICC.1:2022, 7.2 and 7.3) with the tags that all have, and some more."""
    words = "Made here".encode("utf-16-be")
    text = b"mluc\0\0\0\0" + struct.pack(">II2s2sII", 1, 12, b"en", b"US", len(words), 28) + words
    tags = {b"desc": text, b"cprt": text, b"wtpt": b"XYZ \0\0\0\0" + fixed(0.9642, 1.0, 0.8249), **tags}
    table, body, start = struct.pack(">I", len(tags)), b"", 128 + 4 + 12 * len(tags)
    for name, data in tags.items():
        table += struct.pack(">4sII", name, start + len(body), len(data))
        body += data + b"\0" * (-len(data) % 4)
    header = struct.pack(">I4xI4s4s4s", start + len(body), 0x04300000, b"mntr", space, b"XYZ ")
    header += struct.pack(">6H4s28x", 2026, 1, 1, 0, 0, 0, b"acsp") + fixed(0.9642, 1.0, 0.8249)
    return header.ljust(128, b"\0") + table + body


@pytest.fixture(scope="session")
def display_p3() -> bytes:
    """The primaries of Display-P3, adapted to D50, with gamma 2.2."""
    primaries = {
        b"r": (0.51512, 0.24120, -0.00105),
        b"g": (0.29198, 0.69225, 0.04189),
        b"b": (0.15710, 0.06657, 0.78407),
    }
    tags = {name + b"XYZ": b"XYZ \0\0\0\0" + fixed(*xyz) for name, xyz in primaries.items()}
    return icc_bytes(b"RGB ", tags | {name + b"TRC": b"para\0\0\0\0\0\0\0\0" + fixed(2.2) for name in primaries})


@pytest.fixture(scope="session")
def linear_grey() -> bytes:
    """A grey profile of gamma 1: twice the number is twice the light."""
    return icc_bytes(b"GRAY", {b"kTRC": b"para\0\0\0\0\0\0\0\0" + fixed(1.0)})


@pytest.fixture(scope="session")
def kit(display_p3, linear_grey) -> SimpleNamespace:
    """Everything that builds a file."""
    return SimpleNamespace(
        chunk=png_chunk,
        png=png_bytes,
        pil=pil_bytes,
        tiff=tiff_bytes,
        exif=exif_bytes,
        zip=zip_bytes,
        p3=display_p3,
        linear_grey=linear_grey,
    )


VFR = (0, 33, 66, 200, 233, 500)  # milliseconds


def picture(index: int, width: int, height: int) -> ndarray:
    """(H,W,3) uint8: quarters in red, green, blue and a grey that grows with the index."""
    pixels = np.zeros((height, width, 3), np.uint8)
    top, left = slice(None, height // 2), slice(None, width // 2)
    bottom, right = slice(height // 2, None), slice(width // 2, None)
    pixels[top, left], pixels[top, right], pixels[bottom, left] = (200, 30, 30), (30, 180, 30), (30, 30, 200)
    pixels[bottom, right] = 40 + 15 * (index % 13)
    return pixels


def tone(rate: int, seconds: float, silence: float = 0.0) -> ndarray:
    """(1,n) int16: a tone of 440 Hz, after some seconds of silence."""
    time = np.arange(round(rate * seconds)) / rate
    wave = np.sin(2 * np.pi * 440 * time) * (time >= silence)
    return (wave * 12000).astype(np.int16)[None]


def flat(colour: tuple[int, int, int]):
    """What draws every frame in one colour."""
    return lambda index, width, height: np.full((height, width, 3), colour, np.uint8)


def make_clip(
    path: Path,
    times: tuple[int, ...] = VFR,
    clock: int = 1000,
    last: int = 40,
    size: tuple[int, int] = (64, 48),
    codec: str = "libx264",
    pix_fmt: str = "yuv420p",
    draw=picture,
    sound: str | None = None,
    samples: ndarray | None = None,
    turn: tuple[int, bool] = (0, False),
    cover: bool = False,
    format: str | None = None,
    options: dict[str, str] | None = None,
    container_options: dict[str, str] | None = None,
    **tags,
) -> Path:
    """A clip as other programs make them.

    Args:
        times: of the frames, in ticks of the clock; ``last`` is the duration of the last.
        draw: (index, width, height) -> pixels, or a frame that is encoded as it is.
        sound: codec of a mono track at 48 kHz, a tone as long as the pictures unless samples are given.
        turn: degrees counterclockwise for the player to turn by, and whether to mirror left to right then.
        options, container_options: of the encoder, of the container.
        tags: of the codec context, such as ``sample_aspect_ratio``.
    """
    width, height = size
    with av.open(str(path), "w", format=format, container_options=container_options) as container:
        stream = container.add_stream(codec, 30, {"bf": "0", "g": "12"} | (options or {}), width=width, height=height)
        stream.pix_fmt = pix_fmt
        stream.codec_context.time_base = stream.time_base = Fraction(1, clock)
        for name, value in tags.items():
            setattr(stream.codec_context, name, value)
        if turn != (0, False):
            stream.set_display_rotation(turn[0], hflip=turn[1])
        packets = []
        if sound:
            track = container.add_stream(sound, rate=48000, layout="mono")
        if cover:
            still = container.add_stream("mjpeg", width=128, height=128)
            still.pix_fmt, still.disposition = "yuvj420p", Disposition.attached_pic
            packets += still.encode(av.VideoFrame.from_ndarray(picture(0, 128, 128)).reformat(format="yuvj420p"))
        for index, time in enumerate(times):
            frame = draw(index, width, height)
            if not isinstance(frame, av.VideoFrame):
                frame = av.VideoFrame.from_ndarray(frame, format="rgb24").reformat(format=pix_fmt)
            frame.pts, frame.time_base = time, Fraction(1, clock)
            packets += stream.encode(frame)
        packets += stream.encode(None)
        packets[-1].duration = round(last / clock / packets[-1].time_base)
        if sound:
            samples = tone(48000, (times[-1] + last) / clock) if samples is None else samples
            heard = av.AudioFrame.from_ndarray(samples, "s16", "mono")
            heard.rate, heard.pts, heard.time_base = 48000, 0, Fraction(1, 48000)
            packets += [*track.encode(heard), *track.encode(None)]
        for packet in packets:
            container.mux(packet)
    return path


def make_sound(path: Path, cover: bool = False) -> Path:
    """Half a second of sound without a clip, with a cover picture or not."""
    with av.open(str(path), "w") as container:
        track = container.add_stream("aac", rate=48000, layout="mono")
        heard = av.AudioFrame.from_ndarray(tone(48000, 0.5), "s16", "mono")
        heard.rate, heard.pts, heard.time_base = 48000, 0, Fraction(1, 48000)
        packets = [*track.encode(heard), *track.encode(None)]
        if cover:
            still = container.add_stream("mjpeg", width=128, height=128)
            still.pix_fmt, still.disposition = "yuvj420p", Disposition.attached_pic
            packets += still.encode(av.VideoFrame.from_ndarray(picture(0, 128, 128)).reformat(format="yuvj420p"))
        for packet in packets:
            container.mux(packet)
    return path


def stored_packets(path: Path, kind: str) -> list[tuple[Fraction, bytes]]:
    """Time in seconds and bytes of every packet of the first stream of a kind."""
    with av.open(str(path)) as container:
        stream = getattr(container.streams, kind)[0]
        return [(packet.pts * packet.time_base, bytes(packet)) for packet in container.demux(stream) if packet.size]


def heard_samples(path: Path) -> ndarray:
    """(n,) float in [-1, 1]: the first sound track as a player hears it, from the clip's beginning on."""
    with av.open(str(path)) as container:
        rate = container.streams.audio[0].rate
        heard = np.zeros(rate * 20)
        resampler = av.AudioResampler("fltp", "mono", rate)
        end = 0
        for frame in container.decode(audio=0):
            for part in resampler.resample(frame):
                at = round(part.pts * part.time_base * rate)
                part = part.to_ndarray()[0][max(0, -at) :]
                end = max(at, 0) + len(part)
                heard[max(at, 0) : end] = part
        return heard[:end]


@pytest.fixture(scope="session")
def clips() -> SimpleNamespace:
    """Everything that makes and inspects clips."""
    return SimpleNamespace(
        make=make_clip,
        make_sound=make_sound,
        picture=picture,
        flat=flat,
        tone=tone,
        packets=stored_packets,
        heard=heard_samples,
        vfr=VFR,
    )
