"""Cameras on robots: frames of x forward, y left, z up, and the optical ones (REP 103)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

# Of a camera that looks where its robot drives: x right, y down, z forward (REP 103) in a frame of
# x forward, y left, z up.
R_BASE_OPTICAL = np.array([[0.0, 0.0, 1.0], [-1.0, 0.0, 0.0], [0.0, -1.0, 0.0]])


def base_from_camera(xyz: NDArray[np.float64], rpy: NDArray[np.float64]) -> NDArray[np.float64]:
    """``T_base_camera`` of the optical frame of a camera mounted at ``xyz`` metres, turned by
    ``rpy`` radians about the base's fixed axes; zeros: at the base, looking forward.
    """
    T = np.eye(4)
    T[:3, 3] = xyz
    T[:3, :3] = Rotation.from_euler("xyz", rpy).as_matrix() @ R_BASE_OPTICAL
    return T
