"""When further iterations stop paying: the criterion behind ``--iterations auto``.

Park 2020 finds PSNR to rise until the fifth or sixth iteration and to fall beyond those trained
for (section 4.3, figure 6), so the network's own number is the most that is ever run, and hopes
for an "active stopping criterion", such as the trained gate of Nah 2019, to do better (section 6).
Untrained, two things tell most of it.

What the first iteration leaves: noise hides blur, and the first iteration takes noise away. What
looks sharp then was sharp before, and each further iteration does harm.

The change of an iteration: on a blurred picture the iterations up to the fourth change nearly as
much as the first. A noisy picture changes most at first, when its noise goes, so a small share of
the first change counts only once the change is small in itself.

Measured with `mtrnn-lite` on crops of 320 px, against six iterations. Of sharp pictures with
noise of 5 levels, scikit-image's photos gain 4.4 dB, Kodak's 0.9, sharp frames of REDS 2.7 and of
GoPro 0.7, and each of these kinds leaves 2.6 to 4.8 dB better than it came, on average; a photo
that is soft by nature may still lose. JPEG of quality 50 gains 2.6 dB on the first and 0.2 on the
second. Straight motion, 4 to 16 px, with noise and without: -0.1 to 0.2 dB; blurred frames of
REDS lose 0.13 dB, those of GoPro gain 0.09. The synthetic set, whose small noisy crops may look
sharp, loses 0.21 dB.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from torch import Tensor

from deblur_demo.media.frames import to_pixels

SHARP = 0.42  # estimate of the blur that the first iteration leaves, see ``metrics.blur``
RELATIVE = 0.7  # of the first iteration's change
SMALL = 0.66  # 8-bit levels; above it a picture is still on its way, whatever the first change was
ABSOLUTE = 0.1  # 8-bit levels; less is lost when the picture is rounded


def settled(changes: Sequence[float], image: Tensor) -> bool:
    """Whether another iteration is not worth its time.

    Args:
        changes: of each iteration so far, at least one: the mean absolute difference between its
            picture and the one before, in 8-bit levels.
        image: what the last one made, (1, 3, H, W), fp32 in [0, 1], on the CPU.
    """
    if changes[-1] < max(min(RELATIVE * changes[0], SMALL), ABSOLUTE):
        return True
    return len(changes) == 1 and _looks_sharp(image)


def _looks_sharp(image: Tensor) -> bool:
    from deblur_demo import metrics  # needs OpenCV and scikit-image, which a machine that only trains may lack

    blur = metrics.blur(to_pixels(image, np.uint8))
    return blur is not None and blur <= SHARP
