"""``python -m training``: prepare data, train in goes, evaluate, promote what is better."""

from __future__ import annotations

import argparse
import os
import sys
import time
from pathlib import Path
from zipfile import BadZipFile

from safetensors import SafetensorError

from deblur_demo.errors import DeblurError, DeviceError, InputError
from deblur_demo.settings import DEVICE, ENSEMBLE, PRECISION, SIZE, TILE, Setting
from training.data.layouts import origins

PAIRS = "folder with blur/ and sharp/, and which of its sorted pairs: @0:5, @::4 (default all)"
CLIP = "the same, as the frames of one clip in the order of time; also per frame, and with the flicker"

GIVE = Setting("give", 0.0, "dB that a set may lose less than, if the sets gain on average", low=0, kind=float)
SHARD = Setting("shard", 16, "most MiB of a file, where a pack or a state is cut in shards", low=0.01, kind=float)


def main(argv: list[str] | None = None) -> int:
    """Run one command; returns the exit code, 1 after a typed error, 130 if interrupted."""
    arguments = _parser().parse_args(argv)
    try:
        arguments.run(arguments)
        sys.stdout.flush()
    except KeyboardInterrupt:
        print("Interrupted. What was written is kept.", file=sys.stderr)
        return 130
    except BrokenPipeError:  # whoever read this has left, as `head` does; nor is there anybody at the end
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except DeblurError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except (OSError, BadZipFile, SafetensorError) as error:
        print(f"error: {_typed(error)}", file=sys.stderr)
        return 1
    except (RuntimeError, MemoryError) as error:
        from deblur_demo.runtime.device import out_of_memory

        if not out_of_memory(error):
            raise
        print(f"error: {_full(arguments)}", file=sys.stderr)
        return 1
    return 0


def _typed(error: Exception) -> DeblurError:
    """What a disk, or a file of somebody else's, may do in the middle of a command."""
    named = isinstance(error, OSError) and error.filename is not None and error.strerror
    found = f"{error.filename}: {error.strerror}" if named else str(error) or type(error).__name__
    return InputError(found, "whole files, and folders with space that may be written to", "Check the path")


