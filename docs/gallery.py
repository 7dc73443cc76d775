"""Makes docs/gallery.md and its pictures: what the bundled network does, at 1:1 and in figures, failures included.

    python docs/gallery.py

Everything comes from scikit-image's sample photos and the page's examples, and is computed on the CPU in
fp32 with the weights in checkpoints/, so the same weights make the same page.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from deblur_demo.media.image import Photo
from deblur_demo.models import checkpoint
from deblur_demo.pipeline import Job, StepReport, deblur_image, open_deblurrer
from deblur_demo.runtime.deblurrer import Deblurrer
from docs.gallery_inputs import CASES, LICENCES, Case

HERE = Path(__file__).parent
PAGE, PICTURES = HERE / "gallery.md", HERE / "gallery"
MODEL, CLASSIC = "mtrnn-lite", "richardson-lucy"
SHOWN = (0, 1, 2, 6)  # iterations, 0 is the input
WIDTH, HEIGHT, GAP = 134, 176, 4  # pixels of a crop, and between two: six fit a page's width at 1:1
HELPS, HARMS = 0.3, -0.1  # dB from which on a difference counts as one
QUALITY = 90  # of the pictures, WebP


@dataclass(frozen=True)
class Shot:
    """A picture of a case, with its figures; without a truth there is sharpness alone."""

    label: str
    pixels: np.ndarray
    sharpness: float
    psnr: float | None
    ssim: float | None


@dataclass(frozen=True)
class Result:
    case: Case
    shots: tuple[Shot, ...]  # the input, the iterations shown, the classic filter
    curve: tuple[float, ...]  # PSNR of the input and after every iteration; empty without a truth
    truth: np.ndarray | None

    @property
    def gain(self) -> float | None:
        """dB that all iterations win or lose; None without a truth."""
        return self.curve[-1] - self.curve[0] if self.curve else None


def measure(case: Case, network: Deblurrer, classic: Deblurrer) -> Result:
    """Deblur a case by the network and by the classic filter."""
    blurred, truth = case.make()
    steps = reports(blurred, network, SHOWN[-1], truth)
    filtered = reports(blurred, classic, None, truth)[-1]
    labels = ("Input", *(f"{step} iteration{'s' * (step > 1)}" for step in SHOWN[1:]), CLASSIC.title())
    shots = tuple(
        Shot(label, step.photo.pixels, step.sharpness, truth and decibels(step), step.ssim)
        for label, step in zip(labels, [*(steps[index] for index in SHOWN), filtered], strict=True)
    )
    curve = () if truth is None else tuple(map(decibels, steps))
    return Result(case, shots, curve, truth and truth.pixels)


def decibels(step: StepReport) -> float:
    """PSNR of a step that has a truth, without an end where it equals it."""
    return math.inf if step.psnr is None else step.psnr


def reports(photo: Photo, deblurrer: Deblurrer, iterations: int | None, truth: Photo | None) -> list[StepReport]:
    return [r for r in deblur_image(photo, deblurrer, iterations, truth) if isinstance(r, StepReport)]


def verdict(result: Result) -> str:
    """What the figures say, in a few sentences."""
    first, *_, last, classic = result.shots
    steeper = f"Sharpness goes from {first.sharpness:.2f} to {last.sharpness:.2f}"
    if result.gain is None:
        return f"Nobody has it sharp, so nothing can be scored. {steeper} in {SHOWN[-1]} iterations."
    if math.isinf(first.psnr):
        return f"After {SHOWN[-1]} iterations it scores {last.psnr:.1f} dB to itself, {CLASSIC} {classic.psnr:.1f} dB."
    best = max(range(len(result.curve)), key=result.curve.__getitem__)
    said = [f"{SHOWN[-1]} iterations: {gained(result.gain)}, {CLASSIC}: {gained(classic.psnr - first.psnr)}."]
    if best == 0:
        said.append("No iteration was better than the input.")
    elif best != SHOWN[-1]:
        said.append(f"The best was iteration {best}: {gained(result.curve[best] - first.psnr)}.")
    if result.gain > 0 and last.sharpness < first.sharpness:
        said.append(f"{steeper}: what goes is noise, more than blur.")
    return " ".join(said)


def gained(decibels: float) -> str:
    return f"{round(decibels, 2) + 0:+.2f} dB"  # never -0.00


def sections(results: Iterable[Result]) -> dict[str, list[Result]]:
    """The results by what came out, the best first."""
    found = {"It helps": [], "It changes little": [], "It does harm": [], "Nobody knows the truth": []}
    for result in sorted(results, key=lambda result: -math.inf if result.gain is None else -result.gain):
        gain = result.gain
        kind = 3 if gain is None else 0 if gain >= HELPS else 2 if gain <= HARMS else 1
        found[list(found)[kind]].append(result)
    return {title: group for title, group in found.items() if group}


def strip(result: Result) -> Image.Image:
    """The same crop of every shot and of the truth, side by side."""
    x, y = result.case.corner
    pictures = [shot.pixels for shot in result.shots] + ([] if result.truth is None else [result.truth])
    whole = Image.new("RGB", (len(pictures) * (WIDTH + GAP) - GAP, HEIGHT), "white")
    for index, pixels in enumerate(pictures):
        whole.paste(Image.fromarray(pixels[y : y + HEIGHT, x : x + WIDTH]), (index * (WIDTH + GAP), 0))
    return whole


def table(result: Result) -> str:
    """The figures of the shots, in the order of the pictures."""
    rows = {"PSNR, dB": ("psnr", 2), "SSIM": ("ssim", 3), "Sharpness": ("sharpness", 2)}
    lines = ["| | " + " | ".join(shot.label for shot in result.shots) + " |", "|---|" + "---:|" * len(result.shots)]
    for name, (figure, digits) in rows.items():
        values = [getattr(shot, figure) for shot in result.shots]
        if None not in values:
            lines.append(
                f"| {name} | " + " | ".join("∞" if v == math.inf else f"{v:.{digits}f}" for v in values) + " |"
            )
    return "\n".join(lines)


def text(results: Iterable[Result], weights: str) -> str:
    """The page in Markdown."""
    parts = [
        "# Gallery",
        "What the bundled network does to photos of many kinds, failures included. Crops at 1:1, from left to right: "
        f"the input, after {', '.join(map(str, SHOWN[1:-1]))} and {SHOWN[-1]} iterations, by {CLASSIC.title()}, which "
        "undoes straight smears, and the truth where it is known. Figures are those of the whole photo.",
        f"Made by `python docs/gallery.py` with `{MODEL}`, weights `{weights}`; do not edit.",
    ]
    for title, group in sections(results).items():
        parts.append(f"## {title}")
        for result in group:
            case = result.case
            names = ", ".join(shot.label for shot in result.shots) + ("" if result.truth is None else ", truth")
            parts += [
                f"### {case.title}",
                f"{case.about} {verdict(result)}",
                f"![{case.title}, the same crop of: {names}]({PICTURES.name}/{case.name}.webp)",
                table(result),
            ]
    parts += ["## Where the photos come from", LICENCES]
    return "\n\n".join(parts) + "\n"


def write(cases: Iterable[Case], page: Path, pictures: Path) -> list[Result]:
    """Measure cases, and write the page and its pictures."""
    card = checkpoint.read_card(checkpoint.BUNDLED / f"{MODEL}.safetensors")
    jobs = (
        Job(MODEL, device="cpu", precision="fp32", checkpoint=checkpoint.BUNDLED / f"{MODEL}.safetensors"),
        Job(CLASSIC, device="cpu", precision="fp32"),
    )
    network, classic = map(open_deblurrer, jobs)
    results = [measure(case, network, classic) for case in cases]
    pictures.mkdir(exist_ok=True)
    for result in results:
        strip(result).save(pictures / f"{result.case.name}.webp", quality=QUALITY, method=6)
    page.write_text(text(results, card.sha256[:12]), encoding="utf-8")
    return results


if __name__ == "__main__":
    write(CASES, PAGE, PICTURES)
