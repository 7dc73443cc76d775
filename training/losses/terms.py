"""Loss terms by the names that recipes use, each (estimate, truth) -> scalar; images (B, 3, H, W), fp32."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from training.losses.weights import Loss


def l1(estimate: Tensor, truth: Tensor) -> Tensor:
    """Mean absolute difference."""
    return F.l1_loss(estimate, truth)


def mse(estimate: Tensor, truth: Tensor) -> Tensor:
    """Mean squared difference."""
    return F.mse_loss(estimate, truth)


def charbonnier(estimate: Tensor, truth: Tensor, epsilon: float = 1e-3) -> Tensor:
    """Mean of sqrt(difference² + epsilon²) over pixels and colours (Charbonnier 1994; SGENet, equation 3)."""
    return ((estimate - truth).square() + epsilon**2).sqrt().mean()


def psnr(estimate: Tensor, truth: Tensor, epsilon: float = 1e-3) -> Tensor:
    """Decibels of a picture's mean squared difference above epsilon², mean over pictures (Chen 2022, NAFNet).

    Pictures count alike, whether little or much is wrong with them; 0 for equal ones.
    """
    squares = (estimate - truth).square().mean(dim=(1, 2, 3))
    return 10 * (1 + squares / epsilon**2).log10().mean()


def edge(estimate: Tensor, truth: Tensor, epsilon: float = 1e-3) -> Tensor:
    """Charbonnier difference of the Laplacians (SGENet, equation 4).

    The paper does not spell its Laplacian out: here the four neighbours minus four times the
    pixel, which leaves the outermost pixels out.
    """
    return charbonnier(_laplacian(estimate), _laplacian(truth), epsilon)


def fft(estimate: Tensor, truth: Tensor) -> Tensor:
    """Mean absolute difference of the orthonormal Fourier transforms (Cho 2021, MIMO-UNet).

    Orthonormal, so that its weight means the same at every crop size.
    """
    difference = torch.fft.rfft2(estimate - truth, norm="ortho")
    return torch.view_as_real(difference).abs().mean()


def weighted(weights: Loss, estimate: Tensor, truth: Tensor) -> Tensor:
    """The recipe's weighted sum of the terms that need nothing but the two images."""
    terms = (
        (weights.l1, l1),
        (weights.mse, mse),
        (weights.charbonnier, lambda a, b: charbonnier(a, b, weights.epsilon)),
        (weights.psnr, lambda a, b: psnr(a, b, weights.epsilon)),
        (weights.edge, lambda a, b: edge(a, b, weights.epsilon)),
        (weights.fft, fft),
    )
    return sum((weight * term(estimate, truth) for weight, term in terms if weight), start=estimate.new_zeros(()))


def _laplacian(image: Tensor) -> Tensor:  # (B, 3, H, W) -> (B, 3, H - 2, W - 2)
    middle = image[..., 1:-1, 1:-1]
    across = image[..., 1:-1, 2:] + image[..., 1:-1, :-2]
    down = image[..., 2:, 1:-1] + image[..., :-2, 1:-1]
    return across + down - 4 * middle
