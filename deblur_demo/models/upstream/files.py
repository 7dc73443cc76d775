"""Opening other people's weights files without running anything that is inside."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from deblur_demo.errors import CheckpointError
from deblur_demo.models import checkpoint

Tensors = dict[str, Tensor]


def read_state_dict(source: Path) -> Tensors:
    """All tensors of a PyTorch or safetensors file, without what training scripts wrap around them.

    Raises:
        CheckpointError: the file is absent, damaged or holds something else than tensors.
    """
    if source.suffix == ".safetensors":
        return checkpoint.read_tensors(source)
    try:
        # weights_only: tensors and plain containers are built, nothing else is looked up or run.
        content = torch.load(source, map_location="cpu", weights_only=True)
    except FileNotFoundError as error:
        raise CheckpointError(f"there is no file {source}", "a weights file", "Check the path") from error
    except Exception as error:  # a damaged or hostile pickle fails in any way that it likes
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise CheckpointError(
            f"{source.name} cannot be read: {reason[:200]}",
            "a PyTorch state dict of tensors alone, or .safetensors",
            "Save the model's state_dict() with torch.save, not the model",
        ) from error
    if isinstance(content, dict):
        content = content.get("state_dict", content)
    if not isinstance(content, dict) or not content or not all(isinstance(v, Tensor) for v in content.values()):
        raise CheckpointError(
            f"{source.name} holds no state dict",
            "names and tensors, bare or under 'state_dict'",
            "Save the model's state_dict() with torch.save",
        )
    # torch.nn.DataParallel puts this before every name.
    return {str(name).removeprefix("module."): value for name, value in content.items()}
