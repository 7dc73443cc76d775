"""Every knob of the product, once: its type, range, default and help.

The command line's flags, the page's sliders and the API's checks are all made from these
objects, so a bound is written in one place. A limit that an owner of a server may want to
change can be overridden by an environment variable, ``DEBLUR_<NAME>``.
"""

from __future__ import annotations

import argparse
import math
import os
from dataclasses import dataclass

from deblur_demo.errors import SettingError


@dataclass(frozen=True)
class Setting:
    """One knob.

    Attributes:
        name: identifier, ``snake_case``; the flag is the same with dashes.
        default: the value when nobody says otherwise.
        help: one line for ``--help`` and for the page.
        low, high: inclusive bounds of a number, None where there is none.
        words: words accepted beside (or, without ``low``, instead of) numbers.
        kind: ``int`` or ``float`` for a number, ``str`` for a choice among ``words``.
    """

    name: str
    default: int | float | str
    help: str
    low: float | None = None
    high: float | None = None
    words: tuple[str, ...] = ()
    kind: type = int

    @property
    def flag(self) -> str:
        return "--" + self.name.replace("_", "-")

    @property
    def accepted(self) -> str:
        """The accepted values in words, for help texts and errors."""
        words = " or ".join(self.words)
        if self.kind is str:
            return words
        noun = "a whole number" if self.kind is int else "a number"
        span = f"from {self.low:g}" + (f" to {self.high:g}" if self.high is not None else "")
        return f"{noun} {span}" + (f", or {words}" if words else "")

    def parse(self, raw: object) -> int | float | str:
        """Check one value, as typed or as it came over the API.

        Raises:
            SettingError: not a number of this kind, out of range, or not one of the words.
        """
        text = str(raw).strip()
        if text in self.words:
            return text
        if self.kind is not str and not isinstance(raw, bool):
            try:
                number = float(text)
            except ValueError:
                number = None
            whole = self.kind is float or (number is not None and number.is_integer())
            if number is not None and whole and self._within(number):
                return self.kind(number)
        shown = text if len(text) <= 40 else text[:37] + "..."
        name = self.name.replace("_", " ")
        raise SettingError(f"{name} is {shown!r}", self.accepted, f"Change {name}")

    def _within(self, number: float) -> bool:
        # Comparisons with NaN are false, so NaN never passes.
        return self.low <= number < math.inf and (self.high is None or number <= self.high)

    def current(self) -> int | float | str:
        """The value in force: the environment's, if set, else the default.

        Raises:
            SettingError: the environment's makes no sense.
        """
        variable = f"DEBLUR_{self.name.upper()}"
        try:
            return self.parse(os.environ.get(variable, self.default))
        except SettingError as error:
            raise SettingError(error.found, error.accepted, f"Change {variable}") from error

    def add_to(self, parser: argparse.ArgumentParser) -> None:
        """Add this knob as a flag whose value is checked while the line is parsed."""

        def checked(raw: str) -> int | float | str:
            try:
                return self.parse(raw)
            except SettingError as error:
                raise argparse.ArgumentTypeError(str(error)) from error

        parser.add_argument(
            self.flag,
            type=checked,
            default=self.current(),
            metavar="|".join((*self.words, *(["N"] if self.kind is not str else []))),
            help=f"{self.help} ({self.accepted}; default {self.current()})",
        )


ITERATIONS = Setting("iterations", 6, "how often a multi-temporal model is applied", low=1, high=10, words=("auto",))
DEVICE = Setting("device", "auto", "where to compute", words=("auto", "cpu", "cuda", "mps"), kind=str)
PRECISION = Setting(
    "precision", "auto", "number format of weights and features", words=("auto", "fp32", "bf16", "fp16"), kind=str
)
TILE = Setting(
    "tile",
    "auto",
    "side of a tile in output pixels, its halo comes on top; 0: the whole image at once",
    low=0,
    high=16384,
    words=("auto",),
)
ENSEMBLE = Setting(
    "ensemble",
    "1",
    "orientations to restore and average (self-ensemble): a little better, as many times the cost",
    words=("1", "4", "8"),
    kind=str,
)
SIZE = Setting(
    "size",
    "full",
    "size that a picture is restored at and enlarged from: half is for straight smears beyond 30 pixels, quarter "
    "beyond 60, with a fourth and a sixteenth of the arithmetic",
    words=("full", "half", "quarter"),
    kind=str,
)

