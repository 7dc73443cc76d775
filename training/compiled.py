"""A pass compiled for crops of one size, and what compiling made, kept beside the state for the next go."""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable
from pathlib import Path
from zipfile import ZIP_DEFLATED, BadZipFile, ZipFile

import torch
from torch import nn

from deblur_demo.errors import DeblurError
from training.shards import read_shards, write_shards


class Compiled:
    """Calls a network that is compiled as it is first called, and again for crops of another size.

    Compiling takes a minute on a GPU; with the caches of the go before, seconds. They hold programs,
    so take over none but your own.

    Args:
        network: what to compile.
        index: of the shards that the caches are kept in.
        graphs: whether its launches are recorded and replayed: at small crops they take longer
            than what they launch. What a call returns is overwritten after the next ``begin``.
    """

    def __init__(self, network: nn.Module, index: Path, graphs: bool):
        if index.is_file():
            try:
                with ZipFile(io.BytesIO(read_shards(index))) as archive:
                    for name in archive.namelist():
                        torch.compiler.load_cache_artifacts(archive.read(name))
            except (DeblurError, BadZipFile) as error:
                warnings.warn(f"the network is compiled anew: {error}", stacklevel=2)
        # Where something is missing to compile with, the network runs as it is, and torch says so.
        torch._dynamo.config.suppress_errors = True
        # Crops that learn, crops that pass through and both, with recurrent features and without, of two sizes.
        torch._dynamo.config.recompile_limit = 32
        self._index, self._instalments = index, []
        self._call: Callable = torch.compile(network, dynamic=False, mode="reduce-overhead" if graphs else "default")

    def __call__(self, *inputs):
        return self._call(*inputs)

    def begin(self) -> None:
        """Begin an update: what earlier calls returned is not needed any more."""
        torch.compiler.cudagraph_mark_step_begin()

    def save(self, shard: int) -> None:
        """Keep what compiling has made since the last time.

        Args:
            shard: most bytes of a file.
        """
        artifacts = torch.compiler.save_cache_artifacts()
        if artifacts is None or artifacts[0] in self._instalments:
            return
        # PyTorch appends what is new to what it gave before, but reads no more than the last addition (2.13).
        self._instalments.append(artifacts[0])
        packed = io.BytesIO()
        with ZipFile(packed, "w", ZIP_DEFLATED) as archive:
            for number, instalment in enumerate(self._instalments):
                archive.writestr(str(number), instalment)
        write_shards(self._index, packed.getvalue(), shard)
