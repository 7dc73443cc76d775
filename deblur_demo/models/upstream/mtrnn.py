"""MT-RNN's published file (Park 2020): one state dict, in 0..255, its mean colour as two layers."""

from __future__ import annotations

from pathlib import Path

import torch

from deblur_demo.errors import CheckpointError
from deblur_demo.models import checkpoint, registry
from deblur_demo.models.upstream.files import Tensors, read_state_dict

# Our layer and the authors'.
LAYERS = {
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
BLOCKS = {
    "encoder1": ("conv1_2", "conv1_3", "conv1_4"),
    "encoder2": ("conv2_2", "conv2_3", "conv2_4"),
    "encoder3": ("conv3_2", "conv3_3", "conv3_4"),
    "decoder3": ("conv4_1", "conv4_2", "conv4_3"),
    "decoder2": ("conv5_2", "conv5_3", "conv5_4"),
    "decoder1": ("conv6_2", "conv6_3", "conv6_4"),
}
MEAN = {
    f"{layer}.{kind}": torch.empty(shape)
    for layer in ("sub_mean", "add_mean")
    for kind, shape in (("weight", (3, 3, 1, 1)), ("bias", (3,)))
}
WHITE = 255.0  # the authors' network works in 0..255


def read(source: Path, model: str) -> tuple[Tensors, dict]:
    """Our tensors and settings from a file under the authors' names.

    Without the two layers of the mean colour the network works in [0, 1] with the variant's own
    mean, which only the lite variant does.
    """
    found = read_state_dict(source)
    names = dict(LAYERS)
    for ours, blocks in BLOCKS.items():
        for index, theirs in enumerate(blocks):
            names[f"{ours}.{index}.conv1"] = f"{theirs}.stem.0"
            names[f"{ours}.{index}.conv2"] = f"{theirs}.stem.2"
    keys = {f"{ours}.{kind}": f"{names[ours]}.{kind}" for ours in names for kind in ("weight", "bias")}

    own = registry.build(model).state_dict()
    wanted = {keys[name]: value for name, value in own.items()}
    as_released = model == "mtrnn" or not MEAN.keys().isdisjoint(found)
    checkpoint.check(wanted | MEAN if as_released else wanted, found, source.name)
    tensors = {ours: found[theirs] for ours, theirs in keys.items()}
    if not as_released:
        return tensors, {}

    # LeakyReLU is positively homogeneous, f(x / 255) = f(x) / 255, and all other layers are affine.
    # So dividing every bias by 255 divides the input, all features and the output by 255: the same
    # network in [0, 1]. It is done in fp64, then rounded once.
    tensors = {
        name: (value.double() / WHITE).float() if name.endswith(".bias") else value for name, value in tensors.items()
    }
    return tensors, {"mean": _mean_of(found, source.name), "clamp": False}


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
    mean = taken / WHITE
    if not torch.allclose(taken, given, atol=1e-3) or not ((mean >= 0) & (mean <= 1)).all():
        raise CheckpointError(
            f"{source} takes away {taken.tolist()} and adds {given.tolist()}",
            "the same mean colour twice, in 0..255",
            "Use a file of the released network",
        )
    return mean.tolist()
