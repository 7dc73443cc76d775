"""Random paths: still in the middle, as long as asked, reproducible."""

from __future__ import annotations

import torch

from deblur_demo.synthesis.paths import PathSettings, random_paths

SIDE = 200


def draw(count: int = 64, seed: int = 0, **settings) -> torch.Tensor:
    return random_paths(count, 39, SIDE, PathSettings(**settings), torch.Generator().manual_seed(seed))


def test_middle_instant_is_the_identity():
    paths = draw()
    assert paths.shape == (64, 39, 3, 3)
    torch.testing.assert_close(paths[:, 19], torch.eye(3).expand(64, 3, 3))


def test_straight_path_has_the_length_asked_for():
    paths = draw(shift=30.0, least_shift=30.0, rotation=0.0, zoom=0.0, perspective=0.0, order=1)
    travel = (paths[:, -1, :2, 2] - paths[:, 0, :2, 2]).norm(dim=1) * SIDE / 2
    torch.testing.assert_close(travel, torch.full((64,), 30.0))
    # Order 1 is uniform motion: equal steps.
    steps = (paths[:, 1:, :2, 2] - paths[:, :-1, :2, 2]).norm(dim=2)
    torch.testing.assert_close(steps, steps[:, :1].expand_as(steps), atol=1e-5, rtol=0)


def test_extents_are_drawn_between_their_bounds():
    paths = draw(count=400, shift=40.0, least_shift=4.0, order=1)
    travel = (paths[:, -1, :2, 2] - paths[:, 0, :2, 2]).norm(dim=1) * SIDE / 2
    assert 3.99 < travel.min() < 6 and 34 < travel.max() < 40.01
    assert 10 < travel.median() < 16  # log-uniform: the geometric mean, 12.6


def test_higher_orders_bend():
    paths = draw(count=200, order=4)[:, :, :2, 2]
    length = (paths[:, 1:] - paths[:, :-1]).norm(dim=2).sum(dim=1)
    chord = (paths[:, -1] - paths[:, 0]).norm(dim=1)
    assert (length > 1.05 * chord).float().mean() > 0.3


def test_one_seed_one_path():
    assert torch.equal(draw(seed=5), draw(seed=5))
    assert not torch.equal(draw(seed=5), draw(seed=6))


def test_trembling_paths_span_their_extent_and_turn_sharply():
    paths = draw(count=200, shift=30.0, least_shift=30.0, shaky=1.0)[:, :, :2, 2] * SIDE / 2
    span = (paths.amax(dim=1) - paths.amin(dim=1)).norm(dim=1)
    torch.testing.assert_close(span, torch.full((200,), 30.0), atol=1e-3, rtol=0)
    assert torch.equal(paths[:, 19], torch.zeros(200, 2))

    def sharpest_turn(path: torch.Tensor) -> torch.Tensor:
        steps = torch.nn.functional.normalize(path[:, 1:] - path[:, :-1], dim=2)
        return (steps[:, 1:] * steps[:, :-1]).sum(dim=2).amin(dim=1)

    curves = draw(count=200, shift=30.0, least_shift=30.0)[:, :, :2, 2]
    assert (sharpest_turn(paths) < 0).float().mean() > (sharpest_turn(curves) < 0).float().mean() + 0.3


def test_at_a_single_instant_nothing_moves():
    paths = random_paths(3, 1, 64, PathSettings(shaky=1.0), torch.Generator().manual_seed(0))
    assert torch.equal(paths, torch.eye(3).expand(3, 1, 3, 3))


def test_a_share_of_paths_trembles():
    straight = {"rotation": 0.0, "zoom": 0.0, "perspective": 0.0, "order": 1}
    paths = draw(count=400, shaky=0.3, **straight)[:, :, :2, 2]
    length = (paths[:, 1:] - paths[:, :-1]).norm(dim=2).sum(dim=1)
    chord = (paths[:, -1] - paths[:, 0]).norm(dim=1)
    assert 0.2 < (length > 1.02 * chord).float().mean() < 0.4
