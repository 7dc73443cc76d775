"""The command ``reproduce``: a table of a paper, planned, run as far as data and time allow, and printed."""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from pathlib import Path

import torch

from deblur_demo.errors import SettingError
from deblur_demo.runtime.device import Placement, place
from training.budget import Wanted, refuse_hopeless, share_out
from training.data.validation import write_validation
from training.plan import plan
from training.rows import Bench, run, to_json
from training.scores import Pair, pairs_in
from training.sets import named_sets
from training.start import open_corpus
from training.tables import Table, named_table
from training.tabulate import conv_speed, plan_table, result_table, scaling, sizes

SMALL = {"motion": 192, "clips": 128, "gaussian": None}  # side of a validation picture in a scaled run
WHOLE = 10**9  # seconds, for a run without an end


def reproduce(arguments: argparse.Namespace) -> None:
    """Carry the command out; its flags are in ``training/__main__.py``."""
    table = named_table(arguments.table)
    if table.hidden:
        print(f"# {table.title}\n\n{table.hidden}")
        return
    if arguments.seeds < 1:
        raise SettingError(f"seeds is {arguments.seeds}", "a whole number from 1", "Change --seeds")
    placement = place(arguments.device, arguments.precision)
    written = plan(table, scaled=False, vgg16=arguments.vgg16)
    scaled = arguments.minutes is not None and not arguments.as_written
    jobs = plan(table, scaled=True, vgg16=arguments.vgg16) if scaled else written
    speed = conv_speed(placement)
    print(plan_table(table, jobs, speed, arguments.minutes, arguments.seeds), flush=True)
    if arguments.dry_run:
        return
    small = arguments.minutes is not None
    if small:
        refuse_hopeless(jobs, speed, 60 * arguments.minutes, may_shrink=scaled)
    if arguments.data is None:
        raise SettingError("reproduce has no pictures to train on", "--data FOLDER", "Name one, or add --dry-run")
    folder = arguments.out or Path("runs") / arguments.table
    folder.mkdir(parents=True, exist_ok=True)
    trained = [job for job in jobs if job.trained]
    corpus = open_corpus(arguments.data, [job.recipe for job in trained], placement.device)
    sets = _sets(arguments, table, folder, small)
    start = time.monotonic()  # how long it takes to read the pictures should not decide how long rows are trained
    bench = Bench(corpus, sets, placement, folder)
    if not small:
        found, note = run(jobs, bench, None, start + WHOLE), ""
    else:
        deadline = start + 60 * arguments.minutes
        wanted = Wanted(
            pictures=min(sum(map(len, clips)) for clips in sets.values()),
            seeds=arguments.seeds,
            updates=min(job.recipe.updates for job in trained),
        )
        planned = sizes(jobs)
        jobs, share = share_out(jobs, bench.measure, wanted, lambda: deadline - time.monotonic(), may_shrink=scaled)
        if sizes(jobs) != planned:
            print(f"Too few updates would fit: batch x crop is {sizes(jobs)} instead of {planned}, in all rows alike.")
        print(f"Updates a row: {share.updates}, seeds: {share.seeds}, test pictures: {share.pictures}.", flush=True)
        found = run(jobs, bench, share, deadline)
        note = scaling(jobs, written, share, arguments.minutes, _machine(placement))
    text = result_table(table, jobs, found, note)
    (folder / f"{arguments.table}.md").write_text(text, encoding="utf-8")
    (folder / f"{arguments.table}.json").write_text(to_json(found), encoding="utf-8")
    print(f"\n{text}\n{folder / arguments.table}.md after {(time.monotonic() - start) / 60:.1f} minutes")


def _sets(arguments: argparse.Namespace, table: Table, folder: Path, small: bool) -> dict[str, Sequence[list[Pair]]]:
    """The sets that the user names, else our own one that the table asks for; as clips."""
    if arguments.pairs:
        sets = named_sets(arguments.pairs, with_range=False)
        return {each.name: [list(pairs_in(each.folder, each.chosen))] for each in sets}
    side = SMALL[table.validation] if small else None
    target = folder / f"validation-{table.validation}{side or ''}"
    write_validation(arguments.data, target, table.validation, side)  # also what an interrupted run left half-written
    if (target / "blur").is_dir():
        clips = [[pair] for pair in pairs_in(target)]
    else:
        clips = [list(pairs_in(path)) for path in sorted(target.rglob("*")) if (path / "blur").is_dir()]
    return {f"own {table.validation}": clips}


def _machine(placement: Placement) -> str:
    if placement.device.type == "cuda":
        return torch.cuda.get_device_name()
    threads = torch.get_num_threads()
    return f"{threads} CPU thread{'s' * (threads > 1)} in {placement.precision}"
