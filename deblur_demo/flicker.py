"""How much a clip flickers: what changes from frame to frame although nothing moved there, as far as can be told.

The temporal warp error of Lai et al. (Learning Blind Video Temporal Consistency, ECCV 2018, section
4.1): each frame is compared with the one before, moved to where its parts are now. The motion is
measured in the source for both clips, so that a network cannot hide its flicker in it.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy import ndarray

from deblur_demo.errors import InputError

SIDE = 320  # the longer side of what is compared: the flow takes most of the time, and gets no better beyond
LEAST_FOLLOWED = 0.25  # of the pixels; with fewer, two frames are of different scenes
SMALLEST = 16  # px; a smaller side is no picture to follow a motion in


class Flicker:
    """Measures a source and its restored version side by side, frame after frame, holding two frames of each.

    Sharper frames are harder to lay onto each other, and so measure a little more than blurred ones
    without flickering. Compare what different networks make of the same clip.
    """

    def __init__(self):
        self._flow = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
        self._before: tuple[ndarray, ndarray, ndarray] | None = None
        self._size: tuple[int, ...] | None = None
        self._sums, self._pixels = np.zeros(2), 0

    def add(self, source: ndarray, restored: ndarray) -> None:
        """Take the next frame.

        Args:
            source, restored: (H, W, 3) uint8 RGB, all of one size.

        Raises:
            InputError: the size is not that of the other one, or of the frame before.
        """
        self._size = size = self._size or source.shape
        for frame in (source, restored):
            if frame.shape != size:
                raise InputError(
                    f"a frame of {frame.shape[1]}x{frame.shape[0]} pixels",
                    f"all frames of {size[1]}x{size[0]} pixels",
                    "Compare clips of one size",
                )
        small = [_reduced(source), _reduced(restored)]
        now = (cv2.cvtColor(small[0], cv2.COLOR_RGB2GRAY), *small)
        before, self._before = self._before, now
        if before is None:
            return
        where, followed = self._follow(before[0], now[0])
        if followed.mean() < LEAST_FOLLOWED:
            return
        self._pixels += np.count_nonzero(followed)
        for index, (old, new) in enumerate(zip(before[1:], now[1:], strict=True)):
            moved = cv2.remap(old, where, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
            self._sums[index] += cv2.absdiff(moved, new)[followed].sum(dtype=np.float64) / 3

    @property
    def value(self) -> tuple[float, float] | tuple[None, None]:
        """Mean absolute difference over all pixels that could be followed, of the source and of the restored clip.

        In 8-bit levels, 0 to 255; None where no two frames could be compared.
        """
        if not self._pixels:
            return None, None
        source, restored = self._sums / self._pixels
        return float(source), float(restored)

    def _follow(self, before: ndarray, now: ndarray) -> tuple[ndarray, ndarray]:
        """Where each pixel was in the frame before, (H, W, 2) x and y, and whether that is certain, (H, W).

        It is where the flow there leads back, up to the tolerance of Sundaram et al. (ECCV 2010,
        equation 5), and inside the frame.
        """
        height, width = now.shape
        here = np.stack(np.meshgrid(np.arange(width), np.arange(height)), axis=2).astype(np.float32)
        if min(height, width) < SMALLEST:
            return here, np.ones(now.shape, bool)
        back = self._flow.calc(now, before, None)  # (H, W, 2)
        where = here + back
        forth = cv2.remap(self._flow.calc(before, now, None), where, None, cv2.INTER_LINEAR)
        gap = np.square(back + forth).sum(2)
        returns = gap <= 0.01 * (np.square(back).sum(2) + np.square(forth).sum(2)) + 0.5
        inside = ((where >= 0) & (where <= (width - 1, height - 1))).all(2)
        return where, returns & inside


def _reduced(frame: ndarray) -> ndarray:
    height, width = frame.shape[:2]
    scale = SIDE / max(height, width)
    if scale >= 1:
        return np.ascontiguousarray(frame)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    return cv2.resize(frame, size, interpolation=cv2.INTER_AREA)
