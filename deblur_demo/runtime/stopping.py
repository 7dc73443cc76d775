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

Measured with `mtrnn-lite`, its gain by itself and after six iterations, in dB. Sharp photos with
noise of 5 levels: 2.0 and 1.7; as JPEG of quality 60: 0.2 and 0.1; with clipped lights and noise:
-0.5 and -0.3; enlarged 1.5 times, with noise: 2.9 and 1.6. Blurred frames of REDS: 1.5 and 1.7. The
synthetic set, whose small noisy crops may look sharp: 0.3 and 0.4. With its weights before, which
the thresholds were read off with, four of scikit-image's with noise: 2.9 and 1.0; straight motion of
theirs, with noise and without: of 4 px -1.0 and -1.4, of 8 px -0.7 and -0.8, of 16 px 0.2 both.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from torch import Tensor

from deblur_demo.media.frames import to_pixels

# Estimate of the blur that the first iteration leaves, see ``metrics.blur``. With 0.42 a photo out of focus by nature
# went on and lost 4 dB as JPEG; 0.5 would lose nothing on REDS, and 0.01 more on the synthetic set.
LEFT_SHARP = 0.45
RELATIVE = 0.7  # of the first iteration's change
SMALL = 0.6  # 8-bit levels; above it a picture is still on its way, whatever the first change was
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
    return blur is not None and blur <= LEFT_SHARP
