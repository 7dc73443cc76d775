"""The mean of several runs: what the file holds, what it is good for, and what is refused."""

from __future__ import annotations

import pytest
import torch

from deblur_demo.errors import CheckpointError, OutputError, SettingError
from deblur_demo.models import checkpoint, registry
from deblur_demo.models.checkpoint import UNLICENSED, Card
from training import __main__ as training
from training.mix import mix


def save(path, name="mtrnn-lite", **card):
    settings = card.pop("settings", {})
    checkpoint.save(registry.build(name, **settings), path, Card(name, settings, **card))
    return path


def test_what_two_runs_strayed_apart_is_gone_in_their_mean(tmp_path):
    """Weights off by the same noise in both directions are no good; between them lie those of the champion."""
    torch.manual_seed(0)
    paths = [tmp_path / name for name in ("one.safetensors", "other.safetensors")]
    bundled, card = checkpoint.load(checkpoint.BUNDLED / "mtrnn-lite.safetensors")
    weights = bundled.state_dict()
    noise = {name: 0.25 * value.std(correction=0) * torch.randn_like(value) for name, value in weights.items()}
    for sign, path in zip((1, -1), paths, strict=True):
        strayed = registry.build("mtrnn-lite")
        strayed.load_state_dict({name: value + sign * noise[name] for name, value in weights.items()})
        checkpoint.save(strayed, path, card, torch.float32)
    out = tmp_path / "new/mean.safetensors"
    assert training.main(["mix", *map(str, paths), "-o", str(out)]) == 0
    mean, written = checkpoint.load(out)
    window = torch.rand(1, 1, 3, 32, 32)
    with torch.no_grad():
        *_, expected = bundled.run(window, 3)
        *_, found = mean.run(window, 3)
        *_, far = checkpoint.load(paths[0])[0].run(window, 3)
    torch.testing.assert_close(found.image, expected.image, rtol=0, atol=2e-3)
    assert (far.image - expected.image).abs().mean() > 0.01
    assert written.metrics == {}
    assert torch.allclose(torch.tensor(written.golden), torch.tensor(card.golden), atol=2e-3)


def test_shares_and_what_the_card_adds_up(tmp_path):
    torch.manual_seed(0)
    one = save(tmp_path / "a.safetensors", data=("REDS", "GoPro"), recipe="A", updates=70, hardware="1 CPU core")
    other = save(tmp_path / "b.safetensors", data=("GoPro", "Kodak"), recipe="B", updates=30, licence="CC0-1.0")
    out = tmp_path / "mean.safetensors"
    assert training.main(["mix", str(one), str(other), "--shares", "3", "1", "-o", str(out)]) == 0
    mean, card = checkpoint.load(out)
    first, second = (checkpoint.load(path)[0].state_dict() for path in (one, other))
    for name, value in mean.state_dict().items():
        torch.testing.assert_close(value, 0.75 * first[name] + 0.25 * second[name], rtol=1e-3, atol=1e-5)
    assert card.data == ("REDS", "GoPro", "Kodak") and card.updates == 100 and card.hardware == "1 CPU core"
    assert card.recipe == "0.75 of: A; 0.25 of: B"
    assert card.licence == UNLICENSED, "one of them is MIT, the other is not"
    assert mix([one, one], tmp_path / "same.safetensors").licence == "MIT"


def test_what_has_no_mean_is_refused(tmp_path):
    torch.manual_seed(0)
    lite = save(tmp_path / "a.safetensors")
    deep = save(tmp_path / "b.safetensors", settings={"unshuffle": 4})
    small = save(tmp_path / "c.safetensors", name="carlo-s")
    out = tmp_path / "out.safetensors"
    for sources, shares, error, found in (
        ([lite], None, SettingError, "there are 1 files and 1 shares. Accepted: two files or more"),
        ([lite, lite], [1.0], SettingError, "there are 2 files and 1 shares"),
        ([lite, lite], [1.0, 0.0], SettingError, "the shares are 1.0, 0.0. Accepted: numbers above 0"),
        ([lite, lite], [1.0, float("nan")], SettingError, "the shares are 1.0, nan"),
        ([lite, small], None, SettingError, "c.safetensors is carlo-s, .*a.safetensors is mtrnn-lite. Accepted"),
        ([lite, deep], None, SettingError, 'b.safetensors is mtrnn-lite {"unshuffle": 4}'),
        ([lite, tmp_path / "none.safetensors"], None, CheckpointError, "none"),
    ):
        with pytest.raises(error, match=found):
            mix(sources, out, shares)
    with pytest.raises(OutputError, match="is the source itself"):
        mix([lite, lite], lite)
    assert not out.exists()
