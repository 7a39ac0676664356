"""Depth of one camera as another camera beside it would see it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from monodepth_ros.data.image_file import DepthImage


def register_depth(
    depth: DepthImage,
    K: NDArray[np.float64],
    K_other: NDArray[np.float64],
    T_other_camera: NDArray[np.float64],
    size: tuple[int, int],
) -> DepthImage:
    """Depth float32 in the other camera, of ``size`` = (height, width), NaN where nothing is seen.

    Every pixel's point goes to the nearest pixel of the other camera, and of several the nearest
    point counts; so an other camera of longer focal length gets gaps. ``K`` and ``K_other`` are
    3x3, ``T_other_camera`` is 4x4, metres.
    """
    height, width = size
    y, x = np.nonzero(np.isfinite(depth) & (depth > 0))
    rays = np.linalg.inv(K) @ np.stack([x, y, np.ones_like(x)]).astype(np.float64)
    points = T_other_camera[:3, :3] @ (rays * depth[y, x]) + T_other_camera[:3, 3:]
    points = points[:, points[2] > 0]
    u, v, z = K_other @ points
    column, row = np.rint(u / z).astype(np.int64), np.rint(v / z).astype(np.int64)
    inside = (column >= 0) & (column < width) & (row >= 0) & (row < height)
    pixel, z = row[inside] * width + column[inside], z[inside]
    far_first = np.argsort(-z)  # so that the nearest is what stays
    seen = np.full(height * width, np.nan, np.float32)
    seen[pixel[far_first]] = z[far_first]
    return seen.reshape(size)
