"""What a recipe's ``[loss]`` says: the weight of every term, and the settings of those that have some."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Loss:
    """A weighted sum of terms, see ``training.losses.terms`` for their definitions.

    Attributes:
        l1: weight of the mean absolute difference.
        mse: weight of the mean squared difference.
        charbonnier: weight of the smooth absolute difference (SGENet, equation 3).
        psnr: weight of the mean squared difference in decibels, every picture for itself (Chen 2022).
        edge: weight of the Charbonnier difference of the Laplacians (SGENet, equation 4).
        fft: weight of the mean absolute difference of the orthonormal Fourier transforms.
        perceptual: weight of the difference of VGG16 features (Brehm 2020, section 3.3).
        gan: weight of what a discriminator says (Brehm 2020, section 3.3).
        epsilon: where the Charbonnier terms turn from squared to absolute, and a difference that ``psnr``
            hardly sees.
        vgg16: file with VGG16's weights, needed by ``perceptual``; nothing is fetched.
        vgg16_layer: convolution whose rectified output is compared, "conv3_3" in Brehm 2020.
        gan_kind: "standard", "least-squares" or "relativistic" (average, with least squares).
        gan_rate: learning rate of the discriminator.
        deep: whether every image that the network predicts on its way is compared with the truth at
            its scale (SGENet, PSS-NSC, the multi-scale MT-RNN); perceptual and gan see only the last.
    """

    l1: float = 1.0
    mse: float = 0.0
    charbonnier: float = 0.0
    psnr: float = 0.0
    edge: float = 0.0
    fft: float = 0.0
    perceptual: float = 0.0
    gan: float = 0.0
    epsilon: float = 1e-3
    vgg16: str = ""
    vgg16_layer: str = "conv3_3"
    gan_kind: Literal["standard", "least-squares", "relativistic"] = "standard"
    gan_rate: float = 1e-4
    deep: bool = False
