"""Heuristic confidence of depth: consistency under mirroring times local image contrast.

It is not a probability and not calibrated. A low value means that something is wrong; a high one
does not mean that depth is right.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

Map = NDArray[np.float32]

_WINDOW = (9, 9)  # network pixels, for the local contrast
_CONTRAST = 1.5  # grey levels (standard deviation); confidence falls to 0 at no contrast
_BLACK, _WHITE = 2, 253


def agreement(one: Map, other: Map) -> Map:
    """Ratio of the smaller to the larger disparity ``(H, W)``; 0 where one is not finite.

    One is that of the mirrored image, mirrored back.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.minimum(one, other) / np.maximum(one, other)
    return np.nan_to_num(ratio, nan=0.0, posinf=0.0, neginf=0.0).clip(0.0, 1.0)


def evidence(image: NDArray[np.uint8]) -> Map:
    """Local contrast of an image, uint8 ``(h, w, 3)``, from 0 to 1: ``(h, w)``.

    0 where it is black, white or of one colour (a covered lens, a lamp, a plain wall): the network
    guesses there, and guesses the same for the mirrored image. 1 from 1.5 grey levels on.
    """
    red, green, blue = cv2.split(image)
    # Sums of whole numbers are exact in float64: a plain wall has a contrast of exactly 0.
    total = np.add(red, green, dtype=np.float64) + blue
    count, mass = _around(np.ones(total.shape)), _around(total)
    contrast = np.sqrt(count * _around(np.square(total)) - np.square(mass)) / (3 * count)
    clipped = (cv2.max(cv2.max(red, green), blue) <= _BLACK) | (
        cv2.min(cv2.min(red, green), blue) >= _WHITE
    )
    return np.where(clipped, 0.0, np.minimum(contrast / _CONTRAST, 1.0)).astype(np.float32)


def _around(values: NDArray[Any]) -> NDArray[np.float64]:
    """Sums over the part of the window inside the image."""
    border = cv2.BORDER_CONSTANT  # zeros
    return np.asarray(cv2.boxFilter(values, cv2.CV_64F, _WINDOW, None, (-1, -1), False, border))
