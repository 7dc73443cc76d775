"""A researcher's own weights in, ``.safetensors`` with a card out: the same numbers, iteration by iteration.

Each published network that can be read has one reader in ``upstream/``: a function that takes the
path and gives our tensors, with the settings that they need. ``READERS`` lists them by model.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError

from deblur_demo.errors import OutputError, SettingError
from deblur_demo.models import checkpoint, registry
from deblur_demo.models.checkpoint import Card
from deblur_demo.models.contract import Restorer
from deblur_demo.models.upstream import bologna, dmphn, mtrnn
from deblur_demo.models.upstream.files import Tensors

Reader = Callable[[Path, str], tuple[Tensors, dict]]

READERS: dict[str, Reader] = {
    "mtrnn": mtrnn.read,
    "mtrnn-lite": mtrnn.read,
    "dmphn": dmphn.read,
    **dict.fromkeys(("carlo", "carlo-s", "kaist", "kaist-3f", "atrous-5", "atrous-10-3f"), bologna.read),
}


@dataclass(frozen=True)
class Conversion:
    """A published network, read.

    Attributes:
        model: identifier of the variant.
        settings: settings in which it differs from the variant's own.
        network: filled, in evaluation mode.
        dtype: the smallest type on disk that keeps its numbers.
    """

    model: str
    settings: dict
    network: Restorer
    dtype: torch.dtype


def convert(source: Path, target: Path, model: str) -> Card:
    """Read a published weights file and write it as ours.

    Args:
        source: under the authors' key names, opened without running anything inside: a state dict
            saved by PyTorch (``.pt``, ``.pth``, ``.pkl``) or ``.safetensors``; for DMPHN the folder
            of its six files; for the Bologna report's networks Keras' ``.h5``.
        target: ``<name>.safetensors``; the card goes to ``<name>.json`` beside it.
        model: identifier of the variant that the weights belong to.

    Returns:
        The card as written. The converted network's estimates equal the authors' forward pass
        to 1e-4 of the range in every iteration.

    Raises:
        SettingError: there is no such model, or nobody published one that can be read.
        CheckpointError: the file cannot be read, or is not that network's. The message names the key.
        OutputError: the target is not ``.safetensors``, is the source itself or cannot be written.
    """
    if target.suffix != ".safetensors":
        raise OutputError(f"the target is {target.name}", "a name that ends in .safetensors", "Change -o")
    if source.resolve() == target.resolve():
        raise OutputError(f"{target.name} is both source and target", "two different files", "Change -o")
    conversion = read(source, model)
    files = sorted(source / name for name in dmphn.FILES) if source.is_dir() else [source]
    origin = ", ".join(f"{file.name}, sha256 {checkpoint.sha256(file)}" for file in files)
    card = Card(
        model=model,
        settings=conversion.settings,
        licence="not stated in the file; ask its authors",
        data=("not stated in the file",),
        recipe=f"converted from {origin}",
        limits="not evaluated",
    )
    return write(conversion, target, card)


def read(source: Path, model: str) -> Conversion:
    """Read a published network without writing anything (arguments and errors as for ``convert``)."""
    registry.variant(model)
    if model not in READERS:
        raise SettingError(f"no published file of {model} can be read", ", ".join(READERS), "Choose one of these")
    tensors, settings = READERS[model](source, model)
    network = registry.build(model, **settings)
    checkpoint.fill(network, tensors, source.name)
    # Rounding to fp16 alone can cost more than the 1e-4 promised, and iterations amplify it.
    # So only weights that are fp16 already are stored as such.
    lossless = all(torch.equal(value.half().to(value.dtype), value) for value in tensors.values())
    return Conversion(model, settings, network.eval(), torch.float16 if lossless else torch.float32)


def write(conversion: Conversion, target: Path, card: Card) -> Card:
    """Write what was read, with a card; gives the card as written.

    Raises:
        OutputError: the target cannot be written.
    """
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        return checkpoint.save(conversion.network, target, card, conversion.dtype)
    except (OSError, SafetensorError) as error:
        raise OutputError(
            f"{target} cannot be written: {getattr(error, 'strerror', None) or error}",
            "a writable folder with space left",
            "Choose another place (-o, or DEBLUR_CACHE for the cache) or make room",
        ) from error
