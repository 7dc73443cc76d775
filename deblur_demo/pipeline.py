"""A photo goes in, one photo a step comes out: the path that page, command line and API share.

Everything slow is a generator, and each yield is a place to show progress or to stop.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

import torch
from numpy import ndarray

from deblur_demo import catalogue, maps, metrics
from deblur_demo.errors import CheckpointError, InputError
from deblur_demo.media.frames import to_pixels, to_tensor, window
from deblur_demo.media.image import Photo
from deblur_demo.models import checkpoint, hub, registry
from deblur_demo.models.contract import Restorer
from deblur_demo.runtime.deblurrer import Deblurrer, Step, TileDone
from deblur_demo.runtime.device import place
from deblur_demo.runtime.ensemble import SelfEnsemble
from deblur_demo.runtime.reduced import FACTORS, Reduced
from deblur_demo.settings import DEVICE, ENSEMBLE, ITERATIONS, PRECISION, SIZE, TILE


@dataclass(frozen=True)
class Job:
    """What a user asked for. Every value is checked here, wherever it came from.

    Attributes:
        model: identifier of a variant; None: the one that the checkpoint names, else
            ``default_model(device)``.
        iterations: of a multi-temporal network, or "auto".
        device, precision, tile, ensemble, size: as in ``settings``.
        checkpoint: weights to use, a path or an address ``hf://owner/repo@revision/file.safetensors``;
            None: the bundled ones, those in the user's cache, or published ones.
        untrained: run with fresh weights where there are none, to try a network out.

    Raises:
        SettingError: a value is out of range.
    """

    model: str | None = None
    iterations: int | str = field(default_factory=ITERATIONS.current)
    device: str = field(default_factory=DEVICE.current)
    precision: str = field(default_factory=PRECISION.current)
    tile: int | str = field(default_factory=TILE.current)
    ensemble: str = field(default_factory=ENSEMBLE.current)
    size: str = field(default_factory=SIZE.current)
    checkpoint: Path | str | None = None
    untrained: bool = False

    def __post_init__(self):
        if self.model is not None:
            registry.variant(self.model)
        for knob in (ITERATIONS, DEVICE, PRECISION, TILE, ENSEMBLE, SIZE):
            object.__setattr__(self, knob.name, knob.parse(getattr(self, knob.name)))

    @property
    def effort(self) -> float:
        """What a step costs, as a multiple of the network's own on the whole picture."""
        return int(self.ensemble) / FACTORS[self.size] ** 2


@dataclass(frozen=True, eq=False)
class StepReport:
    """One step of one photo, with its figures.

    Attributes:
        index: 0 is the input, 1 the first estimate.
        photo: the picture, in the input's depth and with its alpha, profile and metadata.
        seconds: computing time of this step alone; 0 for the input.
        change: mean absolute difference to the step before in 8-bit levels; None for the input.
        sharpness: see ``metrics.sharpness``.
        psnr, ssim, mse: against the truth, in 8 bit; None where no truth was given, and PSNR of equal pictures.
        maps: what else the network knows of each pixel, (H, W) fp32 each: "doubt", of a self-ensemble,
            how far its copies are apart (their standard deviation, mean over RGB, in 8-bit levels);
            "guidance", of SGENet, how much of its features its own prediction lets pass, in [0, 1].
        blur: see ``metrics.blur``; computed when it is asked for.
    """

    index: int
    photo: Photo
    seconds: float
    change: float | None
    sharpness: float
    psnr: float | None
    ssim: float | None
    mse: float | None
    maps: Mapping[str, ndarray] = field(default_factory=dict)

    @property
    def map_figures(self) -> dict[str, dict[str, float]]:
        """Of each map the ``mean`` over the pixels, and ``p95``, what 95 % of them stay below."""
        return {name: maps.summary(figures) for name, figures in self.maps.items()}

    @cached_property
    def blur(self) -> float | None:
        return metrics.blur(self.photo.pixels)


def default_model(device: str = "auto") -> str:
    """The network for a machine: the paper's where there is a GPU and weights, else the lite one."""
    if place(device).device.type != "cpu" and checkpoint.find("mtrnn"):
        return "mtrnn"
    return "mtrnn-lite"


