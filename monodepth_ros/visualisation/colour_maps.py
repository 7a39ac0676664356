"""Values as colours: the one place where maps of depth, error or confidence become pictures."""

from __future__ import annotations

from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

_MAPS = {
    "magma": cv2.COLORMAP_MAGMA,
    "viridis": cv2.COLORMAP_VIRIDIS,
    "jet": cv2.COLORMAP_JET,
}


def colourise(
    values: NDArray[np.floating],
    low: float | None = None,
    high: float | None = None,
    colours: Literal["magma", "viridis", "jet"] = "magma",
    invalid: int = 128,
) -> NDArray[np.uint8]:
    """Values HxW as uint8 RGB, disparity by default: near is bright.

    From ``low`` to ``high``; by default from the smallest value to the 95th percentile, so that few
    near pixels do not darken the rest. What is not finite has the grey level ``invalid``.
    """
    valid = np.isfinite(values)
    whole = bool(valid.all())
    known = values if whole else values[valid]
    if not known.size:
        return np.full((*values.shape, 3), invalid, np.uint8)
    low = known.min() if low is None else low
    high = np.percentile(known, 95) if high is None else high
    shown = values if whole else np.where(valid, values, low)
    level = (shown - low) / max(high - low, np.finfo(np.float32).tiny)
    bytes_ = (255 * level.clip(0, 1)).round().astype(np.uint8)
    picture = cv2.cvtColor(cv2.applyColorMap(bytes_, _MAPS[colours]), cv2.COLOR_BGR2RGB)
    if not whole:
        picture[~valid] = invalid
    return np.asarray(picture, np.uint8)
