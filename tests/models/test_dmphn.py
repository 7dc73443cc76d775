"""DMPHN: its size, and what passes from patch to patch and from level to level."""

from __future__ import annotations

import pytest
import torch

from deblur_demo.models import registry


def count(module: torch.nn.Module) -> int:
    return sum(value.numel() for value in module.parameters())


@pytest.fixture
def network(liven):
    torch.manual_seed(0)
    return liven(registry.build("dmphn", width=8))


def test_sizes_are_those_of_the_release():
    with torch.device("meta"):
        network = registry.build("dmphn")
    assert network.parameter_count == 5_424_393
    assert [count(encoder) for encoder in network.encoders] == [868_288] * 3
    assert [count(decoder) for decoder in network.decoders] == [939_843] * 3


def test_layers_pair_with_the_authors_by_position():
    with torch.device("meta"):
        network = registry.build("dmphn")
    encoder, decoder = network.encoders[0], network.decoders[0]
    strided = [i for i, layer in enumerate(encoder) if getattr(layer, "stride", None) == (2, 2)]
    transposed = [i for i, layer in enumerate(decoder) if isinstance(layer, torch.nn.ConvTranspose2d)]
    authors_encoder, authors_decoder = (1, 2, 3, 5, 6, 7, 9, 10, 11), (13, 14, 16, 17, 18, 20, 21, 22, 24)
    assert [authors_encoder[i] for i in strided] == [5, 9]
    assert [authors_decoder[i] for i in transposed] == [16, 20]


@torch.no_grad()
def test_the_deviation_of_new_weights_is_the_authors():
    torch.manual_seed(0)
    weight = registry.build("dmphn").encoders[0][6].weight  # 64 -> 128
    assert weight.std().item() == pytest.approx(0.5 * (2 / (9 * 128)) ** 0.5, rel=0.01)


@torch.no_grad()
def test_the_levels_follow_the_authors_order(network):
    """The whole, written out patch by patch as the release has it."""
    window = torch.rand(1, 1, 3, 32, 48)
    image = window[:, 0] - 0.5
    (encode1, encode2, encode3), (decode1, decode2, decode3) = network.encoders, network.decoders
    top, bottom = image[:, :, :16], image[:, :, 16:]
    top3 = torch.cat((encode3(top[..., :24]), encode3(top[..., 24:])), 3)
    bottom3 = torch.cat((encode3(bottom[..., :24]), encode3(bottom[..., 24:])), 3)
    features = torch.cat((encode2(top + decode3(top3)), encode2(bottom + decode3(bottom3))), 2)
    features = features + torch.cat((top3, bottom3), 2)
    expected = decode1(encode1(image + decode2(features)) + features) + 0.5
    torch.testing.assert_close(network(window, window[:, 0], ()).image, expected, rtol=0, atol=2e-5)
