"""Weights on disk: a ``.safetensors`` file and, beside it, the card that says what it is.

Pickles are never opened here. A researcher's own file goes through ``convert`` first.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from deblur_demo.errors import CheckpointError, SettingError
from deblur_demo.models import registry
from deblur_demo.models.contract import Restorer
from deblur_demo.whole import whole

BUNDLED = Path(__file__).resolve().parents[2] / "checkpoints"
UNLICENSED = "not stated"  # whoever made the weights has not said what others may do with them


@dataclass(frozen=True)
class Card:
    """What a checkpoint is, in words and figures. Stored as JSON beside the weights.

    Attributes:
        model: identifier of the variant that the weights belong to.
        settings: settings in which they differ from the variant's own.
        licence: licence of the weights.
        data: one line per training set, with its licence.
        recipe: the recipe's name, or where the weights came from.
        updates: optimiser steps.
        hardware: what it was trained on, and for how long.
        metrics: validation set -> {"psnr": [...], "ssim": [...]}, row 0 the blurred input.
        limits: what it is bad at.
        outlook: what further training would go to first.
        golden: what the weights make of a fixed picture, see ``models.golden``.
        sha256: of the weights file; written by ``save``, checked by ``load``.
    """

    model: str
    settings: dict = field(default_factory=dict)
    licence: str = "MIT"
    data: tuple[str, ...] = ()
    recipe: str = ""
    updates: int = 0
    hardware: str = ""
    metrics: dict = field(default_factory=dict)
    limits: str = ""
    outlook: str = ""
    golden: list = field(default_factory=list)
    sha256: str = ""


def user_cache() -> Path:
    """Folder for weights that a user fetched or converted (``DEBLUR_CACHE`` overrides)."""
    default = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "deblur-demo"
    return Path(os.environ.get("DEBLUR_CACHE") or default)


def find(name: str) -> Path | None:
    """The weights of a variant: those that the user fetched come before those bundled; None if there are none."""
    candidates = (folder / f"{name}.safetensors" for folder in (user_cache(), BUNDLED))
    return next(filter(os.path.isfile, candidates), None)


def save(model: Restorer, path: Path, card: Card, dtype: torch.dtype = torch.float16) -> Card:
    """Write weights and then their card; each appears whole or not at all.

    Args:
        model: the network; its trained parameters and persistent buffers are written.
        path: ``<name>.safetensors``; the card goes to ``<name>.json``.
        card: its ``sha256`` is filled in.
        dtype: type on disk; fp16 halves the size and costs less than 0.001 dB.

    Returns:
        The card as written.
    """
    tensors = {name: value.detach().to("cpu", dtype).contiguous() for name, value in model.state_dict().items()}
    with whole(path.with_suffix(".json")) as beside, whole(path) as unfinished:
        save_file(tensors, unfinished, metadata={"model": card.model})
        written = replace(card, sha256=sha256(unfinished))
        beside.write_text(json.dumps(asdict(written), indent=2) + "\n")
        shutil.copymode(beside, unfinished)  # safetensors makes files that nobody else may read
    return written


def read_card(weights: Path) -> Card:
    """The card beside a weights file.

    Raises:
        CheckpointError: the file is not called as weights are, or there is no card, or it is none.
    """
    check_suffix(weights)
    path = weights.with_suffix(".json")
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
        card = Card(**{**raw, "data": tuple(raw.get("data", ()))})
        _check_entries(card)
        return card
    except OSError as error:
        reason = "" if isinstance(error, FileNotFoundError) else f" that can be read: {error.strerror}"
        raise CheckpointError(
            f"{weights.name} has no card {path.name} beside it{reason}",
            "a .safetensors file with its .json card",
            "Make both with: python -m deblur_demo convert",
        ) from error
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        raise CheckpointError(
            f"{path.name} is not a card: {error}",
            f"a JSON object with {', '.join(Card.__dataclass_fields__)}",
            "Make it anew with: python -m deblur_demo convert",
        ) from error


def card_of(weights: Path, model: str) -> Card:
    """The card of a weights file that was found by the name of its model.

    Raises:
        CheckpointError: as ``read_card``; or they are weights of another model.
    """
    card = read_card(weights)
    if card.model != model:
        raise CheckpointError(
            f"{weights} holds weights of {card.model}, as its card says",
            f"weights of {model} under that name",
            f"Rename it and its card to {card.model}",
        )
    return card


def _check_entries(card: Card) -> None:
    """Hold a card's entries against the types of an empty one, and the curves of a set against each other.

    Raises:
        TypeError: one is something else.
        ValueError: curves of a set differ in length.
    """
    for key, usual in vars(Card(model="")).items():
        if not isinstance(getattr(card, key), type(usual)):
            raise TypeError(f"{key} is no {type(usual).__name__}")
    curves = [curve for scores in card.metrics.values() for curve in scores.values()]
    if not all(isinstance(value, (int, float)) for curve in curves for value in curve):
        raise TypeError("metrics hold something else than numbers")
    for name, scores in card.metrics.items():
        if len({len(curve) for curve in scores.values() if curve}) > 1:
            raise ValueError(f"the curves of {name} differ in length")
    if not all(isinstance(line, str) for line in card.data):
        raise TypeError("data holds something else than lines")


def load(weights: Path) -> tuple[Restorer, Card]:
    """Build the network that a card describes and fill it, checking every tensor.

    Args:
        weights: a ``.safetensors`` file with its card beside it.

    Returns:
        The network in fp32 on the CPU, in evaluation mode, and its card.

    Raises:
        CheckpointError: not safetensors, hash or shape differs, a key is missing, left over,
            not floating point, or holds a value that is not finite; the message names the key. Or the
            card's settings make a network that takes other windows than it says, or does not run.
    """
    card = read_card(weights)
    try:
        digest = sha256(weights)
    except OSError as error:
        raise _unreadable(weights, error) from error
    if card.sha256 and digest != card.sha256:
        raise CheckpointError(
            f"{weights.name} has sha256 {digest[:12]}", f"{card.sha256[:12]}, as its card says", "Fetch it again"
        )
    _check_runs(network_of(card, weights.name, registry.ghost), weights.name)
    model = network_of(card, weights.name)
    fill(model, read_tensors(weights), weights.name)
    return model.eval(), card


def network_of(card: Card, name: str, make: Callable[..., Restorer] = registry.build) -> Restorer:
    """The network that a card describes.

    Args:
        card: what anyone may have written.
        name: of its weights' file, for the message.
        make: ``registry.build``, or ``registry.ghost``.

    Raises:
        CheckpointError: no such network, or settings that it does not have or that do not go together.
    """
    try:
        return make(card.model, **card.settings)
    except SettingError as error:
        raise CheckpointError(f"the card of {name}: {error.found}", error.accepted, error.action) from error


def _check_runs(network: Restorer, name: str) -> None:
    """See that a network without memory behind its weights takes the windows that its traits tell of."""
    traits = network.traits
    try:
        side = traits.padded(1)
        window = torch.empty(1, traits.frames, 3, side, side, device="meta")
        if traits.frames not in (1, 3):
            raise ValueError(f"windows of {traits.frames} frames")
        for estimate in network.eval().run(window, min(2, traits.max_steps)):
            if estimate.image.shape != window.shape[:1] + window.shape[2:]:
                raise ValueError(f"it makes {tuple(estimate.image.shape)} of {tuple(window.shape)}")
    except Exception as error:  # whatever layers say that do not fit together
        raise CheckpointError(
            f"the card of {name} describes a network that does not run: {(str(error).splitlines() or [''])[0]}",
            "settings that go together",
            "Correct the card",
        ) from error


def ghost(weights: Path) -> Restorer:
    """The network of a weights file, by its card alone, without memory behind its weights.

    Raises:
        CheckpointError: see ``read_card`` and ``network_of``.
    """
    return network_of(read_card(weights), weights.name, registry.ghost)


def check_suffix(weights: Path) -> None:
    """Hold a file's name against the only format that is opened here.

    Raises:
        CheckpointError: it is another one.
    """
    if weights.suffix != ".safetensors":
        raise CheckpointError(
            f"{weights.name} is not a .safetensors file, so it stays unopened",
            "weights as .safetensors with a .json card",
            "Convert it first: python -m deblur_demo convert FILE -o OUT.safetensors --model ID",
        )


def read_tensors(weights: Path) -> dict[str, torch.Tensor]:
    """All tensors of a ``.safetensors`` file.

    Raises:
        CheckpointError: the file is absent, truncated or not safetensors.
    """
    try:
        return load_file(weights)
    except (SafetensorError, OSError) as error:
        raise _unreadable(weights, error) from error


def _unreadable(weights: Path, error: Exception) -> CheckpointError:
    return CheckpointError(
        f"{weights.name} cannot be read: {error}", "an intact .safetensors file", "Fetch or convert it again"
    )


def fill(model: Restorer, tensors: dict[str, torch.Tensor], source: str) -> None:
    """Copy tensors into a network, in place, each checked against its counterpart (see ``check``)."""
    check(model.state_dict(), tensors, source)
    model.load_state_dict({key: value.float() for key, value in tensors.items()})


def check(wanted: dict[str, torch.Tensor], found: dict[str, torch.Tensor], source: str) -> None:
    """Hold the tensors of a file against those that a network wants.

    Raises:
        CheckpointError: a key is missing or left over, or a tensor has another shape, is not
            floating point or not finite. The message names the key.
    """
    check_shapes(*({key: value.shape for key, value in side.items()} for side in (wanted, found)), source)
    for key in sorted(wanted):
        if not found[key].is_floating_point() or not torch.isfinite(found[key].float()).all():
            raise CheckpointError(
                f"{key} in {source} is {found[key].dtype} or not finite",
                "finite fp16, bf16, fp32 or fp64",
                "Convert it again",
            )


def check_shapes(wanted: dict[str, torch.Size], found: dict[str, torch.Size], source: str) -> None:
    """Hold names and shapes of tensors against those that a network wants.

    Raises:
        CheckpointError: a key is missing or left over, or has another shape. The message names it.
    """
    for key in sorted(wanted.keys() | found.keys()):
        if key not in found or key not in wanted:
            fault = "lacks" if key in wanted else "has an unknown tensor"
            raise CheckpointError(
                f"{source} {fault} {key}", f"the {len(wanted)} tensors of this network", "Check the model"
            )
        if found[key] != wanted[key]:
            raise CheckpointError(
                f"{key} in {source} has shape {tuple(found[key])}",
                f"{tuple(wanted[key])}",
                "Check the model and the card's settings",
            )


def sha256(path: Path) -> str:
    """Hexadecimal SHA-256 of a file."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()
