"""MLFA: its size, how it weighs neighbours, and how its two stages become two steps."""

from __future__ import annotations

import math

import pytest
import torch

from deblur_demo.errors import SettingError
from deblur_demo.models import registry
from deblur_demo.models.contract import Restorer
from deblur_demo.models.zoo.mlfa import VARIANTS, weigh

SIZES = {
    "mlfa": (94_096_204, 46_182_022),
    "mlfa-single": (33_648_262, 33_648_262),
    "mlfa-s": (17_659_646, 11_553_606),
    "mlfa-lite": (5_535_762, 2_892_454),
}
# One variant of the small network, as the first stage of a small pipeline; the wide ones are counted on "meta".
NARROW = {"mlfa": {"first": "brehm-stage1-s", "width": 4}, "mlfa-single": {"width": 4}}
# Mean, deviation and one pixel of the output, with weights and a window that a formula makes.
GOLDEN = {"mlfa": (0.5038, 0.3795, 0.2658), "mlfa-single": (0.4933, 0.6687, 0.5731)}


@pytest.fixture
def pipeline(liven) -> Restorer:
    torch.manual_seed(0)
    return liven(registry.build("mlfa", **NARROW["mlfa"]))


@pytest.fixture
def window() -> torch.Tensor:
    return torch.rand(1, 3, 3, 32, 48, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("name", VARIANTS)
def test_size(name):
    with torch.device("meta"):
        network = registry.build(name)
    second = sum(value.numel() for value in network.second.parameters())
    assert (network.parameter_count, second) == SIZES[name]


def test_size_of_the_parts():
    """Widths of the release, level by level: what a level adds to the sums above."""
    with torch.device("meta"):
        second = registry.build("mlfa").second

    def shapes(layers):
        return [tuple(layer.weight.shape) for layer in layers]

    assert second.stem.weight.shape == (64, 3, 7, 7)
    assert shapes(second.down) == [(64, 64, 3, 3), (128, 64, 3, 3), (256, 128, 3, 3), (512, 256, 3, 3)]
    assert shapes(second.fuse) == [(2 * w, 3 * w, 3, 3) for w in (64, 128, 256, 512)]
    assert shapes(second.up) == [(w, w, 3, 3) for w in (64, 128, 256, 512)]
    assert [[block.conv1.in_channels for block in blocks] for blocks in second.blocks] == [
        [2 * w, w, w] for w in (64, 128, 256, 512)
    ]


def test_radius_and_halo(reach, positive):
    second = positive(registry.build("mlfa", first="", width=4))
    assert reach(second) == 230  # 3 + 1, 30 down and up, 6 kernels on each of 2, 4, 8, 16, 16 to fuse the coarsest
    assert second.traits.halo == 240
    with torch.device("meta"):
        network = registry.build("mlfa")
    assert network.traits.halo >= max(230, registry.build("brehm-stage1", branch=1, width=2).traits.halo)
    assert network.traits.halo % network.traits.align == 0


@torch.no_grad()
def test_features_are_weighed_by_their_cosine():
    """Pixel by pixel, in plain Python."""
    generator = torch.Generator().manual_seed(0)
    frames = [torch.randn(2, 5, 3, 4, generator=generator) for _ in range(3)]
    found = weigh(frames)
    assert found.shape == (2, 15, 3, 4)
    for image in range(2):
        for y in range(3):
            for x in range(4):
                vectors = [frame[image, :, y, x].tolist() for frame in frames]
                lengths = [math.sqrt(sum(v * v for v in vector)) for vector in vectors]
                expected = []
                for vector, length in zip(vectors, lengths, strict=True):
                    dot = sum(a * b for a, b in zip(vector, vectors[1], strict=True))
                    cosine = dot / (length * lengths[1])
                    expected += [cosine * v / length for v in vector]
                assert found[image, :, y, x].tolist() == pytest.approx(expected, abs=1e-6)


@torch.no_grad()
def test_alike_opposite_and_unrelated_features():
    centre = torch.tensor([3.0, 4.0, 0.0]).view(1, 3, 1, 1)
    unrelated = torch.tensor([0.0, 0.0, 2.0]).view(1, 3, 1, 1)
    alike = weigh([centre, centre, -2 * centre]).view(3, 3)
    torch.testing.assert_close(alike, torch.tensor([0.6, 0.8, 0.0]).expand(3, 3))  # the opposite is turned round
    assert not weigh([unrelated, centre, unrelated]).view(3, 3)[[0, 2]].any()


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_features_of_no_length_stay_finite(dtype):
    features = [torch.zeros(1, 4, 2, 2, dtype=dtype, requires_grad=True) for _ in range(3)]
    found = weigh(features)
    found.sum().backward()
    assert not found.any() and all(torch.isfinite(x.grad).all() for x in features)


@torch.no_grad()
def test_two_stages_are_two_steps(pipeline, window):
    one, two = pipeline.run(window)
    first = registry.build("brehm-stage1-s")
    first.load_state_dict(pipeline.first.state_dict())
    alone = [first(window[:, i : i + 1], window[:, i], ()).image for i in range(3)]
    assert torch.equal(one.image, alone[1])
    assert [torch.equal(state, alone[i]) for state, i in zip(one.state, (0, 2), strict=True)] == [True, True]
    assert all(state.dtype == torch.float32 for state in one.state)
    assert torch.equal(two.image, pipeline.stage2(*alone))
    assert (two.image - one.image).abs().max() > 1e-3
    assert pipeline.traits.steps == pipeline.traits.max_steps == 2 and not pipeline.traits.iterative


@torch.no_grad()
def test_stage_1_sees_a_frame_that_stands_still_once(pipeline, window):
    seen = []
    pipeline.first.register_forward_hook(lambda *_: seen.append(1))
    still = window[:, 1:2].expand(-1, 3, -1, -1, -1)
    one, two = pipeline.run(still)
    assert len(seen) == 1 and all(torch.equal(state, one.image) for state in one.state)
    assert torch.equal(two.image, pipeline.stage2(one.image, one.image, one.image))
    next(pipeline.run(torch.cat((still[:, :2], window[:, 2:]), dim=1)))
    assert len(seen) == 3


@torch.no_grad()
def test_second_stage_sees_all_three_frames_and_adds_to_the_middle_one(pipeline, window):
    before, centre, after = window.unbind(1)
    image = pipeline.stage2(before, centre, after)
    for changed in ((1 - before, centre, after), (before, centre, 1 - after)):
        assert (pipeline.stage2(*changed) - image).abs().max() > 1e-4
    torch.testing.assert_close(pipeline.stage2(before - 5, centre, after), pipeline.stage2(0 * before, centre, after))
    pipeline.second.head.weight.zero_()
    pipeline.second.head.bias.zero_()
    assert torch.equal(pipeline.stage2(before, centre, after), centre)


@torch.no_grad()
def test_without_a_first_stage_it_is_one_step_on_the_blurred_frames(window, liven):
    torch.manual_seed(0)
    video = liven(registry.build("mlfa", first="", width=4))
    (step,) = video.run(window)
    assert torch.equal(step.image, video.stage2(*window.unbind(1))) and step.state == ()
    single = liven(registry.build("mlfa-single", width=4))
    (step,) = single.run(window[:, 1:2])
    assert step.image.shape == (1, 3, 32, 48) and step.state == ()


@torch.no_grad()
def test_along_a_clip_its_stages_are_two_networks_with_the_same_weights(pipeline, window):
    first, second = pipeline.along_clip()
    assert first is pipeline.first and second.second is pipeline.second
    assert second.parameter_count + first.parameter_count == pipeline.parameter_count
    assert not second.training and (first.traits.frames, second.traits.frames) == (1, 3)
    one, two = pipeline.run(window)
    results = [next(first.run(window[:, i : i + 1])).image for i in range(3)]
    assert max(result.max() for result in results) > 1.01, "nothing to clamp"
    (step,) = second.run(torch.stack(results, 1))
    assert torch.equal(results[1], one.image)
    torch.testing.assert_close(step.image, two.image, rtol=0, atol=1e-6)
    traits, alone = second.traits, registry.build("mlfa", first="", width=4).traits
    assert traits == alone and traits.steps == 1


@torch.no_grad()
def test_along_a_clip_that_stands_still_it_is_the_two_steps_of_a_photo(pipeline, window):
    first, second = pipeline.along_clip()
    still = window[:, 1:2].expand(-1, 3, -1, -1, -1)
    *_, photo = pipeline.run(still)
    result = next(first.run(still[:, :1])).image
    torch.testing.assert_close(next(second.run(torch.stack([result] * 3, 1))).image, photo.image, rtol=0, atol=1e-6)


@torch.no_grad()
def test_all_iterations_of_stage_1_are_one_step(window, liven):
    torch.manual_seed(0)
    pipeline = liven(registry.build("mlfa-lite", width=4))
    traits = pipeline.traits
    assert (traits.steps, traits.max_steps, traits.exact) == (2, 2, False)
    one, two = pipeline.run(window)
    *_, sixth = pipeline.first.run(window[:, 1:2])
    assert pipeline.first.traits.steps == 6 and torch.equal(one.image, sixth.image)

    first, second = pipeline.along_clip()
    assert (first.traits.steps, first.traits.iterative, first.traits.state_strides) == (1, False, ())
    assert first.parameter_count + second.parameter_count == pipeline.parameter_count
    steps = [next(first.run(window[:, i : i + 1])) for i in range(3)]
    assert torch.equal(steps[1].image, one.image) and steps[1].state == ()
    (step,) = second.run(torch.stack([step.image for step in steps], 1))
    torch.testing.assert_close(step.image, two.image, rtol=0, atol=1e-6)


def test_weights_that_are_shared_are_not_filled_anew(pipeline):
    before = [value.clone() for value in pipeline.parameters()]
    pipeline.train().along_clip()
    assert all(torch.equal(a, b) for a, b in zip(before, pipeline.parameters(), strict=True))
    assert pipeline.along_clip()[1].training and pipeline.training


@pytest.mark.parametrize("name", ["mlfa-single", "mt-mlfa-single", "mt-brehm-stage1-s", "kaist-3f-s", "mtrnn-lite"])
def test_networks_of_one_stage_run_along_a_clip_as_they_are(name):
    with torch.device("meta"):
        network = registry.build(name)
    assert network.along_clip() == (network,)


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"frames": 1}, "1 frames and a first stage"),
        ({"first": "atrous-10-3f"}, "of 3 frames"),
        ({"first": "nosuch"}, "no model 'nosuch'"),
    ],
)
def test_a_first_stage_that_does_not_fit_is_refused(settings, named):
    with torch.device("meta"), pytest.raises(SettingError, match=named):
        registry.build("mlfa", **settings)


