"""The camera's motion from tracked points and landmarks: visual odometry with a sliding window."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from monodepth_ros.geometry.lens import rays
from monodepth_ros.geometry.rigid_motion import Matrix, inverse, motion_of, twist_of
from monodepth_ros.inference.engines.base import Engine
from monodepth_ros.inference.odometry.mapping.beginning import first_pose
from monodepth_ros.inference.odometry.mapping.depth_shift import DepthShift, FirstView
from monodepth_ros.inference.odometry.mapping.landmark_map import Keyframe, LandmarkMap, MapSettings
from monodepth_ros.inference.odometry.mapping.landmarks import NEAREST, Floats, Integers
from monodepth_ros.inference.odometry.mapping.resection import Places, Resection, locate
from monodepth_ros.inference.odometry.mapping.rival_poses import Sighting, camera_pose
from monodepth_ros.inference.odometry.mapping.step_covariance import (
    Misfit,
    StepNoise,
    step_covariance,
)
from monodepth_ros.inference.odometry.mapping.trust import Trust
from monodepth_ros.inference.odometry.motion import Motion
from monodepth_ros.inference.odometry.view import View
from monodepth_ros.inference.points.sampled import sampled
from monodepth_ros.inference.points.tracks import PointTracker, Tracks, TrackSettings, shared_rows
from monodepth_ros.zoo.card import NetworkPart

Chosen = NDArray[np.bool_]


@dataclass(frozen=True)
class GeometrySettings:
    """When an image becomes a keyframe, and what is expected of tracked points."""

    noise: float = 0.5  # pixels; standard deviation of a tracked point
    parallax: float = 0.03  # of the image's width; median since the last keyframe
    shared: float = 0.6  # of the last keyframe's landmarks; with fewer left, a new one is made
    min_landmarks: int = 12  # with fewer in sight, the motion is unknown
    beginning: int = 3  # keyframes; with as few, two views are believed before landmarks
    lost: float = 0.35  # share of landmarks that agree; with fewer, the motion is unknown
    doubtful: float = 0.75  # share of landmarks that agree; with fewer, other poses are sought
    step: StepNoise = StepNoise()
    tracks: TrackSettings = TrackSettings(replenish_below=0.7)
    map: MapSettings = MapSettings()


class GeometricMotion:
    """Tracks points, finds each pose from landmarks, and makes landmarks in keyframes.

    Depth is predicted for keyframes alone. It gives new landmarks a first depth and holds the
    scale; the rest is triangulated. Where the model leaves the shift of inverse depth open, nothing
    is measured until two views tell it.
    """

    networks: ClassVar[Sequence[NetworkPart]] = ("depth",)
    sees_grey: ClassVar[bool] = True

    def __init__(self, engine: Engine, settings: GeometrySettings | None = None) -> None:
        self.engine = engine
        self.settings = settings or GeometrySettings()
        self.reset()

    @staticmethod
    def unsuited(engine: Engine) -> str | None:
        """See `MotionMethod`."""
        return None

    def reset(self) -> None:
        """See `MotionMethod`."""
        self._last: View | None = None
        self._tracker = PointTracker(self.settings.tracks)
        self._map = LandmarkMap(self.settings.noise, self.settings.map)
        self._T = np.eye(4)
        self._velocity = np.eye(4)
        self._elapsed = 0
        self._trust = Trust()
        self._misfit = Misfit(self.settings.step.memory)
        self._shift = DepthShift(self.engine.card.unknown_shift)
        self._first: FirstView | None = None  # while the shift is unknown

    def motion(self, earlier: View, later: View) -> Motion:
        """See `MotionMethod`. Where points are lost, the last step again, with a `fallback`."""
        if earlier is not self._last:
            self.reset()
            seen = self._tracker.add(earlier.grey, earlier.camera.valid)
            self._first = FirstView(earlier, seen) if self._shift.value is None else None
            if self._first is None:
                self._begin(earlier)
        if self._first is not None:
            return self._begin_with_two(self._first, later)
        before, elapsed = self._T, later.stamp - earlier.stamp
        predicted = before @ self._expected_step(elapsed)
        guess = self._predicted(later, predicted)
        tracks = self._tracker.add(later.grey, later.camera.valid, guess)
        known = self._map.landmarks.known(tracks.ids)
        self._last = later
        trust = self._trust.of(tracks)[known]
        if known.sum() < self.settings.min_landmarks:
            return self._lost(later, before, predicted, "too few known points in sight")
        points = rays(later.camera, tracks.pixels)[:, :2]
        places = self._map.places(tracks.ids[known])
        by_two = self._begun(later, tracks, places, points[known])
        sighting = Sighting(places, points[known], self._map.noise, trust)
        limit = self.settings.map.outlier**2
        found = by_two or camera_pose(predicted, sighting, limit, self.settings.doubtful)
        fits = found.squared < limit
        if fits.mean() < self.settings.lost or fits.sum() < self.settings.min_landmarks:
            return self._lost(later, before, predicted, "too few known points agree on a motion")
        self._T = found.T_world_camera
        self._expect(inverse(before) @ self._T, elapsed)
        kept = np.ones(len(tracks), np.bool_)
        if by_two is None:  # else what disagrees may only have no parallax yet
            kept[np.flatnonzero(known)[~fits]] = False
            self._trust.note(tracks, known, fits)
        self._tracker.keep(kept)
        covariance = self._covariance(found, places)
        if self._wants_keyframe(later, tracks[kept], known[kept], points[kept]):
            self._add_keyframe(later)
        return Motion(
            inverse(before) @ self._T,
            "geometry",
            covariance,
            int(fits.sum()),
            int(known.sum()),
            float(np.sqrt(found.squared[fits].mean() / 2)) * self.settings.noise,
        )

    @property
    def length_ratio(self) -> float:
        """Lengths of the map over lengths by predicted depth, where the map was last compared."""
        return float(np.exp(-self._map.log_scale))

    def expect(self, step: Matrix) -> None:
        """Take another method's step instead of the last one, which was a guess."""
        self._velocity = step

    def _expect(self, step: Matrix, elapsed: int) -> None:
        self._velocity, self._elapsed = step, elapsed

    def _begin(self, view: View, log_scale: float = 0.0) -> None:
        """A new map, whose first keyframe is the view; the tracks go on."""
        self._empty_map(view, log_scale)
        self._last = view
        self._add_keyframe(view)

    def _empty_map(self, view: View, log_scale: float = 0.0) -> None:
        self._focal = view.camera.focal
        self._map = LandmarkMap(self.settings.noise / self._focal, self.settings.map, log_scale)
        self._T = np.eye(4)

    def _begin_with_two(self, first: FirstView, later: View) -> Motion:
        """A new map of two keyframes that tell the shift of depth; a guess until they do."""
        tracks = self._tracker.add(later.grey, later.camera.valid)
        self._last = later
        found = first.points_with(later, tracks, self.settings.noise)
        if isinstance(found, str):
            if first.lost:
                self._first = FirstView(later, tracks)
            return Motion(np.eye(4), "geometry", np.eye(6), 0, 0, fallback=found)
        self._first = None
        self._shift.begin(found.fit)
        self._empty_map(first.view)
        predicted = self._sampled_log(first.view, first.tracks.pixels)
        self._map.add(self._T, first.tracks.ids, first.image_points(), predicted)
        self._T = found.T_first_second
        self._add_keyframe(later)
        # The camera has moved since the first view, and no step since then was measured.
        return Motion(self._T, "geometry", None, found.inliers, 0, found.error)

    def _expected_step(self, elapsed: int) -> Matrix:
        """The last step again, over as much time; none after a pause."""
        if not self._elapsed or not 0 < elapsed < 3 * self._elapsed:
            return np.eye(4) if self._elapsed else self._velocity
        return motion_of(twist_of(self._velocity) * (elapsed / self._elapsed))

    def _predicted(self, view: View, T_world_camera: Matrix) -> Floats:
        """Where the points that are tracked should be seen now."""
        tracks = self._tracker.tracks
        pixels = tracks.pixels.copy()
        known = self._map.landmarks.known(tracks.ids)
        places = self._map.places(tracks.ids[known]).points
        seen = (places - T_world_camera[:3, 3]) @ T_world_camera[:3, :3]
        image = seen @ view.camera.K.T
        guess = image[:, :2] / np.where(seen[:, 2:] > 0, seen[:, 2:], np.nan)
        near = np.abs(guess - pixels[known]).max(1) < view.camera.width / 4
        pixels[np.flatnonzero(known)[near]] = guess[near]
        return pixels

    @property
    def _begins(self) -> bool:
        return len(self._map.keyframes) <= self.settings.beginning

    def _begun(self, view: View, tracks: Tracks, places: Places, seen: Floats) -> Resection | None:
        """The pose by two views, in the beginning of a map; None where they do not tell."""
        if not self._begins:
            return None
        keyframe, then, now = self._shared(tracks)
        K = view.camera.K
        first = keyframe.points[then] @ K[:2, :2].T + K[:2, 2]
        T = keyframe.T_world_camera
        expected = self._map.places(keyframe.ids[then]).points
        inverse_depths = -np.log(np.maximum((expected - T[:3, 3]) @ T[:3, 2], NEAREST))
        later, expected_noise = tracks.pixels[now], self.settings.noise
        step = first_pose(first, later, inverse_depths, view.camera, expected_noise)
        if step is None:
            return None
        pose, noise = T @ step, self._map.noise
        fit = locate(pose, places.without_depths(), seen, noise, iterations=0)
        # The length is that of predicted depth, so the pose is as sure as with it.
        return replace(fit, information=locate(pose, places, seen, noise, iterations=0).information)

    def _shared(self, tracks: Tracks) -> tuple[Keyframe, Integers, Integers]:
        """The last keyframe, and the rows of the points that it shares with the tracks, in both."""
        keyframe = self._map.keyframes[-1]
        return keyframe, *shared_rows(keyframe.ids, tracks.ids)

    def _covariance(self, found: Resection, places: Places) -> Matrix:
        """Of the last step."""
        sure = places.variances < self.settings.map.known**2
        misfit = self._misfit.add(found.squared, sure)
        apart = np.linalg.norm(places.points - self._T[:3, 3], axis=1)
        distance = float(np.median(apart))
        noise = self.settings.step
        return step_covariance(found.information, self._velocity, distance, misfit, noise)

    def _wants_keyframe(self, view: View, tracks: Tracks, known: Chosen, points: Floats) -> bool:
        keyframe, then, now = self._shared(tracks)
        if len(now) < self.settings.shared * keyframe.seen or known.sum() < self._enough:
            return True
        R = self._T[:3, :3].T @ keyframe.T_world_camera[:3, :3]
        turned = np.column_stack([keyframe.points[then], np.ones(len(then))]) @ R.T
        parallax = np.linalg.norm(turned[:, :2] / turned[:, 2:] - points[now], axis=1)
        return bool(np.median(parallax) * self._focal > self.settings.parallax * view.camera.width)

    @property
    def _enough(self) -> float:
        return self.settings.tracks.count / 2

    def _add_keyframe(self, view: View) -> None:
        tracks = self._tracker.tracks
        points = rays(view.camera, tracks.pixels)[:, :2]
        self._follow_shift(view, tracks)
        predicted = self._sampled_log(view, tracks.pixels)
        keyframe = self._map.add(self._T, tracks.ids, points, predicted)
        self._T = keyframe.T_world_camera
        self._tracker.keep(self._map.landmarks.known(tracks.ids))

    def _follow_shift(self, view: View, tracks: Tracks) -> None:
        """Where the model leaves it open, by the landmarks whose depth is triangulated."""
        if not self.engine.card.unknown_shift:
            return
        known = self._map.landmarks.known(tracks.ids)
        places = self._map.places(tracks.ids[known]) if known.any() else None
        if places is None:
            return
        depth = (places.points - self._T[:3, 3]) @ self._T[:3, 2]
        sure = (places.variances < self.settings.map.known**2) & (depth > 0)
        predicted = sampled(view.inverse_depth(), tracks.pixels[known][sure], view.camera)
        inverse_depth = 1 / depth[sure]
        self._shift.follow(inverse_depth, places.variances[sure] * inverse_depth**2, predicted)

    def _sampled_log(self, view: View, pixels: Floats) -> Floats:
        return sampled_log(view, pixels, self._shift.value or 0.0)

    def _lost(self, view: View, before: Matrix, predicted: Matrix, why: str) -> Motion:
        """Begin again from predicted depth, at the scale that was; the motion is a guess."""
        step = inverse(before) @ predicted
        self._begin(view, self._map.log_scale)
        reach = max(float(np.linalg.norm(step[:3, 3])), 1e-3)
        covariance = np.diag([reach**2] * 3 + [0.1**2] * 3)
        return Motion(step, "geometry", covariance, 0, 0, fallback=why)


def sampled_log(view: View, pixels: Floats, shift: float = 0.0) -> Floats:
    """Logarithms (N,) of predicted inverse depth, shifted, at pixels (N, 2) of the grey image."""
    values = sampled(view.inverse_depth(), pixels, view.camera) + shift
    usable = np.isfinite(values) & (values > 0)
    return np.where(usable, np.log(np.where(usable, values, 1.0)), np.nan)
