"""Every loss term against figures by hand, and what a discriminator and VGG16 add."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch.nn import functional as F

from deblur_demo.errors import CheckpointError, SettingError
from training.losses.adversarial import PatchDiscriminator, discriminator_loss, generator_loss
from training.losses.objective import Objective, shrunk
from training.losses.perceptual import LAYERS, Perceptual, VGG16Features
from training.losses.terms import charbonnier, edge, fft, l1, mse, psnr, weighted
from training.losses.weights import Loss
from training.machine import Machine

CPU = torch.device("cpu")


@pytest.fixture
def images() -> torch.Tensor:
    """Estimate and truth, (2, 2, 3, 8, 8)."""
    return torch.rand(2, 2, 3, 8, 8, generator=torch.Generator().manual_seed(0))


@pytest.fixture(params=[".safetensors", ".pth"])
def vgg16(request, tmp_path: Path) -> str:
    """Random weights of VGG16 up to conv3_3 and something more, as a user's file."""
    torch.manual_seed(0)
    state = {f"features.{key}": value for key, value in VGG16Features("conv3_3").state_dict().items()}
    state["classifier.0.weight"] = torch.zeros(3, 3)
    path = tmp_path / f"vgg16{request.param}"
    save_file(state, path) if path.suffix == ".safetensors" else torch.save(state, path)
    return str(path)


def test_pixel_terms_by_hand(images):
    estimate, truth = images
    difference = (estimate - truth).double()
    assert float(l1(estimate, truth)) == pytest.approx(float(difference.abs().sum() / 384), rel=1e-5)
    assert float(mse(estimate, truth)) == pytest.approx(float(difference.square().sum() / 384), rel=1e-5)
    by_hand = (difference.square() + 1e-6).sqrt().mean()
    assert float(charbonnier(estimate, truth)) == pytest.approx(float(by_hand), rel=1e-5)
    spectrum = torch.fft.rfft2(estimate - truth) / 8
    by_hand = (spectrum.real.abs().mean() + spectrum.imag.abs().mean()) / 2
    assert float(fft(estimate, truth)) == pytest.approx(float(by_hand), rel=1e-5)


def test_equal_images_cost_nothing_but_epsilon(images):
    same = images[0]
    assert float(weighted(Loss(l1=1, mse=1, fft=1), same, same)) == 0
    assert float(charbonnier(same, same, 0.01)) == pytest.approx(0.01)
    assert float(psnr(same, same, 0.01)) == 0


def test_decibels_are_those_of_every_picture_for_itself(images):
    estimate, truth = images
    squares = (estimate - truth).double().square().flatten(1).mean(1)
    assert float(psnr(estimate, truth, 1e-4)) == pytest.approx(float(10 * squares.log10().mean() + 80), abs=1e-4)
    # A tenth of the difference is 20 dB less for one of two pictures, so 10 in their mean, however large it was.
    nearer = torch.stack((truth[0] + (estimate - truth)[0] / 10, estimate[1]))
    assert float(psnr(estimate, truth, 1e-5) - psnr(nearer, truth, 1e-5)) == pytest.approx(10, abs=1e-3)


def test_the_edge_term_sees_edges_only(images):
    estimate, truth = images
    assert float(edge(truth + 0.3, truth)) == pytest.approx(1e-3, rel=1e-2), "a brighter picture has the same edges"
    kernel = torch.tensor([[0.0, 1, 0], [1, -4, 1], [0, 1, 0]]).expand(3, 1, 3, 3)
    difference = F.conv2d((estimate - truth), kernel, groups=3)
    assert float(edge(estimate, truth)) == pytest.approx(float((difference.square() + 1e-6).sqrt().mean()), rel=1e-5)


def test_the_sum_is_weighted(images):
    weights = Loss(l1=2.0, mse=3.0, charbonnier=0.5, psnr=0.2, edge=0.05, fft=0.1, epsilon=0.02)
    by_hand = (
        2 * l1(*images) + 3 * mse(*images) + 0.5 * charbonnier(*images, 0.02) + 0.05 * edge(*images, 0.02)
        + 0.2 * psnr(*images, 0.02) + 0.1 * fft(*images)
    )  # fmt: skip
    assert float(weighted(weights, *images)) == pytest.approx(float(by_hand), rel=1e-6)


def test_deep_supervision_compares_each_prediction_at_its_scale(images):
    estimate, truth = images
    objective = Objective(Loss(), Machine(CPU, "fp32"), clip=1.0)
    half = F.interpolate(estimate, scale_factor=0.5)
    by_hand = l1(half, truth.unflatten(3, (4, 2)).unflatten(2, (4, 2)).mean((3, 5))) + l1(estimate, truth)
    assert float(objective.loss([(half, 2), (estimate, 1)], truth)) == pytest.approx(float(by_hand), rel=1e-6)
    assert shrunk(truth, 2).shape == (2, 3, 4, 4)
    one = objective.loss([(estimate, 1)], truth[:1])
    assert float(one) == pytest.approx(float(l1(estimate[:1], truth[:1]))), "crops without the goal are left out"


