"""The motion of a LiDAR from its scans: each is aligned to the one before.

Points to planes, iterated (Chen and Medioni, 1991), from a constant velocity, with Huber weights.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from monodepth_ros.geometry.rigid_motion import motion_of

Array = NDArray[np.float64]
_NEIGHBOURS = 10
_ITERATIONS = 40
_FLAT = 0.05  # smallest over middle spread of the neighbours: a plane
_WIDTH = 0.05  # metres; beyond, an error counts less
_NEAR = 2.0  # metres to the plane that a point may belong to, at first


def scan_poses(scans: list[Array]) -> list[Array]:
    """``T_first_scan`` 4x4 of scans of points ``(N, 3)``."""
    poses, step = [np.eye(4)], np.eye(4)
    for earlier, later in zip(scans, scans[1:], strict=False):
        step = aligned(earlier, later, step)
        poses.append(poses[-1] @ step)
    return poses


def aligned(earlier: Array, later: Array, start: Array) -> Array:
    """``T_earlier_later`` near ``start``."""
    tree = cKDTree(earlier)
    normals, flat = _planes(earlier, tree)
    T = start.copy()
    for k in range(_ITERATIONS):
        moved = later @ T[:3, :3].T + T[:3, 3]
        reach = max(_NEAR * 0.8**k, 0.3)
        distance, nearest = tree.query(moved, distance_upper_bound=reach)
        used = np.isfinite(distance)
        used[used] = flat[nearest[used]]
        p, n = moved[used], normals[nearest[used]]
        error = ((earlier[nearest[used]] - p) * n).sum(1)
        weights = np.minimum(1.0, _WIDTH / np.maximum(np.abs(error), 1e-9))
        J = np.concatenate([n, np.cross(p, n)], 1)
        H = (J.T * weights) @ J
        twist = np.linalg.solve(H + 1e-6 * np.eye(6), J.T @ (weights * error))
        T = motion_of(twist) @ T
        if np.abs(twist).max() < 1e-5:
            break
    return T


def _planes(points: Array, tree: cKDTree) -> tuple[Array, NDArray[np.bool_]]:
    """Normals ``(N, 3)``, and where the neighbours of a point lie in a plane."""
    _, near = tree.query(points, k=_NEIGHBOURS)
    around = points[near] - points[near].mean(1, keepdims=True)
    values, vectors = np.linalg.eigh(around.swapaxes(1, 2) @ around)
    return vectors[:, :, 0], values[:, 0] < _FLAT * values[:, 1]
