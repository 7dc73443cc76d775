"""The converter against an independent forward pass over the authors' own tensors, in 0..255."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor
from torch.nn import functional as F

from deblur_demo.errors import CheckpointError, OutputError, SettingError
from deblur_demo.models import checkpoint
from deblur_demo.models.convert import convert

SHARED = Path(__file__).resolve().parents[3] / "shared"
MEAN = torch.tensor([0.4488, 0.4371, 0.4040]) * 255
WIDTHS = {"1": 32, "2": 64, "3": 128, "4": 128, "5": 64, "6": 32}  # of the authors' levels conv1 .. conv6


def authors_file(unshuffle: int = 1, seed: int = 0) -> dict[str, Tensor]:
    """A state dict as the authors would save it, with weights that give visible, bounded estimates."""
    random = torch.Generator().manual_seed(seed)

    def layer(name: str, *shape: int, fan_in: int, out: int, gain: float = 1.0) -> None:
        tensors[f"{name}.weight"] = torch.randn(*shape, generator=random) * gain * (2 / fan_in) ** 0.5
        tensors[f"{name}.bias"] = torch.randn(out, generator=random) * 8  # of 255: far from negligible

    tensors: dict[str, Tensor] = {}
    for name, sign in (("sub_mean", -1), ("add_mean", 1)):
        tensors[f"{name}.weight"] = torch.eye(3).view(3, 3, 1, 1)
        tensors[f"{name}.bias"] = sign * MEAN
    folded = unshuffle**2
    layer("conv1_1.0", 32, 6 * folded, 3, 3, fan_in=54 * folded, out=32)
    layer("conv2_1.0", 64, 32, 3, 3, fan_in=288, out=64)
    layer("conv3_1.0", 128, 64, 3, 3, fan_in=576, out=128)
    layer("conv5_1.0", 128, 64, 4, 4, fan_in=512, out=64)
    layer("conv6_1.0", 64, 32, 4, 4, fan_in=256, out=32)
    for level, width in WIDTHS.items():
        for block in (1, 2, 3) if level == "4" else (2, 3, 4):
            layer(f"conv{level}_{block}.stem.0", width, width, 3, 3, fan_in=9 * width, out=width)
            layer(f"conv{level}_{block}.stem.2", width, width, 3, 3, fan_in=9 * width, out=width, gain=0.3)
        if level in "2356":
            layer(f"conv{level}_c.0", width, 2 * width, 1, 1, fan_in=4 * width, out=width)
    layer("img_prd.0", 3 * folded, 32, 3, 3, fan_in=288, out=3 * folded, gain=0.1)
    return tensors


def authors_forward(w: dict[str, Tensor], blurred: Tensor, iterations: int) -> list[Tensor]:
    """Park 2020, figure 3, on images in 0..255 (B, 3, H, W): the estimate after each iteration."""

    def conv(x: Tensor, name: str, stride: int = 1) -> Tensor:
        weight = w[f"{name}.weight"]
        return F.conv2d(x, weight, w[f"{name}.bias"], stride=stride, padding=weight.shape[-1] // 2)

    def up(x: Tensor, name: str) -> Tensor:
        y = F.conv_transpose2d(x, w[f"{name}.weight"], w[f"{name}.bias"], stride=2, padding=1)
        return F.leaky_relu(y, 0.1)

    def blocks(x: Tensor, level: int, first: int = 2) -> Tensor:
        for i in range(first, first + 3):
            x = x + conv(F.leaky_relu(conv(x, f"conv{level}_{i}.stem.0"), 0.1), f"conv{level}_{i}.stem.2")
        return x

    estimate, feature1, feature2, estimates = blurred, None, None, []
    shifted = conv(blurred, "sub_mean")
    for _ in range(iterations):
        level1 = blocks(conv(torch.cat([shifted, conv(estimate, "sub_mean")], 1), "conv1_1.0"), 1)
        level2 = F.leaky_relu(conv(level1, "conv2_1.0", stride=2), 0.1)
        level2 = torch.cat([level2, level2 if feature1 is None else feature1], 1)
        level2 = blocks(conv(level2, "conv2_c.0"), 2)
        level3 = F.leaky_relu(conv(level2, "conv3_1.0", stride=2), 0.1)
        level3 = torch.cat([level3, level3 if feature2 is None else feature2], 1)
        level3 = blocks(conv(level3, "conv3_c.0"), 3)
        feature2 = blocks(level3, 4, first=1)
        feature1 = blocks(conv(torch.cat([up(feature2, "conv5_1.0"), level2], 1), "conv5_c.0"), 5)
        last = blocks(conv(torch.cat([up(feature1, "conv6_1.0"), level1], 1), "conv6_c.0"), 6)
        estimate = conv(conv(last, "img_prd.0") + shifted, "add_mean")
        estimates.append(estimate)
    return estimates


@pytest.fixture(scope="module")
def authors() -> dict[str, Tensor]:
    return authors_file()


@pytest.fixture
def saved(authors, tmp_path):
    """Writes the authors' tensors, changed by the caller, as a .pt file."""

    def save(**changes: Tensor | None) -> Path:
        tensors = {name: value for name, value in {**authors, **changes}.items() if value is not None}
        torch.save(tensors, tmp_path / "model_best.pt")
        return tmp_path / "model_best.pt"

    return save


