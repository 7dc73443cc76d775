"""The shelf: weights that a visitor brought, for as long as the cache keeps them.

They lie in a folder that nobody can guess, and the pickers of that visitor alone name it: knowing
the name is the right to use them.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Sequence
from itertools import chain, count
from pathlib import Path
from typing import TYPE_CHECKING

from gradio.utils import get_upload_folder

from deblur_demo import settings
from deblur_demo.errors import CheckpointError, InputError, LimitError, SettingError
from deblur_demo.ui import text
from deblur_demo.ui.models import text as models_text
from deblur_demo.ui.runs import Run, expire, on_disk, safe_stem

if TYPE_CHECKING:
    from deblur_demo.models.checkpoint import Card
    from deblur_demo.models.contract import Restorer
    from deblur_demo.models.hub import HubFile

_SCHEME = "own:"
_CHOICE = re.compile(_SCHEME + r"([0-9a-f]{32})")


class OwnWeights(Run):
    """A visitor's weights with their card.

    Args:
        name: of the file that the visitor knows, or its address on the Hub.
        others: what the visitor has there already, so that no two are called alike.

    Attributes:
        weights: where the file belongs; its card is beside it.
        choice: what a picker calls them.
        card: what they are; None before they are found to be weights.
    """

    def __init__(self, name: str, others: Sequence[OwnWeights] = ()):
        super().__init__(Path(get_upload_folder()))
        stem, taken = safe_stem(name, "weights"), {weights.name for weights in others}
        free = next(name for name in chain([stem], (f"{stem}-{number}" for number in count(2))) if name not in taken)
        self.weights = self.folder / f"{free}.safetensors"
        self.choice = _SCHEME + self.token
        self.card: Card | None = None

    @property
    def name(self) -> str:
        """For a person."""
        return self.weights.stem

    @property
    def model(self) -> str:
        """The variant that they are weights of."""
        return self.card.model


def load(files: Sequence[str] | None, address: str | None, own: Sequence[OwnWeights]) -> OwnWeights:
    """Put weights on the shelf: uploaded ones, or those at an address on the Hub.

    Args:
        files: paths of the uploaded ``.safetensors`` and its ``.json`` card; if there are some, ``address`` is ignored.
        address: ``hf://owner/repo@revision/file.safetensors``.
        own: what the visitor has there already.

    Raises:
        SettingError: whoever runs this server does not want it.
        LimitError: the visitor has too many.
        InputError, CheckpointError: nothing is named, or it is not weights with their card.
    """
    from deblur_demo.models import hub, intake

    limit = settings.MAX_LOADED.current()
    if settings.LOADING.current() == "off":
        raise SettingError(*models_text.NOT_HERE)
    if len(own) >= limit:
        raise LimitError(*text.fill(models_text.TOO_MANY, limit=limit))
    if files:
        weights, card = _pair([Path(file) for file in files])
        brought = OwnWeights(weights.name, own)
    else:
        source = _source(address)
        brought = OwnWeights(source.file, own)
    try:
        if files:
            with on_disk(brought.folder):
                shutil.copyfile(weights, brought.weights)
                shutil.copyfile(card, brought.weights.with_suffix(".json"))
        else:
            try:
                fetched = hub.bring(source, brought.folder, settings.MAX_UPLOAD_MB.current() * 1024**2, intake.MAX_CARD)
            except CheckpointError as error:
                raise CheckpointError(error.found, error.accepted, models_text.CHECK_ADDRESS) from error
            with on_disk(brought.folder):
                fetched.with_suffix(".json").replace(brought.weights.with_suffix(".json"))
                fetched.replace(brought.weights)
        brought.card = intake.admit(brought.weights)
        brought.done = True
    finally:
        brought.end()
    return brought


def clear(own: Sequence[OwnWeights]) -> None:
    """Delete the weights of a visitor who has gone."""
    for weights in own:
        expire(weights)


def is_own(choice: str) -> bool:
    """Whether a picker's choice is a visitor's weights rather than the identifier of a variant."""
    return str(choice).startswith(_SCHEME)


def find(choice: str) -> Path:
    """The file behind a choice.

    Raises:
        CheckpointError: there is none, or not any more.
    """
    match = _CHOICE.fullmatch(choice)
    folder = match and Run.folder_of(Path(get_upload_folder()), match[1])
    found = next(folder.glob("*.safetensors"), None) if folder else None
    if found is None:
        raise CheckpointError(*text.WEIGHTS_GONE)
    return found


def model_of(choice: str) -> str:
    """The variant that a choice is, or has weights of.

    Raises:
        CheckpointError: a visitor's weights that are gone.
    """
    from deblur_demo.models import checkpoint

    return checkpoint.read_card(find(choice)).model if is_own(choice) else choice


def network_of(choice: str) -> Restorer:
    """The network that a choice is, without memory behind its weights; a visitor's may be of another size.

    Raises:
        CheckpointError: a visitor's weights that are gone.
    """
    from deblur_demo.models import checkpoint, registry

    return checkpoint.ghost(find(choice)) if is_own(choice) else registry.blank(choice)


def name_of(choice: str) -> str:
    """What a person calls it.

    Raises:
        CheckpointError: a visitor's weights that are gone.
    """
    return find(choice).stem if is_own(choice) else choice


def _pair(files: Sequence[Path]) -> tuple[Path, Path]:
    """The weights and the card among uploads; whatever else is there stays unopened."""
    from deblur_demo.models import checkpoint

    cards = [file for file in files if file.suffix == ".json"]
    others = [file for file in files if file.suffix != ".json"]
    for file in others:
        checkpoint.check_suffix(file)
    if len(others) != 1 or len(cards) != 1:
        raise InputError(*text.fill(models_text.NO_PAIR, weights=len(others), cards=len(cards)))
    return others[0], cards[0]


def _source(address: str | None) -> HubFile:
    from deblur_demo.models import hub

    if not (address or "").strip():
        raise InputError(*models_text.NOTHING)
    try:
        return hub.parse(address.strip())
    except CheckpointError as error:
        raise CheckpointError(error.found, error.accepted, models_text.CHECK_ADDRESS) from error
