"""``mtrnn`` of ``mtrnn-lite``'s weights: what the file holds, how good it is, and what is refused."""

from __future__ import annotations

import pytest
import torch
from skimage import data

from deblur_demo.errors import SettingError
from deblur_demo.lab import Shake, shake_photo
from deblur_demo.media.image import Photo
from deblur_demo.models import checkpoint, registry
from deblur_demo.models.checkpoint import Card
from training import __main__ as training
from training.scores import Pair, quick_psnr
from training.unfold import unfold


def test_the_bundled_weights_restore_before_any_training(tmp_path):
    target = tmp_path / "mtrnn.safetensors"
    folded = checkpoint.BUNDLED / "mtrnn-lite.safetensors"
    assert training.main(["unfold", str(folded), "-o", str(target)]) == 0
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
    assert unfold(tmp_path / "in.safetensors", tmp_path / "out.safetensors").settings == {"recurrent": False}
    assert checkpoint.load(tmp_path / "out.safetensors")[0].settings.unshuffle == 1


@pytest.mark.parametrize("name", ["mtrnn", "carlo-s"])
def test_weights_that_fold_nothing_are_refused(tmp_path, name):
    torch.manual_seed(0)
    checkpoint.save(registry.build(name), tmp_path / "in.safetensors", Card(name))
    with pytest.raises(SettingError, match="folds no image. Accepted: weights of mtrnn-lite"):
        unfold(tmp_path / "in.safetensors", tmp_path / "out.safetensors")
