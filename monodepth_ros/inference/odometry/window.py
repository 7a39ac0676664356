"""Bundle adjustment of a few keyframes and their landmarks, in NumPy.

Levenberg-Marquardt on reprojection errors with a Cauchy loss. Landmarks have one unknown each, the
logarithm of the inverse depth in their first keyframe, and are eliminated by the Schur complement
(Triggs et al., "Bundle adjustment - a modern synthesis", 2000).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from monodepth_ros.geometry.rigid_motion import Matrix, motion_of, orthonormal
from monodepth_ros.inference.odometry.landmarks import NEAREST, Floats, Integers, Landmarks

CAUCHY = 2.0  # times the noise; larger errors lose weight
_LONGEST_STEP = 1.0  # of a logarithm, in one iteration
_FAR_OFF = 1e4  # squared error over squared noise, of a landmark that is behind a camera
_DAMPING = 1e-4, 1e-7, 1e3  # at first, least, most: then nothing helps
_FLAT = 1e-9  # information that nothing has less of, so that every system can be solved


@dataclass(frozen=True)
class Observations:
    """M image points ``points`` (M, 2) at Z = 1 of landmarks in keyframes, both by their rows."""

    keyframes: Integers
    landmarks: Integers
    points: Floats

    def __len__(self) -> int:
        return len(self.points)

    def __getitem__(self, kept: NDArray[np.bool_] | Integers) -> Observations:
        return Observations(self.keyframes[kept], self.landmarks[kept], self.points[kept])


@dataclass(frozen=True)
class Adjusted:
    """Poses and depths at the minimum.

    ``variances`` (L,) are those of the log inverse depths if the poses were known. ``information``
    6F x 6F is that of the free poses, landmarks eliminated: translation, then rotation of each, in
    its own axes. ``squared`` (M,) are errors of observations over the noise, squared.
    """

    poses: Floats
    log_inverse_depths: Floats
    variances: Floats
    information: Matrix
    squared: Floats


@dataclass(frozen=True)
class NormalEquations:
    """Of a step of poses (6F) and log inverse depths (L)."""

    of_poses: Matrix  # 6F x 6F
    mixed: Matrix  # L x 6F
    of_landmarks: Floats  # L, the diagonal
    pose_gradient: Floats
    landmark_gradient: Floats

    def reduced(self, damping: float = 0.0) -> tuple[Matrix, Floats, Floats]:
        """The Schur complement, its right side, and the damped information of the landmarks."""
        of_landmarks = self.of_landmarks * (1 + damping) + _FLAT
        weighted = self.mixed / of_landmarks[:, None]
        scaled = np.diag(self.of_poses) * damping + _FLAT
        information = self.of_poses + np.diag(scaled) - weighted.T @ self.mixed
        return information, weighted.T @ self.landmark_gradient - self.pose_gradient, of_landmarks

    def step(self, damping: float) -> tuple[Floats, Floats]:
        """Of poses and of landmarks."""
        information, right, of_landmarks = self.reduced(damping)
        poses = np.asarray(np.linalg.solve(information, right), np.float64)
        return poses, -(self.landmark_gradient + self.mixed @ poses) / of_landmarks


class Window:
    """The problem: ``poses`` (K, 4, 4) T_world_camera, of which ``free`` ones may move.

    ``landmarks.hosts`` and ``observations`` count keyframes by rows of ``poses``. ``noise`` is the
    standard deviation of image points at Z = 1. A landmark's point in its own keyframe is exact.
    """

    def __init__(
        self, free: Integers, landmarks: Landmarks, observations: Observations, noise: float
    ) -> None:
        self.free, self.landmarks, self.noise = free, landmarks, noise
        order = np.argsort(observations.landmarks, kind="stable")
        self.observations = observations[order]
        self._back = np.argsort(order)
        self._seen = np.bincount(observations.landmarks, minlength=len(landmarks)) > 0
        rows = np.flatnonzero(self._seen)
        self._starts = np.searchsorted(self.observations.landmarks, rows)
        self._hosts = landmarks.hosts[self.observations.landmarks]
        self._rays = landmarks.rays[self.observations.landmarks]

    def adjust(self, poses: Floats, iterations: int = 10) -> Adjusted:
        """The minimum next to ``poses`` and the depths of the landmarks."""
        depths = self.landmarks.log_inverse_depths
        cost, squared = self.cost(poses, depths)
        damping, least, most = _DAMPING
        for _ in range(iterations):
            equations = self.linearised(poses, depths)
            while True:
                new_poses, new_depths = self._moved(poses, depths, *equations.step(damping))
                new_cost, new_squared = self.cost(new_poses, new_depths)
                if new_cost <= cost or damping > most:
                    break
                damping *= 10
            if new_cost > cost:
                break
            gained, cost = cost - new_cost, new_cost
            poses, depths, squared = new_poses, new_depths, new_squared
            damping = max(damping / 10, least)
            if gained < 1e-5 * cost:
                break
        equations = self.linearised(poses, depths)
        information, _, of_landmarks = equations.reduced()
        return Adjusted(poses, depths, 1 / of_landmarks, information, squared[self._back])

    def cost(self, poses: Floats, log_inverse_depths: Floats) -> tuple[float, Floats]:
        """Twice the negative log likelihood, and the squared errors of the observations."""
        points, _, _ = self._in_cameras(poses, log_inverse_depths)
        squared = self._squared(points)
        off = log_inverse_depths - self.landmarks.priors
        robust = CAUCHY**2 * np.log1p(squared / CAUCHY**2).sum()
        return float(robust + (self.landmarks.precisions * off**2).sum()), squared

    def linearised(self, poses: Floats, log_inverse_depths: Floats) -> NormalEquations:
        """With the weights that the robust loss gives at this place."""
        points, R, t = self._in_cameras(poses, log_inverse_depths)
        squared = self._squared(points)
        weights = np.where(squared < _FAR_OFF, 1 / (1 + squared / CAUCHY**2), 0.0)
        scale = np.sqrt(weights)[:, None] / self.noise
        inverse = np.exp(log_inverse_depths)[self.observations.landmarks, None]
        error = (projected(points) - self.observations.points) * scale
        D = projection_derivative(points) * scale[:, :, None]
        by_depth = (D @ (t * inverse)[:, :, None])[:, :, 0]
        D_host = D @ R
        blocks = np.zeros((len(points), len(poses), 2, 6))
        rows = np.arange(len(points))
        blocks[rows, self.observations.keyframes] = np.concatenate(
            [-D * inverse[:, :, None], D @ cross_matrices(points)], 2
        )
        blocks[rows, self._hosts] = np.concatenate(
            [D_host * inverse[:, :, None], -D_host @ cross_matrices(self._rays)], 2
        )
        J = blocks[:, self.free].transpose(0, 2, 1, 3).reshape(len(points), 2, 6 * len(self.free))
        return self._summed(J, by_depth, error, log_inverse_depths)

    def _summed(
        self, J: Floats, by_depth: Floats, error: Floats, log_inverse_depths: Floats
    ) -> NormalEquations:
        precisions, count = self.landmarks.precisions, len(self.landmarks)
        flat = J.reshape(2 * len(J), J.shape[2])
        off = log_inverse_depths - self.landmarks.priors

        def per_landmark(values: Floats) -> Floats:
            sums = np.zeros((count, *values.shape[1:]))
            if len(values):
                sums[self._seen] = np.add.reduceat(values, self._starts)
            return sums

        return NormalEquations(
            flat.T @ flat,
            per_landmark(J[:, 0] * by_depth[:, :1] + J[:, 1] * by_depth[:, 1:]),
            per_landmark((by_depth**2).sum(1)) + precisions,
            flat.T @ error.ravel(),
            per_landmark((by_depth * error).sum(1)) + precisions * off,
        )

    def _moved(
        self, poses: Floats, log_inverse_depths: Floats, step: Floats, deeper: Floats
    ) -> tuple[Floats, Floats]:
        poses = poses.copy()
        for row, twist in zip(self.free, step.reshape(-1, 6), strict=True):
            poses[row] = orthonormal(poses[row] @ motion_of(twist))
        return poses, log_inverse_depths + np.clip(deeper, -_LONGEST_STEP, _LONGEST_STEP)

    def _in_cameras(
        self, poses: Floats, log_inverse_depths: Floats
    ) -> tuple[Floats, Floats, Floats]:
        """Landmarks where they are observed, times their inverse depth; and T_camera_host."""
        R, t = poses[:, :3, :3], poses[:, :3, 3]
        # Of all pairs of keyframes: there are fewer of them than of observations.
        R_pairs = R.transpose(0, 2, 1)[:, None] @ R
        t_pairs = (R.transpose(0, 2, 1)[:, None] @ (t - t[:, None])[..., None])[..., 0]
        pair = self.observations.keyframes, self._hosts
        R_observed, t_observed = R_pairs[pair], t_pairs[pair]
        inverse = np.exp(log_inverse_depths)[self.observations.landmarks, None]
        points = (R_observed @ self._rays[:, :, None])[:, :, 0] + t_observed * inverse
        return points, R_observed, t_observed

    def _squared(self, points: Floats) -> Floats:
        error = (projected(points) - self.observations.points) / self.noise
        seen = points[:, 2] > NEAREST
        return np.where(seen, np.minimum((error**2).sum(1), _FAR_OFF), _FAR_OFF)


def projected(points: Floats) -> Floats:
    """Image points (N, 2) at Z = 1."""
    return np.asarray(points[:, :2] / _positive(points[:, 2:]))


def _positive(depths: Floats) -> Floats:
    """Depths of points that are seen; 1 for others, which have no weight."""
    return np.where(depths > 0, depths, 1.0)


def projection_derivative(points: Floats) -> Floats:
    """Of image points by the points, ``(N, 2, 3)``."""
    inverse = 1 / _positive(points[:, 2])
    D = np.zeros((len(points), 2, 3))
    D[:, 0, 0] = D[:, 1, 1] = inverse
    D[:, :, 2] = -points[:, :2] * inverse[:, None] ** 2
    return D


def cross_matrices(vectors: Floats) -> Floats:
    """``(N, 3, 3)`` that multiply like the cross product from the left."""
    x, y, z = vectors.T
    matrices = np.zeros((len(vectors), 3, 3))
    matrices[:, 0, 1], matrices[:, 0, 2], matrices[:, 1, 2] = -z, y, -x
    matrices[:, 1, 0], matrices[:, 2, 0], matrices[:, 2, 1] = z, -y, x
    return matrices
