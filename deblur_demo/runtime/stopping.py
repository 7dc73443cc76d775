"""When further iterations stop paying: the criterion behind ``--iterations auto``.

Park 2020 finds PSNR to rise until the fifth or sixth iteration and to fall beyond those trained
for (section 4.3, figure 6), so the network's own number is the most that is ever run, and hopes
for an "active stopping criterion", such as the trained gate of Nah 2019, to do better (section 6).
Untrained, the change of an iteration tells most of it. On a blurred picture the second and third
iteration change nearly as much as the first. On a sharp one the first does all there is to do,
and what follows does harm, in changes that are small beside it.

Measured with the bundled `mtrnn-lite`, against a fixed six iterations: blurred frames of a REDS
clip stop after 4.0 and lose 0.03 dB, pictures with synthetic motion of 8 to 23 px after 3.8 and
lose 0.01 dB, with 4 px after 3.8 and gain 0.09 dB, sharp ones after 2.1 and gain 3.5 dB.
"""

from __future__ import annotations

from collections.abc import Sequence

RELATIVE = 0.6  # of the first iteration's change; 0.5 stops the REDS frames a third of an iteration later
ABSOLUTE = 0.1  # 8-bit levels; less is lost when the picture is rounded


def settled(changes: Sequence[float]) -> bool:
    """Whether another iteration is not worth its time.

    Args:
        changes: of each iteration so far, at least one: the mean absolute difference between its
            picture and the one before, in 8-bit levels.
    """
    return changes[-1] < max(RELATIVE * changes[0], ABSOLUTE)
