"""Values of a map at points of an image of another size."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from monodepth_ros.geometry.camera import PinholeCamera


def sampled(
    values: NDArray[np.float32], pixels: NDArray[np.float64], camera: PinholeCamera
) -> NDArray[np.float64]:
    """Values ``(N,)`` of a map ``(h, w)`` at pixels ``(N, 2)`` of the images of ``camera``."""
    if not len(pixels):
        return np.empty(0)
    height, width = values.shape
    scale = np.array([width / camera.width, height / camera.height])
    x, y = ((pixels + 0.5) * scale - 0.5).astype(np.float32).T
    # remap takes maps of less than 32768 rows, and there are a few thousand points.
    found = cv2.remap(
        values, x[:, None], y[:, None], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    return np.asarray(found, np.float64).reshape(-1)
