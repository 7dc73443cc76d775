"""The command line: ``deblur``, ``blur``, ``models``, ``convert``, ``fetch``, ``export`` and ``space``."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Generator
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from deblur_demo import reports, settings
from deblur_demo.errors import DeblurError, SettingError

if TYPE_CHECKING:
    from deblur_demo.batch import Outcome

CLIP_KNOBS = (settings.START, settings.END, settings.CODEC, settings.CRF)
SHAKE_KNOBS = (
    settings.LEVEL,
    settings.SHIFT,
    settings.SEED,
    settings.OBJECTS,
    settings.NOISE,
    settings.SATURATION,
)


def main(argv: list[str] | None = None) -> int:
    """Run one command.

    Args:
        argv: the words after the program's name; None: those of this process.

    Returns:
        Exit code: 0 if all went well, 1 if anything failed, 130 if interrupted. A line that makes
        no sense leaves with 2, as argparse does.
    """
    try:
        options = _parser().parse_args(argv)
        code = options.command(options)
        sys.stdout.flush()
        return code
    except DeblurError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("Interrupted. Files already written are kept.", file=sys.stderr)
        return 130
    except BrokenPipeError:  # whoever read this has left, as `head` does; nor is there anybody at the end
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("python -m deblur_demo", description="Make blurred photos sharper, step by step.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    deblur = commands.add_parser("deblur", help="deblur photos and clips")
    deblur.set_defaults(command=_deblur)
    deblur.add_argument(
        "inputs", nargs="+", metavar="IN", type=Path, help="blurred photos, clips, folders of frame_000000.png ..."
    )
    deblur.add_argument(
        "-o",
        "--out",
        required=True,
        metavar="OUT",
        help="a file for one input, or a folder that gets <stem>.png, <stem>.mp4 or <name>/frame_000000.png ... each",
    )
    deblur.add_argument("--model", metavar="ID", help="one that `models` lists (default: what suits this machine)")
    for knob in (
        settings.ITERATIONS,
        settings.DEVICE,
        settings.PRECISION,
        settings.TILE,
        settings.ENSEMBLE,
        settings.SIZE,
        settings.MAX_MEGAPIXELS,
    ):
        knob.add_to(deblur)
    deblur.add_argument(
        "--checkpoint",
        type=_place,
        metavar="FILE",
        help="weights as .safetensors, their card beside it; on the Hub: hf://owner/repo@revision/file.safetensors",
    )
    deblur.add_argument("--untrained", action="store_true", help="try a model that has no weights yet with fresh ones")
    deblur.add_argument(
        "--truth",
        type=Path,
        metavar="SHARP",
        help="sharp picture to measure against, or a folder of the same stems; for a clip, the sharp clip",
    )
    deblur.add_argument(
        "--steps-dir",
        type=Path,
        metavar="DIR",
        help="also write <stem>/step_00.png (the input) ..., of an ensemble its doubts as step_01_doubt.png ...",
    )
    deblur.add_argument("--animation", type=Path, metavar="FILE", help="also show the steps one by one: .webp or .mp4")
    deblur.add_argument("--json", type=Path, metavar="FILE", help="write a report of every step")
    deblur.add_argument(
        "--keep-metadata", action="store_true", help="keep place, owner, serial numbers and maker's note"
    )

    clips = deblur.add_argument_group("clips")
    clips.add_argument("--side-by-side", action="store_true", help="show the source to the left of the result")
    clips.add_argument("--resume", action="store_true", help="go on where an interrupted run left OUT")
    for knob in CLIP_KNOBS:
        knob.add_to(clips)
    deblur.set_defaults(**{knob.name: None for knob in CLIP_KNOBS})  # so that it is seen which were asked for

    blurring = commands.add_parser("blur", help="shake a sharp photo on purpose, so that the truth is known")
    blurring.set_defaults(command=_blur)
    blurring.add_argument("source", type=Path, metavar="IN", help="a sharp photo")
    blurring.add_argument("-o", "--out", type=Path, required=True, metavar="OUT", help="the blurred photo")
    blurring.add_argument("--sharp", type=Path, metavar="FILE", help="also write the truth that belongs to it")
    blurring.add_argument("--levels-dir", type=Path, metavar="DIR", help="also write every temporal level")
    blurring.add_argument("--path", type=Path, metavar="JSON", help="the shake to repeat, instead of the flags below")
    blurring.add_argument("--json", type=Path, metavar="FILE", help="write the shake, to repeat it on another photo")
    for knob in SHAKE_KNOBS:
        knob.add_to(blurring)

    listing = commands.add_parser("models", help="list the models")
    listing.set_defaults(command=_models)
    listing.add_argument("--json", action="store_true", help="print everything about them as JSON")

    conversion = commands.add_parser("convert", help="convert published weights to .safetensors and a card")
    conversion.set_defaults(command=_convert)
    conversion.add_argument(
        "source",
        type=Path,
        metavar="IN",
        help=".pt, .pth, .pkl, .safetensors, Keras' .h5, or DMPHN's folder of six .pkl",
    )
    conversion.add_argument("-o", "--out", type=Path, required=True, metavar="OUT", help="<name>.safetensors")
    conversion.add_argument("--model", required=True, metavar="ID", help="the model that they belong to")

    fetching = commands.add_parser("fetch", help="fetch and convert the authors' own weights, for your own use")
    fetching.set_defaults(command=_fetch)
    fetching.add_argument("name", metavar="NAME", help="mtrnn-gopro or dmphn-gopro")
    fetching.add_argument("--yes", action="store_true", help="do not ask")

    export = commands.add_parser("export", help="publish weights on the Hugging Face Hub")
    export.set_defaults(command=_export)
    export.add_argument("weights", metavar="MODEL_OR_FILE", help="a model with weights, or a .safetensors file")
    export.add_argument("--repo", required=True, metavar="OWNER/NAME", help="the repository, made if it is not there")
    export.add_argument("--licence", help="of the weights, where their card does not say: MIT, CC-BY-4.0 ...")
    export.add_argument("--dry-run", type=Path, metavar="DIR", help="write its files into a folder and upload nothing")

    hosting = commands.add_parser("space", help="check this repository as a Space of the Hub, or upload it")
    hosting.set_defaults(command=_space)
    action = hosting.add_mutually_exclusive_group(required=True)
    action.add_argument("--check", action="store_true", help="say what the Hub, ZeroGPU or a licence would object to")
    action.add_argument(
        "--push", metavar="OWNER/NAME", help="check and upload it; the Space is made if it is not there"
    )
    hosting.add_argument(
        "--dry-run", type=Path, metavar="DIR", help="with --push: write its files into a folder instead"
    )
    return parser


def _place(raw: str) -> Path | str:
    """A path, or an address, whose slashes a path would not keep."""
    return raw if raw.startswith("hf://") else Path(raw)


# Each command imports what it needs, so that --help and mistakes answer at once.


def _deblur(options: argparse.Namespace) -> int:
    from deblur_demo import batch, clips, orders, pipeline
    from deblur_demo.media.paths import check_writable

    plan = orders.plan(options.inputs, options.out, options.steps_dir, options.truth, options.animation, options.json)
    of_clips = (*(knob.name for knob in CLIP_KNOBS), "side_by_side", "resume")
    wishes = {name: value for name in of_clips if (value := getattr(options, name)) is not None and value is not False}
    orders.check_wishes(plan, wishes, options.keep_metadata)
    knobs = ("model", "iterations", "device", "precision", "tile", "ensemble", "size", "checkpoint", "untrained")
    job = pipeline.resolve(pipeline.Job(**{name: getattr(options, name) for name in knobs}))
    if options.json:
        check_writable(options.json)
    deblurrer = pipeline.open_deblurrer(job)

    wishes |= {"maker": clips.maker(job), "max_megapixels": options.max_megapixels}
    outcomes = []
    try:
        for order in plan:
            outcome = batch.Outcome(str(order.source))
            outcomes.append(outcome)
            if order.moving:
                work = batch.carry_out_clip(order, deblurrer, job.iterations, outcome, **wishes)
            else:
                limits = options.max_megapixels, options.keep_metadata, job.size
                work = batch.carry_out(order, deblurrer, job.iterations, outcome, *limits)
            _follow(work, order.source, outcome)
    finally:  # an interrupted batch, too, reports what is done
        if options.json:
            batch.write_report(options.json, job, deblurrer, outcomes)
    return int(any(outcome.error for outcome in outcomes))


def _follow(work: Generator, source: Path, outcome: Outcome) -> None:
    """Let the work on one input be done, and say how it goes and what became of it."""
    try:
        with closing(work):  # now and not some day: an interrupted clip is finished properly
            for event in work:
                _progress(f"{source.name}: {reports.wording(event)}")
    except DeblurError as error:
        outcome.error = str(error)
    except KeyboardInterrupt:
        outcome.error = "interrupted"
        raise
    _progress("")
    if outcome.error:
        print(f"{source}: {outcome.error}", file=sys.stderr)
    else:
        print(reports.summary(outcome))


def _blur(options: argparse.Namespace) -> int:
    from deblur_demo import lab
    from deblur_demo.media.image import read_image, write_image, written_kind
    from deblur_demo.media.paths import check_free, check_names, make_folder, write_text

    levels = {level: options.levels_dir / f"TL{level:02d}.png" for level in lab.LEVELS if options.levels_dir}
    results = [options.out, *filter(None, [options.sharp]), *levels.values()]
    check_names(results, options.json)
    for path in results:
        written_kind(path)
    for path in (*results, *filter(None, [options.json])):
        check_free(path, [options.source])
    wanted = {knob.name: getattr(options, knob.name) for knob in SHAKE_KNOBS}
    shake = lab.read_shake(options.path) if options.path else lab.Shake(**wanted)
    shaken = lab.shake_photo(read_image(options.source), shake)
    photos = [shaken.blurred, *([shaken.sharp] if options.sharp else []), *map(shaken.levels.get, levels)]
    notices = dict.fromkeys(shaken.blurred.notices)
    for path, photo in zip(results, photos, strict=True):
        make_folder(path.parent)
        losses = write_image(photo, path)
        print(path, *notices, *losses, sep="\n  ")
        notices = {}  # of the photo as it was read: said once
    if options.json:
        write_text(options.json, shaken.shake.to_json())
    return 0


def _progress(line: str) -> None:
    """Overwrite the terminal's current line; somewhere else than on a terminal, say nothing."""
    if sys.stderr.isatty():
        print(f"\r\x1b[K{line}", end="", file=sys.stderr, flush=True)


