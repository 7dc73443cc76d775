"""The shelf: weights that a visitor brought, for as long as the cache keeps them.

They lie in a folder that nobody can guess, and the pickers of that visitor alone name it: knowing
the name is the right to use them.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from gradio.utils import get_upload_folder

from deblur_demo.errors import CheckpointError
from deblur_demo.ui import text
from deblur_demo.ui.runs import Run, safe_stem

if TYPE_CHECKING:
    from deblur_demo.models.checkpoint import Card

_SCHEME = "own:"
_CHOICE = re.compile(_SCHEME + r"([0-9a-f]{32})")


class OwnWeights(Run):
    """A visitor's weights with their card.

    Args:
        name: of the file that the visitor knows, or its address on the Hub.

    Attributes:
        weights: where the file belongs; its card is beside it.
        choice: what a picker calls them.
    """

    def __init__(self, name: str):
        super().__init__(Path(get_upload_folder()))
        self.weights = self.folder / f"{safe_stem(name, 'weights')}.safetensors"
        self.choice = _SCHEME + self.token

    @property
    def name(self) -> str:
        """For a person."""
        return self.weights.stem

    @property
    def model(self) -> str:
        """The variant that they are weights of."""
        return self.card.model

    @property
    def card(self) -> Card:
        """What they are.

        Raises:
            CheckpointError: they are gone.
        """
        from deblur_demo.models import checkpoint

        return checkpoint.read_card(self.weights)


def is_own(choice: str) -> bool:
    """Whether a picker's choice is a visitor's weights rather than the identifier of a variant."""
    return str(choice).startswith(_SCHEME)


def find(choice: str) -> Path:
    """The file behind a choice; it is kept for another while.

    Raises:
        CheckpointError: there is none, or not any more.
    """
    match = _CHOICE.fullmatch(choice)
    folder = match and Run.folder_of(Path(get_upload_folder()), match[1])
    found = next(folder.glob("*.safetensors"), None) if folder else None
    if found is None:
        raise CheckpointError(*text.WEIGHTS_GONE)
    folder.touch()
    return found


def model_of(choice: str) -> str:
    """The variant that a choice is, or has weights of.

    Raises:
        CheckpointError: a visitor's weights that are gone.
    """
    from deblur_demo.models import checkpoint

    return checkpoint.read_card(find(choice)).model if is_own(choice) else choice


def name_of(choice: str) -> str:
    """What a person calls it.

    Raises:
        CheckpointError: a visitor's weights that are gone.
    """
    return find(choice).stem if is_own(choice) else choice
