"""Depth truth from Velodyne scans as KITTI's depth evaluation defines it.

The definition (Eigen et al. 2014, kept by all who compare with them) has its quirks, which are
reproduced bit by bit: depth is the scanner's forward coordinate and not the camera's Z, pixels are
rounded and moved up and left by one, and the key that finds points on one pixel takes the last
pixel of a row and the first of the next for the same.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from monodepth_ros.data.images.file import CorruptFrame, DepthImage


def read_scan(path: Path) -> NDArray[np.float32]:
    """Nx4 float32 points (x forward, y left, z up in metres, reflectance)."""
    try:
        values = np.fromfile(path, dtype=np.float32)
    except FileNotFoundError:
        raise CorruptFrame(path, "the file is missing") from None
    if values.size == 0 or values.size % 4:
        raise CorruptFrame(path, f"{values.size} values are not a Velodyne scan")
    return values.reshape(-1, 4)


def project_scan(
    scan: NDArray[np.float32], projection: NDArray[np.float64], size: tuple[int, int]
) -> DepthImage:
    """Depth float32 HxW of ``scan`` in an image of ``size`` = (height, width), NaN without a point.

    ``projection`` 3x4 takes homogeneous scanner points to pixels. Of several points on one pixel
    the nearest counts.
    """
    height, width = size
    points = scan[scan[:, 0] >= 0].astype(np.float64)
    forward = points[:, 0].copy()
    points[:, 3] = 1.0
    u, v, w = projection @ points.T
    with np.errstate(divide="ignore", invalid="ignore"):
        column, row = np.round(u / w) - 1, np.round(v / w) - 1
    inside = (column >= 0) & (row >= 0) & (column < width) & (row < height)
    column, row = column[inside].astype(np.int64), row[inside].astype(np.int64)
    forward = forward[inside]

    depth = np.zeros(size)
    depth[row, column] = forward
    key = row * (width - 1) + column - 1
    _, first, group, count = np.unique(
        key, return_index=True, return_inverse=True, return_counts=True
    )
    nearest = np.full(len(count), np.inf)
    np.minimum.at(nearest, group, forward)
    shared = first[count > 1]  # the minimum goes to the pixel of the group's first point
    depth[row[shared], column[shared]] = nearest[count > 1]
    return np.where(depth > 0, depth, np.nan).astype(np.float32)
