"""Single rigid motions as NumPy arrays; `se3` has the batched and differentiable ones.

A motion is 4x4, a twist ``(6,)`` is its translation and the axis-angle of its rotation in radians.
SciPy is imported where it is used: to load it takes as long as a quarter of a depth node's start.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

Matrix = NDArray[np.float64]

# Of a camera that looks where its robot drives: x right, y down, z forward (REP 103) in a frame of
# x forward, y left, z up.
R_BASE_OPTICAL = np.array([[0.0, 0.0, 1.0], [-1.0, 0.0, 0.0], [0.0, -1.0, 0.0]])


def rigid(R: ArrayLike, t: ArrayLike = (0.0, 0.0, 0.0)) -> Matrix:
    """``[R | t]`` as 4x4."""
    motion = np.eye(4)
    motion[:3, :3], motion[:3, 3] = R, t
    return motion


def twist_of(motion: Matrix) -> NDArray[np.float64]:
    """Translation and axis-angle ``(6,)`` of a 4x4 motion."""
    from scipy.spatial.transform import Rotation

    turn = Rotation.from_matrix(motion[:3, :3]).as_rotvec()
    return np.concatenate([motion[:3, 3], turn])


def motion_of(twist: NDArray[np.float64]) -> Matrix:
    """``[R(axis-angle) | translation]`` (..., 4, 4) of twists (..., 6); the inverse of `twist_of`.

    By Rodrigues' formula: for single twists SciPy takes several times as long.
    """
    turn = twist[..., 3:]
    angle = np.sqrt((turn * turn).sum(-1))[..., None, None]
    W = cross_matrix(turn)
    motion = np.zeros((*twist.shape[:-1], 4, 4))
    sine, versine = np.sinc(angle / np.pi), 0.5 * np.sinc(angle / (2 * np.pi)) ** 2
    motion[..., :3, :3] = np.eye(3) + sine * W + versine * (W @ W)
    motion[..., :3, 3], motion[..., 3, 3] = twist[..., :3], 1.0
    return motion


def cross_matrix(vectors: NDArray[np.float64]) -> Matrix:
    """``(..., 3, 3)`` that multiply like the cross product by ``vectors`` (..., 3) from left."""
    matrices = np.zeros((*vectors.shape, 3))
    x, y, z = np.moveaxis(vectors, -1, 0)
    matrices[..., 0, 1], matrices[..., 0, 2], matrices[..., 1, 2] = -z, y, -x
    matrices[..., 1, 0], matrices[..., 2, 0], matrices[..., 2, 1] = z, -y, x
    return matrices


def inverse(motion: Matrix) -> Matrix:
    """``[R^T | -R^T t]``."""
    R = motion[:3, :3]
    return rigid(R.T, -R.T @ motion[:3, 3])


def orthonormal(T: Matrix) -> Matrix:
    """The nearest rigid motion to a 4x4 matrix that is nearly one."""
    U, _, Vt = np.linalg.svd(T[:3, :3])
    rigid = T.copy()
    rigid[:3, :3] = U @ Vt
    return rigid


def carried_covariance(covariance: Matrix, R: Matrix, arm: NDArray[np.float64]) -> Matrix:
    """A 6x6 covariance of position and rotation turned by ``R``, then seen ``arm`` (3,) away.

    To first order an error of the rotation moves the far end of the arm by their cross product.
    """
    x, y, z = arm
    carry = np.eye(6)
    carry[:3, 3:] = [[0.0, z, -y], [-z, 0.0, x], [y, -x, 0.0]]  # -[arm]_x
    carry = carry @ np.kron(np.eye(2), R)
    return np.asarray(carry @ covariance @ carry.T)


def chained_covariance(covariance: Matrix, T: Matrix, step: Matrix, noise: Matrix) -> Matrix:
    """6x6 covariance of position and rotation of ``T @ step``, in the world's axes.

    ``covariance`` is that of ``T``, ``noise`` that of the step in the axes of its start; both are
    independent. An error of the heading moves the end of the step, as the end of a lever arm.
    """
    R = T[:3, :3]
    propagated = carried_covariance(covariance, np.eye(3), R @ step[:3, 3])
    return propagated + carried_covariance(noise, R, np.zeros(3))


def rotation_angle(R: NDArray[np.float64]) -> NDArray[np.float64]:
    """Radians from 0 to pi of rotations ``(..., 3, 3)``.

    By sine and cosine: the trace alone, a cosine, does not tell angles below 1e-8 from 0, and takes
    rounding of 1e-7, as of poses in text files, for an angle of 4e-4.
    """
    antisymmetric = (R - R.swapaxes(-1, -2))[..., [2, 0, 1], [1, 2, 0]]
    sine = 0.5 * np.linalg.norm(antisymmetric, axis=-1)
    cosine = 0.5 * (np.trace(R, axis1=-2, axis2=-1) - 1.0)
    return np.asarray(np.arctan2(sine, cosine))


def base_from_camera(xyz: NDArray[np.float64], rpy: NDArray[np.float64]) -> NDArray[np.float64]:
    """``T_base_camera`` of the optical frame of a camera mounted at ``xyz`` metres, turned by
    ``rpy`` radians about the base's fixed axes; zeros: at the base, looking forward.
    """
    from scipy.spatial.transform import Rotation

    return rigid(Rotation.from_euler("xyz", rpy).as_matrix() @ R_BASE_OPTICAL, xyz)