MAX_MEGAPIXELS = Setting("max_megapixels", 60, "largest picture, before decoding", low=1, kind=float)
MAX_UPLOAD_MB = Setting("max_upload_mb", 200, "largest upload in MB", low=1)
MAX_FILES = Setting("max_files", 20, "most files in one job", low=1)
MAX_CONTENDERS = Setting("max_contenders", 8, "most results in one comparison", low=1, high=24)
LOADING = Setting("loading", "on", "whether visitors may load weights of their own", words=("on", "off"), kind=str)
MAX_LOADED = Setting("max_loaded", 4, "most weights that one visitor has loaded at a time", low=1)
QUEUE_LENGTH = Setting("queue_length", 20, "most jobs waiting", low=1)
VISITOR_JOBS = Setting("visitor_jobs", 3, "most jobs of one visitor, waiting or running", low=1)
JOB_MINUTES = Setting(
    "job_minutes",
    30 if "SPACE_ID" in os.environ else "off",  # on a Space strangers wait for one another
    "most minutes of one job; what it has finished by then stays on the page",
    low=0.01,
    words=("off",),
    kind=float,
)
GPU_SECONDS = Setting("gpu_seconds", 120, "most seconds of a shared GPU for one photo or clip", low=20, high=3600)
PREVIEW_MEGAPIXELS = Setting(
    "preview_megapixels",
    16,
    "largest picture that the page shows in full; downloads are never reduced",
    low=0.01,
    kind=float,
)
CACHE_HOURS = Setting("cache_hours", 1, "hours until temporary files are deleted", low=0.1, kind=float)

START = Setting("start", 0, "where a clip begins, in seconds", low=0, kind=float)
END = Setting("end", "end", "where a clip ends, in seconds", low=0, words=("end",), kind=float)
CODEC = Setting(
    "codec",
    "h264",
    "codec of a written clip; auto: H.264 by an NVIDIA card that encodes, else by the CPU",
    words=("h264", "vp9", "av1", "auto"),
    kind=str,
)
CRF = Setting("crf", 18, "quality of a written clip: smaller is better and larger in bytes", low=1, high=51)
MAX_CLIP_MEGAPIXELS = Setting("max_clip_megapixels", 16, "largest frame of a clip", low=0.01, kind=float)
MAX_CLIP_FRAMES = Setting("max_clip_frames", 40000, "most frames of a clip", low=1)
MAX_CLIP_MINUTES = Setting("max_clip_minutes", 30, "longest clip in minutes", low=0.01, kind=float)

SEED = Setting("seed", 0, "which of the drawn paths, and which noise", low=0, high=2**31 - 1)
SHIFT = Setting("shift", 24, "length of a random path in pixels", low=1, high=200, kind=float)
LEVEL = Setting("level", 9, "temporal level of the blurred picture, odd: frames it is exposed for", low=1, high=13)
OBJECTS = Setting("objects", 0, "things that move on their own", low=0, high=3)
NOISE = Setting("noise", 0, "sensor noise, 1 is a phone indoors", low=0, high=20, kind=float)
SATURATION = Setting("saturation", 1, "light behind clipped pixels, as a multiple of white", low=1, high=20, kind=float)


def check_environment() -> None:
    """See that every value that the environment sets is one, before the first visitor finds out.

    Raises:
        SettingError: the first that is none.
    """
    for knob in globals().values():
        if isinstance(knob, Setting):
            knob.current()
