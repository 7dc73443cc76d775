"""A researcher's own weights in, ``.safetensors`` with a card out: the same numbers, iteration by iteration.

Each published network that can be read has one reader: a function that takes the file's tensors
and gives ours, with the settings that they need. ``READERS`` lists them by model.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

from deblur_demo.errors import CheckpointError, OutputError, SettingError
from deblur_demo.models import checkpoint, registry
from deblur_demo.models.checkpoint import Card

Tensors = dict[str, Tensor]

# MT-RNN: our layer and the authors' (Park 2020, as released).
MTRNN_LAYERS = {
    "stem": "conv1_1.0",
    "down1": "conv2_1.0",
    "recur1": "conv2_c.0",
    "down2": "conv3_1.0",
    "recur2": "conv3_c.0",
    "up2": "conv5_1.0",
    "skip2": "conv5_c.0",
    "up1": "conv6_1.0",
    "skip1": "conv6_c.0",
    "head": "img_prd.0",
}
# Our run of three residual blocks and the authors' three; inside one, conv1 is stem.0 and conv2 is stem.2.
MTRNN_BLOCKS = {
    "encoder1": ("conv1_2", "conv1_3", "conv1_4"),
    "encoder2": ("conv2_2", "conv2_3", "conv2_4"),
    "encoder3": ("conv3_2", "conv3_3", "conv3_4"),
    "decoder3": ("conv4_1", "conv4_2", "conv4_3"),
    "decoder2": ("conv5_2", "conv5_3", "conv5_4"),
    "decoder1": ("conv6_2", "conv6_3", "conv6_4"),
}
MTRNN_MEAN = {
    f"{layer}.{kind}": torch.empty(shape)
    for layer in ("sub_mean", "add_mean")
    for kind, shape in (("weight", (3, 3, 1, 1)), ("bias", (3,)))
}
AUTHORS_WHITE = 255.0  # the authors' networks work in 0..255


def convert(source: Path, target: Path, model: str) -> Card:
    """Read a published weights file and write it as ours.

    Args:
        source: a state dict saved by PyTorch (``.pt``, ``.pth``, ``.pkl``), opened without running
            anything inside it, or ``.safetensors``; under the authors' key names.
        target: ``<name>.safetensors``; the card goes to ``<name>.json`` beside it.
        model: identifier of the variant that the weights belong to.

    Returns:
        The card as written. The converted network's estimates equal the authors' forward pass
        to 1e-4 of the range in every iteration.

    Raises:
        SettingError: there is no such model.
        CheckpointError: the file cannot be read, or is not that network's. The message names the key.
        OutputError: the target is not ``.safetensors``, is the source itself or cannot be written.
    """
    registry.variant(model)
    if model not in READERS:
        raise SettingError(f"no published file of {model} can be read", ", ".join(READERS), "Choose one of these")
    if target.suffix != ".safetensors":
        raise OutputError(f"the target is {target.name}", "a name that ends in .safetensors", "Change -o")
    if source.resolve() == target.resolve():
        raise OutputError(f"{target.name} is both source and target", "two different files", "Change -o")

    tensors, settings = READERS[model](_tensors_of(source), model, source.name)
    network = registry.build(model, **settings)
    checkpoint.fill(network, tensors, source.name)
    card = Card(
        model=model,
        settings=settings,
        licence="not stated in the file; ask its authors",
        data=("not stated in the file",),
        recipe=f"converted from {source.name}, sha256 {checkpoint.sha256(source)}",
        limits="not evaluated",
    )
    # Rounding to fp16 alone can cost more than the 1e-4 promised above, and iterations amplify it.
    # So only weights that are fp16 already are stored as such.
    lossless = all(torch.equal(value.half().to(value.dtype), value) for value in tensors.values())
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        return checkpoint.save(network, target, card, torch.float16 if lossless else torch.float32)
    except OSError as error:
        raise OutputError(
            f"{target} cannot be written: {error.strerror or error}", "a writable folder with space left", "Change -o"
        ) from error


def _mtrnn(found: Tensors, model: str, source: str) -> tuple[Tensors, dict]:
    """MT-RNN under the authors' names.

    Their file carries its mean colour as two 1x1 convolutions and works in 0..255. Without those
    two the network works in [0, 1] with the variant's own mean, which only the lite variant does.
    """
    names = dict(MTRNN_LAYERS)
    for ours, blocks in MTRNN_BLOCKS.items():
        for index, theirs in enumerate(blocks):
            names[f"{ours}.{index}.conv1"] = f"{theirs}.stem.0"
            names[f"{ours}.{index}.conv2"] = f"{theirs}.stem.2"
    keys = {f"{ours}.{kind}": f"{names[ours]}.{kind}" for ours in names for kind in ("weight", "bias")}

    own = registry.build(model).state_dict()
    wanted = {keys[name]: value for name, value in own.items()}
    as_released = model == "mtrnn" or not MTRNN_MEAN.keys().isdisjoint(found)
    checkpoint.check(wanted | MTRNN_MEAN if as_released else wanted, found, source)
    tensors = {ours: found[theirs] for ours, theirs in keys.items()}
    if not as_released:
        return tensors, {}

    # LeakyReLU is positively homogeneous, f(x / 255) = f(x) / 255, and all other layers are affine.
    # So dividing every bias by 255 divides the input, all features and the output by 255: the same
    # network in [0, 1]. It is done in fp64, then rounded once.
    tensors = {
        name: (value.double() / AUTHORS_WHITE).float() if name.endswith(".bias") else value
        for name, value in tensors.items()
    }
    return tensors, {"mean": _mean_of(found, source), "clamp": False}


def _mean_of(found: Tensors, source: str) -> list[float]:
    """The mean colour in [0, 1] that ``sub_mean`` takes away and ``add_mean`` gives back."""
    identity = torch.eye(3).view(3, 3, 1, 1)
    for layer in ("sub_mean", "add_mean"):
        if not torch.allclose(found[f"{layer}.weight"].float(), identity, atol=1e-6):
            raise CheckpointError(
                f"{layer}.weight in {source} is not the identity",
                "a mean shift without scaling, as in the authors' release",
                "Use a file of the released network",
            )
    taken, given = -found["sub_mean.bias"].double(), found["add_mean.bias"].double()
    mean = taken / AUTHORS_WHITE
    if not torch.allclose(taken, given, atol=1e-3) or not ((mean >= 0) & (mean <= 1)).all():
        raise CheckpointError(
            f"{source} takes away {taken.tolist()} and adds {given.tolist()}",
            "the same mean colour twice, in 0..255",
            "Use a file of the released network",
        )
    return mean.tolist()


READERS: dict[str, Callable[[Tensors, str, str], tuple[Tensors, dict]]] = {"mtrnn": _mtrnn, "mtrnn-lite": _mtrnn}


def _tensors_of(source: Path) -> Tensors:
    """All tensors of a file, without the wrapping that training scripts leave around them."""
    if source.suffix == ".safetensors":
        return checkpoint.read_tensors(source)
    try:
        # weights_only: tensors and plain containers are built, nothing else is looked up or run.
        content = torch.load(source, map_location="cpu", weights_only=True)
    except FileNotFoundError as error:
        raise CheckpointError(f"there is no file {source}", "a weights file", "Check the path") from error
    except Exception as error:  # a damaged or hostile pickle fails in any way that it likes
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise CheckpointError(
            f"{source.name} cannot be read: {reason[:200]}",
            "a PyTorch state dict of tensors alone, or .safetensors",
            "Save the model's state_dict() with torch.save, not the model",
        ) from error
    if isinstance(content, dict):
        content = content.get("state_dict", content)
    if not isinstance(content, dict) or not content or not all(isinstance(v, Tensor) for v in content.values()):
        raise CheckpointError(
            f"{source.name} holds no state dict",
            "names and tensors, bare or under 'state_dict'",
            "Save the model's state_dict() with torch.save",
        )
    # torch.nn.DataParallel puts this before every name.
    return {str(name).removeprefix("module."): value for name, value in content.items()}
