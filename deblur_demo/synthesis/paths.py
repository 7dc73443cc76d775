"""Random camera and object paths: smooth shift, rotation, zoom and slight perspective.

A path is one 3x3 homography per instant, in normalised image coordinates ([-1, 1] over width
and height), the identity at the middle instant, so that the middle of a blur is the sharp image
itself. Paths are Bezier curves of random order, as in GS-Blur's six-degree-of-freedom paths; a share
of them may have the shifts of a trembling hand instead (Boracchi & Foi 2012, as DeblurGAN draws them).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F


@dataclass(frozen=True)
class PathSettings:
    """How far a path goes over its whole time.

    Attributes:
        shift: longest displacement of the centre in pixels; drawn log-uniformly below it.
        least_shift: shortest displacement in pixels.
        rotation: standard deviation of the turn in degrees.
        zoom: standard deviation of the relative change of scale.
        perspective: standard deviation of the two perspective terms.
        order: highest order of the Bezier curve; 1 is a straight, uniform motion.
        shaky: share of paths whose shifts tremble; ``shift`` is then the diagonal of what they span.
    """

    shift: float = 30.0
    least_shift: float = 2.0
    rotation: float = 0.8
    zoom: float = 0.008
    perspective: float = 0.004
    order: int = 4
    shaky: float = 0.0


def random_paths(count: int, instants: int, side: int, settings: PathSettings, generator: torch.Generator) -> Tensor:
    """Draw paths.

    Args:
        count: number of paths, B.
        instants: points in time, M, odd.
        side: width and height in pixels of the picture that the path moves over.
        settings: extents.
        generator: on the device where the paths are wanted.

    Returns:
        Homographies (B, M, 3, 3) that map output to source coordinates.
    """
    device = generator.device

    def normal(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator, device=device)

    def uniform(*shape: int) -> Tensor:
        return torch.rand(*shape, generator=generator, device=device)

    # Six freedoms: shift x, shift y, rotation, zoom, perspective x, perspective y.
    direction = 2 * math.pi * uniform(count)
    ratio = settings.shift / settings.least_shift
    extent = settings.least_shift * ratio ** uniform(count) * 2 / side  # pixels -> [-1, 1] units
    shift = torch.stack((direction.cos(), direction.sin()), dim=1) * extent[:, None]  # (B, 2)
    scale = torch.tensor(
        [math.radians(settings.rotation), settings.zoom, settings.perspective, settings.perspective], device=device
    )
    travel = torch.cat((shift, normal(count, 4) * scale), dim=1)  # (B, 6) from start to end

    curve = _bezier(travel, instants, settings.order, normal, uniform)  # (B, M, 6)
    if settings.shaky and instants > 1:
        tremor = _tremor(count, instants, normal, uniform) * extent[:, None, None]  # (B, M, 2)
        chosen = (uniform(count) < settings.shaky)[:, None, None]
        curve = torch.cat((torch.where(chosen, tremor, curve[..., :2]), curve[..., 2:]), dim=2)
    curve = curve - curve[:, instants // 2 : instants // 2 + 1]
    return _homographies(curve)


def drawn_path(points: Sequence[tuple[float, float]], instants: int, side: int) -> Tensor:
    """The path that shifts the picture along given points, without a turn.

    Args:
        points: (x, y) in pixels, evenly spaced in time; at least one. What lies still in front of the
            camera travels along them on the picture, and is in its place at the middle instant.
        instants: points in time, M, odd.
        side: width and height in pixels of the picture that the path moves over.

    Returns:
        Homographies (1, M, 3, 3) that map output to source coordinates.
    """
    track = torch.tensor(points, dtype=torch.float32).reshape(-1, 2).t()[None]  # (1, 2, K)
    if track.shape[2] == 1:
        track = track.repeat(1, 1, 2)
    track = F.interpolate(track, size=instants, mode="linear", align_corners=True)[0].t()  # (M, 2)
    shift = (track[instants // 2] - track) * 2 / side  # sampled from where it comes from
    return _homographies(F.pad(shift, (0, 4))[None])


def _bezier(travel: Tensor, instants: int, highest: int, normal, uniform) -> Tensor:
    """Bezier curves from 0 to ``travel`` whose inner control points are drawn: (B, M, 6)."""
    count = len(travel)
    order = 1 + (uniform(count) * highest).long().clamp(max=highest - 1)  # (B,) in 1..highest
    knots = torch.arange(highest + 1, device=travel.device)
    along = (knots / order[:, None]).clamp(max=1)[..., None]  # even spacing = uniform motion
    # Inner control points stray by about a third of the way, in every freedom.
    inner = ((knots > 0) & (knots < order[:, None]))[..., None]
    sideways = travel[:, :2].flip(1) * torch.tensor([-1.0, 1.0], device=travel.device)
    stray = torch.cat((travel[:, :2].abs() + sideways.abs(), travel[:, 2:].abs()), dim=1) / 3
    control = travel[:, None] * along + inner * normal(count, highest + 1, 6) * stray[:, None]  # (B, K, 6)

    return _bernstein(highest, instants).to(travel.device)[order - 1] @ control


def _bernstein(highest: int, instants: int) -> Tensor:
    """Weights of the control points of Bezier curves of the orders 1..``highest``: (highest, M, highest + 1).

    They are made on the CPU in double precision, which devices of Apple's lack.
    """
    orders, knots = range(1, highest + 1), range(highest + 1)
    binomial = torch.tensor([[float(math.comb(n, k)) for k in knots] for n in orders], dtype=torch.float64)[:, None]
    n, k = torch.tensor(orders)[:, None, None], torch.tensor(knots)
    t = torch.linspace(0, 1, instants).double()[:, None]  # (M, 1)
    return (binomial * t**k * (1 - t) ** (n - k).clamp(min=0)).float()


def _tremor(count: int, instants: int, normal, uniform) -> Tensor:
    """Walks of constant speed with inertia, jitter, a pull to the start and sudden turns back: (B, M, 2).

    Each spans a diagonal of 1. The published walk has 2000 steps of 60 px in all; here it has ten an
    instant, with jitter scaled by the root of the step's length, pull and chance of a turn by the length.
    """
    steps = 10 * (instants - 1)
    coarse = 2000 / steps
    chosen = uniform(count)
    levels = torch.tensor([0.01, 0.009, 0.007, 0.005, 0.003], device=chosen.device)
    anxiety = levels[(chosen * 5).long().clamp(max=4)]  # (B,)
    pull, jitter, turn = 0.7 * uniform(count), 10 * uniform(count), 0.2 * uniform(count)
    angle = 2 * math.pi * uniform(count)
    heading = torch.stack((angle.cos(), angle.sin()), dim=1)  # (B, 2), of length 1
    noise = normal(steps, count, 2) * (anxiety * jitter * coarse**0.5)[:, None]
    turned = uniform(steps, count) < turn * anxiety * coarse
    back = math.pi + uniform(steps, count) - 0.5

    place, walk = torch.zeros_like(heading), []
    for step in range(steps):
        cos, sin = back[step].cos(), back[step].sin()
        x, y = heading.unbind(1)
        leap = 2 * torch.stack((x * cos - y * sin, x * sin + y * cos), dim=1) * turned[step][:, None]
        drift = noise[step] - (anxiety * pull * 60 * coarse)[:, None] * place
        heading = heading + leap + drift
        heading = heading / heading.norm(dim=1, keepdim=True).clamp(min=1e-6)
        walk.append(place)
        place = place + heading / steps
    walk = torch.stack([*walk, place], dim=1)[:, ::10]  # (B, M, 2)
    return walk / (walk.amax(dim=1) - walk.amin(dim=1)).norm(dim=1).view(-1, 1, 1)


def _homographies(curve: Tensor) -> Tensor:
    """Freedoms (B, M, 6) -> matrices (B, M, 3, 3)."""
    x, y, angle, zoom, px, py = curve.unbind(-1)
    cos, sin, scale = angle.cos(), angle.sin(), zoom.exp()
    one = torch.ones_like(x)
    rows = [scale * cos, -scale * sin, x, scale * sin, scale * cos, y, px, py, one]
    return torch.stack(rows, dim=-1).unflatten(-1, (3, 3))
