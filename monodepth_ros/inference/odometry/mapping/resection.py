"""The pose of one image from landmarks whose depths are known more or less well."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from monodepth_ros.geometry.rigid_motion import Matrix, motion_of, orthonormal
from monodepth_ros.inference.odometry.mapping.landmarks import NEAREST, Floats
from monodepth_ros.inference.odometry.mapping.window import CAUCHY

_COARSE = 4  # iterations with a wider loss: the start may be far off
ITERATIONS = 15
_LEAST_GAIN = 1e-3  # of the loss, a squared error over squared noise
_UNKNOWN = 3.0  # deviation of the logarithm of a depth that nothing is known of
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

    def without_depths(self) -> Places:
        """Anywhere on their rays: only epipolar lines tell how well they fit."""
        return replace(self, variances=np.full(len(self.points), _UNKNOWN**2))

    def __getitem__(self, kept: NDArray[np.bool_]) -> Places:
        return Places(self.points[kept], self.by_depth[kept], self.variances[kept])


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
    T_world_camera: Matrix,
    places: Places,
    observed: Floats,
    noise: float,
    far: bool = True,
    iterations: int = ITERATIONS,
    trust: Floats | float = 1.0,
) -> Resection:
    """The pose near ``T_world_camera`` that sees the landmarks at ``observed`` (N, 2), at Z = 1.

    Robust Gauss-Newton. What a landmark's depth can explain is no error of the pose: its variance
    is eliminated, so one whose depth is only predicted still holds the pose across its epipolar
    line. ``noise`` is the standard deviation of an image point. ``far``: the start may be far off,
    so the loss is wider at first. Then what many points on a mover say counts as well.
    Without ``iterations`` the pose stays as it is.
    """
    T = T_world_camera
    for iteration in range(iterations):
        rows, share, squared = _linearised(T, places, observed, noise)
        wide = 2 * float(np.median(squared)) if far and iteration < _COARSE else 0.0
        weights = trust / (1 + squared / max(CAUCHY**2, wide))
        summed = _summed(rows, share, weights)
        information, gradient = summed[:6, :6], summed[:6, 6]
        step = -np.asarray(np.linalg.solve(information + 1e-9 * np.eye(6), gradient), np.float64)
        T = T @ motion_of(step)
        if (iteration >= _COARSE or not far) and -(step @ gradient) < _LEAST_GAIN:
            break
    T = orthonormal(T)
    rows, share, squared = _linearised(T, places, observed, noise)
    summed = _summed(rows, share, trust / (1 + squared / CAUCHY**2))
    return Resection(T, summed[:6, :6], squared)


def misfits(T_world_camera: Matrix, places: Places, observed: Floats, noise: float) -> Floats:
    """The squared errors (N,) of landmarks at a pose, as in `Resection`."""
    return _linearised(T_world_camera, places, observed, noise)[2]


def _summed(rows: Floats, share: Floats, weights: Floats) -> Matrix:
    """Information 6x6 and gradient, the last column, of `_linearised` rows with weights (N,)."""
    weighted = rows * np.stack([weights, weights, -share * weights])
    return np.asarray(weighted.reshape(7, -1) @ rows.reshape(7, -1).T)


def _linearised(
    T: Matrix, places: Places, observed: Floats, noise: float
) -> tuple[Floats, Floats, Floats]:
    """Derivatives by the pose and errors, over the noise, (7, 3, N); and squared errors (N,).

    The third row of each point is what its depth explains: its product with the ``share`` (N,) that
    is returned as well is taken away from the squares of the other two (Schur complement).
    """
    x, y, z = T[:3, :3].T @ (places.points - T[:3, 3]).T
    towards = T[:3, :3].T @ places.by_depth.T
    seen = z > NEAREST * np.sqrt(x * x + y * y + z * z)
    inverse = 1 / np.where(seen, z, 1.0)
    u, v = x * inverse, y * inverse
    none, rows = np.zeros_like(u), np.empty((7, 3, len(u)))
    scale = np.where(seen, 1 / noise, 0.0)
    rows[:, 0] = -inverse, none, u * inverse, u * v, -1 - u * u, v, u - observed[:, 0]
    rows[:, 1] = none, -inverse, v * inverse, 1 + v * v, -u * v, -u, v - observed[:, 1]
    rows[:, :2] *= scale
    by_depth = (towards[:2] - np.stack([u, v]) * towards[2]) * (inverse * scale)
    rows[:, 2] = (rows[:, :2] * by_depth).sum(1)
    share = places.variances / (1 + places.variances * (by_depth**2).sum(0))
    squared = (rows[6, :2] ** 2).sum(0) - share * rows[6, 2] ** 2
    squared = np.where(seen, np.minimum(squared, _FAR_OFF), _FAR_OFF)
    return rows, share, squared
