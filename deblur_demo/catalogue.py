"""What there is to choose from: every variant, what it costs, and whether it has weights."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from deblur_demo.errors import CheckpointError
from deblur_demo.models import checkpoint, complexity, hub, registry
from deblur_demo.models.contract import Restorer
from deblur_demo.models.convert import READERS
from deblur_demo.models.fetch import UPSTREAM

REPOSITORY = Path(__file__).resolve().parents[1]
_counted: dict[str, float] = {}


def models(costs: bool = False) -> list[dict]:
    """What there is to choose from, one row a variant, ready for a table or JSON.

    Args:
        costs: whether to count ``gmacs``, which takes up to a second each the first time.

    Returns:
        For each: ``id``, ``parameters`` (trained ones), ``gmacs`` (see ``gmacs``; None where not
        counted), ``frames``, ``steps``, ``max_steps``, ``trained_for``, ``paper``, ``ready`` (runs
        as it is), ``needs`` (None, or one line: how to get weights), and of its weights
        ``checkpoint`` (path or None), ``metrics``, ``licence`` (None without weights), ``problem``
        (None, or why the weights that are there cannot be used).
    """
    return [{**_row(name), "gmacs": gmacs(name) if costs else None} for name in registry.variants()]


def by_use(rows: Iterable[dict], first: str) -> list[dict]:
    """Rows of ``models`` in the order in which a visitor looks for them.

    What runs comes before what does not, one row before all others; networks before classic filters,
    those for motion before those for Gaussian blur, and the one that gained most on the first set of
    its card before the rest.

    Args:
        rows: in any order.
        first: the id to begin with.
    """

    def place(row: dict) -> tuple:
        scores = next(iter(row["metrics"].values()), {}).get("psnr") or [0.0]
        gaussian = row["trained_for"] == "Gaussian"
        return not row["ready"], row["id"] != first, not row["parameters"], gaussian, scores[0] - scores[-1]

    return sorted(rows, key=place)


def built(network: Restorer) -> dict:
    """How a network is built: its ``parameters``, ``frames``, ``steps`` and ``max_steps``."""
    traits = network.traits
    return {
        "parameters": network.parameter_count,
        "frames": traits.frames,
        "steps": traits.steps,
        "max_steps": traits.max_steps,
    }


def gmacs(name: str) -> float:
    """Multiply-accumulates of one step of a variant at 256 x 256 pixels, in 10^9 (see ``models.complexity``)."""
    if name not in _counted:
        _counted[name] = complexity.gmacs(registry.blank(name))
    return _counted[name]


def counted_gmacs(name: str) -> float | None:
    """The same if it has been counted before; None rather than counting."""
    return _counted.get(name)


def parameters(name: str) -> int:
    """Trained parameters; 0 for a classic filter, which needs no checkpoint."""
    return registry.blank(name).parameter_count


def ways_to_weights(name: str) -> str:
    """What to do for weights, as the action of an error."""
    ways = [f"Train them ({_training(name)})"]
    ways += [f"fetch the authors' ({command})" for command in _fetching(name)]
    if name in READERS:
        ways.append(f"convert published ones (python -m deblur_demo convert FILE -o OUT.safetensors --model {name})")
    ways.append("name a file that you have (--checkpoint FILE.safetensors)")
    return ", ".join((*ways, "or try fresh weights on the command line with --untrained"))


def _row(name: str) -> dict:
    variant = registry.variant(name)
    path, card, problem = checkpoint.find(name) or hub.cached(name), None, None
    if path is not None:
        try:
            card = checkpoint.card_of(path, name)
        except CheckpointError as error:
            problem = str(error)
    ready = card is not None or parameters(name) == 0 or (path is None and name in hub.SOURCES)
    return {
        "id": name,
        **built(registry.blank(name)),
        "trained_for": variant.trained_for,
        "paper": variant.paper,
        "ready": ready,
        "needs": None if ready else _need(name),
        "checkpoint": None if path is None else str(path),
        "metrics": card.metrics if card else {},
        "licence": card.licence if card else None,
        "problem": problem,
    }


def _need(name: str) -> str:
    ways = [_training(name), *(f"or {command}" for command in _fetching(name))]
    return f"needs training: {', '.join(ways)}"


def _fetching(name: str) -> list[str]:
    """The commands that fetch a network's published weights."""
    return [f"python -m deblur_demo fetch {key}" for key, source in UPSTREAM.items() if source.model == name]


def _training(name: str) -> str:
    """The command that trains a network."""
    recipe = f"training/recipes/{name}.toml"
    if not (REPOSITORY / recipe).is_file():
        recipe = f'RECIPE.toml, with model = "{name}" in it,'
    return f"python -m training train {recipe} --data FOLDER"
