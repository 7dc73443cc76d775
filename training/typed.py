"""Strict settings out of TOML: every key is known, every value has its type, and an error names the nearest key."""

from __future__ import annotations

import difflib
from dataclasses import MISSING, fields, is_dataclass
from pathlib import Path
from typing import Literal, TypeVar, get_args, get_origin, get_type_hints

from deblur_demo.errors import SettingError

try:
    import tomllib
except ModuleNotFoundError:  # Python 3.10
    import tomli as tomllib

Kind = TypeVar("Kind")


def read_toml(path: Path) -> dict:
    """The contents of a TOML file.

    Raises:
        SettingError: no such file, or not TOML.
    """
    try:
        return tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise SettingError(f"recipe {path} cannot be read: {error}", "a TOML file", "See training/recipes") from error


def typed(cls: type[Kind], raw: dict, where: str) -> Kind:
    """Build a dataclass from TOML values, recursively.

    Args:
        cls: a dataclass; its fields are bool, int, float, str, ``Literal`` words, tuples, dicts,
            other dataclasses, or tuples of dataclasses.
        raw: keys and values.
        where: what to call the place in errors.

    Raises:
        SettingError: an unknown key, one that is missing, or a value of another type; or what the ``check``
            of a class that has one finds.
    """
    hints = get_type_hints(cls)
    known = {f.name: f for f in fields(cls)}
    for key in raw:
        if key not in known:
            raise SettingError(f"{where} has an unknown key {key!r}", ", ".join(known), nearest(key, known))
    for key, field in known.items():
        if key not in raw and field.default is MISSING and field.default_factory is MISSING:
            raise SettingError(f"{where} names no {key}", f"a line {key} = ...", "Add it")
    made = cls(**{key: _value(hints[key], value, f"{where}: {key}") for key, value in raw.items()})
    if hasattr(made, "check"):
        made.check(where)
    return made


def nearest(word: str, known) -> str:
    """What to do about a word that is not known, as an imperative."""
    close = difflib.get_close_matches(str(word), list(map(str, known)), n=1)
    return f"Did you mean {close[0]!r}" if close else "Remove it, or choose one of these"


def merged(base: dict, changes: dict) -> dict:
    """``base`` with ``changes`` on top, table by table.

    The settings of a network belong to it: they go when the network changes.
    """
    result = dict(base)
    if changes.get("model", base.get("model")) != base.get("model"):
        result.pop("settings", None)
    for key, value in changes.items():
        old = result.get(key)
        result[key] = merged(old, value) if isinstance(old, dict) and isinstance(value, dict) else value
    return result


def _value(hint: object, value: object, where: str):
    kind = get_origin(hint) or hint
    if is_dataclass(kind) and isinstance(value, dict):
        return typed(kind, value, where)
    if kind is Literal:
        if value in get_args(hint):
            return value
        words = get_args(hint)
        raise SettingError(f"{where} is {value!r}", ", ".join(map(str, words)), nearest(value, words))
    if kind is tuple and isinstance(value, list):
        inner = get_args(hint)
        # tuple[X, ...] has one type for all, tuple[X, Y] one for each.
        kinds = [inner[0]] * len(value) if len(inner) == 2 and inner[1] is Ellipsis else list(inner)
        if len(kinds) != len(value):
            raise SettingError(f"{where} has {len(value)} entries", f"{len(kinds)}", "Correct the recipe")
        return tuple(_value(one, entry, where) for one, entry in zip(kinds, value, strict=True))
    wanted = (kind, int) if kind is float else kind
    if kind is not tuple and isinstance(value, bool) is (kind is bool) and isinstance(value, wanted):
        return kind(value)
    name = getattr(kind, "__name__", str(kind)).replace("tuple", "list")
    raise SettingError(f"{where} is {value!r}", f"a value of type {name}", "Correct the recipe")
