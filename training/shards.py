"""Bytes cut into files of a set size, for where only small files travel.

An index says which files belong together. It is replaced last, so whoever reads it finds either all
of the old bytes or all of the new ones.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from dataclasses import dataclass
from pathlib import Path

from deblur_demo.errors import InputError


def write_shards(index: Path, data: bytes, size: int) -> list[Path]:
    """Write bytes beside an index, whole or not at all, and delete what the index named before.

    Args:
        index: a ``.json``; the shards are named after it, ``<name>-<edition>-<number>.shard``.
        data: what to write.
        size: most bytes of a shard.

    Returns:
        The shards, in order.
    """
    edition = _last_edition(index) + 1
    starts = range(0, max(1, len(data)), size)
    entry = _Index(edition, len(starts), hashlib.sha256(data).hexdigest())
    shards = entry.shards(index)
    for start, shard in zip(starts, shards, strict=True):
        shard.write_bytes(data[start : start + size])
    partial = index.with_suffix(".partial")
    partial.write_text(json.dumps(vars(entry), indent=2) + "\n", encoding="utf-8")
    os.replace(partial, index)
    delete_shards(index, but=shards)
    return shards


def read_shards(index: Path) -> bytes:
    """The bytes behind an index.

    Raises:
        InputError: the index is damaged, a shard is missing, or one is not as it was written.
    """
    entry = _Index.read(index)
    shards = entry.shards(index)
    missing = [shard.name for shard in shards if not shard.is_file()]
    if missing:
        raise InputError(f"{index} lacks {', '.join(missing)}", "all of its shards beside it", "Copy them there")
    data = b"".join(shard.read_bytes() for shard in shards)
    if hashlib.sha256(data).hexdigest() != entry.sha256:
        raise InputError(f"the shards of {index} are not as they were written", "those of one set", "Copy them again")
    return data


def delete_shards(index: Path, but: list[Path]) -> None:
    """Delete an index' shards except some, also those of a set whose index was never written."""
    for path in _editions(index):
        if path not in but:
            path.unlink()


def _last_edition(index: Path) -> int:
    """The one that an index names; where it cannot say, the highest among the shards beside it, 0 without any."""
    try:
        return _Index.read(index).edition
    except InputError:
        return max(_editions(index).values(), default=0)


def _editions(index: Path) -> dict[Path, int]:
    """All shards beside an index that are named after it."""
    named = re.compile(re.escape(index.stem) + r"-(\d+)-\d+\.shard")
    return {path: int(match[1]) for path in index.parent.iterdir() if (match := named.fullmatch(path.name))}


@dataclass(frozen=True)
class _Index:
    """What the index says of the shards.

    Attributes:
        edition: goes up from set to set, so that no set is written over the one before.
        count: of shards.
        sha256: of all bytes.
    """

    edition: int
    count: int
    sha256: str

    @classmethod
    def read(cls, path: Path) -> _Index:
        try:
            found = cls(**json.loads(path.read_text(encoding="utf-8")))
            return cls(int(found.edition), int(found.count), str(found.sha256))
        except (OSError, ValueError, TypeError) as error:
            raise InputError(
                f"{path} is no index of shards: {error}", "a .json that was written with its shards", "Copy it again"
            ) from error

    def shards(self, index: Path) -> list[Path]:
        return [index.with_name(f"{index.stem}-{self.edition}-{number}.shard") for number in range(self.count)]
