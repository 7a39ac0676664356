"""Bundle adjustment of a few keyframes and their landmarks, in NumPy.

Levenberg-Marquardt on reprojection errors with a Cauchy loss. Landmarks have one unknown each, the
logarithm of the inverse depth in their first keyframe, and are eliminated by the Schur complement
(Triggs et al., "Bundle adjustment - a modern synthesis", 2000).

An observation sees only how the observing keyframe lies to the one that the landmark belongs to.
Small motions of both in the world's axes have opposite effects, so all observations of one pair of
keyframes are summed once, 6x6, and the sums make up the normal equations of all poses. Arrays of
observations have their components first: NumPy works on long rows.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from monodepth_ros.geometry.rigid_motion import Matrix, cross_matrix, motion_of, orthonormal
from monodepth_ros.inference.odometry.mapping.landmarks import NEAREST, Floats, Integers, Landmarks

CAUCHY = 2.0  # times the noise; larger errors lose weight
ITERATIONS = 4  # at most; the rest of the way is far below the noise
LEAST_GAIN = 1.0  # of the cost, a squared error over squared noise
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

    def gain(self, poses: Floats, landmarks: Floats) -> float:
        """By how much a small damped step should lower the cost."""
        return -float(self.pose_gradient @ poses + self.landmark_gradient @ landmarks)

    def step(self, damping: float) -> tuple[Floats, Floats]:
        """Of poses and of landmarks."""
        information, right, of_landmarks = self.reduced(damping)
        poses = np.asarray(np.linalg.solve(information, right), np.float64)
        return poses, -(self.landmark_gradient + self.mixed @ poses) / of_landmarks


@dataclass(frozen=True)
class Sight:
    """What M observations see at some poses and depths.

    ``cost`` is twice the negative log likelihood, ``squared`` (M,) are squared errors over squared
    noise, ``errors`` (2, M) errors over noise, ``image`` (2, M) where the landmarks are seen, and
    ``z`` (M,) their depth there. Along the world's axes: ``axes`` (3, 3, M) are those of the
    observing cameras in columns, ``points`` (3, M) the landmarks about the newest camera and
    ``shifts`` (3, M) the ways from the observing cameras to the hosts. Depth, points and shifts are
    times the ``inverse`` depth (M,) of their landmark.
    """

    poses: Floats
    log_inverse_depths: Floats
    cost: float
    squared: Floats
    errors: Floats
    image: Floats
    z: Floats
    axes: Floats
    points: Floats
    shifts: Floats
    inverse: Floats


class Window:
    """The problem: ``poses`` (K, 4, 4) T_world_camera, of which ``free`` ones may move.

    ``landmarks.hosts`` and ``observations`` count keyframes by rows of ``poses``. ``noise`` is the
    standard deviation of image points at Z = 1. A landmark's point in its own keyframe is exact.
    """

    def __init__(
        self, free: Integers, landmarks: Landmarks, observations: Observations, noise: float
    ) -> None:
        self.free, self.landmarks, self.noise = free, landmarks, noise
        hosts = landmarks.hosts[observations.landmarks]
        self._order = np.lexsort((hosts, observations.keyframes))
        self.observations, self._hosts = observations[self._order], hosts[self._order]
        self._points = np.ascontiguousarray(self.observations.points.T)
        pairs = np.stack([self.observations.keyframes, self._hosts])
        new = (np.diff(pairs, prepend=-1) != 0).any(0)
        self._starts = np.flatnonzero(new)  # where observations of another pair of keyframes begin

    def adjust(
        self, poses: Floats, iterations: int = ITERATIONS, least_gain: float = LEAST_GAIN
    ) -> Adjusted:
        """The minimum next to ``poses`` and the depths of the landmarks.

        It is reached where a step is expected to lower the cost by less than ``least_gain``.
        """
        sight = self.at(poses, self.landmarks.log_inverse_depths)
        damping, least, most = _DAMPING
        for left in reversed(range(iterations + 1)):
            equations = self.linearised(sight)
            step = equations.step(damping)
            if not left or equations.gain(*step) < least_gain:
                break
            tried = self._moved(sight, *step)
            while tried.cost > sight.cost and damping <= most:
                damping *= 10
                tried = self._moved(sight, *equations.step(damping))
            if tried.cost > sight.cost:
                break
            sight, damping = tried, max(damping / 10, least)
        return self._result(sight, equations)

    def _result(self, sight: Sight, equations: NormalEquations) -> Adjusted:
        poses, squared = sight.poses.copy(), np.empty_like(sight.squared)
        poses[self.free] = [orthonormal(T) for T in poses[self.free]]
        squared[self._order] = sight.squared
        information, _, of_landmarks = equations.reduced()
        return Adjusted(poses, sight.log_inverse_depths, 1 / of_landmarks, information, squared)

    def at(self, poses: Floats, log_inverse_depths: Floats) -> Sight:
        """What is seen where these are the poses and the depths."""
        keyframes, rows = self.observations.keyframes, self.observations.landmarks
        axes = np.moveaxis(poses[:, :3, :3], 0, 2)
        places = (poses[:, :3, 3] - poses[-1, :3, 3]).T
        inverse, hosts = np.exp(log_inverse_depths), self.landmarks.hosts
        points = (axes[:, :, hosts] * self.landmarks.rays.T).sum(1) + places[:, hosts] * inverse
        points, inverse = points[:, rows], inverse[rows]
        axes, here = axes[:, :, keyframes], places[:, keyframes]
        x, y, z = (axes * (points - here * inverse)[:, None]).sum(0)
        image = np.stack([x, y]) / _positive(z)
        errors = (image - self._points) / self.noise
        squared = np.where(z > NEAREST, np.minimum((errors**2).sum(0), _FAR_OFF), _FAR_OFF)
        off = log_inverse_depths - self.landmarks.priors
        cost = CAUCHY**2 * np.log1p(squared / CAUCHY**2).sum()
        cost += (self.landmarks.precisions * off**2).sum()
        shifts = (places[:, self._hosts] - here) * inverse
        return Sight(
            poses,
            log_inverse_depths,
            float(cost),
            squared,
            errors,
            image,
            z,
            axes,
            points,
            shifts,
            inverse,
        )

    def linearised(self, sight: Sight) -> NormalEquations:
        """With the weights that the robust loss gives at this place."""
        rows, free, count = self._rows(sight), self.free, len(self.landmarks)
        information, gradient = self._of_poses(rows[:7], len(sight.poses))
        by_depth = (rows * rows[7]).sum(1)
        mixed = np.zeros((len(sight.poses), count, 6))
        mixed[self.observations.keyframes, self.observations.landmarks] = -by_depth[:6].T
        mixed[self.landmarks.hosts, np.arange(count)] = -mixed.sum(0)
        own = _by_own_axes(sight.poses)[free]
        information = own.swapaxes(1, 2)[:, None] @ information[np.ix_(free, free)] @ own
        precisions = self.landmarks.precisions
        off = sight.log_inverse_depths - self.landmarks.priors
        at = self.observations.landmarks
        return NormalEquations(
            information.swapaxes(1, 2).reshape(6 * len(free), -1),
            (mixed[free] @ own).swapaxes(0, 1).reshape(count, -1),
            np.bincount(at, by_depth[7], count) + precisions,
            (gradient[free, None] @ own).ravel(),
            np.bincount(at, by_depth[6], count) + precisions * off,
        )

    def _rows(self, sight: Sight) -> Floats:
        """Weighted errors and their derivatives, (8, 2, M).

        By a small motion (6) of the host in the world's axes about the newest camera; of the
        observing keyframe it is the negative. Then the error and its derivative by the depth.
        """
        known = sight.squared < _FAR_OFF
        weights = np.where(known, 1 / np.sqrt(1 + sight.squared / CAUCHY**2), 0.0)
        by_point = (sight.axes[:, :2] - sight.axes[:, 2:] * sight.image) * (
            weights / (self.noise * _positive(sight.z))
        )
        (x, y, z), (by_x, by_y, by_z) = sight.points, by_point
        rows = np.empty((8, *sight.errors.shape))
        rows[:3] = by_point * sight.inverse
        rows[3], rows[4], rows[5] = y * by_z - z * by_y, z * by_x - x * by_z, x * by_y - y * by_x
        rows[6] = sight.errors * weights
        rows[7] = (by_point * sight.shifts[:, None]).sum(0)
        return rows

    def _of_poses(self, rows: Floats, count: int) -> tuple[Floats, Floats]:
        """Information (K, K, 6, 6) and gradient (K, 6) of motions in the world's axes.

        ``rows`` (7, 2, M) are derivatives by a motion of the host, then errors.
        """
        one, other = np.triu_indices(7)
        products = np.add.reduceat((rows[one] * rows[other]).sum(1), self._starts, axis=1).T
        keyframes, hosts = (
            at[self._starts, None] for at in (self.observations.keyframes, self._hosts)
        )
        sums = np.zeros((count, count, 7, 7))
        sums[keyframes, hosts, one, other] = products
        sums[keyframes, hosts, other, one] = products
        gradient = (sums.sum(0) - sums.sum(1))[:, :6, 6]
        both = (sums + sums.swapaxes(0, 1))[:, :, :6, :6]
        information = -both
        information[range(count), range(count)] += both.sum(1)
        return information, gradient

    def _moved(self, sight: Sight, step: Floats, deeper: Floats) -> Sight:
        poses = sight.poses.copy()
        poses[self.free] = poses[self.free] @ motion_of(step.reshape(-1, 6))
        deeper = np.clip(deeper, -_LONGEST_STEP, _LONGEST_STEP)
        return self.at(poses, sight.log_inverse_depths + deeper)


def _by_own_axes(poses: Floats) -> Floats:
    """(K, 6, 6) from small motions in a camera's axes to those in the world's, about the newest."""
    R = poses[:, :3, :3]
    out = np.zeros((len(poses), 6, 6))
    out[:, :3, :3] = out[:, 3:, 3:] = R
    out[:, :3, 3:] = cross_matrix(poses[:, :3, 3] - poses[-1, :3, 3]) @ R
    return out


def _positive(depths: Floats) -> Floats:
    """Depths of points that are seen; 1 for others, which have no weight."""
    return np.where(depths > 0, depths, 1.0)