def _full(arguments: argparse.Namespace) -> DeblurError:
    """What a command may do about a device that ran out of memory."""
    found, accepted = "the memory of the device was too small", "as much at once as fits into it"
    if not hasattr(arguments, "recipe"):
        return DeviceError(found, accepted, "Free some of it, or name another --device")
    from training.start import read_recipe

    recipe = read_recipe(arguments.recipe, arguments.row, batch=arguments.batch)
    pieces = f" in {recipe.accumulate} pieces" * (recipe.accumulate > 1)
    found += f" for a batch of {recipe.batch} crops of up to {recipe.largest_crop} pixels{pieces}"
    return DeviceError(found, accepted, "Take a smaller --batch, or accumulate in the recipe")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m training", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    train = commands.add_parser("train", help="train a recipe for one go, continuing the last one")
    train.add_argument("--data", type=Path, required=True, help="corpus: a folder, or a pack of one")
    train.add_argument("--state", type=Path, help="folder of the run (default runs/<recipe>)")
    train.add_argument("--compile", action="store_true", help="compile the network (pays on a GPU)")
    _add_run(train, minutes=60, save_every=5)
    train.set_defaults(run=_train)

    go = commands.add_parser(
        "go",
        help="train for one go on a rented GPU that may be taken away at any moment",
        description="Needs PyTorch, NumPy, Pillow and safetensors, with --validation OpenCV and scikit-image as well.",
    )
    go.add_argument("--pack", type=Path, required=True, help="corpus, as prepare --pack writes it; it lies on the GPU")
    go.add_argument("--state", type=Path, required=True, help="folder of the run")
    SHARD.add_to(go)
    go.add_argument(
        "--margin", type=float, default=20, help="seconds of the minutes to validate and write in (default %(default)s)"
    )
    go.add_argument("--eager", action="store_true", help="leave the network uncompiled, on a GPU too")
    _add_run(go, minutes=9, save_every=2)
    go.set_defaults(run=_go)

    reproduce = commands.add_parser("reproduce", help="fill in a table of a paper, as far as data and time allow")
    reproduce.add_argument("table", help="park-table-1, brehm-table-2 ...: a table's file in training/recipes")
    reproduce.add_argument(
        "--minutes", type=float, help="of training and testing to scale it down to (default: all of it)"
    )
    reproduce.add_argument("--data", type=Path, help="corpus: a folder, or a pack of one")
    reproduce.add_argument("--dry-run", action="store_true", help="print the plan and stop")
    reproduce.add_argument("--as-written", action="store_true", help="with --minutes, keep networks, crops and batches")
    reproduce.add_argument("--seeds", type=int, default=2, help="most seeds of a scaled run (default %(default)s)")
    reproduce.add_argument("--pairs", action="append", metavar="FOLDER[@SLICE]", help=f"test sets: {PAIRS}")
    reproduce.add_argument("--vgg16", type=Path, help="VGG16's weights, for the rows that need them")
    reproduce.add_argument("--out", type=Path, help="folder for everything written (default runs/<table>)")
    reproduce.set_defaults(run=_reproduce)

    compare = commands.add_parser("compare", help="train recipes in turns and plot PSNR against time")
    compare.add_argument("recipes", type=Path, nargs="+", help="files of training/recipes")
    compare.add_argument("--data", type=Path, required=True, help="corpus: a folder, or a pack of one")
    compare.add_argument("--minutes", type=float, default=6, help="of training for each (default %(default)s)")
    compare.add_argument("--updates", type=int, help="updates of the whole schedules, instead of the recipes'")
    compare.add_argument("--slices", type=int, default=8, help="turns of each, and points of its curve (default 8)")
    compare.add_argument("--pairs", action="append", metavar="FOLDER[@SLICE]", help=f"test pictures: {PAIRS}")
    compare.add_argument("--out", type=Path, help="folder for everything written (default runs/compare)")
    compare.set_defaults(run=_compare)
    for command in (reproduce, compare):
        for setting in (DEVICE, PRECISION):
            setting.add_to(command)

    prepare = commands.add_parser(
        "prepare",
        help="say what a folder holds; make temporal levels, a validation set or a compact pack of it",
        epilog="Nothing is downloaded. The sets that are recognised:\n\n" + origins(),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    prepare.add_argument("data", type=Path, help="folder of pictures; without further flags, what it holds is listed")
    prepare.add_argument("--temporal", type=Path, metavar="OUT", help="folder for the levels TL1, TL3 ... of its clips")
    prepare.add_argument(
        "--highest",
        type=int,
        default=13,
        help="frames of the highest level (default %(default)s); 1 takes sharp frames alone, as photos, from any clip",
    )
    prepare.add_argument("--every", type=int, default=4, help="frames from sample to sample (default %(default)s)")
    prepare.add_argument("--validation", type=Path, metavar="OUT", help="folder for a fixed validation set")
    prepare.add_argument(
        "--kind",
        choices=("motion", "clips", "frames", "gaussian", "sharp"),
        default="motion",
        help="held-out photos under motion, the same as short clips, means of held-out 240 fps frames, CIFAR-10's "
        "test pictures, or photos that are sharp but noisy, compressed, clipped or soft (default %(default)s)",
    )
    prepare.add_argument("--restored", type=Path, metavar="OUT", help="folder for what stage 1 makes of it, as pairs")
    prepare.add_argument("--through", type=Path, metavar="FILE", help="stage 1 (default: mtrnn-lite as bundled)")
    prepare.add_argument("--pack", type=Path, metavar="OUT", help="the .zip to write, or the .json beside its shards")
    prepare.add_argument("--megabytes", type=float, default=45, help="limit of the pack in MiB (default %(default)s)")
    for setting in (SHARD, DEVICE, PRECISION):
        setting.add_to(prepare)
    prepare.set_defaults(run=_prepare)

    join = commands.add_parser("join", help="make one network of two stages that were trained one after the other")
    join.add_argument("second", type=Path, help=".safetensors of stage 2 alone, with its card")
    join.add_argument("--first", type=Path, required=True, metavar="FILE", help=".safetensors of stage 1")
    join.add_argument("-o", "--out", type=Path, required=True, metavar="FILE", help="the .safetensors to write")
    join.set_defaults(run=_join)

    derive = commands.add_parser("derive", help="make a network of another's weights, to train on from there")
    derive.add_argument(
        "model",
        metavar="ID",
        help="mtrnn (of mtrnn-lite), brehm-stage1-s (of atrous-10-3f-s), or a conversion, mt-ID (of ID)",
    )
    derive.add_argument("source", type=Path, help=".safetensors of the other, with its card")
    derive.add_argument("-o", "--out", type=Path, required=True, metavar="FILE", help="the .safetensors to write")
    derive.set_defaults(run=_derive)

    mix = commands.add_parser("mix", help="write the mean of the weights of several runs that began alike")
    mix.add_argument("sources", type=Path, nargs="+", help=".safetensors files of one network, with their cards")
    mix.add_argument("--shares", type=float, nargs="+", help="of each, in their order (default: the same of all)")
    mix.add_argument("-o", "--out", type=Path, required=True, metavar="FILE", help="the .safetensors to write")
    mix.set_defaults(run=_mix)

    evaluate = commands.add_parser(
        "evaluate",
        help="PSNR and SSIM per iteration, the blurred input as row 0",
        description="Several networks are scored on the sets of their kind of blur, a single one on all.",
    )
    evaluate.add_argument("weights", type=Path, nargs="+", help=".safetensors files with their cards")
    evaluate.add_argument("--pairs", action="append", default=[], metavar="FOLDER[@SLICE]", help=PAIRS)
    evaluate.add_argument("--clip", action="append", default=[], metavar="FOLDER[@SLICE]", help=CLIP)
    evaluate.add_argument("--iterations", type=int, help="instead of the network's own number")
    evaluate.add_argument("--out", type=Path, metavar="FOLDER", help="write results.csv, .json, .md and plots there")
    evaluate.add_argument("--page", type=Path, metavar="FILE", help="write the page of what is bundled, RESULTS.md")
    for setting in (DEVICE, PRECISION, TILE, ENSEMBLE, SIZE):
        setting.add_to(evaluate)
    evaluate.set_defaults(run=_evaluate)

    promote = commands.add_parser("promote", help="bundle new weights if they beat the bundled ones on every set")
    promote.add_argument("weights", type=Path, help="the challenger, with its card")
    promote.add_argument("--pairs", action="append", required=True, metavar="FOLDER[@SLICE]", help=PAIRS)
    promote.add_argument("--licence", help="of the weights, for the card: MIT, CC-BY-4.0 ...")
    promote.add_argument("--hardware", help="what the weights were trained on and for how long, for the card")
    promote.add_argument("--limits", help="what they are bad at, for the card")
    promote.add_argument("--outlook", help="what further training would go to first, for the card")
    for setting in (GIVE, DEVICE, PRECISION, TILE):
        setting.add_to(promote)
    promote.set_defaults(run=_promote)
    return parser


def _add_run(command: argparse.ArgumentParser, minutes: float, save_every: float) -> None:
    """What ``train`` and ``go`` have in common, each with defaults of its own."""
    command.add_argument("recipe", type=Path, help="a file of training/recipes")
    command.add_argument("--row", help="which row, where the recipe is a table of a paper")
    command.add_argument("--minutes", type=float, default=minutes, help="length of this go (default %(default)s)")
    command.add_argument("--updates", type=int, help="updates of the whole schedule, instead of the recipe's")
    command.add_argument("--batch", type=int, help="crops in a batch, instead of the recipe's")
    command.add_argument("--validation", type=Path, action="append", default=[], help="folder with blur/ and sharp/")
    command.add_argument("--seed", type=int, help="of everything random, instead of the recipe's")
    command.add_argument("--init", type=Path, help=".safetensors to begin a new run with")
    command.add_argument("--init-first", type=Path, help=".safetensors that become stage 1 of a two-stage network")
    command.add_argument("--vgg16", type=Path, help="VGG16's weights for the perceptual loss (.safetensors or .pth)")
    command.add_argument(
        "--save-every", type=float, default=save_every, help="minutes between two states (default %(default)s)"
    )
    for setting in (DEVICE, PRECISION):
        setting.add_to(command)


# Each command imports what it needs, so that --help and mistakes answer at once.


def _train(arguments: argparse.Namespace) -> None:
    from training.board import Board
    from training.start import open_run, read_sets

    folder = arguments.state or Path("runs") / "-".join(filter(None, (arguments.recipe.stem, arguments.row)))
    trainer = open_run(arguments, arguments.data, folder, arguments.compile)
    if trainer.machine.main:
        print(f"{trainer.corpus} on {trainer.device}")
    trainer.run(arguments.minutes, read_sets(arguments.validation), arguments.save_every, Board)


def _go(arguments: argparse.Namespace) -> None:
    started = time.monotonic()  # before anything is imported that takes time
    from training.go import go

    go(arguments, started)


def _reproduce(arguments: argparse.Namespace) -> None:
    from training.reproduce import reproduce

    reproduce(arguments)


def _compare(arguments: argparse.Namespace) -> None:
    from training.compare import compare

    compare(arguments)


def _prepare(arguments: argparse.Namespace) -> None:
    from training.data.pack import pack
    from training.data.recognise import summary
    from training.data.temporal import write_levels
    from training.data.validation import write_validation

    if not (arguments.temporal or arguments.validation or arguments.restored or arguments.pack):
        print(summary(arguments.data))
    if arguments.temporal:
        written, there = write_levels(arguments.data, arguments.temporal, arguments.highest, arguments.every)
        print(f"{written} samples written to {arguments.temporal}, {there} were there")
    if arguments.validation:
        count = write_validation(arguments.data, arguments.validation, arguments.kind)
        print(f"{count} pairs in {arguments.validation}")
    if arguments.restored:
        from deblur_demo.models import checkpoint
        from deblur_demo.runtime.deblurrer import Deblurrer
        from training.data.restored import write_restored

        weights = arguments.through or checkpoint.find("mtrnn-lite")
        deblurrer = Deblurrer(checkpoint.load(weights)[0], arguments.device, arguments.precision)
        written, there = write_restored(
            arguments.data, arguments.restored, deblurrer, weights=checkpoint.sha256(weights)
        )
        print(f"{written} pieces of footage written to {arguments.restored}, {there} were there")
    if arguments.pack:
        quality = pack(arguments.data, arguments.pack, arguments.megabytes, int(arguments.shard * 2**20))
        print(f"{arguments.pack} at quality {quality}")


def _join(arguments: argparse.Namespace) -> None:
    from training.join import join

    card = join(arguments.second, arguments.first, arguments.out)
    print(f"{arguments.out}: {card.model}")


def _derive(arguments: argparse.Namespace) -> None:
    from training.derive import derive

    card = derive(arguments.source, arguments.model, arguments.out)
    print(f"{arguments.out}: {card.model}")


def _mix(arguments: argparse.Namespace) -> None:
    from training.mix import mix

    card = mix(arguments.sources, arguments.out, arguments.shares)
    print(f"{arguments.out}: {card.model}")


def _evaluate(arguments: argparse.Namespace) -> None:
    from training.evaluation import evaluate

    evaluate(arguments)


def _promote(arguments: argparse.Namespace) -> None:
    from training.promotion import promote

    print(promote(arguments.weights, arguments))


if __name__ == "__main__":
    sys.exit(main())
