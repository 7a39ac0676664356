"""The pose of one image from landmarks whose depths are known more or less well."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from monodepth_ros.geometry.rigid_motion import Matrix, motion_of, orthonormal
from monodepth_ros.inference.odometry.landmarks import NEAREST, Floats
from monodepth_ros.inference.odometry.window import (
    CAUCHY,
    cross_matrices,
    projected,
    projection_derivative,
)

_COARSE = 4  # iterations with a wider loss: the start may be far off
_ITERATIONS = 15
_FAR_OFF = 1e4  # squared error over squared noise


@dataclass(frozen=True)
class Places:
    """Where N landmarks are in the world, and how that depends on what is not known of them.

    ``points`` (N, 3); ``by_depth`` (N, 3) is their derivative by the log inverse depth, which has
    the variance ``variances`` (N,).
    """

    points: Floats
    by_depth: Floats
    variances: Floats


@dataclass(frozen=True)
class Resection:
    """A pose with its information matrix 6x6: translation, then rotation, in the camera's axes.

    ``squared`` (N,) are errors over what noise and depths allow, ``cost`` is the robust loss.
    """

    T_world_camera: Matrix
    information: Matrix
    squared: Floats

    @property
    def cost(self) -> float:
        """The mean of the Cauchy loss."""
        return float(np.log1p(self.squared / CAUCHY**2).mean())


def locate(
    T_world_camera: Matrix, places: Places, observed: Floats, noise: float, far: bool = True
) -> Resection:
    """The pose near ``T_world_camera`` that sees the landmarks at ``observed`` (N, 2), at Z = 1.

    Robust Gauss-Newton. What a landmark's depth can explain is no error of the pose: its variance
    is eliminated, so one whose depth is only predicted still holds the pose across its epipolar
    line. ``noise`` is the standard deviation of an image point. ``far``: the start may be far off,
    so the loss is wider at first. Then what many points on a mover say counts as well.
    """
    T = T_world_camera
    for iteration in range(_ITERATIONS):
        J, error, W, squared = _linearised(T, places, observed, noise)
        wide = 2 * float(np.median(squared)) if far and iteration < _COARSE else 0.0
        weights = 1 / (1 + squared / max(CAUCHY**2, wide))
        weighted = J.transpose(0, 2, 1) @ W * weights[:, None, None]
        information = (weighted @ J).sum(0)
        gradient = (weighted @ error[:, :, None]).sum(0)[:, 0]
        step = -np.linalg.solve(information + 1e-9 * np.eye(6), gradient)
        T = orthonormal(T @ motion_of(step))
        if iteration >= _COARSE and np.abs(step).max() < 1e-6:
            break
    J, _, W, squared = _linearised(T, places, observed, noise)
    weights = 1 / (1 + squared / CAUCHY**2)
    information = (J.transpose(0, 2, 1) @ W * weights[:, None, None] @ J).sum(0)
    return Resection(T, information, squared)


def _linearised(
    T: Matrix, places: Places, observed: Floats, noise: float
) -> tuple[Floats, Floats, Floats, Floats]:
    """Derivatives (N, 2, 6), errors (N, 2) over the noise, their weights (N, 2, 2), and squares."""
    points = (places.points - T[:3, 3]) @ T[:3, :3]
    D = projection_derivative(points) / noise
    error = (projected(points) - observed) / noise
    by_depth = (D @ (places.by_depth @ T[:3, :3])[:, :, None])[:, :, 0]
    share = places.variances / (1 + places.variances * (by_depth**2).sum(1))
    W = np.eye(2) - share[:, None, None] * by_depth[:, :, None] * by_depth[:, None]
    squared = (error * (W @ error[:, :, None])[:, :, 0]).sum(1)
    seen = points[:, 2] > NEAREST * np.linalg.norm(points, axis=1)
    squared = np.where(seen, np.minimum(squared, _FAR_OFF), _FAR_OFF)
    W = W * seen[:, None, None]
    J = np.concatenate([-D, D @ cross_matrices(points)], 2)
    return J, error, W, squared
