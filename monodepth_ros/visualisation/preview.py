"""Pictures of depth for people to look at."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray


def colourise(disparity: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Disparity HxW as uint8 RGB: magma, near is bright, invalid is grey.

    From the smallest value to the 95th percentile, so that few near pixels do not darken the rest.
    """
    valid = np.isfinite(disparity)
    picture = np.full((*disparity.shape, 3), 128, np.uint8)
    if valid.any():
        low, high = disparity[valid].min(), np.percentile(disparity[valid], 95)
        level = (np.where(valid, disparity, low) - low) / max(high - low, np.finfo(np.float32).tiny)
        bytes_ = (255 * level.clip(0, 1)).round().astype(np.uint8)
        colours = cv2.applyColorMap(bytes_, cv2.COLORMAP_MAGMA)[:, :, ::-1]  # OpenCV gives BGR
        picture[valid] = colours[valid]
    return picture


def side_by_side(rgb: NDArray[np.uint8], disparity: NDArray[np.float32]) -> NDArray[np.uint8]:
    """The input and its colourised disparity, both at the input's size."""
    height, width = rgb.shape[:2]
    if disparity.shape != (height, width):
        resized = cv2.resize(disparity, (width, height), interpolation=cv2.INTER_LINEAR)
        disparity = np.asarray(resized, np.float32)
    return np.concatenate([rgb, colourise(disparity)], axis=1)
