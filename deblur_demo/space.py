"""The repository as a Space of the Hugging Face Hub: what belongs into it, what the Hub refuses, and its upload."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path
from typing import TYPE_CHECKING

from deblur_demo.errors import CheckpointError, OutputError
from deblur_demo.models import checkpoint, hub
from deblur_demo.models.export import LICENCES

if TYPE_CHECKING:
    from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parents[1]
# Tests, training and benchmarks stay at home: the page does not use them.
FILES = ("README.md", "LICENSE", "app.py", "requirements.txt")
FOLDERS = ("deblur_demo", "checkpoints", "docs")
_LEFT_OUT = ("__pycache__", "*.pyc", "*.pyi", "*.partial", ".*")

# huggingface.co/docs/hub/spaces-config-reference
_COLOURS = ("red", "yellow", "green", "blue", "indigo", "purple", "pink", "gray")
_FORMS = {
    "title": r".+",
    "emoji": r"\W+",
    "colorFrom": "|".join(_COLOURS),
    "colorTo": "|".join(_COLOURS),
    "sdk": "gradio",
    "sdk_version": r"\d+\.\d+\.\d+",
    "python_version": r"3\.\d+(\.\d+)?",
    "app_file": r"[\w/.-]+\.py",
    "license": r"[a-z0-9.-]+",
    "short_description": r".{1,60}",
}
_LISTS = ("tags", "models", "datasets", "preload_from_hub")
_OTHER = ("suggested_hardware", "suggested_storage", "pinned", "header", "fullWidth", "thumbnail", "disable_embedding",
          "startup_duration_timeout", "custom_headers", "hf_oauth", "hf_oauth_scopes")  # fmt: skip
# huggingface.co/docs/hub/spaces-zerogpu
ZERO_PYTHONS, ZERO_TORCH = ("3.10", "3.12"), ">=2.8,<2.12"
_LARGEST, _TOTAL = 10 * 1024**2, 1024**3  # bytes: of a file in git itself, and of a Space's repository
# Of the .gitattributes that a repository on the Hub begins with, and keeps unless ours replaces it, what concerns us.
_RULES_OF_THE_HUB = ("*.safetensors filter=lfs diff=lfs merge=lfs -text",)


def belonging(root: Path = ROOT) -> list[Path]:
    """The files of the Space, relative to ``root``, in order."""
    found = [root / name for name in FILES if (root / name).is_file()]
    for name in FOLDERS:
        found += sorted(path for path in (root / name).rglob("*") if path.is_file())
    paths = [path.relative_to(root) for path in found]
    return [path for path in paths if not any(fnmatch(part, p) for part in path.parts for p in _LEFT_OUT)]


def problems(root: Path = ROOT) -> list[str]:
    """What the Hub, ZeroGPU or the licence of weights would object to, one line each; empty if all is well."""
    missing = [f"{name}: missing" for name in FILES if not (root / name).is_file()]
    if missing:
        return missing
    return [*_front_matter(root), *_requirements(root), *_sizes(root), *_licences(root)]


def _front_matter(root: Path) -> Iterator[str]:
    from huggingface_hub import SpaceHardware, metadata_load

    try:
        front, reason = metadata_load(root / "README.md"), ""
    except Exception as error:  # the YAML reader has many kinds of them
        front, reason = None, f": {str(error).splitlines()[0]}"
    if not front:
        yield f"README.md: no front matter that can be read{reason}. Accepted: YAML between two lines of ---"
        return
    for name, form in _FORMS.items():
        value = front.get(name)
        if not isinstance(value, str) or not re.fullmatch(form, value):
            found = "missing" if name not in front else f"{value!r}"
            yield f"README.md: {name} is {found}. Accepted: text of the form {form}"
    for name in _LISTS:
        if name in front and not (isinstance(front[name], list) and all(isinstance(v, str) for v in front[name])):
            yield f"README.md: {name} is {front[name]!r}. Accepted: a list of words"
    for name in front.keys() - {*_FORMS, *_LISTS, *_OTHER}:
        yield f"README.md: {name} means nothing to a Space. Accepted: {', '.join((*_FORMS, *_LISTS, *_OTHER))}"
    if not (root / str(front.get("app_file"))).is_file():
        yield f"README.md: app_file names {front.get('app_file')}, which is not there"
    hardware = front.get("suggested_hardware")
    if hardware not in [flavour.value for flavour in SpaceHardware]:
        yield f"README.md: suggested_hardware is {hardware!r}. Accepted: {', '.join(f.value for f in SpaceHardware)}"
    python = ".".join(str(front.get("python_version")).split(".")[:2])
    if str(hardware).startswith("zero") and python not in ZERO_PYTHONS:
        yield f"README.md: python_version is {python}. Accepted on ZeroGPU: {', '.join(ZERO_PYTHONS)}"
    for need in _needs(root)[0]:
        if need.name == "gradio" and str(front.get("sdk_version")) not in need.specifier:
            yield f"README.md: sdk_version is {front.get('sdk_version')}. Accepted: {need.specifier} (requirements.txt)"
    for model, source in hub.SOURCES.items():
        if source.repository not in (front.get("models") or []):
            yield f"README.md: models lacks {source.repository}, where the weights of {model} are"


def _requirements(root: Path) -> Iterator[str]:
    from packaging.specifiers import SpecifierSet

    needs, refused = _needs(root)
    for line in refused:  # the Hub installs this file alone, without the repository around it
        yield f"requirements.txt: {line!r}. Accepted: names, versions and markers; no other file, no option"
    for python in ZERO_PYTHONS:
        here = {"python_version": python}
        chosen = [need for need in needs if need.name == "torch" and (not need.marker or need.marker.evaluate(here))]
        pins = [pin.version for need in chosen for pin in need.specifier if pin.operator == "=="]
        found = ", ".join(f"{need.name}{need.specifier}" for need in chosen) or "no torch"
        if len(chosen) != 1 or len(pins) != 1 or pins[0] not in SpecifierSet(ZERO_TORCH):
            yield f"requirements.txt: Python {python} gets {found}. On ZeroGPU: one torch {ZERO_TORCH}"


def _needs(root: Path) -> tuple[list[Requirement], list[str]]:
    """What requirements.txt asks for, and its lines that are something else."""
    from packaging.requirements import InvalidRequirement, Requirement

    needs, refused = [], []
    for line in (root / "requirements.txt").read_text(encoding="utf-8").splitlines():
        if line.strip() and not line.startswith("#"):
            try:
                needs.append(Requirement(line.split(" #")[0]))
            except InvalidRequirement:
                refused.append(line)
    return needs, refused


def _sizes(root: Path) -> Iterator[str]:
    rules, total = root / ".gitattributes", 0
    lines = rules.read_text(encoding="utf-8").splitlines() if rules.is_file() else _RULES_OF_THE_HUB
    patterns = [line.split()[0] for line in lines if "filter=lfs" in line.split()]
    for path in belonging(root):
        size = (root / path).stat().st_size
        total += size
        if size > _LARGEST and not any(fnmatch(path.as_posix(), p) or fnmatch(path.name, p) for p in patterns):
            yield f"{path}: {size / 1024**2:.1f} MB. Accepted: 10 MB, or a rule with filter=lfs in .gitattributes"
    if total > _TOTAL:
        yield f"{total / 1024**3:.2f} GB in all. Accepted: 1 GB"


def _licences(root: Path) -> Iterator[str]:
    for path in belonging(root):
        if path.suffix == ".safetensors":
            try:
                licence = checkpoint.read_card(root / path).licence
            except CheckpointError as error:
                yield f"{path}: {error.found}. Accepted: {error.accepted}"
                continue
            if licence not in LICENCES:
                yield f"{path}: its licence is {licence!r}. Accepted: {', '.join(LICENCES)}"


def write_folder(repository: str, folder: Path, root: Path = ROOT) -> list[Path]:
    """Copy what belongs into the Space.

    Args:
        repository: ``owner/name``.
        folder: made if it is not there; must be empty.
        root: the repository to take it from.

    Returns:
        The files, in the folder.

    Raises:
        SettingError: not the name of a repository.
        OutputError: the repository has ``problems``, or the folder holds something or cannot be written.
    """
    hub.check_repository(repository, "--push")
    if found := problems(root):
        raise OutputError(f"{len(found)} problems, the first: {found[0]}", "a repository without", "See space --check")
    with hub.filling(folder, "--dry-run"):
        for path in belonging(root):
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(root / path, folder / path)
    return [folder / path for path in belonging(root)]


def push(folder: Path, repository: str) -> str:
    """Make the Space if need be, upload the folder, and delete what of ours is there and no longer here.

    ``git push`` would not do: the Hub takes binary files, weights and pictures, in its large storage only.

    Returns:
        Address of the Space.

    Raises:
        OutputError: not logged in, not allowed, or no connection.
    """
    ours = [f"{name}/*" for name in FOLDERS]
    address, _ = hub.upload(folder, repository, "--push", "Update the app", "space", replaced=ours)
    return address
