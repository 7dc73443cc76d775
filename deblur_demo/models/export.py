"""A checkpoint as a repository of the Hugging Face Hub: weights, their card, and a README that shows it to people.

The layout is ours, so that ``--checkpoint hf://...`` reads it back as it is: ``<model>.safetensors``
with ``<model>.json`` beside it.
"""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import asdict, replace
from pathlib import Path

from deblur_demo.errors import CheckpointError
from deblur_demo.models import checkpoint, hub, registry
from deblur_demo.models.checkpoint import Card
from deblur_demo.models.hub import HubFile

# Licences that let anyone pass weights on, as our cards and as the Hub's front matter spell them.
LICENCES = {
    "MIT": "mit",
    "Apache-2.0": "apache-2.0",
    "BSD-3-Clause": "bsd-3-clause",
    "CC0": "cc0-1.0",
    "CC0-1.0": "cc0-1.0",
    "CC BY 4.0": "cc-by-4.0",
    "CC-BY-4.0": "cc-by-4.0",
}
_COLUMNS = (("psnr", "PSNR in dB", 2), ("ssim", "SSIM", 4))
TAGS = ["deblurring", "image-restoration", "pytorch"]


def weights_of(name: str) -> Path:
    """The file that a user means: a path to weights, or the identifier of a model that has some.

    Raises:
        SettingError: neither a file nor a model.
        CheckpointError: the model has no weights here.
    """
    if name.endswith(".safetensors") or os.path.isfile(name):
        return Path(name)
    registry.variant(name)
    found = checkpoint.find(name)
    if found is None:
        raise CheckpointError(
            f"there are no weights of {name} here", "a model with weights, or a .safetensors file", "Train it first"
        )
    return found


def write_folder(weights: Path, repository: str, folder: Path, licence: str | None = None) -> list[Path]:
    """Write what belongs into the repository.

    Args:
        weights: a ``.safetensors`` file with its card, which is checked as if it were to be used.
        repository: ``owner/name``.
        folder: made if it is not there; must be empty.
        licence: of the weights, where their card does not state it; None: as the card says.

    Returns:
        README, weights and card.

    Raises:
        SettingError: not the name of a repository.
        CheckpointError: the checkpoint is damaged, its licence does not let it be passed on, or is not ``licence``.
        OutputError: the folder holds something or cannot be written.
    """
    hub.check_repository(repository, "--repo")
    network, card = checkpoint.load(weights)
    stated = card.licence and not card.licence.startswith(checkpoint.UNLICENSED)
    if licence is not None and stated and LICENCES.get(licence) != LICENCES.get(card.licence, ""):
        raise CheckpointError(
            f"the card of {weights.name} states the licence {card.licence!r}, not {licence!r}",
            "--licence for weights whose card states none",
            "Leave out --licence",
        )
    licence = licence or card.licence
    if licence not in LICENCES:
        raise CheckpointError(
            f"the licence of {weights.name} is {licence!r}",
            ", ".join(LICENCES),
            "Do not publish what its authors did not licence; if it is yours, say --licence",
        )
    card = replace(card, licence=licence, sha256=checkpoint.sha256(weights))
    with hub.filling(folder, "--dry-run"):
        target = folder / f"{card.model}.safetensors"
        shutil.copyfile(weights, target)
        target.with_suffix(".json").write_text(json.dumps(asdict(card), indent=2) + "\n", encoding="utf-8")
        readme = folder / "README.md"
        readme.write_text(describe(card, network.parameter_count, repository), encoding="utf-8")
    return [readme, target, target.with_suffix(".json")]


def describe(card: Card, parameters: int, repository: str) -> str:
    """The README of the repository, with the front matter that the Hub's search reads."""
    from huggingface_hub import EvalResult, ModelCard, ModelCardData

    results = [
        EvalResult("image-to-image", dataset, dataset, metric, figures[metric][-1], task_name="Deblurring")
        for dataset, figures in card.metrics.items()
        for metric, *_ in _COLUMNS
        if figures.get(metric)
    ]
    data = ModelCardData(
        license=LICENCES[card.licence],
        pipeline_tag="image-to-image",
        tags=TAGS,
        model_name=card.model if results else None,
        eval_results=results or None,
    )
    variant = registry.variant(card.model)
    data_lines = "\n".join(f"- {line}" for line in card.data) or "- not stated"
    return str(
        ModelCard(
            f"---\n{data.to_yaml()}\n---\n\n"
            f"# {card.model}\n\n"
            f"{parameters:,} parameters, for {variant.trained_for} blur. {variant.paper}.\n\n"
            "```bash\n"
            f"python -m deblur_demo deblur shaky.jpg -o sharp.png "
            f"--checkpoint {hub.SCHEME}{repository}@REVISION/{card.model}.safetensors\n"
            "```\n\n"
            f"## Trained on\n\n{data_lines}\n\n{card.hardware or 'Hardware not stated'}, {card.updates:,} updates.\n\n"
            + _table(card)
            + f"## Limits\n\n{card.limits or 'Not stated.'}\n"
        )
    )


def _table(card: Card) -> str:
    """PSNR and SSIM step by step, the blurred input first; without a column for what was not measured."""
    parts = []
    for dataset, figures in card.metrics.items():
        columns = {
            title: [f"{value:.{digits}f}" for value in figures[metric]]
            for metric, title, digits in _COLUMNS
            if figures.get(metric)
        }
        lines = [f"## {dataset}\n", f"| step | {' | '.join(columns)} |", "|---" * (1 + len(columns)) + "|"]
        rows = enumerate(zip(*columns.values(), strict=True))
        lines += [f"| {step} | {' | '.join(cells)} |" for step, cells in rows]
        parts.append("\n".join(lines) + "\n\n")
    return "".join(parts)


def push(folder: Path, repository: str) -> HubFile:
    """Make the repository if need be and upload the folder; gives the address of the weights.

    Raises:
        OutputError: not logged in, not allowed, or no connection.
    """
    (weights,) = folder.glob("*.safetensors")
    _, commit = hub.upload(folder, repository, "--repo", f"Export {weights.stem}")
    return HubFile(repository, commit, weights.name)
