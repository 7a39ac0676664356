"""The classical peer: Lucas-Kanade tracks, the five-point algorithm in RANSAC, steps chained.

Nothing of it is ours: corners, flow and geometry are OpenCV's. A pair of images gives a rotation
and a direction; how long a step is, it cannot know.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

CORNERS = 1000
_WINDOW = dict(winSize=(21, 21), maxLevel=4)
_FORTH_AND_BACK = 0.5  # pixels between a corner and where the flow there and back ends
_EPIPOLAR = 0.5  # pixels
_FEWEST = 8


@dataclass
class FivePoint:
    """``T_earlier_later`` of grey images in turn; translations have length 1."""

    K: NDArray[np.float64]
    fallbacks: int = 0  # pairs in which too little could be matched: the last motion goes on
    _before: NDArray[np.uint8] | None = None
    _motion: NDArray[np.float64] | None = None

    def add(self, grey: NDArray[np.uint8]) -> NDArray[np.float64] | None:
        """The motion since the last image; None for the first one."""
        earlier, self._before = self._before, grey
        if earlier is None:
            return None
        motion = self._between(*matches(earlier, grey))
        if motion is None:
            self.fallbacks += 1
            motion = np.eye(4) if self._motion is None else self._motion
        self._motion = motion
        return motion.copy()

    def _between(self, first: Any, second: Any) -> NDArray[np.float64] | None:
        if len(first) < _FEWEST:
            return None
        E, inliers = cv2.findEssentialMat(
            first, second, self.K, method=cv2.RANSAC, prob=0.9999, threshold=_EPIPOLAR
        )
        if E is None or E.shape != (3, 3):
            return None
        good, R, t, _ = cv2.recoverPose(E, first, second, self.K, mask=inliers)
        if good < _FEWEST:
            return None
        T_earlier_later = np.eye(4)
        T_earlier_later[:3, :3], T_earlier_later[:3, 3] = R.T, -R.T @ t[:, 0]
        return T_earlier_later


def matches(
    earlier: NDArray[np.uint8], later: NDArray[np.uint8]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Pixels (N, 2) of the same corners in both images, where the flow leads back to its start."""
    corners = cv2.goodFeaturesToTrack(earlier, CORNERS, qualityLevel=0.005, minDistance=8)
    if corners is None:
        return np.zeros((0, 2), np.float32), np.zeros((0, 2), np.float32)
    forth, found, _ = cv2.calcOpticalFlowPyrLK(earlier, later, corners, None, **_WINDOW)
    back, again, _ = cv2.calcOpticalFlowPyrLK(later, earlier, forth, None, **_WINDOW)
    apart = np.linalg.norm((back - corners)[:, 0], axis=1)
    kept = (found[:, 0] == 1) & (again[:, 0] == 1) & (apart < _FORTH_AND_BACK)
    return corners[kept, 0], forth[kept, 0]
