"""What is never trained on, whatever the folder that it lies in."""

from __future__ import annotations

from pathlib import PurePosixPath

# GoPro's test clips. Other clips of the same scenes are for training in the authors' split, and are
# taken where they lie in its train/ folder; anywhere else the whole scene is left out.
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


def held_out(name: str) -> bool:
    """Whether a file must never be trained on, by its relative name."""
    path = PurePosixPath(name)
    if any(clip in name for clip in TEST_CLIPS):
        return True
    if any(scene in name and f"train/{scene}" not in name for scene in TEST_SCENES):
        return True
    if HELD_OUT_CLIP in name:
        return path.stem.isdigit() and int(path.stem) >= HELD_OUT_FROM
    return str(path.with_suffix("")).endswith(HELD_OUT_PHOTOS)
