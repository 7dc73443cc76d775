"""Perceptual loss: images compared by what VGG16 sees in them (Johnson 2016; Brehm 2020, section 3.3).

The weights come from a file that the user has, in the layout that torchvision made usual
(``features.0.weight`` ...), as ``.safetensors`` or as a state dict in a ``.pth``. Nothing is fetched,
and nothing in the file is run.
"""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional as F

from deblur_demo.errors import CheckpointError, SettingError

WIDTHS = ((64, 64), (128, 128), (256, 256, 256), (512, 512, 512), (512, 512, 512))
LAYERS = tuple(f"conv{i}_{j}" for i, widths in enumerate(WIDTHS, 1) for j in range(1, len(widths) + 1))
MEAN, SPREAD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of ImageNet, which VGG16 was trained on


class VGG16Features(nn.Sequential):
    """VGG16 (Simonyan 2015, configuration D) up to one rectified convolution.

    Its keys are those of torchvision's ``features``: convolution, ReLU and pooling each count.

    Args:
        layer: last convolution, "conv1_1" to "conv5_3".
    """

    def __init__(self, layer: str):
        if layer not in LAYERS:
            raise SettingError(f"VGG16 has no layer {layer!r}", ", ".join(LAYERS), "Change vgg16_layer in [loss]")
        layers, channels = [], 3
        for name, width in zip(LAYERS, (width for widths in WIDTHS for width in widths), strict=True):
            if name.endswith("_1") and layers:
                layers.append(nn.MaxPool2d(2))
            layers += [nn.Conv2d(channels, width, 3, padding=1), nn.ReLU()]
            channels = width
            if name == layer:
                break
        super().__init__(*layers)


class Perceptual(nn.Module):
    """Mean squared difference of the features of one layer.

    Args:
        file: weights of VGG16.
        layer: see ``VGG16Features``.

    Raises:
        SettingError: no file is named, or there is no such layer.
        CheckpointError: the file cannot be read, or is not VGG16's.
    """

    def __init__(self, file: str, layer: str):
        super().__init__()
        if not file:
            raise SettingError(
                "the perceptual loss has no VGG16 to look with",
                "a .safetensors or .pth file with VGG16's weights",
                "Name one with --vgg16 FILE or vgg16 in [loss]",
            )
        self.features = VGG16Features(layer)
        _fill(self.features, Path(file))
        self.features.requires_grad_(False).eval()
        self.register_buffer("mean", torch.tensor(MEAN).view(1, 3, 1, 1))
        self.register_buffer("spread", torch.tensor(SPREAD).view(1, 3, 1, 1))

    def forward(self, estimate: Tensor, truth: Tensor) -> Tensor:
        """Images (B, 3, H, W) in [0, 1] -> scalar."""
        both = self.features((torch.cat((estimate, truth)) - self.mean) / self.spread).float()
        return F.mse_loss(*both.chunk(2))


def _fill(features: VGG16Features, file: Path) -> None:
    """Copy the weights that are wanted out of a file; it may hold further layers."""
    try:
        if file.suffix == ".safetensors":
            found = load_file(file)
        else:
            found = torch.load(file, map_location="cpu", weights_only=True)
    except Exception as error:  # torch and safetensors raise half a dozen types for a wrong file
        raise CheckpointError(
            f"{file} cannot be read: {error}", "a .safetensors or .pth state dict", "Name another with --vgg16"
        ) from error
    found = {key.removeprefix("features."): value for key, value in dict(found).items()}
    for key, value in features.state_dict().items():
        given = found.get(key)
        if not isinstance(given, Tensor) or given.shape != value.shape:
            raise CheckpointError(
                f"{file} has no features.{key} of shape {tuple(value.shape)}",
                "the weights of VGG16 without batch normalisation",
                "Name another with --vgg16",
            )
    features.load_state_dict({key: found[key].float() for key in features.state_dict()})