@torch.no_grad()
def test_a_cut_with_its_halo_equals_the_whole(patterned, ramp):
    network = patterned(registry.build("mlfa", first="", width=4))
    halo = network.traits.halo
    window = ramp(3, 32 + 2 * halo + 64, 32)
    whole = next(network.run(window)).image[:, :, 16 + halo : 48 + halo]
    cut = next(network.run(window[:, :, :, 16 : 48 + 2 * halo])).image[:, :, halo : 32 + halo]
    change = (whole - window[:, 1, :, 16 + halo : 48 + halo]).abs().mean()
    assert (cut - whole).abs().max() < 1e-5 * change and change > 0.01


def test_gradients_reach_every_parameter(pipeline, window):
    one, two = pipeline.run(window)
    two.image.square().mean().backward()
    for key, value in pipeline.named_parameters():
        assert value.grad is not None and value.grad.abs().sum() > 0, key


@torch.no_grad()
def test_bf16_stays_close_to_fp32(pipeline, window):
    exact = [step.image for step in pipeline.run(window)]
    rounded = [step.image for step in pipeline.to(torch.bfloat16).run(window)]
    for fine, coarse in zip(exact, rounded, strict=True):
        assert coarse.dtype == torch.float32
        assert 0 < (coarse - fine).abs().mean() < 0.05 * (fine - window[:, 1]).abs().mean()


@torch.no_grad()
@pytest.mark.parametrize("name", NARROW)
def test_golden_numbers(name, patterned, ramp):
    network = patterned(registry.build(name, **NARROW[name]))
    *_, last = network.run(ramp(network.traits.frames, 48, 48))
    found = [last.image.mean().item(), last.image.std().item(), last.image[0, 1, 7, 40].item()]
    assert found == pytest.approx(GOLDEN[name], abs=2e-4)
