"""Files that appear whole or not at all: written beside their place, then moved into it."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


def partial(path: Path) -> Path:
    """A name beside a file that nobody's own has, to write under until all of it is there."""
    return path.with_name(f".{secrets.token_hex(8)}.partial")


@contextmanager
def whole(path: Path) -> Iterator[Path]:
    """Give such a name; at the end what was written there takes the file's place.

    Whatever is raised meanwhile, a full disk or an interruption, leaves the file as it was and nothing beside it.
    """
    unfinished = partial(path)
    try:
        yield unfinished
        os.replace(unfinished, path)
    finally:
        with suppress(OSError, ValueError):  # ValueError: a NUL in the name
            unfinished.unlink(missing_ok=True)
