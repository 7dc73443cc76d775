"""Muon: its steps against singular value decomposition, and what it is for."""

from __future__ import annotations

from math import sqrt

import pytest
import torch
from torch import nn
from torch.nn import functional

from training.muon import Muon, orthogonal


@pytest.mark.parametrize("shape", [(24, 200), (200, 24), (32, 32), (7, 1)])
def test_singular_values_become_about_one_and_directions_stay(shape: tuple[int, int]):
    rows, columns = shape
    rank = min(shape)
    chance = torch.Generator().manual_seed(0)
    left = torch.linalg.qr(torch.randn(rows, rank, generator=chance))[0]
    right = torch.linalg.qr(torch.randn(columns, rank, generator=chance))[0]
    values = torch.logspace(0, -1.5, rank)
    made = orthogonal((100 * left @ torch.diag(values) @ right.T)[None])[0].float()
    assert torch.linalg.svdvals(made).sub(1).abs().max() < 0.35
    # In the directions of the matrix the result is diagonal, all signs kept.
    seen = left.T @ made @ right
    assert (seen - torch.diag(seen.diagonal())).abs().max() < 0.05
    assert seen.diagonal().min() > 0.65


@pytest.mark.parametrize(("able", "dtype"), [(("fp32",), torch.float32), (("bf16", "fp32"), torch.bfloat16)])
def test_bf16_is_used_where_the_device_has_it(monkeypatch, able: tuple[str, ...], dtype: torch.dtype):
    monkeypatch.setattr("training.muon.precisions", {"cpu": able}.get)
    assert orthogonal(torch.eye(3)[None]).dtype == dtype


def test_steps_have_the_size_of_the_rate_whatever_the_gradient():
    weights = [nn.Parameter(torch.zeros(shape)) for shape in ((32, 16, 3, 3), (32,))]
    optimiser = Muon([{"params": weights}], lr=0.01)
    for scale in (1e-6, 1e3):
        before = [weight.detach().clone() for weight in weights]
        for weight in weights:
            weight.grad = scale * torch.randn(weight.shape, generator=torch.Generator().manual_seed(1))
        optimiser.step()
        for weight, old in zip(weights, before, strict=True):
            assert float((weight.detach() - old).square().mean().sqrt()) == pytest.approx(0.01 * 0.2, rel=0.35)


def test_layers_of_one_size_do_not_mix():
    """A weight takes the step that it takes alone, whatever others of its size stand beside it."""
    chance = torch.Generator().manual_seed(2)
    gradients = [scale * torch.randn(6, 4, 3, 3, generator=chance) for scale in (1e-4, 1.0)]
    together, alone = ([nn.Parameter(torch.zeros(6, 4, 3, 3)) for _ in gradients] for _ in range(2))
    optimisers = [Muon([{"params": together}], 0.1), *(Muon([{"params": [weight]}], 0.1) for weight in alone)]
    for _ in range(2):
        for weight, other, gradient in zip(together, alone, gradients, strict=True):
            weight.grad, other.grad = gradient.clone(), gradient.clone()
        for optimiser in optimisers:
            optimiser.step()
    for weight, other in zip(together, alone, strict=True):
        assert torch.equal(weight, other)


def test_weights_without_a_gradient_stay():
    weight = nn.Parameter(torch.ones(3, 3))
    Muon([{"params": [weight]}], lr=0.1).step()
    assert torch.equal(weight, torch.ones(3, 3))


def test_weak_directions_are_learned_too():
    """Inputs of which one direction is a hundred times another: AdamW at its best of five rates learns less."""
    chance = torch.Generator().manual_seed(0)
    turn = torch.linalg.qr(torch.randn(24, 24, generator=chance))[0]
    mix = turn @ torch.diag(torch.logspace(0, -2, 24)) @ turn.T
    truth = torch.randn(24, 24, generator=chance) / sqrt(24)

    def error(make) -> float:
        layer = nn.Linear(24, 24, bias=False)
        nn.init.zeros_(layer.weight)
        optimiser = make(layer.weight)
        draws = torch.Generator().manual_seed(1)
        rate = optimiser.param_groups[0]["lr"]
        for update in range(100):
            optimiser.param_groups[0]["lr"] = rate * (1 - update / 100)
            inputs = torch.randn(64, 24, generator=draws) @ mix
            optimiser.zero_grad()
            functional.mse_loss(layer(inputs), inputs @ truth.T).backward()
            optimiser.step()
        return float((layer.weight.detach() - truth).square().mean())

    rates = (0.003, 0.01, 0.03, 0.1, 0.3)
    adamw = min(error(lambda weight, rate=rate: torch.optim.AdamW([weight], rate, weight_decay=0)) for rate in rates)
    muon = min(error(lambda weight, rate=rate: Muon([{"params": [weight]}], rate)) for rate in rates)
    assert muon < 0.7 * adamw
