"""Many photos and clips in, files out: which result goes where, and what the report says of each."""

from __future__ import annotations

import json
import os
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field, replace
from fractions import Fraction
from pathlib import Path

from deblur_demo import maps
from deblur_demo.clips import Begun, ClipJob, ClipReport, FrameReport, deblur_clip
from deblur_demo.errors import InputError, OutputError, SettingError
from deblur_demo.media import animation
from deblur_demo.media.clip import is_clip
from deblur_demo.media.image import ACCEPTED_SUFFIXES, Photo, read_image, write_image, written_kind
from deblur_demo.media.paths import check_file, check_free, check_names, entries, make_folder, write_text
from deblur_demo.pipeline import Job, StepReport, deblur_image
from deblur_demo.runtime.deblurrer import Deblurrer, TileDone
from deblur_demo.settings import SIZE
from deblur_demo.verdict import judge

STEP_FIGURES = ("index", "seconds", "change", "sharpness", "psnr", "ssim", "mse")
FRAME_FIGURES = (
    "index", "time", "steps", "seconds", "sharpness_before", "sharpness", "change", "cut", "psnr_before", "psnr",
    "ssim",
)  # fmt: skip


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


@dataclass
class Outcome:
    """What became of one photo or clip; the JSON report holds it as it is.

    Attributes:
        input, output: paths; ``output`` is None if there is none.
        error: why it failed, None if it did not.
        notices: what was assumed while reading, what happened on the way, what the output cannot hold.
        steps: of a photo, for each step, the input first: index, seconds, change, sharpness, psnr, ssim, mse, and
            mean and p95 of its maps (see ``pipeline.StepReport``).
        verdict: of a photo: whether it was blurred (estimates before and after), how much changed, the gain in
            dB where there is a truth, what to try; see ``verdict.Verdict``.
        frames: of a clip, for each frame: index, time, steps, seconds, sharpness_before, sharpness,
            change, cut, psnr_before, psnr, ssim.
        flicker: of a clip: of source and result, see ``flicker.Flicker``.
    """

    input: str
    output: str | None = None
    error: str | None = None
    notices: tuple[str, ...] = ()
    steps: list[dict] = field(default_factory=list)
    verdict: dict | None = None
    frames: list[dict] = field(default_factory=list)
    flicker: tuple[float, float] | None = None


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
        report: where the report is to go, see ``write_report``.

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


def carry_out(
    order: Order,
    deblurrer: Deblurrer,
    iterations: int | str | None,
    outcome: Outcome,
    max_megapixels: float | None = None,
    keep_metadata: bool = False,
    size: str = SIZE.default,
) -> Iterator[TileDone | StepReport]:
    """Deblur one photo and write its files.

    Args:
        order: from ``plan``.
        deblurrer, iterations: as in ``pipeline.deblur_image``, whose events are yielded.
        outcome: filled in as the work goes on, so that it also tells how far a failed photo came.
        max_megapixels, keep_metadata: as in ``read_image``.
        size: that the network restores at.

    Raises:
        DeblurError: something is wrong with this photo or its files; the next may fare better.
    """
    order = _with_its_truth(order)
    for path in (order.target, order.animation):
        if path is not None:
            check_free(path, order.originals)
    photo = read_image(order.source, max_megapixels, keep_metadata)
    written_kind(order.target)
    truth = None if order.truth is None else read_image(order.truth, max_megapixels)
    first = newest = None
    frames = []
    for event in deblur_image(photo, deblurrer, iterations, truth):
        if isinstance(event, StepReport):
            first, newest, photo = first or event, event, event.photo
            if order.animation is not None:
                frames.append(animation.frame_of(photo, str(event.index)))
            outcome.steps.append({**_plain(event, STEP_FIGURES), "maps": event.map_figures})
            outcome.notices = photo.notices
            if order.steps is not None:
                if event is first:  # only now is it sure that there is a step to take their place
                    _clear(order.steps, order)
                _write(photo, order.steps / f"step_{event.index:02d}.png", order)
                for name, figures in event.maps.items():
                    _write(maps.drawn(name, figures), order.steps / f"step_{event.index:02d}_{name}.png", order)
        yield event
    outcome.notices = (*photo.notices, *_write(photo, order.target, order))
    if order.animation is not None:
        make_folder(order.animation.parent)
        animation.write_animation(frames, order.animation)
    more = deblurrer.model.traits.adjustable(iterations)
    outcome.verdict = judge(first, newest, more, size, deblurrer.model.learned).facts()
    outcome.output = str(order.target)


