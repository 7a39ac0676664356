"""Black background, as of space images: where a network's depth means nothing.

Networks give depth to the empty space around a body, and draw its limb out into it. A rule tells
that space from the body: nearly black, without texture, and large.
"""

from __future__ import annotations

from typing import Literal, get_args

import cv2
import numpy as np
from numpy.typing import NDArray

from monodepth_ros.errors import UserError

Background = Literal["keep", "black_invalid"]

_BLACK = 16  # grey levels of 255 of the brightest channel: no more is nearly black
_TEXTURE = 4.0  # their standard deviation among the black pixels around: no more is sensor noise
_WINDOW = 9  # pixels: the side of "around"
_SHADOW = 0.005  # of the image: a smaller black region is a shadow on a body
_STAR = 0.0005  # of the image: something smaller in the background is a star, or a hot pixel


def checked_background(name: str) -> Background:
    """The same; UserError unless it is one of ``Background``."""
    for known in get_args(Background):
        if name == known:
            return known
    raise UserError(f"background {name!r}: use {' or '.join(get_args(Background))}")


def black_background(rgb: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Where an image ``(H, W, 3)`` shows black background, bool ``(H, W)``.

    The limb is kept as far as it is lit. A night side that touches the background looks like it and
    belongs to it; shadows inside a body are kept while they are small.
    """
    grey = rgb.max(axis=2)
    # A median removes noise and does not move the limb.
    black = cv2.medianBlur(np.ascontiguousarray(grey), 3) <= _BLACK
    plain = black & (_spread(grey, black & (grey <= _BLACK)) <= _TEXTURE)  # stars are no texture
    background = _large(plain, _SHADOW)
    return ~_large(~background, _STAR)


def _spread(grey: NDArray[np.uint8], among: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Standard deviation of the pixels of ``among`` in a window around each: no edge counts."""
    weight = among.astype(np.float32)
    value = grey.astype(np.float32) * weight
    number, total, squares = (
        cv2.boxFilter(each, cv2.CV_32F, (_WINDOW, _WINDOW), normalize=False)
        for each in (weight, value, value * value)
    )
    number = np.maximum(number, 1)
    mean = total / number
    variance = np.maximum(squares / number - mean * mean, 0)
    return np.asarray(np.sqrt(variance), np.float32)


def _large(region: NDArray[np.bool_], share: float) -> NDArray[np.bool_]:
    """The region without those of its parts that have less than this share of the image."""
    count, labels, stats, _ = cv2.connectedComponentsWithStats(region.astype(np.uint8))
    kept = stats[:, cv2.CC_STAT_AREA] >= share * region.size
    kept[0] = False  # what does not belong to the region
    return np.asarray(kept[:count][labels])
