"""CIFAR-10 from its original python batches, whose pickles are read without running them, or from an ``.npz``."""

from __future__ import annotations

import io
import pickle
import re
from pathlib import PurePosixPath
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from deblur_demo.errors import InputError
from training.data.files import Files

_BATCHES = {"train": r"data_batch_\d", "test": r"test_batch"}


def is_cifar(name: str) -> bool:
    """Whether a file is taken for CIFAR-10, by its name."""
    file = PurePosixPath(name).name
    return file.endswith(".npz") or any(re.fullmatch(batch, file) for batch in _BATCHES.values())


def read_cifar(files: Files, part: str) -> Tensor | None:
    """The pictures of one part.

    Args:
        files: a folder that holds ``cifar-10-batches-py`` or an ``.npz``, or the ``.npz`` itself.
        part: "train" or "test".

    Returns:
        (K, 3, 32, 32) uint8, or None where there is no CIFAR-10.

    Raises:
        InputError: a file that has the name but not the content.
    """
    found = []
    for name in files.names:
        file = PurePosixPath(name).name
        if re.fullmatch(_BATCHES[part], file):
            found.append(_from_batch(name, files.read(name)))
        elif file.endswith(".npz"):
            found.append(_from_npz(name, files.read(name), f"x_{part}"))
    return torch.from_numpy(np.concatenate(found)) if found else None


def _from_npz(name: str, data: bytes, key: str) -> np.ndarray:
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
            pictures = arrays[key]
    except (ValueError, KeyError, OSError) as error:
        raise _unreadable(name, str(error)) from error
    if pictures.dtype != np.uint8 or pictures.ndim != 4 or pictures.shape[3] != 3:
        raise _unreadable(name, f"{key} is {pictures.dtype} of shape {pictures.shape}")
    return pictures.transpose(0, 3, 1, 2)


def _from_batch(name: str, data: bytes) -> np.ndarray:
    try:
        batch = _ArraysOnly(io.BytesIO(data), encoding="bytes").load()
        return np.ascontiguousarray(batch[b"data"]).reshape(-1, 3, 32, 32)
    except Exception as error:  # a damaged pickle raises whatever it likes
        raise _unreadable(name, str(error)) from error


class _ArraysOnly(pickle.Unpickler):
    """Rebuilds numpy arrays and plain values; any other class or function in the file is refused."""

    _allowed: ClassVar = {
        ("numpy.core.multiarray", "_reconstruct"): np._core.multiarray._reconstruct
        if hasattr(np, "_core")
        else np.core.multiarray._reconstruct,
        ("numpy", "ndarray"): np.ndarray,
        ("numpy", "dtype"): np.dtype,
        ("_codecs", "encode"): lambda text, encoding: text.encode(encoding),
    }

    def find_class(self, module: str, name: str):
        try:
            return self._allowed[module.replace("numpy._core", "numpy.core"), name]
        except KeyError:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}") from None


def _unreadable(name: str, why: str) -> InputError:
    return InputError(
        f"{name} is not a file of CIFAR-10: {why}",
        "cifar-10-batches-py/data_batch_1 ... of the python version, or an .npz with x_train and x_test",
        "Download it again, or point to another folder",
    )
