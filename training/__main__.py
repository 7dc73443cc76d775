"""``python -m training``: prepare data, train in goes, evaluate, promote what is better."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from deblur_demo.errors import DeblurError, SettingError
from deblur_demo.settings import DEVICE, ENSEMBLE, PRECISION, TILE

PAIRS = "folder with blur/ and sharp/, and which of its sorted pairs: @0:5, @::4 (default all)"
CLIP = "the same, as the frames of one clip in the order of time; also per frame, and with the flicker"


def main(argv: list[str] | None = None) -> int:
    """Run one command; returns the exit code, 1 after a typed error."""
    arguments = _parser().parse_args(argv)
    try:
        arguments.run(arguments)
    except DeblurError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m training", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    train = commands.add_parser("train", help="train a recipe for one go, continuing the last one")
    train.add_argument("recipe", type=Path, help="a file of training/recipes")
    train.add_argument("--data", type=Path, required=True, help="corpus: a folder, or a pack of one")
    train.add_argument("--minutes", type=float, default=60, help="length of this go (default %(default)s)")
    train.add_argument("--state", type=Path, help="folder of the run (default runs/<recipe>)")
    train.add_argument("--updates", type=int, help="updates of the whole schedule, instead of the recipe's")
    train.add_argument("--batch", type=int, help="crops in a batch, instead of the recipe's")
    train.add_argument("--validation", type=Path, action="append", default=[], help="folder with blur/ and sharp/")
    train.add_argument("--init", type=Path, help=".safetensors to begin a new run with")
    train.add_argument("--save-every", type=float, default=5, help="minutes between two states (default %(default)s)")
    train.add_argument("--compile", action="store_true", help="compile the network (pays on a GPU)")
    DEVICE.add_to(train)
    train.set_defaults(run=_train)

    prepare = commands.add_parser("prepare", help="make a validation set, or a compact pack of a corpus")
    prepare.add_argument("data", type=Path, help="corpus folder")
    prepare.add_argument("--validation", type=Path, help="folder for the fixed synthetic validation set")
    prepare.add_argument("--pack", type=Path, help="the .zip to write")
    prepare.add_argument("--megabytes", type=float, default=45, help="limit of the pack in MiB (default %(default)s)")
    prepare.set_defaults(run=_prepare)

    evaluate = commands.add_parser("evaluate", help="PSNR and SSIM per iteration, the blurred input as row 0")
    evaluate.add_argument("weights", type=Path, nargs="+", help=".safetensors files with their cards")
    evaluate.add_argument("--pairs", action="append", default=[], metavar="FOLDER[@SLICE]", help=PAIRS)
    evaluate.add_argument("--clip", action="append", default=[], metavar="FOLDER[@SLICE]", help=CLIP)
    evaluate.add_argument("--iterations", type=int, help="instead of the network's own number")
    for setting in (DEVICE, PRECISION, TILE, ENSEMBLE):
        setting.add_to(evaluate)
    evaluate.set_defaults(run=_evaluate)

    promote = commands.add_parser("promote", help="bundle new weights if they beat the bundled ones on every set")
    promote.add_argument("weights", type=Path, help="the challenger, with its card")
    promote.add_argument("--pairs", action="append", required=True, metavar="FOLDER[@SLICE]", help=PAIRS)
    promote.add_argument("--hardware", help="what the weights were trained on and for how long, for the card")
    for setting in (DEVICE, PRECISION, TILE):
        setting.add_to(promote)
    promote.set_defaults(run=_promote)
    return parser


# Each command imports what it needs, so that --help and mistakes answer at once.


def _train(arguments: argparse.Namespace) -> None:
    from deblur_demo.models import checkpoint
    from deblur_demo.runtime.device import place
    from training.config import load_recipe
    from training.data.samples import MARGIN
    from training.data.corpus import load_corpus
    from training.loop import Trainer
    from training.scores import read_pairs

    recipe = load_recipe(arguments.recipe, updates=arguments.updates, batch=arguments.batch)
    device = place(arguments.device).device
    corpus = load_corpus(arguments.data, device, least_side=max(recipe.crop, recipe.late_crop) + 2 * MARGIN)
    print(f"{len(corpus.photos)} photos, {len(corpus.clips)} clips, {sum(map(len, corpus.pairs))} pairs on {device}")
    folder = arguments.state or Path("runs") / arguments.recipe.stem
    trainer = Trainer(recipe, corpus, folder, device, compiled=arguments.compile)
    if arguments.init and trainer.update == 0:
        trainer.start_from(checkpoint.load(arguments.init)[0])
    validation = {str(path): read_pairs(path) for path in arguments.validation}
    trainer.run(arguments.minutes, validation, arguments.save_every)


def _prepare(arguments: argparse.Namespace) -> None:
    from training.data.pack import pack
    from training.data.validation import write_validation

    if arguments.validation:
        print(f"{write_validation(arguments.data, arguments.validation)} pairs in {arguments.validation}")
    if arguments.pack:
        print(f"{arguments.pack} at quality {pack(arguments.data, arguments.pack, arguments.megabytes)}")


def _evaluate(arguments: argparse.Namespace) -> None:
    from training.clip_scores import frames_table, score_clip
    from training.promotion import folder_and_slice, open_weights, score_all, table
    from training.scores import pairs_in

    if not (arguments.pairs or arguments.clip):
        raise SettingError("there is nothing to evaluate on", "--pairs or --clip, or both", "Name a folder of pairs")
    for weights in arguments.weights:
        for name, scores in score_all(weights, arguments).items():
            print(f"{weights.stem} on {name}\n{table(scores)}")
        for folder, chosen in map(folder_and_slice, arguments.clip):
            clip = score_clip(open_weights(weights, arguments), pairs_in(folder, chosen), arguments.iterations)
            print(f"{weights.stem} along {folder.name}\n{table(clip.mean)}\n\n{frames_table(clip)}")


def _promote(arguments: argparse.Namespace) -> None:
    from training.promotion import promote

    print(promote(arguments.weights, arguments))


if __name__ == "__main__":
    sys.exit(main())
