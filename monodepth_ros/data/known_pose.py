"""Poses as recordings state them: a 4x4 matrix, or None where the recording does not know.

A tracker that is lost writes zeros, NaN, infinities, or a quaternion of norm 0. None of these is a
pose, in whatever file or message they come. This module is where that is decided.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from monodepth_ros.geometry.rigid_motion import Matrix, rigid

Poses = list[Matrix | None]  # of the frames of a recording

UNKNOWN = "all zero, not finite, or of a quaternion of norm 0"
_MIN_NORM = 1e-6


def pose_of_matrix(matrix: ArrayLike) -> Matrix | None:
    """4x4 of a 4x4 or of its upper 3x4 (12 or 16 numbers row by row); None where unknown."""
    stated = np.asarray(matrix, np.float64).reshape(-1, 4)[:3]
    if not np.isfinite(stated).all() or np.linalg.norm(stated[:, :3]) < _MIN_NORM:
        return None
    return rigid(stated[:, :3], stated[:, 3])


def pose_of_quaternion(position: ArrayLike, quaternion: ArrayLike) -> Matrix | None:
    """4x4 of ``x, y, z`` and ``qx, qy, qz, qw``, which need not be of norm 1; None if unknown."""
    from scipy.spatial.transform import Rotation

    x, q = np.asarray(position, np.float64), np.asarray(quaternion, np.float64)
    if not np.isfinite(x).all() or not np.isfinite(q).all() or np.linalg.norm(q) < _MIN_NORM:
        return None
    return rigid(Rotation.from_quat(q).as_matrix(), x)
