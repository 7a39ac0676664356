"""Leaves out the images of a camera that has hardly moved."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from monodepth_ros.data.samples.frame_spacing import FLOW_WIDTH, flow_steps


class MotionFilter:
    """Takes an image that has moved by a share of its width since the last one taken."""

    def __init__(self, least: float) -> None:
        self._least = least
        self._last: NDArray[np.uint8] | None = None

    def takes(self, rgb: NDArray[np.uint8]) -> bool:
        """Whether it has moved far enough; the first one has, and one of another size."""
        if self._least <= 0:
            return True
        height, width = rgb.shape[:2]
        size = (FLOW_WIDTH, max(1, round(height * FLOW_WIDTH / width)))
        small = cv2.resize(rgb, size, interpolation=cv2.INTER_AREA).transpose(2, 0, 1)
        now = small.astype(np.uint8, copy=False)
        if self._last is None or self._last.shape != now.shape:
            moved = np.inf
        else:
            moved = float(flow_steps(np.stack([self._last, now]))[0])
        if moved >= self._least:
            self._last = now
        return moved >= self._least
