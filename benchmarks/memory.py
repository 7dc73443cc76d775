"""How much memory a 50-megapixel photo takes: the peak against the same process before it starts.

    python benchmarks/memory.py                               # mtrnn-lite and mtrnn, two iterations
    python benchmarks/memory.py --models mtrnn --precision fp32 --megapixels 12

The baseline is the resident memory of a process that has loaded the photo (8 bit) and the network,
and has restored a thumbnail, so that every library is loaded, too. From there the whole pipeline
runs, on the CPU: pixels to numbers, iterations, figures for the table, pixels. From the second
iteration on there are recurrent features, and more iterations take no more memory. Each network
gets a process of its own, because a process's peak never falls. Linux and macOS.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
from pathlib import Path

import numpy as np
import psutil

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from deblur_demo.media.image import Photo
from deblur_demo.models import registry
from deblur_demo.pipeline import Job, StepReport, deblur_image, open_deblurrer

GB = 1e9


def peak() -> float:
    """Largest resident memory of this process so far, in GB; Linux counts in KiB, macOS in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024) / GB


def photo(megapixels: float) -> Photo:
    """A picture of noise with the sides of a camera's sensor, 3:2."""
    height = round((megapixels * 1e6 / 1.5) ** 0.5)
    return Photo(np.random.default_rng(0).integers(0, 256, (height, round(1.5 * height), 3), np.uint8))


def measure(model: str, precision: str, tile: str, megapixels: float, iterations: int) -> None:
    """One line of the table, in a process that has done nothing else."""
    deblurrer = open_deblurrer(Job(model=model, device="cpu", precision=precision, tile=tile, untrained=True))
    picture = photo(megapixels)
    for _ in deblur_image(Photo(picture.pixels[:64, :64]), deblurrer, 2):
        pass
    before = psutil.Process().memory_info().rss / GB
    tiles, seconds = 0, []
    for event in deblur_image(picture, deblurrer, iterations):
        if isinstance(event, StepReport):
            seconds.append(event.seconds)
        else:
            tiles = event.tiles
    each = sum(seconds) / iterations
    name = f"{model}, {deblurrer.placement.name}"
    print(f"{name:28}{tiles:6}{before:12.2f}{peak():10.2f}{peak() - before:10.2f}{each:16.1f}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__.split("\n\n")[0], formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument("--models", nargs="+", default=["mtrnn-lite", "mtrnn"], choices=registry.variants())
    parser.add_argument("--precision", nargs="+", default=["auto"], help="one or several, as on the command line")
    parser.add_argument("--tile", default="auto", help="as on the command line")
    parser.add_argument("--megapixels", type=float, default=50.0)
    parser.add_argument("--iterations", type=int, default=2)
    parser.add_argument("--here", action="store_true", help="in this process; only for a single model and precision")
    given = parser.parse_args()
    if given.here:
        measure(given.models[0], given.precision[0], given.tile, given.megapixels, given.iterations)
        return
    print(f"{given.megapixels:g} megapixels, {given.iterations} iterations, memory in GB\n")
    print(f"{'':28}{'tiles':>6}{'baseline':>12}{'peak':>10}{'extra':>10}{'s / iteration':>16}", flush=True)
    for model in given.models:
        for precision in given.precision:
            command = [sys.executable, __file__, "--here", "--models", model, "--precision", precision]
            command += ["--tile", given.tile, "--megapixels", str(given.megapixels)]
            subprocess.run([*command, "--iterations", str(given.iterations)], check=True)


if __name__ == "__main__":
    main()
