"""How much faster than the published code: one iteration, and six, against a plain fp32 forward pass.

    python benchmarks/inference.py                            # 1280x720, six iterations
    python benchmarks/inference.py --size 640x360 --iterations 2 --repeats 3
    python benchmarks/inference.py --clip ../shared/eval/reds_003   # also what bf16 costs in PSNR

The baseline is the network as its authors run it: `mtrnn`, fp32, eager, contiguous (NCHW), the
picture as a whole, in memory pages of the usual size. Ours is the path that the product takes
(`Deblurrer`: precision, layout, huge pages, tiles, clamping, change, copies), for `mtrnn` with the
same weights and for `mtrnn-lite`. All take turns in one process on the same input, so that
whatever else the machine does hits them alike; the figures are medians.
"""

from __future__ import annotations

import argparse
import ctypes
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import mean, median

import cv2
import numpy as np
import torch
from torch import Tensor, nn

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from deblur_demo.media.frames import to_pixels, to_tensor, window
from deblur_demo.metrics import psnr
from deblur_demo.models import checkpoint, registry
from deblur_demo.models.contract import Estimate, Restorer
from deblur_demo.runtime.deblurrer import Deblurrer
from deblur_demo.runtime.device import synchronize


def weights(name: str) -> Restorer:
    """A network with its checkpoint; without one, with fresh weights, which take just as long."""
    path = checkpoint.find(name)
    return checkpoint.load(path)[0] if path else registry.build(name).eval()


class Contiguous(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.contiguous()


def published(network: Restorer, device: torch.device) -> Restorer:
    """The same network in the layout of the authors' code: our forward pass asks for channels last at its stem."""
    network = network.to(device)
    network.stem = nn.Sequential(Contiguous(), network.stem)
    return network


@contextmanager
def usual_pages() -> Iterator[None]:
    """Without the huge pages that our runtime asks for: nothing in the published code does so (Linux)."""
    if sys.platform != "linux":
        yield
        return
    set_thp_disable, prctl = 41, ctypes.CDLL(None).prctl
    prctl(set_thp_disable, 1, 0, 0, 0)
    try:
        yield
    finally:
        prctl(set_thp_disable, 0, 0, 0, 0)


def plain_run(network: Restorer, frames: Tensor, iterations: int) -> list[float]:
    """Seconds of each iteration."""
    seconds, estimate = [], Estimate(frames[:, 0])
    with torch.inference_mode(), usual_pages():
        for _ in range(iterations):
            began = time.perf_counter()
            estimate = network(frames, estimate.image, estimate.state)
            synchronize(frames.device)
            seconds.append(time.perf_counter() - began)
    return seconds


def compare_times(width: int, height: int, iterations: int, repeats: int, device: str, precision: str) -> None:
    torch.manual_seed(0)
    frames = torch.rand(1, 1, 3, height, width)
    paper, lite = (Deblurrer(weights(name), device, precision) for name in ("mtrnn", "mtrnn-lite"))
    where = paper.placement.device
    baseline = published(weights("mtrnn"), where)
    on_device = frames.to(where)
    contenders: dict[str, Callable[[], list[float]]] = {
        "mtrnn as published, fp32": lambda: plain_run(baseline, on_device, iterations),
        f"mtrnn, {paper.placement.name}": lambda: [s.seconds for s in paper.steps(frames, iterations)],
        f"mtrnn-lite, {lite.placement.name}": lambda: [s.seconds for s in lite.steps(frames, iterations)],
    }
    taken: dict[str, list[list[float]]] = {name: [] for name in contenders}
    for number in range(repeats + 1):
        for name, run in contenders.items():
            seconds = run()
            if number:  # the first round warms up
                taken[name].append(seconds)
    print(f"{width}x{height}, {iterations} iterations, median of {repeats}, {torch.get_num_threads()} threads\n")
    print(f"{'':28}{'s / iteration':>14}{'s / run':>10}{'times as fast':>15}")
    totals = {name: median(map(sum, runs)) for name, runs in taken.items()}
    for name, runs in taken.items():
        each = median(seconds for run in runs for seconds in run)
        ratio = totals["mtrnn as published, fp32"] / totals[name]
        print(f"{name:28}{each:14.3f}{totals[name]:10.2f}{ratio:15.2f}")


def compare_precisions(clip: Path, iterations: int, device: str, precision: str) -> None:
    """PSNR of every iteration in fp32 and in the fast precision, mean over the pairs in blur/ and sharp/."""
    frames = sorted((clip / "blur").glob("*.png"))
    if not frames:
        raise SystemExit(f"{clip} has no blur/*.png with sharp/*.png beside them")
    for name in ("mtrnn", "mtrnn-lite"):
        if checkpoint.find(name) is None:
            print(f"\n{name}: no weights, so no PSNR")
            continue
        exact, fast = Deblurrer(weights(name), device, "fp32"), Deblurrer(weights(name), device, precision)
        scores = {deblurrer: [] for deblurrer in (exact, fast)}
        for path in frames:
            blurred, sharp = (cv2.imread(str(p))[..., ::-1].copy() for p in (path, clip / "sharp" / path.name))
            for deblurrer, rows in scores.items():
                steps = deblurrer.steps(window([to_tensor(blurred)]), iterations)
                rows.append([psnr(to_pixels(step.image, np.dtype(np.uint8)), sharp) for step in steps])
        print(f"\n{name}, PSNR over {len(frames)} pairs of {clip.name}, by iteration")
        means = {deblurrer: [mean(column) for column in zip(*rows, strict=True)] for deblurrer, rows in scores.items()}
        for deblurrer, row in means.items():
            print(f"{deblurrer.placement.name:28}" + "".join(f"{value:9.3f}" for value in row))
        print(f"{'lost':28}" + "".join(f"{a - b:9.4f}" for a, b in zip(means[exact], means[fast], strict=True)))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__.split("\n\n")[0], formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument("--size", default="1280x720", help="WIDTHxHEIGHT")
    parser.add_argument("--iterations", type=int, default=6, help="per run")
    parser.add_argument("--repeats", type=int, default=3, help="runs of each contender")
    parser.add_argument("--device", default="auto", help="as on the command line")
    parser.add_argument("--precision", default="auto", help="of ours")
    parser.add_argument("--clip", type=Path, help="folder with blur/ and sharp/: compare precisions on it, too")
    given = parser.parse_args()
    width, height = map(int, given.size.split("x"))
    compare_times(width, height, given.iterations, given.repeats, given.device, given.precision)
    if given.clip:
        compare_precisions(given.clip, given.iterations, given.device, given.precision)


if __name__ == "__main__":
    main()