def _models(options: argparse.Namespace) -> int:
    from deblur_demo import catalogue

    rows = catalogue.models(costs=True)
    if options.json:
        print(json.dumps(rows, indent=2))
        return 0
    print(reports.models(rows))
    return 0


def _convert(options: argparse.Namespace) -> int:
    from deblur_demo.models import registry
    from deblur_demo.models.convert import convert

    card = convert(options.source, options.out, options.model)
    print(f"{options.source} -> {options.out} ({registry.build(card.model).parameter_count:,} parameters)")
    return 0


def _fetch(options: argparse.Namespace) -> int:
    from deblur_demo.models import fetch

    source = fetch.upstream(options.name)
    print(source.description)
    if not options.yes and not _agreed():
        print("Nothing was fetched.")
        return 1
    print(f"{fetch.fetch(source, say=print)} ({source.model})")
    return 0


def _export(options: argparse.Namespace) -> int:
    from deblur_demo.models import export

    weights = export.weights_of(options.weights)
    if options.dry_run:
        for path in export.write_folder(weights, options.repo, options.dry_run, options.licence):
            print(path)
        return 0
    with TemporaryDirectory() as folder:
        export.write_folder(weights, options.repo, Path(folder), options.licence)
        address = export.push(Path(folder), options.repo)
    print(f"{weights} -> {address}")
    return 0


def _space(options: argparse.Namespace) -> int:
    from deblur_demo import space

    if options.check and options.dry_run:
        raise SettingError("--check writes no files", "--dry-run with --push", "Leave out --dry-run")
    if options.check:
        found = space.problems()
        print(*(found or [f"{len(space.belonging())} files, no problem"]), sep="\n")
        return int(bool(found))
    if options.dry_run:
        print(*space.write_folder(options.push, options.dry_run), sep="\n")
        return 0
    with TemporaryDirectory() as folder:
        space.write_folder(options.push, Path(folder))
        address = space.push(Path(folder), options.push)
    print(address)
    return 0


def _agreed() -> bool:
    if not sys.stdin.isatty():
        raise SettingError("nobody is at the terminal to agree", "an answer, or --yes", "Say --yes if you agree")
    try:
        return input("Fetch them? [y/N] ").strip().lower() in ("y", "yes")
    except EOFError:
        return False
