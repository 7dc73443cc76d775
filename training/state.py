"""The state of a run on disk: everything needed to go on as if it had never stopped."""

from __future__ import annotations

import os
from pathlib import Path

import torch

from deblur_demo.errors import CheckpointError


def save_state(path: Path, state: dict) -> None:
    """Write a state, whole or not at all.

    Args:
        path: target file.
        state: nested dicts of tensors, numbers and strings.
    """
    partial = path.with_suffix(".partial")
    torch.save(state, partial)
    os.replace(partial, path)


def load_state(path: Path, device: torch.device) -> dict | None:
    """Read a state back, or None where there is none yet.

    Raises:
        CheckpointError: the file is damaged.
    """
    if not path.is_file():
        return None
    try:
        return torch.load(path, map_location=device, weights_only=True)
    except Exception as error:  # torch raises half a dozen types for a damaged file
        raise CheckpointError(
            f"{path} is not a readable training state: {error}",
            "a state written by this program",
            "Delete it to begin anew",
        ) from error
