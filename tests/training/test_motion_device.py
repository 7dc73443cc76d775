"""Motion is drawn where the pictures are, also on devices without double precision."""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from deblur_demo.synthesis.paths import _bezier

COUNT, INSTANTS, HIGHEST = 64, 39, 4


class NoDoubles(TorchDispatchMode):
    """A device as Apple's are: nothing in double precision is made on "meta", which stands in for it."""

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        made = function(*args, **kwargs or {})
        assert not (isinstance(made, Tensor) and made.is_meta and made.dtype == torch.float64), function
        return made


def test_paths_need_no_double_precision_on_their_device():
    draw = partial(torch.empty, device="meta")
    with NoDoubles():
        curve = _bezier(draw(COUNT, 6), INSTANTS, HIGHEST, draw, draw)
    assert curve.is_meta and curve.shape == (COUNT, INSTANTS, 6)


def test_paths_are_curves_of_bezier():
    """As de Casteljau draws them, by nothing but means of neighbouring control points."""
    chance = torch.Generator().manual_seed(0)
    drawn = {}

    def uniform(*shape: int) -> Tensor:
        return drawn.setdefault("orders", torch.rand(*shape, generator=chance))

    def normal(*shape: int) -> Tensor:
        return drawn.setdefault("strays", torch.randn(*shape, generator=chance))

    travel = torch.randn(COUNT, 6, generator=chance)
    curve = _bezier(travel, INSTANTS, HIGHEST, normal, uniform)
    sideways = torch.stack((travel[:, 1], travel[:, 0]), dim=1)
    extent = torch.cat((travel[:, :2].abs() + sideways.abs(), travel[:, 2:].abs()), dim=1) / 3
    t = torch.linspace(0, 1, INSTANTS, dtype=torch.float64)[:, None]
    orders = (1 + drawn["orders"] * HIGHEST).int().tolist()
    assert set(orders) == {1, 2, 3, 4}
    for path, order, start, stray, scale in zip(curve, orders, travel, drawn["strays"], extent, strict=True):
        points = [start.double() * knot / order for knot in range(order + 1)]
        points[1:-1] = [point + stray[knot] * scale for knot, point in enumerate(points[1:-1], 1)]
        while len(points) > 1:
            points = [(1 - t) * one + t * other for one, other in zip(points, points[1:], strict=False)]
        torch.testing.assert_close(path, points[0].float(), rtol=1e-5, atol=1e-6)
