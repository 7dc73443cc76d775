"""What is never trained on, whatever the folder that it lies in."""

from __future__ import annotations

from pathlib import PurePosixPath

# The scenes of GoPro's test set, the end of a training sequence that clips are
# evaluated on, and the photos of the synthetic validation set.
HELD_OUT_SCENES = tuple(
    f"GOPR{n}" for n in ("0384", "0385", "0396", "0410", "0854", "0862", "0868", "0869", "0871", "0881")
)
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
    if any(scene in name for scene in HELD_OUT_SCENES):
        return True
    if HELD_OUT_CLIP in name:
        return path.stem.isdigit() and int(path.stem) >= HELD_OUT_FROM
    return str(path.with_suffix("")).endswith(HELD_OUT_PHOTOS)
