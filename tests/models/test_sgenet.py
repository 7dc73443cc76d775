"""SGENet: its size, its guidance, and pooling that means the same on a crop and on a picture."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from deblur_demo.errors import SettingError
from deblur_demo.models import registry
from deblur_demo.models.zoo.sgenet import _CrossStageAggregation, window_mean


@pytest.fixture
def network(liven):
    torch.manual_seed(0)
    return liven(registry.build("sgenet", widths=(6, 9, 12), pool_window=16))


@pytest.mark.parametrize(("name", "count"), [("sgenet", 19_556_484), ("sgenet-s", 1_248_396)])
def test_size(name, count):
    with torch.device("meta"):
        assert registry.build(name).parameter_count == count
    if name == "sgenet":
        assert count == pytest.approx(19.5e6, rel=0.05)


@torch.no_grad()
@pytest.mark.parametrize(
    ("settings", "message"), [({"widths": (6, 9, 16)}, "multiples of 3"), ({"pool_window": -256}, "0 or more pixels")]
)
def test_settings_that_make_none_are_refused(settings, message):
    with pytest.raises(SettingError, match=message):
        registry.build("sgenet-s", **settings)


def test_of_equal_widths_only_the_last_scale_goes_without_guidance():
    for name in ("stage1", "stage2"):
        scales = getattr(registry.build("sgenet", widths=(6, 6, 6)), name).decoder
        assert [scale.enhance.guide for scale in scales] == [name == "stage1", True, True]


def test_twelve_predictions_of_which_two_are_the_steps(network):
    window = torch.rand(2, 1, 3, 32, 48)
    predictions = network.predictions(window)
    assert [scale for _, scale in predictions] == [1, 2, 4, 4, 2, 1] * 2
    assert all(image.shape == (2, 3, 32 // scale, 48 // scale) for image, scale in predictions)
    first, second = network.run(window)
    assert torch.equal(first.image, predictions[5][0]) and torch.equal(second.image, predictions[11][0])
    assert [tuple(x.shape[1:]) for x in first.state] == [
        (width, 32 // stride, 48 // stride)
        for width, stride in zip((6, 6, 9, 9, 12, 12), network.traits.state_strides, strict=True)
    ]
    assert second.state == ()


@torch.no_grad()
def test_every_prediction_is_the_smaller_input_plus_a_residual(network):
    for module in network.modules():
        if hasattr(module, "predict"):
            module.predict.weight.zero_()
            module.predict.bias.zero_()
    window = torch.rand(1, 1, 3, 16, 24)
    for image, scale in network.predictions(window):
        assert torch.equal(image, F.avg_pool2d(window[:, 0], scale))


@torch.no_grad()
def test_stage_1s_image_guides_stage_2(network):
    window = torch.rand(1, 1, 3, 16, 24)
    first, second = network.run(window)
    other = network(window, 1 - first.image, first.state).image
    assert (other - second.image).abs().mean() > 1e-5


@torch.no_grad()
def test_the_predicted_image_opens_and_shuts_the_features():
    enhance = registry.build("sgenet", widths=(6, 6, 6)).stage1.encoder[0].enhance
    x, before, blurred = torch.randn(1, 6, 8, 8), torch.randn(1, 6, 8, 8), torch.rand(1, 3, 8, 8)
    enhance.mask.weight.zero_()
    enhance.mask.bias.fill_(-100)
    assert enhance(x, before, blurred)[0].abs().max() < 1e-20
    enhance.mask.bias.fill_(100)
    mixed = F.relu(enhance.mix(torch.cat((x, before), 1)))
    open_features = enhance.refine(torch.cat((enhance.residual_features(enhance.predict(mixed)), mixed), 1))
    torch.testing.assert_close(enhance(x, before, blurred)[0], open_features)


@torch.no_grad()
def test_the_guidance_of_both_stages_can_be_looked_at(network):
    window = torch.rand(2, 1, 3, 16, 24)
    first, second = network.run(window)
    predicted = network.predictions(window)
    for step, scale, image in ((first, network.stage1.decoder[0], 5), (second, network.stage2.encoder[0], 6)):
        guidance = step.maps["guidance"]
        assert guidance.shape == (2, 1, 16, 24) and guidance.dtype == torch.float32
        wanted = torch.sigmoid(scale.enhance.mask(predicted[image][0])).mean(1, keepdim=True)
        torch.testing.assert_close(guidance, wanted)
        assert guidance.std() > 1e-4


@torch.no_grad()
def test_aggregation_is_a_weighted_mean_of_three():
    aggregate = _CrossStageAggregation(6, window=4)
    x, y, z = torch.randn(3, 2, 6, 8, 8).unbind(0)
    torch.testing.assert_close(aggregate(x, x, x), x)
    for index, perceptron in enumerate(aggregate.perceptrons):
        perceptron[-1].weight.zero_()
        perceptron[-1].bias.fill_(100.0 if index == 1 else 0.0)
    torch.testing.assert_close(aggregate(x, y, z), y)


def test_window_mean_against_plain_arithmetic():
    x = torch.rand(2, 11, 3)
    for size in (1, 2, 5, 11, 40):
        width = min(size, 11)
        for i in range(11):
            start = min(max(i - width // 2, 0), 11 - width)
            expected = x[:, start : start + width].mean(1)
            torch.testing.assert_close(window_mean(x, size, 1)[:, i], expected)


@torch.no_grad()
def test_a_crop_gives_the_same_in_training_and_after(network):
    window = torch.rand(1, 1, 3, 16, 16)
    after = [estimate.image for estimate in network.run(window)]
    in_training = [estimate.image for estimate in network.train().run(window)]
    torch.testing.assert_close(after, in_training, rtol=0, atol=1e-6)
    aggregate = network.aggregate[0]
    features = torch.rand(3, 1, 6, 32, 32).unbind(0)  # larger than the window, which is 16
    assert (aggregate.train()(*features) - aggregate.eval()(*features)).abs().max() > 1e-5


def test_stage_1_sees_229_px(reach):
    assert reach(registry.build("sgenet", widths=(6, 6, 6)), beyond=0) == 229
