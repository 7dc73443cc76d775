"""The codecs that clips are written in, and what their encoders are told."""

from __future__ import annotations

from dataclasses import dataclass, field

from deblur_demo.errors import OutputError

CRF_SCALE = 63 / 51  # VP9 and AV1 count quality to 63, H.264 to 51


@dataclass(frozen=True)
class Encoder:
    """One encoder of FFmpeg.

    Attributes:
        name: as FFmpeg calls it.
        suffixes: of the containers that hold its codec.
        even: whether both sides of a frame must be even (4:2:0 without cropping to a pixel).
        crf_scale: what the quality setting is multiplied by.
        options: its private options. All of them keep the frames in the order of their times.
    """

    name: str
    suffixes: tuple[str, ...]
    even: bool = False
    crf_scale: float = 1.0
    options: dict[str, str] = field(default_factory=dict)


ENCODERS = {
    # stitchable: the same header whatever the pictures, so that a file can be continued later.
    "h264": Encoder(
        "libx264", (".mp4",), True, 1.0, {"preset": "medium", "bf": "0", "x264-params": "stitchable=1:rc-lookahead=20"}
    ),
    "vp9": Encoder(
        "libvpx-vp9",
        (".mp4", ".webm"),
        False,
        CRF_SCALE,
        {"b": "0", "deadline": "good", "cpu-used": "4", "row-mt": "1", "lag-in-frames": "16"},
    ),
    "av1": Encoder("libsvtav1", (".mp4", ".webm"), False, CRF_SCALE, {"preset": "8", "svtav1-params": "pred-struct=1"}),
}


def find(codec: str, suffix: str, name: str) -> Encoder:
    """The encoder of a codec, if the container holds it.

    Raises:
        OutputError: it does not, or the suffix names no container of clips.
    """
    encoder = ENCODERS[codec]
    if suffix not in encoder.suffixes:
        known = {suffix for encoder in ENCODERS.values() for suffix in encoder.suffixes}
        holds = " or ".join(encoder.suffixes)
        found = f"{name} is no file for {codec}" if suffix in known else f"{name} names no format of clips"
        raise OutputError(found, f"a name that ends in {holds} for {codec}, or a folder", "Choose one of these")
    return encoder
