"""When further iterations stop paying: the criterion behind ``--iterations auto``.

Park 2020 finds PSNR to rise until the fifth or sixth iteration and to fall beyond those trained
for (section 4.3, figure 6), so the network's own number is the most that is ever run, and hopes
for an "active stopping criterion", such as the trained gate of Nah 2019, to do better (section 6).
Untrained, the change of an iteration tells most of it. On a blurred picture the iterations up to
the fourth change nearly as much as the first, on a sharp one the first does all there is to do,
and what follows does harm. A noisy picture changes most at first, when its noise goes, so a small
share of the first change counts only once the change is small in itself.

Measured with the bundled `mtrnn-lite` against a fixed six iterations: frames of REDS 003 stop after
5.0 and lose 0.03 dB (crops of 320 px after 4.6), pictures with a synthetic motion of 8 to 23 px
after 4.4 and lose nothing, with 4 px after 4.0 and gain 0.16 dB, sharp ones after 2.2 and gain 4.9 dB.
"""

from __future__ import annotations

from collections.abc import Sequence

RELATIVE = 0.65  # of the first iteration's change; at 0.75 the REDS crops lose 0.13 dB
ABSOLUTE = 0.1  # 8-bit levels; less is lost when the picture is rounded


def settled(changes: Sequence[float]) -> bool:
    """Whether another iteration is not worth its time.

    Args:
        changes: of each iteration so far, at least one: the mean absolute difference between its
            picture and the one before, in 8-bit levels.
    """
    return changes[-1] < max(min(RELATIVE * changes[0], SMALL), ABSOLUTE)
