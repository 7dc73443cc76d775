"""DMPHN's published files (Zhang 2019): a folder of six state dicts, an encoder and a decoder per level."""

from __future__ import annotations

import os
from pathlib import Path

from deblur_demo.errors import CheckpointError
from deblur_demo.models import checkpoint, registry
from deblur_demo.models.upstream.files import Tensors, read_state_dict

LEVELS = (1, 2, 3)  # whole picture, halves, quarters
FILES = tuple(f"{part}_lv{level}.pkl" for part in ("encoder", "decoder") for level in LEVELS)
# The authors' numbers of our layers 0 to 8; they skip where the authors took layers out. Every
# third layer is a convolution, the two after (in a decoder, before) it are residual blocks.
NUMBERS = {"encoder": (1, 2, 3, 5, 6, 7, 9, 10, 11), "decoder": (13, 14, 16, 17, 18, 20, 21, 22, 24)}
INSIDE_BLOCK = {"conv1.": "0.", "conv2.": "2."}


def read(source: Path, model: str) -> tuple[Tensors, dict]:
    """Our tensors from a folder of ``encoder_lv1.pkl`` ... ``decoder_lv3.pkl``.

    Raises:
        CheckpointError: not a folder, a file is missing, or is not that module's. The message names
            file and key.
    """
    if not os.path.isdir(source):
        raise CheckpointError(
            f"{source} is not a folder", f"a folder with {', '.join(FILES)}", "Name the folder that holds the six files"
        )
    own = registry.build(model).state_dict()
    tensors: Tensors = {}
    for file in FILES:
        part, level = file.removesuffix(".pkl").split("_lv")
        prefix = f"{part}s.{int(level) - 1}."
        keys = {name: _authors_key(part, name.removeprefix(prefix)) for name in own if name.startswith(prefix)}
        found = read_state_dict(source / file)
        checkpoint.check({theirs: own[ours] for ours, theirs in keys.items()}, found, file)
        tensors |= {ours: found[theirs] for ours, theirs in keys.items()}
    return tensors, {}


def _authors_key(part: str, name: str) -> str:
    """Our ``3.weight`` or ``1.conv2.bias`` inside an encoder or decoder -> ``layer5.weight``, ``layer2.2.bias``."""
    index, _, rest = name.partition(".")
    for ours, theirs in INSIDE_BLOCK.items():
        rest = rest.replace(ours, theirs)
    return f"layer{NUMBERS[part][int(index)]}.{rest}"
