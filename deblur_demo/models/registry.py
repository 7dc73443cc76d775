"""The registry: every file in ``zoo/`` states its variants, and they are found here by name.

Adding a network means adding one file with a ``VARIANTS`` table; nothing else changes.
"""

from __future__ import annotations

import difflib
import importlib
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from functools import cache
from typing import Literal, get_args, get_origin, get_type_hints

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from deblur_demo.errors import SettingError
from deblur_demo.models.contract import Restorer


@dataclass(frozen=True)
class Variant:
    """One network that a user can name.

    Attributes:
        make: builds the network from its settings.
        settings: frozen dataclass with the network's own settings.
        paper: full reference.
        trained_for: kind of blur: "motion", "motion, video" or "Gaussian".
    """

    make: Callable[[object], Restorer]
    settings: object
    paper: str
    trained_for: str


@cache
def variants() -> dict[str, Variant]:
    """All variants by identifier, in the order of their files.

    Raises:
        SettingError: two files claim the same identifier.
    """
    zoo = importlib.import_module("deblur_demo.models.zoo")
    found: dict[str, Variant] = {}
    for info in pkgutil.iter_modules(zoo.__path__):
        module = importlib.import_module(f"{zoo.__name__}.{info.name}")
        for name, variant in module.VARIANTS.items():
            if name in found:
                raise SettingError(f"model id {name!r} is claimed twice", "one file an id", "Rename one of them")
            found[name] = variant
    return found


def variant(name: str) -> Variant:
    """The variant of that identifier, or a SettingError that names the nearest one."""
    if name not in variants():
        raise SettingError(f"there is no model {name!r}", ", ".join(variants()), _nearest(name, variants()))
    return variants()[name]


def build(name: str, /, **overrides: object) -> Restorer:
    """Build a network with fresh weights.

    Args:
        name: identifier of a variant.
        overrides: settings that differ from the variant's own.

    Raises:
        SettingError: no such variant, no such setting, a word that it does not know, or settings that do not go
            together.
    """
    chosen = variant(name)
    known = [field.name for field in fields(chosen.settings)]
    for key in overrides:
        if key not in known:
            raise SettingError(f"{name} has no setting {key!r}", ", ".join(known), _nearest(key, known))
    hints = get_type_hints(type(chosen.settings))
    for key, value in overrides.items():
        words = get_args(hints[key]) if get_origin(hints[key]) is Literal else (value,)
        if value not in words:
            raise SettingError(f"{key} of {name} is {value!r}", ", ".join(words), _nearest(value, words))
    # JSON knows no tuples, so a card's lists come back as what the settings declare.
    given = {key: tuple(value) if isinstance(value, list) else value for key, value in overrides.items()}
    try:
        return chosen.make(replace(chosen.settings, **given))
    except SettingError:
        raise
    except Exception as error:  # whatever a network makes of such settings
        raise SettingError(
            f"{overrides} make no {name}: {error}", "settings that go together", "Correct them"
        ) from error


class _Unfilled(TorchFunctionMode):
    """Leaves new tensors as they are: filling what has no memory computes nothing, but takes most of the time."""

    fills = frozenset(
        (Tensor.normal_, Tensor.uniform_, Tensor.zero_, Tensor.fill_, Tensor.mul_)
        + (nn.init.kaiming_uniform_, nn.init.uniform_, nn.init.xavier_uniform_)
    )

    def __torch_function__(self, func, types, args=(), kwargs=None):
        if func in self.fills:
            return args[0] if args else kwargs["tensor"]
        return func(*args, **(kwargs or {}))


def ghost(name: str, /, **overrides: object) -> Restorer:
    """What ``build`` builds, without memory behind its weights."""
    with torch.device("meta"), _Unfilled():
        return build(name, **overrides)


@cache
def blank(name: str) -> Restorer:
    """The ghost of a variant, to ask it for its size and traits."""
    return ghost(name)


def _nearest(word: str, known) -> str:
    close = difflib.get_close_matches(str(word), known, n=1)
    return f"Did you mean {close[0]!r}" if close else "Choose one of these"
