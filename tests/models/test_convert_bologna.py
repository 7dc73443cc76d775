"""Keras' files of the Bologna networks against a forward pass in Keras' own terms.

``Session`` stands for a Python session with Keras: it numbers layers as Keras does while the code
creates them, and computes with kernels in Keras' axes. A transposed convolution is computed from
its definition, the gradient of a convolution, so nothing is shared with the networks under test.
"""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from deblur_demo.errors import CheckpointError
from deblur_demo.models import checkpoint
from deblur_demo.models.convert import convert

h5py = pytest.importorskip("h5py", reason="Keras weights need h5py (requirements-train.txt)")


class Session:
    """Creates layers with random weights and applies them at once; ``layers`` maps Keras' names to arrays."""

    def __init__(self, first: int = 0, gain: float = 1.0):
        self.layers: dict[str, tuple[Tensor, Tensor]] = {}
        self._count = {"conv2d": first, "conv2d_transpose": first}
        self._random = torch.Generator().manual_seed(0)
        self._gain = gain

    def conv(self, x: Tensor, filters: int, side: int, stride: int = 1, rate: int = 1, same: bool = True) -> Tensor:
        kernel, bias = self._create("conv2d", (side, side, x.shape[1], filters), x.shape[1] * side**2, filters)
        return convolve(x, kernel, stride, rate, same) + bias.view(1, -1, 1, 1)

    def deconv(self, x: Tensor, filters: int, side: int, stride: int = 1, same: bool = True) -> Tensor:
        fan_in = x.shape[1] * (side // stride) ** 2
        kernel, bias = self._create("conv2d_transpose", (side, side, filters, x.shape[1]), fan_in, filters)
        height, width = (n * stride if same else n + side - 1 for n in x.shape[2:])
        whence = torch.zeros(x.shape[0], filters, height, width)
        _, y = torch.autograd.functional.vjp(lambda image: convolve(image, kernel, stride, 1, same), whence, x)
        return y + bias.view(1, -1, 1, 1)

    def _create(self, kind: str, shape: tuple[int, ...], fan_in: int, filters: int) -> tuple[Tensor, Tensor]:
        number = self._count[kind]
        self._count[kind] += 1
        kernel = torch.randn(shape, generator=self._random) * self._gain * fan_in**-0.5
        bias = torch.randn(filters, generator=self._random) * 0.05
        self.layers[f"{kind}_{number}" if number else kind] = kernel, bias
        return kernel, bias


def convolve(x: Tensor, kernel: Tensor, stride: int, rate: int, same: bool) -> Tensor:
    """Keras' convolution: kernel (height, width, in, out); "same" puts the odd zero right and below."""
    surplus = rate * (kernel.shape[0] - 1) + 1 - stride if same else 0
    before = surplus // 2
    x = F.pad(x, (before, surplus - before) * 2)
    return F.conv2d(x, kernel.permute(3, 2, 0, 1), stride=stride, dilation=rate)


def leaky(x: Tensor) -> Tensor:
    return F.leaky_relu(x, 0.3)


def carlo(keras: Session, x: Tensor, filters: int) -> Tensor:
    """Bologna 2021, section 4.2."""
    skips = []
    for _ in range(10):
        x = F.relu(keras.conv(x, filters, 3, same=False))
        skips.append(x)
    for i in range(9):
        x = F.relu(keras.deconv(x, filters, 3, same=False))
        if i % 2 == 0:
            x = F.relu(x + skips[8 - i])
    return F.relu(keras.deconv(x, 3, 3, same=False) + 0.5)  # 0.5 belongs to the bias, see below


def kaist(keras: Session, x: Tensor) -> Tensor:
    """Bologna 2021, section 4.3; x: (B, 3 or 9, H, W)."""

    def down_up(x: Tensor, channels: int) -> Tensor:
        return x + leaky(keras.deconv(leaky(keras.conv(x, 2 * channels, 5, 2)), channels, 4, 2))

    def up_down(x: Tensor, channels: int) -> Tensor:
        return x + leaky(keras.conv(leaky(keras.deconv(x, channels // 2, 4, 2)), channels, 5, 2))

    def repeat(block, times: int, x: Tensor, channels: int) -> Tensor:
        for _ in range(times):
            x = block(x, channels)
        return x

    def double(x: Tensor) -> Tensor:
        return x.repeat_interleave(2, 2).repeat_interleave(2, 3)

    first = x.shape[1] // 3 // 2 * 3
    frame = x[:, first : first + 3]
    skip1 = repeat(down_up, 9, leaky(keras.conv(x, 32, 5)), 32)
    skip2 = repeat(down_up, 9, keras.conv(F.avg_pool2d(skip1, 2), 64, 1), 64)
    x = repeat(down_up, 4, keras.conv(F.avg_pool2d(skip2, 2), 128, 1), 128)
    x = repeat(up_down, 4, x, 128)
    shared = repeat(up_down, 9, keras.conv(torch.cat([double(x), skip2], 1), 64, 1), 64)
    x = double(leaky(keras.conv(shared, 64, 5)))
    x = leaky(keras.conv(keras.conv(torch.cat([x, skip1], 1), 32, 1), 32, 5))
    painted = keras.conv(x, 3, 5)
    weight = torch.sigmoid(keras.conv(x, 1, 5))
    kernels = keras.conv(keras.conv(double(leaky(keras.conv(shared, 64, 5))), 32, 5), 25, 5)
    patches = F.unfold(frame, 5, padding=2).view(frame.shape[0], 3, 25, *frame.shape[2:])
    return weight * (patches * kernels[:, None]).sum(2) + (1 - weight) * painted


def atrous(keras: Session, x: Tensor, blocks: int) -> Tensor:
    """Bologna 2021, section 4.4; x: (B, 3 or 9, H, W)."""
    first = x.shape[1] // 3 // 2 * 3
    frame = x[:, first : first + 3]
    stem = leaky(keras.conv(x, 128, 9))
    x = leaky(keras.conv(stem, 256, 3, 2))
    for _ in range(blocks):
        seen = torch.cat([leaky(keras.conv(x, 128, 3, rate=rate)) for rate in (1, 2, 3, 4)], 1)
        x = x + leaky(keras.conv(seen, 256, 3))
    x = leaky(keras.deconv(x, 128, 3, 2))
    x = leaky(keras.conv(torch.cat([x, stem], 1), 64, 3))
    return frame + keras.conv(x, 3, 3)


def write_keras_2(layers: dict, path: Path, whole_model: bool) -> None:
    """A group a layer, in an order that is not that of creation; a whole model also keeps its optimiser's state."""
    with h5py.File(path, "w") as file:
        root = file.create_group("model_weights") if whole_model else file
        root.attrs["layer_names"] = [name.encode() for name in ["input_1", *reversed(layers), "add"]]
        root.create_group("add")
        for name, (kernel, bias) in reversed(layers.items()):
            group = root.create_group(f"{name}/{name}")
            group["kernel:0"], group["bias:0"] = kernel.numpy(), bias.numpy()
            if whole_model:
                file[f"optimizer_weights/Adam/{name}/kernel/m:0"] = kernel.numpy() * 0
                file[f"optimizer_weights/Adam/{name}/bias/m:0"] = bias.numpy() * 0


def write_keras_3(layers: dict, path: Path) -> None:
    with h5py.File(path, "w") as file:
        file.create_group("layers/add/vars")
        for name, (kernel, bias) in sorted(layers.items()):  # by name: conv2d_10 stands before conv2d_2
            file[f"layers/{name}/vars/0"], file[f"layers/{name}/vars/1"] = kernel.numpy(), bias.numpy()


# Frames, forward pass, and a gain of the random kernels that keeps the picture in bounds.
NETWORKS = {
    "carlo-s": (1, lambda keras, x: carlo(keras, x, 32), 2.0**0.5),
    "kaist": (1, kaist, 0.6),
    "kaist-3f": (3, kaist, 0.6),
    "atrous-5": (1, lambda keras, x: atrous(keras, x, 5), 0.7),
    "atrous-10-3f": (3, lambda keras, x: atrous(keras, x, 10), 0.7),
}


def published(model: str) -> tuple[Session, Tensor, Tensor]:
    """Layers, a window and the reference's picture of it."""
    frames, forward, gain = NETWORKS[model]
    window = torch.rand(1, frames, 3, 24, 32, generator=torch.Generator().manual_seed(1))
    keras = Session(first=57 if frames == 3 else 0, gain=gain)  # 57: other networks were built before in that session
    with torch.no_grad():
        picture = forward(keras, window.flatten(1, 2))
    if model.startswith("carlo"):
        keras.layers["conv2d_transpose_9"][1].add_(0.5)  # a rectified output near zero would prove little
    return keras, window, picture


@pytest.mark.parametrize(
    ("model", "layout"),
    [
        ("carlo-s", "weights"),
        ("carlo-s", "model"),
        ("kaist", "weights"),
        ("kaist-3f", "keras 3"),
        ("atrous-5", "model"),
        ("atrous-10-3f", "weights"),
    ],
)
def test_the_picture_equals_keras_forward_pass(tmp_path, model, layout):
    keras, window, picture = published(model)
    source, target = tmp_path / "best.h5", tmp_path / "ours.safetensors"
    if layout == "keras 3":
        write_keras_3(keras.layers, source)
    else:
        write_keras_2(keras.layers, source, whole_model=layout == "model")
    card = convert(source, target, model)
    assert card.model == model and checkpoint.sha256(source) in card.recipe
    network, _ = checkpoint.load(target)
    with torch.no_grad():
        (ours,) = (estimate.image for estimate in network.run(window))
    centre = window[:, window.shape[1] // 2]
    assert (picture - centre).abs().mean() > 0.02 and picture.std() > 0.02, "the weights must do something"
    assert (picture - ours).abs().max() < 1e-4 * max(1, picture.abs().max())


@pytest.fixture
def small(tmp_path) -> tuple[dict, Path]:
    """Layers of the smallest of these networks, and a path to write them to."""
    keras = Session()
    with torch.no_grad():
        carlo(keras, torch.rand(1, 3, 24, 24), 32)
    return keras.layers, tmp_path / "best.h5"


def test_another_network_is_refused_with_what_was_found(small, tmp_path):
    layers, source = small
    out = tmp_path / "out.safetensors"
    write_keras_2(layers, source, whole_model=False)
    with pytest.raises(CheckpointError, match=r"conv2d in best\.h5 has a bias of \(32,\)\. Accepted: \(128,\)"):
        convert(source, out, "carlo")
    with pytest.raises(CheckpointError, match=r"best\.h5 has 10 layers conv2d\. Accepted: 29, as atrous-5 has"):
        convert(source, out, "atrous-5")
    kernel, bias = layers["conv2d_3"]
    write_keras_2({**layers, "conv2d_3": (kernel * torch.nan, bias)}, source, whole_model=False)
    with pytest.raises(CheckpointError, match=r"encoder\.3\.weight.*not finite"):
        convert(source, out, "carlo-s")
    assert not out.exists()


def test_a_normalised_network_is_another_one(small, tmp_path):
    layers, source = small
    write_keras_2({**layers, "batch_normalization_1": (torch.ones(32), torch.zeros(32))}, source, whole_model=False)
    with pytest.raises(CheckpointError, match=r"best\.h5 holds batch_normalization_1/.*without normalisation"):
        convert(source, tmp_path / "out.safetensors", "carlo-s")


def test_what_is_no_keras_file_is_refused(small, tmp_path):
    _, source = small
    out = tmp_path / "out.safetensors"
    with pytest.raises(CheckpointError, match="there is no file"):
        convert(source, out, "carlo-s")
    source.write_bytes(b"\x89HDF\r\n\x1a\n torn")
    with pytest.raises(CheckpointError, match=r"best\.h5 cannot be read"):
        convert(source, out, "carlo-s")
    with h5py.File(source, "w") as file:
        file["stem/kernel:0"] = torch.zeros(3, 3, 3, 32).numpy()
    with pytest.raises(CheckpointError, match="holds no layer called conv2d"):
        convert(source, out, "carlo-s")


def test_without_h5py_the_way_out_is_named(small, tmp_path, monkeypatch):
    layers, source = small
    write_keras_2(layers, source, whole_model=False)
    monkeypatch.setitem(sys.modules, "h5py", None)  # what an installation without it looks like
    with pytest.raises(CheckpointError, match="pip install h5py"):
        convert(source, tmp_path / "out.safetensors", "carlo-s")