def test_our_made_up_file_has_the_published_keys(authors):
    listed = SHARED / "spec" / "mtrnn_official_keys.txt"
    if not listed.exists():
        pytest.skip("../shared/spec is not beside this checkout")
    published = dict(line.split() for line in listed.read_text().splitlines())
    assert {name: "x".join(map(str, value.shape)) for name, value in authors.items()} == published


@pytest.mark.parametrize("wrap", ["bare", "state_dict", "module.", "safetensors"])
def test_each_iteration_equals_the_authors_forward_pass(authors, tmp_path, wrap):
    source, target = tmp_path / "model_best.pt", tmp_path / "mtrnn.safetensors"
    if wrap == "state_dict":
        torch.save({"epoch": 7, "state_dict": authors}, source)
    elif wrap == "module.":
        torch.save({f"module.{name}": value for name, value in authors.items()}, source)
    elif wrap == "safetensors":
        source = source.with_suffix(".safetensors")
        save_file(authors, source)
    else:
        torch.save(authors, source)

    card = convert(source, target, "mtrnn")
    network, read = checkpoint.load(target)
    assert card == read
    assert card.settings["clamp"] is False
    assert card.settings["mean"] == pytest.approx([0.4488, 0.4371, 0.4040], abs=1e-6)

    blurred = torch.rand(1, 3, 40, 52, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        theirs = [estimate / 255 for estimate in authors_forward(authors, blurred * 255, 3)]
        ours = [estimate.image for estimate in network.run(blurred[:, None], 3)]
    for before, reference, estimate in zip([blurred, *theirs], theirs, ours, strict=False):
        assert (reference - before).abs().max() > 0.02, "the random weights must change the picture"
        assert (reference - estimate).abs().max() < 1e-4


def test_halving_the_weights_would_break_the_promise(authors, tmp_path, saved):
    """The reason for fp32 on disk: the same comparison fails after rounding to fp16."""
    convert(saved(), tmp_path / "full.safetensors", "mtrnn")
    network, card = checkpoint.load(tmp_path / "full.safetensors")
    checkpoint.save(network, tmp_path / "half.safetensors", card, torch.float16)
    halved, _ = checkpoint.load(tmp_path / "half.safetensors")
    blurred = torch.rand(1, 1, 3, 40, 52, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        error = max(
            (a.image - b.image).abs().max()
            for a, b in zip(network.run(blurred, 3), halved.run(blurred, 3), strict=True)
        )
    assert error > 1e-4
    assert load_file(tmp_path / "full.safetensors")["stem.weight"].dtype == torch.float32


def test_a_file_without_mean_layers_works_in_zero_to_one(tmp_path):
    tensors = {name: value.half() for name, value in authors_file(unshuffle=2).items() if "_mean" not in name}
    save_file(tensors, tmp_path / "prototype.safetensors")
    card = convert(tmp_path / "prototype.safetensors", tmp_path / "lite.safetensors", "mtrnn-lite")
    network, _ = checkpoint.load(tmp_path / "lite.safetensors")
    assert card.settings == {} and network.settings.clamp
    written = load_file(tmp_path / "lite.safetensors")
    assert written["down1.bias"].dtype == torch.float16, "nothing is lost by keeping fp16"
    assert torch.equal(written["down1.bias"], tensors["conv2_1.0.bias"])


def test_the_earlier_prototype_converts_and_changes_a_picture_a_little(tmp_path):
    source = SHARED / "weights" / "mtrnn_lite_proto.safetensors"
    if not source.exists():
        pytest.skip("../shared/weights is not beside this checkout")
    convert(source, tmp_path / "mtrnn-lite.safetensors", "mtrnn-lite")
    network, _ = checkpoint.load(tmp_path / "mtrnn-lite.safetensors")
    ramp = torch.linspace(0.2, 0.8, 64).expand(1, 1, 3, 64, 64)
    with torch.no_grad():
        last = [estimate.image for estimate in network.run(ramp, 3)][-1]
    assert 1e-5 < (last - ramp[:, 0]).abs().mean() < 0.02


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"conv3_c.0.weight": None}, "lacks conv3_c.0.weight"),
        ({"sub_mean.bias": None}, "lacks sub_mean.bias"),
        ({"conv7_1.0.weight": torch.zeros(1)}, "unknown tensor conv7_1.0.weight"),
        ({"conv1_1.0.weight": torch.zeros(32, 3, 3, 3)}, "conv1_1.0.weight in model_best.pt has shape (32, 3, 3, 3)"),
        ({"conv4_2.stem.2.bias": torch.full((128,), torch.nan)}, "conv4_2.stem.2.bias"),
        ({"img_prd.0.bias": torch.zeros(3, dtype=torch.int8)}, "img_prd.0.bias"),
        ({"sub_mean.weight": 2 * torch.eye(3).view(3, 3, 1, 1)}, "sub_mean.weight"),
        ({"add_mean.bias": MEAN + 5}, "takes away"),
        ({"sub_mean.bias": MEAN, "add_mean.bias": -MEAN}, "takes away"),
    ],
)
def test_a_file_of_another_network_is_refused_by_key(saved, tmp_path, changes, named):
    source = saved(**changes)
    with pytest.raises(CheckpointError) as caught:
        convert(source, tmp_path / "out.safetensors", "mtrnn")
    assert named in str(caught.value)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["model_best.pt"], "nothing may be left behind"


