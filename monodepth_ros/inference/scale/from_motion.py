"""The scale, and the shift, of predicted depth from a known motion of the camera.

Points are tracked over some images, their depth is triangulated with the motion that an odometry
tells, and predicted inverse depth is fitted to it. No pose network takes part.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from monodepth_ros.geometry.camera import PinholeCamera
from monodepth_ros.geometry.lens import rays
from monodepth_ros.geometry.rigid_motion import Matrix, inverse, rigid, rotation_angle
from monodepth_ros.inference.points.epipolar import parallaxes, refined, sampson
from monodepth_ros.inference.points.sampled import sampled
from monodepth_ros.inference.points.tracks import PointTracker, Tracks, TrackSettings, shared_rows
from monodepth_ros.inference.points.triangulation import TriangulationSettings, triangulate
from monodepth_ros.inference.scale.filter import FilterSettings, ScaleFilter
from monodepth_ros.inference.scale.from_points import PointScale
from monodepth_ros.inference.scale.known_motion import KnownMotion, KnownPose
from monodepth_ros.inference.scale.unit import Scale
from monodepth_ros.stamps import SECOND

Array = NDArray[np.float64]


@dataclass(frozen=True)
class MotionScaleSettings:
    """Which points count; angles in degrees."""

    noise: float = 0.5  # pixels; standard deviation of a tracked point
    views: int = 5  # earlier images that points are seen in
    apart: float = 0.4  # median parallax between two of these
    parallax: float = 1.0  # of a point over all of them
    max_age: float = 4.0  # seconds since the oldest
    min_points: int = 20  # with that parallax
    epipolar: float = 3.0  # times the noise; what is further off moves by itself
    static: float = 0.5  # share of the points that must fit the known motion
    min_length: float = 0.01  # metres; shorter motions are standstill
    length_error: float = 0.25  # of a motion by the odometry's covariance; worse ones do not count
    turn_error: float = 1.5  # by which an odometry may be off, for images to put it right
    direction_error: float = 10.0
    tracks: TrackSettings = TrackSettings(count=500)
    filter: FilterSettings | None = None  # that of the model's ambiguity


@dataclass(frozen=True)
class _Seen:
    """The points of an image, and what the network predicts there, None if it was not asked."""

    stamp: int
    camera: PinholeCamera
    tracks: Tracks
    T_body_camera: Matrix
    predicted: Array | None
    T_world_camera: Matrix
    variance: float = 0.0


class MotionScale:
    """The metric scale of one camera's depth; ``motion`` takes what the odometry says.

    ``with_shift`` for models that leave the shift open as well. ``reason`` says why the last image
    told nothing, empty if it did.
    """

    def __init__(self, with_shift: bool, settings: MotionScaleSettings | None = None) -> None:
        self.settings = settings or MotionScaleSettings()
        self.motion = KnownMotion()
        self.with_shift = with_shift
        self.filter = ScaleFilter(with_shift, self.settings.filter)
        self.last: PointScale | None = None  # fit, of whatever image
        # Of the last image that was measured: inverse depths, their variances, what is predicted.
        self.points: tuple[Array, Array, Array] | None = None
        self._tracker = PointTracker(self.settings.tracks)
        self.reset()

    def reset(self) -> None:
        """Forget all but the odometry: the clock was set, or the camera is another one."""
        self.reason = "no image with a known motion"
        self._tracker.reset()
        self.filter.reset()
        self._views: deque[_Seen] = deque(maxlen=self.settings.views)
        self._waiting: deque[_Seen] = deque(maxlen=50)

    @property
    def scale(self) -> Scale | None:
        """Metres of the model's inverse depth; None while unknown."""
        return self.filter.scale

    @property
    def missing(self) -> str:
        """What is missing for a factor, in words."""
        return self.reason or self.filter.missing

    def add(
        self,
        grey: NDArray[np.uint8],
        camera: PinholeCamera,
        stamp: int,
        T_body_camera: Matrix,
        inverse_depth: NDArray[np.float32] | None,
    ) -> None:
        """An image of ``camera``, mounted at ``T_body_camera``; it waits until its motion is known.

        ``inverse_depth``, of any size, is what the network predicts for it; None: not asked.
        """
        last = self._waiting[-1] if self._waiting else self._views[-1] if self._views else None
        if last is not None and not self._follows(last, camera, stamp):
            self.reset()
        tracks = self._tracker.add(grey, camera.valid)
        predicted = None
        if inverse_depth is not None:
            predicted = sampled(inverse_depth, tracks.pixels, camera)
        seen = _Seen(stamp, camera, tracks, T_body_camera, predicted, np.eye(4))
        self._waiting.append(seen)
        self.settle()

    def settle(self) -> None:
        """Measure with all images whose motion has become known."""
        while self._waiting and not self.motion.is_to_come(self._waiting[0].stamp):
            seen = self._waiting.popleft()
            pose = self.motion.at(seen.stamp)
            if isinstance(pose, KnownPose):
                self._take(_placed(seen, pose))
            else:
                self.reason = pose
                self._views.clear()

    def _follows(self, last: _Seen, camera: PinholeCamera, stamp: int) -> bool:
        passed = (stamp - last.stamp) / SECOND
        same = camera is last.camera or (
            (camera.height, camera.width) == (last.camera.height, last.camera.width)
            and np.allclose(camera.K, last.camera.K)
        )
        return same and 0 <= passed

    def _take(self, seen: _Seen) -> None:
        settings = self.settings
        while self._views and seen.stamp - self._views[0].stamp > settings.max_age * SECOND:
            self._views.popleft()
        if seen.predicted is not None:
            fit = self._fit(seen)
            if isinstance(fit, PointScale):
                self.last = fit
                self.reason = fit.reason
            else:
                self.reason = fit
        if not self._views or self._has_moved_from(self._views[-1], seen):
            self._views.append(seen)

    def _has_moved_from(self, view: _Seen, seen: _Seen) -> bool:
        then, now = _shared(view, seen)
        if len(now) < self.settings.min_points:
            return True
        T = inverse(seen.T_world_camera) @ view.T_world_camera
        angles = parallaxes(T, *_rays(seen, now, view, then))
        return bool(np.median(angles) > np.radians(self.settings.apart))

    def _fit(self, seen: _Seen) -> PointScale | str:
        """Fit one image, and tell the filter; a sentence where that is impossible."""
        settings = self.settings
        motions = [inverse(seen.T_world_camera) @ view.T_world_camera for view in self._views]
        if reason := self._too_short(motions, seen):
            return reason
        later = np.full((len(motions), len(seen.tracks), 2), np.nan)
        moving = np.zeros(len(seen.tracks), np.int64)
        widest = np.zeros(len(seen.tracks))
        for k, view in enumerate(self._views):
            then, now = _shared(view, seen)
            first, second = _rays(seen, now, view, then)
            motions[k] = self._put_right(motions[k], first, second, seen.camera)
            off = np.abs(sampson(motions[k], first, second)) * seen.camera.focal
            static = off < settings.epipolar * settings.noise
            later[k, now[static]] = view.tracks.pixels[then[static]]
            moving[now[~static]] += 1
            angle = parallaxes(motions[k], first, second)
            widest[now[static]] = np.maximum(widest[now[static]], angle[static])
        watched = np.isfinite(later[..., 0]).sum(0)
        fixed = (watched > 0) & (moving <= watched)
        if fixed.sum() < settings.static * ((watched + moving) > 0).sum():
            return "most points do not fit the known motion: it is wrong, or all in sight moves"
        far = TriangulationSettings(settings.noise, 3.0, 0.0, np.inf, far=self.with_shift)
        found = triangulate(seen.tracks.pixels, later, np.stack(motions), seen.camera, far)
        wide = widest > np.radians(settings.parallax)
        if (enough := int((wide & fixed & found.good).sum())) < settings.min_points:
            return (
                f"{enough} points with a parallax of {settings.parallax:g} degrees;"
                f" {settings.min_points} are needed: move sideways, or nearer to something"
            )
        return self._fitted(seen, found.inverse_depth, found.variance, fixed & found.good)

    def _fitted(self, seen: _Seen, known: Array, variance: Array, used: NDArray) -> PointScale:
        assert seen.predicted is not None
        self.points = known[used], variance[used], seen.predicted[used]
        return self.filter.measure(*self.points, seen.stamp, self._length_variance(seen))

    def _put_right(self, T: Matrix, first: Array, second: Array, camera: PinholeCamera) -> Matrix:
        """The known motion, turned as far as the images say so; its length stays."""
        length = float(np.linalg.norm(T[:3, 3]))
        settings = self.settings
        if settings.turn_error == 0 or length < settings.min_length or len(first) < 20:
            return T
        unit = rigid(T[:3, :3], T[:3, 3] / length)
        better, _ = refined(unit, first, second, settings.noise / camera.focal, iterations=4)
        turned = float(rotation_angle(better[:3, :3].T @ T[:3, :3]))
        swung = float(np.arccos(np.clip(better[:3, 3] @ unit[:3, 3], -1, 1)))
        if turned > np.radians(settings.turn_error) or swung > np.radians(settings.direction_error):
            return T
        return rigid(better[:3, :3], length * better[:3, 3])

    def _too_short(self, motions: list[Matrix], seen: _Seen) -> str:
        """Why no motion is long enough to triangulate with; empty if one is."""
        lengths = [float(np.linalg.norm(T[:3, 3])) for T in motions]
        longest = max(lengths, default=0.0)
        if not motions:
            return "the first image"
        if longest < self.settings.min_length:
            turned = max(float(rotation_angle(T[:3, :3])) for T in motions)
            still = "turns on the spot" if turned > np.radians(2) else "stands still"
            return f"the camera {still}: it has moved by {100 * longest:.1f} cm"
        if (share := self._length_variance(seen)) > self.settings.length_error**2:
            return f"by its covariance the odometry knows its motion only to {share**0.5:.0%}"
        return ""

    def _length_variance(self, seen: _Seen) -> float:
        """Relative variance of the length of the longest motion, as the odometry states it."""
        apart = [seen.T_world_camera[:3, 3] - view.T_world_camera[:3, 3] for view in self._views]
        squared = [float(a @ a) for a in apart]
        view = self._views[int(np.argmax(squared))]
        return max(0.0, seen.variance - view.variance) / max(max(squared), 1e-12)


def _placed(seen: _Seen, pose: KnownPose) -> _Seen:
    T = pose.T_world_body @ seen.T_body_camera
    return replace(seen, T_world_camera=T, variance=pose.variance)


def _shared(one: _Seen, other: _Seen) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    return shared_rows(one.tracks.ids, other.tracks.ids)


def _rays(
    seen: _Seen, now: NDArray[np.int64], view: _Seen, then: NDArray[np.int64]
) -> tuple[Array, Array]:
    return rays(seen.camera, seen.tracks.pixels[now]), rays(view.camera, view.tracks.pixels[then])
