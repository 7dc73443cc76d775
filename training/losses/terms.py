"""Loss terms by the names that recipes use, each (estimate, truth) -> scalar."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from training.config import Loss


def l1(estimate: Tensor, truth: Tensor) -> Tensor:
    """Mean absolute difference."""
    return F.l1_loss(estimate, truth)


def fft(estimate: Tensor, truth: Tensor) -> Tensor:
    """Mean absolute difference of the orthonormal Fourier transforms (Cho 2021, MIMO-UNet).

    Orthonormal, so that its weight means the same at every crop size.
    """
    difference = torch.fft.rfft2(estimate - truth, norm="ortho")
    return torch.view_as_real(difference).abs().mean()


def weighted(weights: Loss, estimate: Tensor, truth: Tensor) -> Tensor:
    """The recipe's weighted sum; shapes (B, 3, H, W), fp32."""
    total = weights.l1 * l1(estimate, truth)
    if weights.fft:
        total = total + weights.fft * fft(estimate, truth)
    return total
