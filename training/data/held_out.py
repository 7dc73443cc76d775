"""What is never trained on, whatever the folder that it lies in.

It goes by names alone, and so holds for every layout of a copy that keeps them: GoPro's clips may
be folders or the beginnings of flattened names (``GOPR0372_07_00-000047_s001.png``). A copy whose
names were replaced is protected by its ``test/`` folder only, see ``recognise``.
"""

from __future__ import annotations

import re
from pathlib import PurePosixPath

# GoPro's test clips. Other clips of the same scenes are for training in the authors' split, and are
# taken where they lie below its train/ folder; anywhere else the whole scene is left out.
TEST_CLIPS = (
    "GOPR0384_11_00",
    "GOPR0384_11_05",
    "GOPR0385_11_01",
    "GOPR0396_11_00",
    "GOPR0410_11_00",
    "GOPR0854_11_00",
    "GOPR0862_11_00",
    "GOPR0868_11_00",
    "GOPR0869_11_00",
    "GOPR0871_11_00",
    "GOPR0881_11_01",
)
TEST_SCENES = tuple({clip.split("_")[0] for clip in TEST_CLIPS})

# The end of a training sequence that clips are evaluated on, and the photos of the synthetic validation set.
# The numbers are those of GOPRO_Large's pairs (47 to 146 of this clip). GOPRO_Large_all numbers the frames that
# they are means of, seven to a pair, from 323: all of its frames of this clip are held out.
HELD_OUT_CLIP, HELD_OUT_FROM = "GOPR0372_07_00", 110
HELD_OUT_PHOTOS = (
    "kodak/01",
    "kodak/05",
    "kodak/08",
    "kodak/13",
    "kodak/19",
    "kodak/23",
    "urban100/img_004",
    "urban100/img_012",
    "urban100/img_039",
    "urban100/img_092",
)
# REDS' clip of this number, of its train/ part as well: photos are evaluated on one of that name. It is a folder at any
# depth below the set's, or the beginning of flattened names: reds_sharp/003/, train_sharp/003_0000.png.
_REDS = re.compile(
    r"((^|[^a-z])reds(?![a-z])|(^|/)(train|val)_(blur|sharp))([^/]*[_-]|.*/)003(/|[_-]\d)", re.IGNORECASE
)

_CLIP = re.compile(r"(GOPR\d{4})_\d\d_\d\d", re.IGNORECASE)
_TRAIN = re.compile(r"(^|/)train([-_][^/]*)?/", re.IGNORECASE)
# What follows a clip's name: /blur/000047.png, /000326.png, /TL7/000326.png, -000047.png, _000047_s001.png
_NUMBER = re.compile(r"(?:/[^/]+)?[/_-](\d+)(?:[_-][^/]*)?\.\w+")


def held_out(name: str) -> bool:
    """Whether a file must never be trained on, by its name relative to the folder above its set's."""
    for found in _CLIP.finditer(name):
        clip, scene = found[0].upper(), found[1].upper()
        if clip in TEST_CLIPS or (scene in TEST_SCENES and not _TRAIN.search(name[: found.start()])):
            return True
        if clip == HELD_OUT_CLIP:
            number = _NUMBER.fullmatch(name[found.end() :])
            # In a layout of another kind its number may mean anything.
            if number is None or int(number[1]) >= HELD_OUT_FROM:
                return True
    return bool(_REDS.search(name)) or str(PurePosixPath(name).with_suffix("")).endswith(HELD_OUT_PHOTOS)