def test_the_released_network_is_not_taken_for_the_lite_one(saved, tmp_path):
    with pytest.raises(CheckpointError, match=r"conv1_1\.0\.weight .*\(32, 6, 3, 3\)"):
        convert(saved(), tmp_path / "out.safetensors", "mtrnn-lite")


class Bomb:
    """Unpickling this creates a file."""

    def __init__(self, mark: Path):
        self.mark = mark

    def __reduce__(self):
        return (Path.touch, (self.mark,))


@pytest.mark.parametrize("how", ["torch", "pickle"])
def test_a_pickled_object_is_refused_and_not_run(tmp_path, how):
    source, mark = tmp_path / "model.pt", tmp_path / "mark"
    if how == "torch":
        torch.save(Bomb(mark), source)
    else:
        source.write_bytes(pickle.dumps({"state_dict": Bomb(mark)}, protocol=2))
    with pytest.raises(CheckpointError, match=r"state_dict\(\)"):
        convert(source, tmp_path / "out.safetensors", "mtrnn")
    assert not mark.exists()


@pytest.mark.parametrize(
    "content", [b"", b"no weights at all", b"PK\x03\x04 torn", b"\x80\x02."], ids=["empty", "text", "zip", "pickle"]
)
def test_a_damaged_file_is_refused(tmp_path, content):
    (tmp_path / "model.pt").write_bytes(content)
    with pytest.raises(CheckpointError, match=r"model\.pt"):
        convert(tmp_path / "model.pt", tmp_path / "out.safetensors", "mtrnn")


@pytest.mark.parametrize("content", [[1, 2], {}, {"state_dict": {"a": 1}}, torch.zeros(3)])
def test_a_file_that_is_no_state_dict_is_refused(tmp_path, content):
    torch.save(content, tmp_path / "model.pt")
    with pytest.raises(CheckpointError, match="holds no state dict"):
        convert(tmp_path / "model.pt", tmp_path / "out.safetensors", "mtrnn")


def test_wrong_names_are_refused_before_anything_is_written(saved, tmp_path):
    source = saved()
    with pytest.raises(SettingError, match="mtrnn-lite"):
        convert(source, tmp_path / "out.safetensors", "mtrnn-light")
    with pytest.raises(CheckpointError, match="no file"):
        convert(tmp_path / "absent.pt", tmp_path / "out.safetensors", "mtrnn")
    with pytest.raises(OutputError, match=r"\.safetensors"):
        convert(source, tmp_path / "out.pt", "mtrnn")
    inside_a_file = source / "out.safetensors"
    with pytest.raises(OutputError, match="cannot be written"):
        convert(source, inside_a_file, "mtrnn")
    tensors = tmp_path / "same.safetensors"
    save_file(authors_file(), tensors)
    with pytest.raises(OutputError, match="both source and target"):
        convert(tensors, tensors, "mtrnn")