def resolve(job: Job) -> Job:
    """The same job with its model and its checkpoint found, so that a report can name them.

    The checkpoint stays None for a network that runs without trained weights.

    Raises:
        CheckpointError: there are no weights, or they belong to another model than the one named, or than the one
            that their file is called by.
    """
    if job.checkpoint is not None:
        path = hub.locate(job.checkpoint)
        card = checkpoint.read_card(path)
        if job.model not in (None, card.model):
            raise CheckpointError(
                f"{path.name} holds weights of {card.model}, not of {job.model}",
                "a model and a checkpoint that belong together",
                f"Say --model {card.model}, or leave one of the two out",
            )
        return replace(job, model=card.model, checkpoint=path)
    name = job.model or default_model(job.device)
    found = checkpoint.find(name) or _published(name, job.untrained)
    if found is None and not job.untrained and catalogue.parameters(name) > 0:
        raise CheckpointError(
            f"there are no trained weights of {name}",
            f"{name}.safetensors with its card in {checkpoint.BUNDLED} or {checkpoint.user_cache()}",
            catalogue.ways_to_weights(name),
        )
    if found is not None:
        checkpoint.card_of(found, name)
    return replace(job, model=name, checkpoint=found)


def open_deblurrer(job: Job) -> Deblurrer:
    """Find, load and check a job's weights and place the network on its device.

    Raises:
        CheckpointError: there are no weights, or they are damaged or made for another network.
        DeviceError: this machine lacks the device or the precision.
    """
    job = resolve(job)
    if job.checkpoint is not None:
        network, _ = checkpoint.load(job.checkpoint)
    else:
        network = _fresh(job.model)
    network = equipped(network, job.ensemble, job.size)
    return Deblurrer(network, device=job.device, precision=job.precision, tile=job.tile)


def equipped(network: Restorer, ensemble: str = ENSEMBLE.default, size: str = SIZE.default) -> Restorer:
    """The network as it is to be run: in several orientations, on a smaller copy, both, or as it is.

    The orientations are those of the copy, which is a fraction of the picture to remember for each.
    """
    if ensemble != "1":
        network = SelfEnsemble(network, int(ensemble))
    factor = FACTORS[size]
    return network if factor == 1 else Reduced(network, factor)


def deblur_image(
    photo: Photo, deblurrer: Deblurrer, iterations: int | str | None = None, truth: Photo | None = None
) -> Iterator[TileDone | StepReport]:
    """Deblur one photo, step by step.

    Args:
        photo: the blurred picture.
        deblurrer: the network, placed on its device.
        iterations: 1 to 10, "auto", or None for the network's own number.
        truth: the same picture, sharp, to measure against.

    Yields:
        First the input as step 0, then for each step its tiles and its report.

    Raises:
        InputError: the truth has another size.
    """
    if truth is not None and truth.pixels.shape != photo.pixels.shape:
        (height, width, _), (wanted_height, wanted_width, _) = truth.pixels.shape, photo.pixels.shape
        raise InputError(
            f"the sharp reference is {width}x{height} pixels",
            f"{wanted_width}x{wanted_height}, the size of the blurred picture",
            "Use a reference of the same picture, uncropped",
        )
    yield _report(0, photo, 0.0, None, truth)
    # A network for clips sees a photo as a clip that stands still.
    frames = window([to_tensor(photo.pixels)] * deblurrer.model.traits.frames)  # (1, N, 3, H, W)
    for event in deblurrer.events(frames, iterations):
        if isinstance(event, Step):
            pixels = to_pixels(event.image, photo.pixels.dtype)
            photo = replace(photo, pixels=pixels, notices=(*photo.notices, *event.notices))
            report = _report(event.index, photo, event.seconds, event.change, truth)
            yield replace(report, maps={name: figures[0, 0].numpy() for name, figures in event.maps.items()})
        else:
            yield event


def _report(index: int, photo: Photo, seconds: float, change: float | None, truth: Photo | None) -> StepReport:
    measures = {"psnr": metrics.decibel, "ssim": metrics.ssim, "mse": metrics.mse}
    figures = {name: truth and measure(photo.pixels, truth.pixels) for name, measure in measures.items()}
    return StepReport(index, photo, seconds, change, metrics.sharpness(photo.pixels), **figures)


def _published(name: str, untrained: bool) -> Path | None:
    """Weights from the Hub, if we publish any."""
    try:
        return hub.find(name)
    except CheckpointError as error:
        if untrained:
            return None
        raise CheckpointError(error.found, error.accepted, catalogue.ways_to_weights(name)) from error


def _fresh(name: str) -> Restorer:
    """The network with fresh weights, the same ones every time."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return registry.build(name).eval()