def carry_out_clip(
    order: Order, deblurrer: Deblurrer, iterations: int | str | None, outcome: Outcome, **wishes: object
) -> Iterator[Begun | TileDone | FrameReport | ClipReport]:
    """Deblur one clip and write it.

    Args:
        order: from ``plan``.
        deblurrer, iterations: as in ``clips.deblur_clip``, whose events are yielded.
        outcome: filled in as the work goes on.
        wishes: fields of ``clips.ClipJob`` beside source, target and truth.

    Raises:
        DeblurError: something is wrong with this clip or its files; the next may fare better.
    """
    for wish, flag in ((order.steps, "--steps-dir"), (order.animation, "--animation")):
        if wish is not None:
            raise SettingError(f"steps were asked for of the clip {order.source.name}", "photos", f"Leave out {flag}")
    order = _with_its_truth(order)
    check_free(order.target, order.originals)
    job = ClipJob(order.source, order.target, truth=order.truth, **wishes)
    make_folder(order.target if order.frames else order.target.parent)
    for event in deblur_clip(job, deblurrer, iterations):
        if isinstance(event, FrameReport):
            outcome.frames.append(_plain(event, FRAME_FIGURES))
        elif isinstance(event, ClipReport):
            outcome.notices, outcome.output = event.notices, str(order.target)
            outcome.flicker = None if event.flicker is None else (event.flicker_before, event.flicker)
        yield event


def _with_its_truth(order: Order) -> Order:
    """The order with the very picture or clip that is its truth, which counts as given, wherever it lies."""
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


def _plain(report: StepReport | FrameReport, names: tuple[str, ...]) -> dict:
    """Figures of a report as JSON knows them: a time is in seconds."""
    figures = {name: getattr(report, name) for name in names}
    return {name: float(value) if isinstance(value, Fraction) else value for name, value in figures.items()}


def _write(photo: Photo, path: Path, order: Order) -> tuple[str, ...]:
    """Write one result; gives what its format could not hold."""
    check_free(path, order.originals)
    make_folder(path.parent)
    return write_image(photo, path)


def _clear(folder: Path, order: Order) -> None:
    """Make a folder of steps, without those of an earlier run, which may have been more or had other maps."""
    make_folder(folder)
    for path in entries(folder):
        if re.fullmatch(r"step_\d{2,}(_[a-z]+)?\.png", path.name):
            check_free(path, order.originals)
            try:
                path.unlink()
            except OSError as error:
                raise OutputError(
                    f"{path} cannot be replaced: {error.strerror}", "a writable folder", "Change --steps-dir"
                ) from error


def write_report(path: Path, job: Job, deblurrer: Deblurrer, outcomes: list[Outcome]) -> None:
    """Write the JSON report of a batch.

    It holds ``model``, ``checkpoint`` (None: fresh weights or a classic filter), ``device``,
    ``precision``, ``iterations`` (as asked for), ``ensemble``, ``size`` and ``files``, one ``Outcome`` each.

    Raises:
        OutputError: it cannot be written.
    """
    placement = deblurrer.placement
    report = {
        "model": job.model,
        "checkpoint": job.checkpoint and str(job.checkpoint),
        "device": placement.device.type,
        "precision": placement.precision,
        "iterations": job.iterations,
        "ensemble": job.ensemble,
        "size": job.size,
        "files": [asdict(outcome) for outcome in outcomes],
    }
    write_text(path, json.dumps(report, indent=2) + "\n")
