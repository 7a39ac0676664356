"""Odometry by a model that leaves the shift of inverse depth open: the points tell it.

With the right shift, inverse depth is right up to a factor, as that of any model; the unit of the
motion is then the model's own, by that factor. Two views give points up to their scale, and with
them the first shift. Later it follows the landmarks.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from monodepth_ros.geometry.lens import rays
from monodepth_ros.geometry.rigid_motion import Matrix, rigid
from monodepth_ros.inference.odometry.view import View
from monodepth_ros.inference.points.sampled import sampled
from monodepth_ros.inference.points.tracks import Tracks, shared_rows
from monodepth_ros.inference.points.triangulation import TriangulationSettings, triangulate
from monodepth_ros.inference.points.two_view import two_view
from monodepth_ros.inference.scale.from_points import PointScale, scale_and_shift_from_points

Floats = NDArray[np.float64]

_PARALLAX = 1.5  # degrees, the median between two views that make the first points
_MIN_SHARED = 40  # points; with fewer left, the first view is another one
_MIN_POINTS = 20
_DRIFT = 0.1  # of the middle inverse depth: by how much the shift may differ between keyframes
_INFLATION = 3.0  # of the deviation of a fit: points of one thing err alike


class DepthShift:
    """The shift of predicted inverse depth, in its own unit; 0 where a model leaves none open."""

    def __init__(self, is_open: bool) -> None:
        self._is_open, self._variance = is_open, 0.0
        self.value: float | None = None if is_open else 0.0

    def begin(self, fit: PointScale) -> None:
        """Take the first fit as it is."""
        self.value, self._variance = _shift_of(fit)

    def follow(self, known: Floats, variance: Floats, predicted: Floats) -> None:
        """Correct it by inverse depths (N,) of the map, with variances, and predicted ones."""
        if not self._is_open or self.value is None or len(known) < _MIN_POINTS:
            return
        fit = scale_and_shift_from_points(known, variance, predicted)
        if fit.scale is None:
            return
        found, uncertain = _shift_of(fit)
        middle = abs(float(np.median(predicted)) + self.value)
        expected = self._variance + (_DRIFT * middle) ** 2
        gain = expected / (expected + uncertain + (_DRIFT * middle) ** 2)
        self.value += gain * (found - self.value)
        self._variance = (1 - gain) * expected


@dataclass(frozen=True)
class FirstPoints:
    """The motion between two views in the unit of predicted depth, and the fit that tells it."""

    T_first_second: Matrix
    fit: PointScale
    inliers: int
    error: float


class FirstView:
    """A view and its tracks, until another one is far enough away to triangulate them."""

    def __init__(self, view: View, tracks: Tracks) -> None:
        self.view, self.tracks = view, tracks
        self.lost = False  # whether too few of its points are left

    def points_with(self, view: View, tracks: Tracks, noise: float) -> FirstPoints | str:
        """What both views together tell, or why they tell nothing yet."""
        then, now = shared_rows(self.tracks.ids, tracks.ids)
        self.lost = len(then) < _MIN_SHARED
        one, other = self.tracks.pixels[then], tracks.pixels[now]
        pair = two_view(one, other, view.camera, noise=noise)
        if pair.kind not in ("general", "planar") or not pair.sure:
            return "the shift of depth is not known: no motion with parallax yet"
        if pair.parallax < np.radians(_PARALLAX):
            return "the shift of depth is not known: too little parallax yet"
        settings = TriangulationSettings(noise)
        found = triangulate(one, other, pair.T_first_second, view.camera, settings)
        used = found.good & pair.inliers
        if used.sum() < _MIN_POINTS:
            return "the shift of depth is not known: too few points yet"
        predicted = sampled(self.view.inverse_depth(), one[used], self.view.camera)
        fit = scale_and_shift_from_points(
            found.inverse_depth[used], found.variance[used], predicted
        )
        if fit.scale is None:
            return f"the shift of depth is not known: {fit.reason}"
        T = pair.T_first_second
        T = rigid(T[:3, :3], T[:3, 3] * fit.scale)
        return FirstPoints(T, fit, int(used.sum()), pair.error)

    def image_points(self) -> Floats:
        """Of its tracks, ``(N, 2)`` at Z = 1."""
        return np.asarray(rays(self.view.camera, self.tracks.pixels)[:, :2])


def _shift_of(fit: PointScale) -> tuple[float, float]:
    """Shift over scale, and its variance."""
    assert fit.scale is not None
    shift = fit.shift / fit.scale
    slope = np.array([-shift, 1 / fit.scale])
    return shift, float(_INFLATION**2 * slope @ fit.covariance @ slope)
