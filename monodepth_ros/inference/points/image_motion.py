"""How a whole image has moved, from small blurred copies: a first guess in fast turns.

The idea is Klein and Murray's ("Improving the agility of keyframe-based SLAM", 2008); the copies
are shifted for the best correlation, then shifted and turned by ECC (Evangelidis and Psarakis,
2008).
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

_WIDTH = 80  # pixels of a small image
_REACH = 0.35  # of its sides, by which it may have moved
_BLUR = 1.0  # standard deviation in its pixels
_ITERATIONS = 30
_LEAST_CONTRAST = 0.1  # grey levels


def small_image(grey: NDArray[np.uint8]) -> NDArray[np.float32]:
    """A small blurred copy of a grey image (h, w)."""
    height, width = grey.shape
    size = _WIDTH, max(8, round(height * _WIDTH / width))
    small = cv2.resize(grey, size, interpolation=cv2.INTER_AREA).astype(np.float32)
    return np.asarray(cv2.GaussianBlur(small, (0, 0), _BLUR), np.float32)


def image_motion(
    former: NDArray[np.float32], latter: NDArray[np.float32], width: int
) -> NDArray[np.float64]:
    """``A`` (2, 3): pixels x of the former image are at ``A @ (x, 1)`` in the latter one.

    From the small copies of two images that are ``width`` pixels wide. A shift, and a turn in the
    image where both can be aligned.
    """
    shift = _best_shift(former, latter)
    A = np.array([[1.0, 0.0, shift[0]], [0.0, 1.0, shift[1]]], np.float32)
    criteria = cv2.TERM_CRITERIA_COUNT + cv2.TERM_CRITERIA_EPS, _ITERATIONS, 1e-3
    try:
        _, found = cv2.findTransformECC(former, latter, A.copy(), cv2.MOTION_EUCLIDEAN, criteria)
    except cv2.error:  # nothing to align: images of one colour, or too different
        found = A
    scale = width / former.shape[1]
    motion = np.asarray(found, np.float64)
    # Centres of pixels are whole numbers in both sizes.
    centre = np.full(2, 0.5 - 0.5 / scale)
    motion[:, 2] = scale * (motion[:, 2] + motion[:, :2] @ centre - centre)
    return motion


def _best_shift(former: NDArray[np.float32], latter: NDArray[np.float32]) -> tuple[int, int]:
    """By which whole pixels the middle of the former image has moved; none where all is alike."""
    if min(former.std(), latter.std()) < _LEAST_CONTRAST:
        return 0, 0
    height, width = former.shape
    x, y = int(_REACH * width), int(_REACH * height)
    middle = latter[y : height - y, x : width - x]
    likeness = cv2.matchTemplate(former, middle, cv2.TM_CCOEFF_NORMED)
    _, _, _, (left, top) = cv2.minMaxLoc(likeness)
    return x - left, y - top