def test_perceptual_compares_rectified_features(vgg16: str, images):
    estimate, truth = (F.interpolate(image, 32) for image in images)
    perceptual = Perceptual(vgg16, "conv2_1")
    weights = torch.load(vgg16, weights_only=True) if vgg16.endswith("pth") else None

    def features(image):
        mean, spread = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
        x = (image - mean.view(3, 1, 1)) / spread.view(3, 1, 1)
        for index in (0, 2):
            x = F.relu(F.conv2d(x, weights[f"features.{index}.weight"], weights[f"features.{index}.bias"], padding=1))
        x = F.max_pool2d(x, 2)
        return F.relu(F.conv2d(x, weights["features.5.weight"], weights["features.5.bias"], padding=1))

    found = perceptual(estimate, truth)
    assert float(perceptual(truth, truth)) == 0 < float(found)
    if weights is not None:
        by_hand = (features(estimate) - features(truth)).square().mean()
        assert float(found) == pytest.approx(float(by_hand), rel=1e-4)
    weighted_in = Objective(Loss(l1=0, perceptual=0.5, vgg16=vgg16, vgg16_layer="conv2_1"), Machine(CPU, "fp32"), 1.0)
    assert float(weighted_in.loss([(estimate, 1)], truth)) == pytest.approx(0.5 * float(found), rel=1e-5)


def test_vgg16_has_its_thirteen_convolutions_where_torchvision_has_them():
    whole = VGG16Features("conv5_3")
    assert [index for index, layer in enumerate(whole) if isinstance(layer, torch.nn.Conv2d)] == [
        0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28,
    ]  # fmt: skip
    assert sum(value.numel() for value in whole.parameters()) == 14_714_688
    assert len(LAYERS) == 13


def test_a_wrong_vgg16_is_refused(tmp_path: Path):
    with pytest.raises(SettingError, match="--vgg16"):
        Perceptual("", "conv3_3")
    with pytest.raises(SettingError, match="conv9_9"):
        VGG16Features("conv9_9")
    broken, other, code = tmp_path / "broken.pth", tmp_path / "other.safetensors", tmp_path / "code.pth"
    broken.write_bytes(b"no weights")
    save_file({"features.0.weight": torch.zeros(8, 3, 3, 3)}, other)
    torch.save({"features.0.weight": Path("never run")}, code)
    for path, message in ((broken, "cannot be read"), (other, "features.0.weight"), (code, "cannot be read")):
        with pytest.raises(CheckpointError, match=message):
            Perceptual(str(path), "conv1_1")


@pytest.mark.parametrize(
    ("kind", "discriminator", "generator"),
    [
        # One answer each: 2 to a sharp patch, -1 to a restored one; softplus(x) = ln(1 + e^x).
        ("standard", math.log1p(math.exp(-2)) + math.log1p(math.exp(-1)), math.log1p(math.exp(1))),
        ("least-squares", ((2 - 1) ** 2 + (-1) ** 2) / 2, (-1 - 1) ** 2 / 2),
        ("relativistic", ((3 - 1) ** 2 + (-3 + 1) ** 2) / 2, ((-3 - 1) ** 2 + (3 + 1) ** 2) / 2),
    ],
)
def test_adversarial_losses_by_hand(kind, discriminator, generator):
    real, fake = torch.tensor([2.0]), torch.tensor([-1.0])
    assert float(discriminator_loss(kind, real, fake)) == pytest.approx(discriminator, rel=1e-5)
    assert float(generator_loss(kind, real, fake)) == pytest.approx(generator, rel=1e-5)


def test_relativistic_answers_are_compared_with_the_others_mean():
    real, fake = torch.tensor([1.0, 3.0]), torch.tensor([0.0, 2.0])
    by_hand = (((real - 1 - 1) ** 2).mean() + ((fake - 2 + 1) ** 2).mean()) / 2
    assert float(discriminator_loss("relativistic", real, fake)) == pytest.approx(float(by_hand))


@pytest.mark.parametrize("kind", ["standard", "least-squares", "relativistic"])
def test_a_discriminator_learns_to_tell_restored_from_sharp(kind):
    torch.manual_seed(0)
    objective = Objective(Loss(l1=0, gan=1.0, gan_kind=kind, gan_rate=2e-4), Machine(CPU, "fp32"), clip=10.0)
    adversary = objective.adversary
    sharp = torch.rand(2, 3, 32, 32)
    restored = F.avg_pool2d(sharp, 5, stride=1, padding=2).requires_grad_()

    def own_loss() -> float:
        with torch.no_grad():
            return float(discriminator_loss(kind, adversary.discriminator(sharp), adversary.discriminator(restored)))

    before = own_loss()
    for _ in range(25):
        adversary.learn([(restored, sharp)])
    assert own_loss() < 0.7 * before
    objective.loss([(restored, 1)], sharp).backward()
    assert restored.grad.abs().sum() > 0
    assert all(weight.grad is None for weight in adversary.discriminator.parameters())


def test_a_patch_is_seventy_pixels_wide():
    discriminator = PatchDiscriminator(4).double()
    for layer in discriminator:
        if isinstance(layer, torch.nn.InstanceNorm2d):
            layer.forward = lambda x: x  # which sees everything
    image = torch.rand(1, 3, 128, 128, dtype=torch.float64, requires_grad=True)
    answers = discriminator(image)
    (gradient,) = torch.autograd.grad(answers[0, 0, 7, 7], image)
    rows = gradient.abs().sum((0, 1, 3)).nonzero().flatten()
    assert int(rows[-1] - rows[0]) + 1 == 70
