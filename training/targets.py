"""What a command writes to, checked before it computes anything: nothing of somebody else's is replaced or mixed in."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

from deblur_demo.errors import OutputError
from deblur_demo.media.paths import make_folder, store

RECORD = "set.json"  # in a folder of pairs that a command made: what it was made of


def check_folder(folder: Path) -> None:
    """Make a folder that a command is about to write to.

    Raises:
        OutputError: it cannot be made or written to.
    """
    make_folder(folder)
    if not os.access(folder, os.W_OK):
        raise OutputError(f"{folder} cannot be written to", "a folder that may be written to", "Choose another")


def check_apart(target: Path, source: Path) -> None:
    """Refuse to write over what is read.

    Raises:
        OutputError: they are the same file or folder.
    """
    if target.exists() and source.exists() and target.samefile(source):
        raise OutputError(f"{target} is the source itself", "another place for the result", "Choose a new name")


def check_file(path: Path, ours: Callable[[Path], bool], what: str) -> None:
    """Let a file be written where there is none, or an earlier one of the same kind.

    Args:
        path: the file, whose folder is made if need be.
        ours: whether an existing file is of that kind.
        what: that kind, for the message: "a pack", say.

    Raises:
        OutputError: there is something else, or the folder cannot be written to.
    """
    check_folder(path.parent)
    if path.exists() and not (path.is_file() and ours(path)):
        raise OutputError(f"{path} exists and is not {what}", f"a new name, or {what} to replace", "Choose another")


def read_record(folder: Path) -> dict:
    """What a folder of pairs was made of; nothing where a file of that name is not ours, or absent."""
    try:
        record = json.loads((folder / RECORD).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return record if isinstance(record, dict) else {}


def claim(folder: Path, record: dict[str, str]) -> None:
    """Say in a folder of pairs what they are made of, unless it holds others already.

    It is said first, so that an interrupted run can go on. What an earlier version left unsaid is taken to agree.

    Raises:
        OutputError: the folder is not empty, and not of a set that was made of the same.
    """
    check_folder(folder)
    there = read_record(folder)
    used = any(not path.name.startswith(".") for path in folder.iterdir())
    other = next((name for name, value in there.items() if record.get(name) != value), None)
    if other or (used and not there):
        found = f"a set of other {other}" if other else f"something, without a {RECORD} that says what it was made of"
        raise OutputError(f"{folder} holds {found}", "a new folder, or the same set's", "Choose another")
    store((json.dumps(record) + "\n").encode(), folder / RECORD)
