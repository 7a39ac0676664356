"""Points from matched pixels and known motions, with how sure each of them is."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from monodepth_ros.geometry.camera import PinholeCamera
from monodepth_ros.geometry.lens import rays
from monodepth_ros.geometry.rigid_motion import Matrix, inverse

Array = NDArray[np.float64]
_ITERATIONS = 5


@dataclass(frozen=True)
class TriangulationSettings:
    """When a triangulated point counts."""

    noise: float = 0.5  # pixels, standard deviation of a matched point
    max_error: float = 3.0  # times the noise: the root mean square of its reprojection
    min_parallax: float = 2.0  # pixels, between where it is seen and a point far away
    max_relative_error: float = 0.25  # standard deviation of the inverse depth over itself
    far: bool = False  # whether inverse depths that are negative by noise count as well


@dataclass(frozen=True)
class Triangulated:
    """N points on the rays of the first camera.

    ``inverse_depth`` (N,) is 1/Z there, in one over the unit of the motion; ``variance`` (N,) is
    its variance. Both are NaN where no view says anything. ``good`` (N,) are the points that
    count; ``rejected`` says how many of the others were `unseen`, `far_off` (the reprojection),
    `little_parallax` and `behind` a camera.
    """

    inverse_depth: Array
    variance: Array
    good: NDArray[np.bool_]
    rejected: dict[str, int]


def triangulate(
    first: Array,
    later: Array,
    T_first_later: Array,
    camera: PinholeCamera,
    settings: TriangulationSettings | None = None,
) -> Triangulated:
    """Points at pixels ``first`` (N, 2), seen at ``later`` (N, 2), or (M, N, 2) by M other views.

    ``T_first_later`` (4, 4) or (M, 4, 4) are the poses of these; NaN in ``later`` is a view that
    does not see a point. ``camera`` has no distortion. The inverse depth is the one of least
    squared reprojection error in the later views (Gauss-Newton from a linear start). A point is
    `behind` only if its inverse depth is negative by more than its noise: the others of negative
    inverse depth have little parallax.
    """
    settings = settings or TriangulationSettings()
    poses = T_first_later.reshape(-1, 4, 4)
    seen = later.reshape(len(poses), len(first), 2)
    views = _Views.of(first, seen, poses, camera)
    with np.errstate(all="ignore"):  # what no view tells becomes NaN
        inverse_depth = views.linear()
        for _ in range(_ITERATIONS):
            error, slope = views.reprojection(inverse_depth)
            inverse_depth = inverse_depth - _sum(slope * error) / _sum(slope * slope)
        error, slope = views.reprojection(inverse_depth)
        speed = np.linalg.norm(slope, axis=2)  # pixels per inverse depth
        curvature = np.nansum(speed**2, 0)
        # The noise of the first view moves the ray: by the same in all other views.
        spread = 1.0 / curvature + (np.nansum(speed, 0) / curvature) ** 2
        variance = settings.noise**2 * spread
        faults = _faults(views, inverse_depth, variance, error, settings)
    known = ~faults["unseen"]
    return Triangulated(
        np.where(known, inverse_depth, np.nan),
        np.where(known, variance, np.nan),
        ~np.any(list(faults.values()), axis=0),
        _first_reasons(faults),
    )


@dataclass(frozen=True)
class _Views:
    """How N points move in M views with their inverse depth: along ``starts + depth * shifts``."""

    starts: Array  # (M, N, 3) rays of the first view in the axes of the others
    shifts: Array  # (M, 1, 3)
    seen: Array  # (M, N, 2) pixels
    camera: PinholeCamera

    @classmethod
    def of(cls, first: Array, seen: Array, poses: Array, camera: PinholeCamera) -> _Views:
        motions: list[Matrix] = [inverse(T) for T in poses]
        directions = rays(camera, first)
        starts = np.stack([directions @ T[:3, :3].T for T in motions])
        return cls(starts, np.stack([T[:3, 3] for T in motions])[:, None], seen, camera)

    def linear(self) -> Array:
        """Inverse depths (N,) of least algebraic error: seen ray x point = 0."""
        flat = rays(self.camera, self.seen.reshape(-1, 2)).reshape(*self.seen.shape[:2], 3)
        still, moving = np.cross(flat, self.starts), np.cross(flat, self.shifts)
        return np.asarray(-_sum(still * moving) / _sum(moving * moving))

    def points(self, inverse_depth: Array) -> Array:
        """(M, N, 3): the points times their inverse depth, in each view."""
        return np.asarray(self.starts + inverse_depth[:, None] * self.shifts)

    def pixels(self, inverse_depth: Array) -> Array:
        """(M, N, 2)."""
        points = self.points(inverse_depth) @ self.camera.K.T
        return np.asarray(points[..., :2] / points[..., 2:])

    def reprojection(self, inverse_depth: Array) -> tuple[Array, Array]:
        """Errors (M, N, 2) in pixels, and their derivatives by the inverse depth."""
        pixels = self.pixels(inverse_depth)
        shifts = self.shifts @ self.camera.K.T
        slope = (shifts[..., :2] - pixels * shifts[..., 2:]) / self.points(inverse_depth)[..., 2:]
        error = pixels - self.seen
        return error, np.where(np.isfinite(error), slope, np.nan)


def _faults(
    views: _Views,
    inverse_depth: Array,
    variance: Array,
    error: Array,
    settings: TriangulationSettings,
) -> dict[str, NDArray[np.bool_]]:
    """Why a point does not count: (N,) for each reason, the first one first."""
    watched = np.isfinite(error[..., 0])
    deviation = np.sqrt(variance)
    unseen = ~(np.isfinite(inverse_depth) & np.isfinite(deviation)) | ~watched.any(0)
    off = np.sqrt(_sum(error * error) / np.maximum(watched.sum(0), 1))
    moved = np.linalg.norm(views.pixels(inverse_depth) - views.pixels(0 * inverse_depth), axis=2)
    depth_sign = np.where(watched, views.points(inverse_depth)[..., 2], np.inf).min(0)
    unclear = deviation > settings.max_relative_error * np.abs(inverse_depth)
    return {
        "unseen": unseen,
        "behind": (inverse_depth < -3 * deviation) | (depth_sign <= 0),
        "far_off": off > settings.max_error * settings.noise,
        "little_parallax": unclear
        | ((inverse_depth <= 0) & (not settings.far))
        | (np.where(watched, moved, 0.0).max(0) < settings.min_parallax),
    }


def _first_reasons(faults: dict[str, NDArray[np.bool_]]) -> dict[str, int]:
    """How many points each reason rejects that none before it did."""
    counts, before = {}, np.zeros(len(faults["unseen"]), bool)
    for reason, hit in faults.items():
        counts[reason] = int((hit & ~before).sum())
        before = before | hit
    return counts


def _sum(values: Array) -> Array:
    """(N,) over views and components; NaN counts as nothing."""
    return np.asarray(np.nansum(values, (0, 2)))
