"""A go on a rented GPU: short, ended at any moment, with results in files that are small enough to travel."""

from __future__ import annotations

import argparse
import sys
import time

from deblur_demo.runtime.device import place
from training.meter import Meter
from training.start import open_run, read_sets


def go(options: argparse.Namespace, started: float) -> None:
    """Train for one go that has written all its results before its minutes are over.

    Args:
        options: those of ``python -m training go``.
        started: when the program was, on the monotonic clock; the minutes count from there.
    """
    compiled = not options.eager and place(options.device, options.precision).device.type == "cuda"
    # Pictures that are decoded again for every batch would keep the device waiting, so all lie on it.
    trainer = open_run(options, options.pack, options.state, compiled, int(options.shard * 2**20), limit=sys.maxsize)
    sets = read_sets(options.validation)
    spent = time.monotonic() - started
    if trainer.machine.main:
        print(f"{options.recipe.stem}: {trainer.corpus} on {trainer.device} after {spent:.1f} s", flush=True)
    left = options.minutes - (spent + options.margin) / 60
    trainer.run(left, sets, options.save_every, Meter, overtime=options.margin / 2)
    if trainer.machine.main:
        files = [path for path in options.state.iterdir() if path.is_file()]
        largest = max(path.stat().st_size for path in files) / 2**20
        spent = (time.monotonic() - started) / 60
        print(f"{len(files)} files in {options.state}, at most {largest:.1f} MiB each, after {spent:.2f} minutes")
