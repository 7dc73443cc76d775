"""Networks of another's weights: what the file holds, how good it is, and what is refused."""

from __future__ import annotations

import pytest
import torch
from skimage import data

from deblur_demo.errors import OutputError, SettingError
from deblur_demo.lab import Shake, shake_photo
from deblur_demo.media.image import Photo
from deblur_demo.models import checkpoint, registry
from deblur_demo.models.checkpoint import Card
from training import __main__ as training
from training.derive import derive
from training.join import join
from training.mix import mix
from training.scores import Pair, quick_psnr


def test_the_bundled_weights_restore_before_any_training(tmp_path):
    target = tmp_path / "mtrnn.safetensors"
    folded = checkpoint.BUNDLED / "mtrnn-lite.safetensors"
    assert training.main(["derive", "mtrnn", str(folded), "-o", str(target)]) == 0
    model, card = checkpoint.load(target)
    assert (card.model, card.settings, card.metrics) == ("mtrnn", {}, {})
    assert card.data == checkpoint.read_card(folded).data
    shaken = shake_photo(Photo(data.coffee()[:288, 100:388].copy()), Shake(shift=16, level=13, seed=1))
    pair = Pair("coffee", shaken.blurred.pixels, shaken.sharp.pixels)
    (blurred, *_, lite), (_, *_, unfolded) = (
        quick_psnr(network, [pair], 6) for network in (checkpoint.load(folded)[0], model)
    )
    assert lite > blurred + 1
    assert unfolded > blurred + 0.5 * (lite - blurred)


def test_settings_that_do_not_fold_are_kept(tmp_path):
    torch.manual_seed(0)
    given = {"recurrent": False, "unshuffle": 4}
    checkpoint.save(registry.build("mtrnn-lite", **given), tmp_path / "in.safetensors", Card("mtrnn-lite", given))
    made = derive(tmp_path / "in.safetensors", "mtrnn", tmp_path / "out.safetensors")
    assert made.settings == {"recurrent": False}
    assert checkpoint.load(tmp_path / "out.safetensors")[0].settings.unshuffle == 1


@torch.no_grad()
def test_a_network_of_one_frame_sees_a_clip_that_stands_still():
    """Exact where nothing else differs: the widths are those of the small networks, a fourth of them."""
    torch.manual_seed(0)
    small = {"blocks": 2, "branch": 16, "width": 32, "encoder": (16, 32), "decoder": (16, 12)}
    still = registry.build("brehm-stage1-s", **small).eval()
    clip = registry.build("brehm-stage1-s", **small, frames=3, signed=False).eval()
    for parameter in clip.parameters():
        parameter.add_(0.02 * torch.randn_like(parameter))
    for name, parameter in clip.named_parameters():
        if name.endswith("scale"):
            parameter.fill_(1)
    still.still_from(clip)
    frame = torch.rand(1, 1, 3, 48, 64)
    (ours,), (theirs,) = still.run(frame), clip.run(frame.expand(-1, 3, -1, -1, -1))
    assert (theirs.image - frame[:, 0]).abs().mean() > 0.01
    torch.testing.assert_close(ours.image, theirs.image, rtol=0, atol=1e-5)


def test_the_bundled_clip_net_gives_an_atrous_net_its_blocks(tmp_path):
    target, source = tmp_path / "out.safetensors", checkpoint.BUNDLED / "atrous-10-3f-s.safetensors"
    assert training.main(["derive", "brehm-stage1-s", str(source), "-o", str(target)]) == 0
    model, card = checkpoint.load(target)
    assert (card.model, card.data) == ("brehm-stage1-s", checkpoint.read_card(source).data)
    given = checkpoint.load(source)[0].blocks.state_dict()
    taken = {name: weight for name, weight in model.blocks.state_dict().items() if not name.endswith("scale")}
    assert len(taken) == 10 * 10 and all(torch.equal(weight, given[name]) for name, weight in taken.items())


@torch.no_grad()
def test_a_conversion_restores_as_its_original_before_any_training(tmp_path):
    source, target = checkpoint.BUNDLED / "atrous-5.safetensors", tmp_path / "out.safetensors"
    assert training.main(["derive", "mt-atrous-5", str(source), "-o", str(target)]) == 0
    (original, _), (converted, card) = checkpoint.load(source), checkpoint.load(target)
    assert (card.model, card.metrics) == ("mt-atrous-5", {})
    window = torch.rand(1, 1, 3, 32, 32)
    image = next(original.run(window)).image
    assert (image - window[:, 0]).abs().mean() > 0.01
    for estimate in converted.run(window, 2):
        torch.testing.assert_close(estimate.image, image, rtol=0, atol=1e-5)


@pytest.mark.parametrize("name", ["mtrnn", "carlo-s"])
def test_what_cannot_be_made_of_the_weights_is_refused(tmp_path, name):
    torch.manual_seed(0)
    checkpoint.save(registry.build(name), tmp_path / "in.safetensors", Card(name))
    with pytest.raises(SettingError, match=f"mtrnn cannot be made of {name}. Accepted: mtrnn of mtrnn-lite, brehm"):
        derive(tmp_path / "in.safetensors", "mtrnn", tmp_path / "out.safetensors")


def test_nothing_is_written_that_cannot_be_loaded_or_replaces_something_else(tmp_path):
    source = checkpoint.BUNDLED / "mtrnn-lite.safetensors"
    (tmp_path / "results.json").write_text("kept")
    for name, found in (("results.csv", "no name"), ("results", "no name"), ("results.safetensors", "not a card")):
        with pytest.raises(OutputError, match=found):
            derive(source, "mtrnn", tmp_path / name)
        with pytest.raises(OutputError, match=found):
            join(source, source, tmp_path / name)
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("results.json", "kept")]
    for _ in range(2):  # in a folder that is made, and then over what is the same
        assert derive(source, "mtrnn", tmp_path / "new/mtrnn.safetensors").model == "mtrnn"


@pytest.mark.parametrize("card", [None, "{}"])
def test_weights_without_a_card_are_not_replaced(tmp_path, card):
    source, target = checkpoint.BUNDLED / "mtrnn-lite.safetensors", tmp_path / "theirs.safetensors"
    target.write_bytes(b"somebody else's")
    if card:
        target.with_suffix(".json").write_text(card)
    for write in (lambda: derive(source, "mtrnn", target), lambda: join(source, source, target),
                  lambda: mix([source, source], target)):  # fmt: skip
        with pytest.raises(OutputError, match=r"theirs.safetensors exists and is not weights with a card. Accepted: a"):
            write()
    assert target.read_bytes() == b"somebody else's"


def test_weights_do_not_replace_what_they_are_made_of(tmp_path, monkeypatch):
    torch.manual_seed(0)
    names = [tmp_path / f"{name}.safetensors" for name in ("one", "other")]
    for path in names:
        checkpoint.save(registry.build("mtrnn-lite"), path, Card("mtrnn-lite"))
    before = [path.read_bytes() for path in names]
    monkeypatch.chdir(tmp_path)
    with pytest.raises(OutputError, match="is the source itself"):
        derive(names[0], "mtrnn", names[0].relative_to(tmp_path))
    for target in names:
        with pytest.raises(OutputError, match="is the source itself"):
            join(*names, target)
    assert [path.read_bytes() for path in names] == before
