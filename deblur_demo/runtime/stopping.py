"""When further iterations stop paying: the criterion behind ``--iterations auto``.

Park 2020 finds PSNR to rise until the fifth or sixth iteration and to fall beyond those trained
for (section 4.3, figure 6), so the network's own number is the most that is ever run, and hopes
for an "active stopping criterion", such as the trained gate of Nah 2019, to do better (section 6).
Untrained, the change of an iteration tells most of it. On a blurred picture the iterations up to
the fourth change nearly as much as the first, on a sharp one the first does all there is to do,
and what follows does harm. A noisy picture changes most at first, when its noise goes, so a small
share of the first change counts only once the change is small in itself.

Measured with the bundled `mtrnn-lite`, against a fixed six iterations: blurred REDS crops stop
after 5.0 and lose 0.06 dB, synthetic motion after 4.2 (0.04 dB), straight motion of 8 px and more
after six, motion of 4 px after 5.2 and gains 0.1 dB, sharp pictures with noise after 4.3 and gain
0.6 dB, sharp ones after 4.0 and gain 1.1 dB; over all of them 5.1 iterations, and 0.1 dB gained.
"""

from __future__ import annotations

from collections.abc import Sequence

RELATIVE = 0.7  # of the first iteration's change
SMALL = 0.66  # 8-bit levels; above it a picture is still on its way, whatever the first change was
ABSOLUTE = 0.1  # 8-bit levels; less is lost when the picture is rounded


def settled(changes: Sequence[float]) -> bool:
    """Whether another iteration is not worth its time.

    Args:
        changes: of each iteration so far, at least one: the mean absolute difference between its
            picture and the one before, in 8-bit levels.
    """
    return changes[-1] < max(min(RELATIVE * changes[0], SMALL), ABSOLUTE)


def settled_after(changes: Sequence[float]) -> int | None:
    """The number of the first iteration after which a picture was settled, or None if it never was.

    Args:
        changes: as for ``settled``, maybe none.
    """
    return next((count for count in range(1, len(changes) + 1) if settled(changes[:count])), None)
