"""The state of a run on disk: everything needed to go on as if it had never stopped.

It is one file, ``state.pt``, or, where results travel in small files only, ``state.json`` with its
shards (see ``shards.py``). A folder keeps the one that was written last.
"""

from __future__ import annotations

import io
import os
from pathlib import Path

import torch

from deblur_demo.errors import CheckpointError, InputError
from training.shards import delete_shards, read_shards, write_shards

WHOLE, SHARDED = "state.pt", "state.json"


def save_state(folder: Path, state: dict, shard: int | None = None) -> None:
    """Write a state, whole or not at all.

    Args:
        folder: of the run.
        state: nested dicts of tensors, numbers and strings.
        shard: most bytes of a file; None: one file of any size.
    """
    whole, index = folder / WHOLE, folder / SHARDED
    if shard is not None:
        buffer = io.BytesIO()
        torch.save(state, buffer)
        write_shards(index, buffer.getvalue(), shard)
        whole.unlink(missing_ok=True)
        return
    partial = whole.with_suffix(".partial")
    torch.save(state, partial)
    os.replace(partial, whole)
    index.unlink(missing_ok=True)
    delete_shards(index, but=[])


def state_file(folder: Path) -> Path | None:
    """The state that was written last, or its index; None where there is none yet."""
    # Both are there only if the program ended between writing one and deleting the other.
    there = [path for path in (folder / WHOLE, folder / SHARDED) if path.is_file()]
    return max(there, key=lambda path: path.stat().st_mtime, default=None)


def load_state(folder: Path, device: torch.device) -> dict | None:
    """Read the state of a run back, or None where there is none yet.

    Raises:
        CheckpointError: a file is damaged or missing.
    """
    path = state_file(folder)
    if path is None:
        return None
    try:
        source = path if path.name == WHOLE else io.BytesIO(read_shards(path))
        return torch.load(source, map_location=device, weights_only=True)
    except InputError as error:
        raise CheckpointError(error.found, error.accepted, f"{error.action}, or delete it to begin anew") from error
    except Exception as error:  # torch raises half a dozen types for a damaged file
        raise CheckpointError(
            f"{path} is not a readable training state",
            "a state written by this program",
            "Delete it to begin anew",
        ) from error
