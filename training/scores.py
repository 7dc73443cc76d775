"""PSNR, SSIM, MSE and spectra per step on folders of pairs, the blurred input as step 0.

Where the pairs are frames of a clip, a network for clips sees the neighbours of each; a photo is
to it a clip that stands still.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import astuple, dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor

from deblur_demo import metrics
from deblur_demo.errors import InputError
from deblur_demo.media.frames import to_pixels, to_tensor, window
from deblur_demo.models.contract import Restorer, Traits, centre_frame
from deblur_demo.runtime.deblurrer import Deblurrer, Step
from deblur_demo.runtime.footage import Windows
from deblur_demo.runtime.scenes import is_cut
from deblur_demo.spectrum import radial_spectrum
from training.data.files import SUFFIXES, Files, is_debris, natural
from training.data.recognise import evaluation_pairs
from training.deadline import Deadline

TREE = """a folder with
    blur/*.png
    sharp/*.png     of the same names"""


@dataclass(frozen=True)
class Pair:
    """A blurred picture and its truth, both (H, W, 3) uint8 RGB.

    Attributes:
        name: numbered where pairs are frames of a clip.
        others: further instants of the exposure that count as truth as well, as Kohler's set has them.
    """

    name: str
    blurred: np.ndarray
    sharp: np.ndarray
    others: tuple[np.ndarray, ...] = ()


@dataclass(frozen=True)
class Scores:
    """Of one picture, or means over a set; entry 0 is the blurred input, entry i the i-th step.

    Attributes:
        psnr: dB, on 8-bit RGB.
        ssim: as Wang 2004.
        mse: 8-bit levels squared.
        seconds: per picture and step; 0 for the input.
        spectra: radial power spectra in dB (see ``spectrum``), and one entry more: the truth's.
    """

    psnr: list[float]
    ssim: list[float]
    mse: list[float]
    seconds: list[float]
    spectra: list[list[float]]

    @property
    def gain(self) -> float:
        """PSNR of the last step above the input, dB."""
        return self.psnr[-1] - self.psnr[0]


def read_pairs(folder: Path, limit: slice = slice(None)) -> list[Pair]:
    """The pairs of a folder, sorted by name; arguments and errors as for ``pairs_in``."""
    return list(pairs_in(folder, limit))


def pairs_in(folder: Path, limit: slice = slice(None)) -> Iterator[Pair]:
    """The pairs of a folder, sorted by name as people count, each read when its turn comes.

    Args:
        folder: see ``TREE``; or a public set in its own layout, of which the test part counts.
        limit: which of the sorted pairs.

    Raises:
        InputError: no such pairs, or one that lacks a side or whose sides differ in size.
    """
    if not (Path(folder) / "blur").is_dir():
        yield from _recognised(Path(folder), limit)
        return
    paths = (path for path in (Path(folder) / "blur").glob("*") if path.name.lower().endswith(SUFFIXES))
    names = sorted((path.name for path in paths if not is_debris(path.name)), key=natural)
    for name in _chosen(names, folder, limit):
        sides = [cv2.imread(str(Path(folder) / side / name), cv2.IMREAD_COLOR_RGB) for side in ("blur", "sharp")]
        if any(side is None for side in sides):
            raise InputError(f"{folder} lacks a readable blur/{name} or sharp/{name}", TREE, "Complete the pair")
        yield _alike(Pair(name, *sides))


def _recognised(folder: Path, limit: slice) -> Iterator[Pair]:
    """The pairs of a set that is not simply ``blur/`` and ``sharp/``."""
    files = Files(folder)
    entries = sorted(evaluation_pairs(folder), key=lambda entry: [*map(natural, entry.files[0].split("/"))])
    for entry in _chosen(entries, folder, limit):
        blurred, sharp, *others = (files.decode(name).permute(1, 2, 0).numpy() for name in entry.files)
        name = entry.files[0] if entry.moment is None else f"{entry.clip}/{entry.moment:06d}.png"
        yield _alike(Pair(name, blurred, sharp, tuple(others)))


def _chosen(found: Sequence, folder: Path, limit: slice) -> Sequence:
    if not found[limit]:
        raise InputError(
            f"{folder} has {len(found)} pairs, none of them chosen" if found else f"{folder} has no pairs",
            TREE,
            "Point to such a folder, or choose others",
        )
    return found[limit]


def _alike(pair: Pair) -> Pair:
    if len({picture.shape for picture in (pair.blurred, pair.sharp, *pair.others)}) > 1:
        raise InputError(f"{pair.name} and its truth differ in size", "pictures of one size", "Cut them alike")
    return pair


def windows(pairs: Iterable[Pair], count: int) -> Iterator[tuple[Pair, Tensor]]:
    """Each pair with the window that a network sees of it.

    Args:
        pairs: sorted by name.
        count: frames in a window, odd.

    Yields:
        The pair and (1, count, 3, H, W), blurred. Neighbours are pairs whose names are numbered one
        after the other and that show the same scene; where there is none, the frame itself is repeated.
    """
    grouped: Windows[Pair] = Windows(count)

    def complete() -> Iterator[tuple[Pair, ...]]:
        before = None
        for pair in pairs:
            begins = count > 1 and before is not None and not _follows(before, pair)
            yield from grouped.push(pair, begins)
            before = pair
        yield from grouped.end()

    for neighbours in complete():
        yield neighbours[count // 2], window([to_tensor(pair.blurred) for pair in neighbours])


def _follows(before: Pair, after: Pair) -> bool:
    """Whether two pairs are neighbouring frames of a clip."""
    (text, number), (other_text, other_number) = (
        re.fullmatch(r"(.*?)(\d*)", str(Path(pair.name).with_suffix(""))).groups() for pair in (before, after)
    )
    return (
        bool(number and other_number)
        and (text, int(number) + 1) == (other_text, int(other_number))
        and before.blurred.shape == after.blurred.shape
        and not is_cut(to_tensor(before.blurred), to_tensor(after.blurred))
    )


def score(deblurrer: Deblurrer, pairs: Sequence[Pair], iterations: int | None = None) -> Scores:
    """Run the product's own path over the pairs and compare every step with the truth.

    Args:
        deblurrer: network, device and precision.
        pairs: pictures.
        iterations: of an iterative network; None: the network's own number.
    """
    return mean(list(score_each(deblurrer, pairs, iterations)))


def score_each(deblurrer: Deblurrer, pairs: Iterable[Pair], iterations: int | None = None) -> Iterator[Scores]:
    """Scores of one picture after the other, so that a set need not fit into memory; arguments as for ``score``."""
    for pair, frames in windows(pairs, deblurrer.model.traits.frames):
        yield measure(pair, deblurrer.steps(frames, iterations))


def measure(pair: Pair, steps: Iterable[Step]) -> Scores:
    """Scores of one picture, each step measured as it comes."""
    seconds, rows = [0.0], [_figures(pair.blurred, pair)]
    for step in steps:
        rows.append(_figures(to_pixels(step.image, np.uint8), pair))
        seconds.append(step.seconds)
    psnr, ssim, mse, spectra = map(list, zip(*rows, strict=True))
    return Scores(psnr, ssim, mse, seconds, [*spectra, radial_spectrum(pair.sharp).tolist()])


def mean(scores: Sequence[Scores]) -> Scores:
    """Means over pictures, entry by entry."""
    return Scores(*(np.mean(column, axis=0).tolist() for column in zip(*map(astuple, scores), strict=True)))


def _figures(result: np.ndarray, pair: Pair) -> tuple[float, float, float, list[float]]:
    # Of several truths the nearest, as the authors of such sets compare.
    sharp = min((pair.sharp, *pair.others), key=lambda truth: metrics.mse(result, truth))
    compared = (compare(result, sharp) for compare in (metrics.psnr, metrics.ssim, metrics.mse))
    return *compared, radial_spectrum(result).tolist()


def fitted(pair: Pair, traits: Traits, most: int | None = None) -> Pair:
    """The middle of a picture, as large as the network's alignment lets it be, and no larger than ``most``."""
    rows, columns = (
        slice((length - side) // 2, (length - side) // 2 + side)
        for length in pair.sharp.shape[:2]
        for side in (min(length, most or length) // traits.align * traits.align,)
    )
    return Pair(pair.name, pair.blurred[rows, columns], pair.sharp[rows, columns])


@torch.inference_mode()
def quick_psnr(model: Restorer, pairs: Iterable[Pair], steps: int) -> list[float]:
    """PSNR per step, entry 0 the input, computed where the network is; for use while training.

    Args:
        model: network in any precision on any device.
        pairs: pictures; what their sides have beyond a multiple of the network's alignment is left out.
        steps: number of steps.
    """
    total, count = torch.zeros(steps + 1, dtype=torch.float64), 0
    for pair, frames in windows(pairs, model.traits.frames):
        count += 1
        height, width = (side // model.traits.align * model.traits.align for side in pair.sharp.shape[:2])
        frames, sharp = (x[..., :height, :width].to(model.device) for x in (frames, to_tensor(pair.sharp)))
        images = [centre_frame(frames)] + [estimate.image for estimate in model.run(frames, steps)]
        for index, image in enumerate(images):
            error = (image.clamp(0, 1) * 255).round() / 255 - sharp
            total[index] += -10 * float(torch.log10(error.square().mean()))
    return (total / count).tolist()


def quick_rows(
    model: Restorer, sets: Mapping[str, Sequence[Pair]], steps: int, deadline: Deadline
) -> dict[str, list[float]]:
    """``quick_psnr`` on the parts of the pictures that fit the network, by the name of the set.

    Raises:
        GivenUp: the deadline came first.
    """
    return {
        name: quick_psnr(model, (fitted(pair, model.traits) for pair in deadline.watch(pairs)), steps)
        for name, pairs in sets.items()
    }
