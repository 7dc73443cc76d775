"""What is to be done with many photos and clips: which result goes where, and what is their truth."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from deblur_demo.errors import InputError, OutputError, SettingError
from deblur_demo.media import animation
from deblur_demo.media.clip import is_clip
from deblur_demo.media.image import ACCEPTED_SUFFIXES
from deblur_demo.media.paths import check_file, check_names, entries


@dataclass(frozen=True)
class Order:
    """One photo or clip to deblur.

    Attributes:
        source: the blurred photo; or a clip, or a folder of its frames.
        target: file for the last step, in the format of its suffix; or for the clip; or a folder for frames.
        steps: folder for every step as ``step_00.png`` (the input), ``step_01.png`` ..., its maps in colours
            as ``step_01_doubt.png`` ...; None: not kept. Those of an earlier run go.
        truth: the sharp picture or clip, which may be a folder of frames; or a folder that holds it under the
            same stem; None: there is none.
        originals: all files and folders given, which may not be written over.
        moving: whether it is a clip.
        frames: whether the target is a folder for a clip's frames, whatever it is called.
        animation: file for the steps as an animation; None: not made.
    """

    source: Path
    target: Path
    steps: Path | None
    truth: Path | None
    originals: tuple[Path, ...]
    moving: bool = False
    frames: bool = False
    animation: Path | None = None


def plan(
    inputs: list[Path],
    out: str,
    steps: Path | None = None,
    truth: Path | None = None,
    film: Path | None = None,
    report: Path | None = None,
) -> list[Order]:
    """Say where each result goes.

    Args:
        inputs: blurred photos, clips and folders of frames; what a file is follows from its content.
        out: a file for one input; or a folder, which gets ``<stem>.png`` for a photo, ``<stem>.mp4``
            for a clip and ``<name>/frame_000000.png`` ... for a folder of frames. It is a folder if it
            is one already, ends with a slash or has no suffix, or if there are several inputs.
        steps: folder that gets a folder of steps for each photo.
        truth: sharp picture of the one photo, or sharp clip of the one clip; or a folder of them.
        film: .webp or .mp4 for the steps of the one photo as an animation.
        report: where the report is to go, see ``batch.write_report``.

    Raises:
        OutputError: several results for one file, another suffix of the animation, or a report in the
            place of something else.
        SettingError: one truth for several photos.
    """
    if truth is not None and len(inputs) > 1 and not os.path.isdir(truth):
        raise SettingError(
            f"there is one sharp picture for {len(inputs)} photos",
            "a folder with one of the same stem for each",
            "Change --truth",
        )
    if film is not None:
        animation.check_suffix(film)
        if len(inputs) > 1:
            raise OutputError(f"{film} is one animation for {len(inputs)} photos", "one photo", "Leave out --animation")
    names = _names(inputs)
    moving = [is_clip(path) for path in inputs]
    path = Path(out)
    into = os.path.isdir(path) or out.endswith(("/", os.sep)) or not path.suffix
    if into:
        targets = [path / _file(name, source, clip) for name, source, clip in zip(names, inputs, moving, strict=True)]
    elif len(inputs) == 1:
        targets = [path]
    else:
        raise OutputError(f"{out} is one file for {len(inputs)} photos", "a folder", "Change -o")
    check_names([*targets, *filter(None, [film])], report)
    originals = (*inputs, *([truth] if truth else []))
    return [
        Order(source, target, steps and steps / name, truth, originals, clip, into and os.path.isdir(source), film)
        for source, name, target, clip in zip(inputs, names, targets, moving, strict=True)
    ]


def _file(name: str, source: Path, clip: bool) -> str:
    """A result's name in a folder; frames become frames again."""
    if not clip:
        return f"{name}.png"
    return name if os.path.isdir(source) else f"{name}.mp4"


def _names(inputs: list[Path]) -> list[str]:
    """A name for each input's results: its stem, or with its suffix where stems collide; a folder's whole name.

    Capitals make no difference, as they make none in file names on some systems. What still
    collides, files of the same name from different folders, is numbered.
    """
    wishes = [_called(path) for path in inputs]
    stems = Counter(stem.casefold() for stem, _ in wishes)
    names: list[str] = []
    taken: set[str] = set()
    for stem, whole in wishes:
        wished = stem if stems[stem.casefold()] == 1 else whole
        name, number = wished, 1
        while name.casefold() in taken:
            number += 1
            name = f"{wished}-{number}"
        taken.add(name.casefold())
        names.append(name)
    return names


def _called(path: Path) -> tuple[str, str]:
    """A file's stem and name; the whole name of a folder is both."""
    return (path.resolve().name,) * 2 if os.path.isdir(path) else (path.stem, path.name)


def check_wishes(orders: list[Order], wishes: Iterable[str], keep_metadata: bool) -> None:
    """Refuse what was asked for and would do nothing: a wish for clips without a clip, one for photos without a photo.

    Args:
        orders: from ``plan``.
        wishes: names of the fields of ``clips.ClipJob`` that were asked for.
        keep_metadata: whether that of photos is to be kept.

    Raises:
        SettingError: one of them would do nothing.
        InputError: an input that might have been a clip is not there, or empty.
    """
    flags = ["--" + wish.replace("_", "-") for wish in wishes]
    moving = {order.moving for order in orders}
    if flags and True not in moving:
        for order in orders:
            check_file(order.source, "a clip")
        raise SettingError(f"{flags[0]} is for clips, and no input is one", "a clip", f"Leave out {flags[0]}")
    if keep_metadata and False not in moving:
        raise SettingError("--keep-metadata is for photos, and no input is one", "a photo", "Leave out --keep-metadata")


def with_its_truth(order: Order) -> Order:
    """The order with the very picture or clip that is its truth, which counts as given, wherever it lies.

    Raises:
        InputError: a folder of truths cannot be listed, or holds none of this name, or several.
    """
    truth = _truth_of(order)
    return order if truth is None else replace(order, truth=truth, originals=(*order.originals, truth))


def _truth_of(order: Order) -> Path | None:
    """The sharp picture or clip; a folder of them holds it under the same stem."""
    if order.truth is None or not os.path.isdir(order.truth) or (order.moving and is_clip(order.truth)):
        return order.truth
    what = "clip" if order.moving else "picture"
    fits = is_clip if order.moving else lambda path: path.suffix.lower() in ACCEPTED_SUFFIXES
    stem, name = _called(order.source)
    same = [path for path in entries(order.truth) if stem in (path.stem, path.name) and fits(path)]
    # Of a.jpg and a.png, the one that is called exactly as the photo.
    same = [path for path in same if path.name == name] or same
    if len(same) != 1:
        found = f"{order.truth} has {len(same)} {what}s called {stem}"
        raise InputError(found, f"one sharp {what} of that name", "Change --truth")
    return same[0]
