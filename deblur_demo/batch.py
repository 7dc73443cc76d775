"""The work on many photos and clips: each order carried out, its files written, and what the report says of it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from fractions import Fraction
from pathlib import Path

from deblur_demo import maps
from deblur_demo.clips import Begun, ClipJob, ClipReport, FrameReport, deblur_clip
from deblur_demo.errors import OutputError, SettingError
from deblur_demo.media import animation
from deblur_demo.media.image import Photo, read_image, write_image, written_kind
from deblur_demo.media.paths import check_free, check_writable, entries, make_folder, write_text
from deblur_demo.orders import Order, with_its_truth
from deblur_demo.pipeline import Job, StepReport, deblur_image
from deblur_demo.runtime.deblurrer import Deblurrer, TileDone
from deblur_demo.settings import SIZE
from deblur_demo.verdict import judge

STEP_FIGURES = ("index", "seconds", "change", "sharpness", "psnr", "ssim", "mse")
FRAME_FIGURES = (
    "index", "time", "steps", "seconds", "sharpness_before", "sharpness", "change", "cut", "psnr_before", "psnr",
    "ssim",
)  # fmt: skip


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
            change, cut, psnr_before, psnr, ssim. Those taken over from an earlier run have none.
        frame_count: of a clip: frames in the result, those of an earlier run included.
        flicker: of a clip: of source and result, see ``flicker.Flicker``; of the frames of this run.
    """

    input: str
    output: str | None = None
    error: str | None = None
    notices: tuple[str, ...] = ()
    steps: list[dict] = field(default_factory=list)
    verdict: dict | None = None
    frames: list[dict] = field(default_factory=list)
    frame_count: int | None = None
    flicker: tuple[float, float] | None = None


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
        order: from ``orders.plan``.
        deblurrer, iterations: as in ``pipeline.deblur_image``, whose events are yielded.
        outcome: filled in as the work goes on, so that it also tells how far a failed photo came.
        max_megapixels, keep_metadata: as in ``read_image``.
        size: that the network restores at.

    Raises:
        DeblurError: something is wrong with this photo or its files; the next may fare better.
    """
    order = with_its_truth(order)
    for path in (order.target, order.animation):
        if path is not None:
            check_free(path, order.originals)
    photo = read_image(order.source, max_megapixels, keep_metadata)
    truth = None if order.truth is None else read_image(order.truth, max_megapixels)
    written_kind(order.target, photo)
    for path in filter(None, (order.target, order.animation)):
        check_writable(path)
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
        animation.write_animation(frames, order.animation)
    more = deblurrer.model.traits.adjustable(iterations)
    scores = [step["psnr"] for step in outcome.steps]
    outcome.verdict = judge(first, newest, more, size, deblurrer.model.learned, scores).facts()
    outcome.output = str(order.target)


def carry_out_clip(
    order: Order, deblurrer: Deblurrer, iterations: int | str | None, outcome: Outcome, **wishes: object
) -> Iterator[Begun | TileDone | FrameReport | ClipReport]:
    """Deblur one clip and write it.

    Args:
        order: from ``orders.plan``.
        deblurrer, iterations: as in ``clips.deblur_clip``, whose events are yielded.
        outcome: filled in as the work goes on.
        wishes: fields of ``clips.ClipJob`` beside source, target and truth.

    Raises:
        DeblurError: something is wrong with this clip or its files; the next may fare better.
    """
    for wish, flag in ((order.steps, "--steps-dir"), (order.animation, "--animation")):
        if wish is not None:
            raise SettingError(f"steps were asked for of the clip {order.source.name}", "photos", f"Leave out {flag}")
    order = with_its_truth(order)
    check_free(order.target, order.originals)
    job = ClipJob(order.source, order.target, truth=order.truth, **wishes)
    make_folder(order.target if order.frames else order.target.parent)
    for event in deblur_clip(job, deblurrer, iterations):
        if isinstance(event, FrameReport):
            outcome.frames.append(_plain(event, FRAME_FIGURES))
        elif isinstance(event, ClipReport):
            outcome.notices, outcome.output = event.notices, str(order.target)
            outcome.frame_count = event.frames
            outcome.flicker = None if event.flicker is None else (event.flicker_before, event.flicker)
        yield event


def _plain(report: StepReport | FrameReport, names: tuple[str, ...]) -> dict:
    """Figures of a report as JSON knows them: a time is in seconds."""
    figures = {name: getattr(report, name) for name in names}
    return {name: float(value) if isinstance(value, Fraction) else value for name, value in figures.items()}


def _write(photo: Photo, path: Path, order: Order) -> tuple[str, ...]:
    """Write one result; gives what its format could not hold."""
    check_free(path, order.originals)
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
