"""Small grey images, for standstill detection and the contrast of an image."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

Thumbnail = NDArray[np.float32]

_CELL = 4  # network pixels along the side of a pixel of a thumbnail


def thumbnail(image: NDArray[np.uint8]) -> tuple[Thumbnail, float]:
    """The grey image ``(h/4, w/4)`` of uint8 ``(h, w, 3)``, and its contrast, of [0, 1].

    Each cell averages the noise. The thumbnail has mean 0 and contrast 1, so that an automatic
    exposure does not look like a motion.
    """
    height, width = image.shape[0] // _CELL, image.shape[1] // _CELL
    whole = image[: _CELL * height, : _CELL * width].astype(np.float32)
    cells = cv2.resize(whole, (width, height), interpolation=cv2.INTER_AREA)
    grey = cells.mean(-1, dtype=np.float64) / 255.0
    contrast = grey.std(ddof=1)
    return ((grey - grey.mean()) / max(contrast, 1e-6)).astype(np.float32), float(contrast)


def shift(one: Thumbnail, other: Thumbnail) -> float:
    """Approximate image motion in network pixels: the difference over the gradient."""
    gradient = np.abs(np.diff(one, axis=0)).mean() + np.abs(np.diff(one, axis=1)).mean()
    return float(np.abs(other - one).mean() / max(gradient / 2, 1e-6)) * _CELL
