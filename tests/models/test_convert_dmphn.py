"""DMPHN's six files against an independent forward pass over the authors' own tensors."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from deblur_demo.errors import CheckpointError
from deblur_demo.models import checkpoint
from deblur_demo.models.convert import convert

# The authors' layers in their order: a plain convolution by its shape, a residual block by its width.
ENCODER = {1: (32, 3, 3), 2: 32, 3: 32, 5: (64, 32, 3), 6: 64, 7: 64, 9: (128, 64, 3), 10: 128, 11: 128}
DECODER = {13: 128, 14: 128, 16: (128, 64, 4), 17: 64, 18: 64, 20: (64, 32, 4), 21: 32, 22: 32, 24: (3, 32, 3)}
Files = dict[str, dict[str, Tensor]]


def authors_files() -> Files:
    """Six state dicts as the authors would save them, with weights that visibly change a picture."""
    random = torch.Generator().manual_seed(0)
    files: Files = {}
    for part, layers in (("encoder", ENCODER), ("decoder", DECODER)):
        for level in (1, 2, 3):
            tensors = files[f"{part}_lv{level}.pkl"] = {}
            for number, shape in layers.items():
                block = isinstance(shape, int)
                for name in (f"layer{number}.0", f"layer{number}.2") if block else (f"layer{number}",):
                    out, into, side = (shape, shape, 3) if block else shape
                    transposed = side == 4
                    gain = (0.5 if block else 1) / ((into * 9 if not transposed else out * 4) ** 0.5)
                    tensors[f"{name}.weight"] = torch.randn(out, into, side, side, generator=random) * gain
                    tensors[f"{name}.bias"] = torch.randn(into if transposed else out, generator=random) * 0.05
    return files


def authors_forward(files: Files, blurred: Tensor) -> Tensor:
    """Zhang 2019, figure 2, patch by patch: (B, 3, H, W) in [0, 1] -> the restored picture."""

    def through(file: str, x: Tensor) -> Tensor:
        w = files[file]
        for number, shape in (ENCODER if file.startswith("encoder") else DECODER).items():
            name = f"layer{number}"
            if isinstance(shape, int):
                y = F.relu(F.conv2d(x, w[f"{name}.0.weight"], w[f"{name}.0.bias"], padding=1))
                x = x + F.conv2d(y, w[f"{name}.2.weight"], w[f"{name}.2.bias"], padding=1)
            elif shape[2] == 4:
                x = F.conv_transpose2d(x, w[f"{name}.weight"], w[f"{name}.bias"], stride=2, padding=1)
            else:
                stride = 2 if number in (5, 9) else 1
                x = F.conv2d(x, w[f"{name}.weight"], w[f"{name}.bias"], stride=stride, padding=1)
        return x

    whole = blurred - 0.5
    middle, centre = whole.shape[2] // 2, whole.shape[3] // 2
    top, bottom = whole[:, :, :middle], whole[:, :, middle:]
    found3 = [
        torch.cat([through("encoder_lv3.pkl", half[..., :centre]), through("encoder_lv3.pkl", half[..., centre:])], 3)
        for half in (top, bottom)
    ]
    halves = [half + through("decoder_lv3.pkl", found) for half, found in zip((top, bottom), found3, strict=True)]
    found2 = torch.cat([through("encoder_lv2.pkl", half) for half in halves], 2) + torch.cat(found3, 2)
    whole = whole + through("decoder_lv2.pkl", found2)
    return through("decoder_lv1.pkl", through("encoder_lv1.pkl", whole) + found2) + 0.5


def save(files: Files, folder: Path, legacy: bool = False) -> Path:
    folder.mkdir()
    for name, tensors in files.items():
        torch.save(tensors, folder / name, _use_new_zipfile_serialization=not legacy)
    return folder


@pytest.fixture(scope="module")
def files() -> Files:
    return authors_files()


@pytest.mark.parametrize("legacy", [True, False], ids=["as in 2019", "as today"])
def test_the_picture_equals_the_authors_forward_pass(files, tmp_path, legacy):
    target = tmp_path / "dmphn.safetensors"
    card = convert(save(files, tmp_path / "DMPHN_1_2_4", legacy), target, "dmphn")
    network, read = checkpoint.load(target)
    assert card == read and all(name in card.recipe for name in files)
    blurred = torch.rand(2, 3, 32, 48, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        theirs = authors_forward(files, blurred)
        (ours,) = (estimate.image for estimate in network.run(blurred[:, None]))
    assert (theirs - blurred).abs().mean() > 0.05, "the random weights must change the picture"
    assert (theirs - ours).abs().max() < 1e-4


def test_every_file_and_every_tensor_counts(files, tmp_path):
    """Swapping two files that pair by shape must change the picture, or the parity above would prove little."""
    swapped = {**files, "encoder_lv2.pkl": files["encoder_lv3.pkl"], "encoder_lv3.pkl": files["encoder_lv2.pkl"]}
    blurred = torch.rand(1, 3, 16, 16, generator=torch.Generator().manual_seed(1))
    assert (authors_forward(files, blurred) - authors_forward(swapped, blurred)).abs().max() > 0.01
    assert sum(value.numel() for tensors in files.values() for value in tensors.values()) == 5_424_393


@pytest.mark.parametrize(
    ("file", "key", "value", "named"),
    [
        ("encoder_lv2.pkl", "layer2.2.weight", None, "encoder_lv2.pkl lacks layer2.2.weight"),
        ("decoder_lv3.pkl", "layer23.weight", torch.zeros(1), "unknown tensor layer23.weight"),
        ("decoder_lv1.pkl", "layer16.weight", torch.zeros(64, 128, 4, 4), "layer16.weight in decoder_lv1.pkl"),
        ("encoder_lv1.pkl", "layer1.bias", torch.full((32,), torch.inf), "layer1.bias in encoder_lv1.pkl"),
    ],
)
def test_a_module_of_another_network_is_refused_by_file_and_key(files, tmp_path, file, key, value, named):
    changed = {name: tensor for name, tensor in {**files[file], key: value}.items() if tensor is not None}
    folder = save({**files, file: changed}, tmp_path / "pickles")
    with pytest.raises(CheckpointError) as caught:
        convert(folder, tmp_path / "out.safetensors", "dmphn")
    assert named in str(caught.value)
    assert not (tmp_path / "out.safetensors").exists()


def test_a_missing_file_and_a_single_file_are_refused(files, tmp_path):
    folder = save(files, tmp_path / "pickles")
    with pytest.raises(CheckpointError, match="is not a folder"):
        convert(folder / "encoder_lv1.pkl", tmp_path / "out.safetensors", "dmphn")
    (folder / "decoder_lv2.pkl").unlink()
    with pytest.raises(CheckpointError, match=r"decoder_lv2\.pkl"):
        convert(folder, tmp_path / "out.safetensors", "dmphn")
