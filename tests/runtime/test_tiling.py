"""Tiles with a halo equal the whole picture: every step, the recurrent features, any size."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from deblur_demo.models.contract import Estimate, Restorer
from deblur_demo.runtime.device import place
from deblur_demo.runtime.grid import grid_of_side
from deblur_demo.runtime.tiling import Mosaic

TOLERANCE = 1e-4


class Runner:
    """The plainest worker: the network as it is, with all the memory it wants."""

    largest = float("inf")

    def __init__(self, network: Restorer):
        self.network = network

    def __call__(self, window: Tensor, previous: Tensor, state: tuple[Tensor, ...]) -> Estimate:
        return self.network(window, previous, state)


@torch.inference_mode()
def tiled(network: Restorer, window: Tensor, side: int, steps: int) -> Iterator[tuple[Tensor, list[Tensor], float]]:
    mosaic = Mosaic(window, grid_of_side(*window.shape[-2:], network.traits, side), place("cpu").device)
    for _ in range(steps):
        for _ in mosaic.step(Runner(network)):
            pass
        yield mosaic.image.clone(), [feature.clone() for feature in mosaic.state], mosaic.changes


@torch.inference_mode()
def whole(network: Restorer, window: Tensor, steps: int) -> Iterator[tuple[Tensor, list[Tensor]]]:
    """The network on the padded picture at once, with the padding done by torch."""
    height, width = window.shape[-2:]
    pad = (0, network.traits.padded(width) - width, 0, network.traits.padded(height) - height)
    fits = pad[1] < width and pad[3] < height
    frames = F.pad(window.flatten(0, 1), pad, mode="reflect" if fits else "replicate").unflatten(0, window.shape[:2])
    for estimate in network.run(frames, steps):
        yield estimate.image.clone(), [feature.clone() for feature in estimate.state]


def worst(network: Restorer, window: Tensor, side: int, steps: int) -> float:
    """Largest difference between tiled and whole, over all steps, images and features alike."""
    differences = [0.0]
    for (image, state, _), (image0, state0) in zip(
        tiled(network, window, side, steps), whole(network, window, steps), strict=True
    ):
        assert len(state) == len(state0)
        for mine, theirs in zip([image, *state], [image0, *state0], strict=True):
            assert mine.shape == theirs.shape
            differences.append((mine - theirs).abs().max().item())
    return max(differences)


@pytest.mark.parametrize("side", [13, 33, 50, 100, 1000])
@pytest.mark.parametrize("size", [(150, 161), (90, 200)])
def test_tiled_equals_whole_whatever_the_tile(recurrent, size, side):
    assert worst(recurrent(), torch.rand(1, 1, 3, *size), side, steps=3) < TOLERANCE


@pytest.mark.parametrize("size", [(24, 672), (672, 24)])
def test_mtrnn_is_exact_with_its_halo(lively, size):
    """Three tiles and two halos long, so that the middle tiles see neither end."""
    assert worst(lively("mtrnn"), torch.rand(1, 1, 3, *size), side=64, steps=2) < TOLERANCE


@pytest.mark.parametrize("size", [(16, 1248), (1248, 16)])
def test_mtrnn_lite_is_exact_with_its_halo(lively, size):
    assert worst(lively("mtrnn-lite"), torch.rand(1, 1, 3, *size), side=100, steps=2) < TOLERANCE


def test_a_narrower_halo_would_show(lively):
    """The tolerance above is no accident: a third of the halo fails it by far."""
    network = lively("mtrnn")
    window = torch.rand(1, 1, 3, 24, 672)
    exact = [step[0] for step in whole(network, window, 2)]
    network.traits = replace(network.traits, halo=32)
    narrow = [step[0] for step in tiled(network, window, 64, 2)]
    assert (exact[-1] - narrow[-1]).abs().max() > 5 * TOLERANCE


@pytest.mark.parametrize("side", [6, 16, 40])
def test_stages_hand_features_of_changing_kind_from_one_to_the_next(stages, side):
    assert worst(stages, torch.rand(1, 3, 3, 50, 71), side, steps=3) < TOLERANCE


def test_windows_of_three_frames_and_batches(recurrent):
    assert worst(recurrent(frames=3), torch.rand(2, 3, 3, 64, 90), side=20, steps=2) < TOLERANCE


@pytest.mark.parametrize("size", [(25, 31), (30, 97), (129, 257), (40, 40)])
def test_padding_reflects_where_that_fits(recurrent, size):
    assert worst(recurrent(), torch.rand(1, 1, 3, *size), side=0, steps=2) < TOLERANCE


@pytest.mark.parametrize("size", [(1, 1), (1, 30), (30, 1)])
def test_a_side_of_one_pixel_is_repeated(recurrent, size):
    window = torch.rand(1, 1, 3, *size)
    shape = [recurrent().traits.padded(side) for side in size]
    (image, _, _), *_ = tiled(recurrent(), window, 0, 1)
    assert image.shape[-2:] == tuple(shape)
    if size == (1, 1):
        flat = window.expand(1, 1, 3, *shape)
        assert torch.equal(image, next(whole(recurrent(), flat, 1))[0])


def test_a_side_shorter_than_its_padding_bounces_back_and_forth(recurrent):
    row = torch.rand(1, 1, 3, 1, 3).expand(1, 1, 3, 24, 3)  # columns a b c
    bounced = row[..., [0, 1, 2, 1] * 6]  # a b c b a b c b ...
    (image, _, _), *_ = tiled(recurrent(), row, 0, 1)
    assert torch.equal(image, next(whole(recurrent(), bounced, 1))[0])


@pytest.mark.parametrize("side", [0, 33])
def test_change_is_each_pictures_mean_difference_of_clamped_pixels_in_8_bit_levels(recurrent, side):
    window = 1.4 * torch.rand(2, 1, 3, 101, 83) - 0.2
    window[1] *= 0.5
    before = np.clip(window[:, 0].numpy(), 0, 1).astype(np.float64)
    for image, _, changes in tiled(recurrent(), window, side, 3):
        now = np.clip(image[..., :101, :83].numpy(), 0, 1).astype(np.float64)
        assert changes == pytest.approx(255 * np.abs(now - before).mean((1, 2, 3)), rel=1e-5)
        assert abs(changes[0] - changes[1]) > 0.1
        before = now


def test_the_input_is_only_read(recurrent):
    window = torch.rand(1, 1, 3, 60, 70)
    copy = window.clone()
    list(tiled(recurrent(), window, 20, 2))
    assert torch.equal(window, copy)


class Starved(Runner):
    """A worker whose memory holds tiles of up to so many pixels a side, and no more from some call on."""

    def __init__(self, network: Restorer, most: int):
        super().__init__(network)
        self.most, self.retreats = most, []

    def __call__(self, window: Tensor, previous: Tensor, state: tuple[Tensor, ...]) -> Estimate:
        if max(window.shape[-2:]) > self.most:
            raise torch.OutOfMemoryError("out of memory")
        return super().__call__(window, previous, state)

    def retreat(self, side: int) -> None:
        self.retreats.append(side)
        self.largest = side // 2


@torch.inference_mode()
def test_running_out_of_memory_in_mid_step_changes_nothing_but_the_tiles(recurrent):
    network, window = recurrent(), torch.rand(1, 1, 3, 200, 230)
    mosaic = Mosaic(window, grid_of_side(200, 230, network.traits, 120), place("cpu").device)
    worker = Starved(network, most=500)
    exact = list(whole(network, window, 2))
    for number, (image, state) in enumerate(exact):
        for done in mosaic.step(worker):
            if number == 1 and done == 2:
                worker.most = 110  # from the third tile of the second step on
        assert (mosaic.image - image).abs().max() < TOLERANCE
        assert all((a - b).abs().max() < TOLERANCE for a, b in zip(mosaic.state, state, strict=True))
    assert worker.retreats, "memory never ran out"
