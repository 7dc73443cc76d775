"""When to stop iterating: the criterion behind ``--iterations auto``."""

from __future__ import annotations

from collections.abc import Sequence

RELATIVE = 0.5  # of the largest change so far
ABSOLUTE = 0.15  # 8-bit levels


def settled(changes: Sequence[float]) -> bool:
    """Whether another iteration is not worth its time.

    Args:
        changes: mean absolute change of each iteration so far, in 8-bit levels.
    """
    return len(changes) > 0 and (changes[-1] < ABSOLUTE or changes[-1] < RELATIVE * max(changes))
