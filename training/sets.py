"""Test sets and weights as the command line names them, each under a name that no other has."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from deblur_demo.errors import SettingError
from training.targets import read_record


@dataclass(frozen=True)
class NamedSet:
    """Pairs of a folder.

    Attributes:
        name: under which results stand.
        folder: where they lie.
        chosen: which of the sorted pairs.
    """

    name: str
    folder: Path
    chosen: slice


def named_sets(texts: Sequence[str], with_range: bool) -> list[NamedSet]:
    """Sets named by their folder, and by more of the path where folders are named alike.

    Args:
        texts: ``"FOLDER"``, ``"FOLDER@0:5"`` or ``"FOLDER@::4"``.
        with_range: whether the range is part of every name, or only of those that are the same without.

    Raises:
        SettingError: what follows the @ is not a slice, or a set is given twice.
    """
    labels = []
    for folder, part in map(_parted, texts):
        ranged = [f"{tail}@{part}" if part else tail for tail in tails(folder)]
        labels.append(ranged if with_range else [*tails(folder), *ranged])
    return [NamedSet(name, *folder_and_slice(text)) for name, text in zip(distinct(labels), texts, strict=True)]


def folder_and_slice(text: str) -> tuple[Path, slice]:
    """What ``"FOLDER"`` or ``"FOLDER@start:stop:step"`` names; a SettingError if that is not a slice."""
    folder, part = _parted(text)
    try:
        chosen = slice(*(int(number) if number else None for number in part.split(":"))) if part else slice(None)
        chosen.indices(0)  # a step of 0 is found only when it is used
    except (ValueError, TypeError) as error:
        raise SettingError(f"{folder} is cut by @{part}", "FOLDER@start:stop:step", "Write FOLDER@0:5, say") from error
    return folder, chosen


def _parted(text: str) -> tuple[Path, str]:
    """The folder, whose name may have an @ of its own, and what follows the last one."""
    folder, at, part = text.rpartition("@")
    return (Path(folder), part) if at and not Path(text).exists() else (Path(text), "")


def distinct(labels: Sequence[Sequence[str]]) -> list[str]:
    """Of the labels that each of several things has, the first that no other thing has.

    Raises:
        SettingError: one thing has no label of its own.
    """
    counts = Counter(label for own in labels for label in set(own))
    names = [next((label for label in own if counts[label] == 1), None) for own in labels]
    if None in names:
        twice = labels[names.index(None)][-1]
        raise SettingError(f"{twice} is given twice", "every set and every file once", "Leave one out")
    return names


def tails(path: Path) -> list[str]:
    """A path's name, and ever more of what lies above it."""
    parts = Path(os.path.abspath(path)).parts
    return ["/".join(parts[-count:]) for count in range(1, max(2, len(parts)))]


def blur_of(folder: Path) -> str:
    """The kind of blur of a set: what ``prepare --validation`` wrote down, else motion."""
    return read_record(folder).get("blur", "motion")


def is_blurred(folder: Path) -> bool:
    """Whether there is something to restore; in a set of sharp photos a network should do nothing."""
    return read_record(folder).get("kind") != "sharp"
