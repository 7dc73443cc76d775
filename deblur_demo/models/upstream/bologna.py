"""The weights of the Bologna report's Keras code: HDF5 files of convolutions, paired with ours by order.

Keras names layers itself, ``conv2d``, ``conv2d_1``, ... and ``conv2d_transpose``, ..., counting each
kind in the order in which the code creates them. (The order inside the file is another: by depth.)
The networks here register their layers in that order, so the n-th of a kind is the n-th of a kind.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

import torch
from torch import nn

from deblur_demo.errors import CheckpointError
from deblur_demo.models import checkpoint, registry
from deblur_demo.models.upstream.files import Tensors

KINDS = {"conv2d": nn.Conv2d, "conv2d_transpose": nn.ConvTranspose2d}
# Keras' kernels are (height, width, in, out), transposed ones (height, width, out, in); ours are
# (out, in, height, width) and (in, out, height, width). Neither side flips a kernel.
AXES = (3, 2, 0, 1)
_NAME = re.compile(r"(conv2d|conv2d_transpose)(?:_(\d+))?")


def read(source: Path, model: str) -> tuple[Tensors, dict]:
    """Our tensors from ``.h5``: weights alone or a whole model of Keras 2, or a whole model of Keras 3.

    Weights alone of Keras 3 number the layers by their depth, which for KAIST_NET is not the order here.

    Raises:
        CheckpointError: no HDF5, no Keras weights, or those of another network; h5py is missing.
    """
    layers = _layers_of(source)
    network = registry.build(model)
    ours = {name: module for name, module in network.named_modules() if isinstance(module, tuple(KINDS.values()))}
    names: dict[str, str] = {}  # our tensor -> the file's layer, for messages
    tensors: Tensors = {}
    for kind, type_ in KINDS.items():
        mine = [name for name, module in ours.items() if isinstance(module, type_)]
        theirs = sorted(number for found, number in layers if found == kind)
        if len(mine) != len(theirs):
            raise CheckpointError(
                f"{source.name} has {len(theirs)} layers {kind}", f"{len(mine)}, as {model} has", "Check --model"
            )
        for name, number in zip(mine, theirs, strict=True):
            for part, value in layers[kind, number].items():
                tensors[f"{name}.{part}"] = value
                names[f"{name}.{part}"] = f"{kind}_{number}" if number else kind
    wanted = network.state_dict()
    for key, value in tensors.items():
        if value.shape != wanted[key].shape:
            raise CheckpointError(
                f"{names[key]} in {source.name} has a {key.rpartition('.')[2]} of {tuple(value.shape)}",
                f"{tuple(wanted[key].shape)}, as {key} of {model} has, in the order of PyTorch",
                "Check --model",
            )
    checkpoint.check(wanted, tensors, source.name)
    return tensors, {}


def _layers_of(source: Path) -> dict[tuple[str, int], Tensors]:
    """Weight and bias of every convolution, by kind and Keras' number."""
    try:
        import h5py  # 5 MB that only this reader needs
    except ImportError as error:
        raise CheckpointError(
            f"{source.name} needs the package h5py to be read", "an installation with it", "Run: pip install h5py"
        ) from error
    if not os.path.isfile(source):
        raise CheckpointError(f"there is no file {source}", "a Keras weights file, .h5", "Check the path")
    layers: dict[tuple[str, int], Tensors] = {}
    others: list[str] = []

    def collect(path: str, entry: object) -> None:
        match = next(filter(None, map(_NAME.fullmatch, path.split("/"))), None)
        # What an optimiser remembers has the same names and shapes.
        if not isinstance(entry, h5py.Dataset) or path.startswith("optimizer"):
            return
        if match is None:
            others.append(path)
            return
        value = torch.from_numpy(entry[()])
        part, value = ("weight", value.permute(AXES).contiguous()) if value.ndim == 4 else ("bias", value)
        layers.setdefault((match[1], int(match[2] or 0)), {})[part] = value

    try:
        with h5py.File(source, "r") as file:
            file.visititems(collect)
    except (OSError, RuntimeError, ValueError, TypeError) as error:  # h5py's ways of meeting a damaged file
        raise CheckpointError(
            f"{source.name} cannot be read: {(str(error).splitlines() or [''])[0]}",
            "a Keras weights file, .h5",
            "Save it with model.save('NAME.h5')",
        ) from error
    if not layers:
        raise CheckpointError(
            f"{source.name} holds no layer called conv2d or conv2d_transpose",
            "Keras weights under the names that Keras gives",
            "Save it with model.save('NAME.h5')",
        )
    if normalised := [path for path in others if "normalization" in path]:  # without it, another network
        raise CheckpointError(
            f"{source.name} holds {normalised[0]}", "convolutions alone", "Train and save it without normalisation"
        )
    return layers
