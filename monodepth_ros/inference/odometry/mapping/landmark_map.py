"""The latest keyframes and their landmarks: what the pose of an image is measured against."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from monodepth_ros.geometry.rigid_motion import Matrix, inverse
from monodepth_ros.inference.odometry.mapping.landmarks import (
    NO_LANDMARKS,
    Floats,
    Integers,
    Landmarks,
)
from monodepth_ros.inference.odometry.mapping.resection import Places
from monodepth_ros.inference.odometry.mapping.window import Observations, Window


@dataclass(frozen=True)
class MapSettings:
    """How many keyframes are kept, and what is expected of predicted depth."""

    adjusted: int = 7  # newest keyframes whose poses are adjusted
    kept: int = 10  # keyframes; the older ones hold the place and the scale of the newer ones
    depth_deviation: float = 0.4  # of the logarithm of predicted depth, from pixel to pixel
    known: float = 0.15  # deviation of a logarithm below which a depth is triangulated
    scale_gain: float = 0.002  # by which each keyframe's predicted depth corrects the scale
    outlier: float = 5.0  # times the noise; observations further off are removed


@dataclass
class Keyframe:
    """``number`` counts keyframes; ``points`` (N, 2) at Z = 1 are those of the tracks ``ids``."""

    number: int
    T_world_camera: Matrix
    ids: Integers
    points: Floats
    seen: int = 0  # landmarks when it was made


class LandmarkMap:
    """Keyframes and landmarks. ``noise`` is the standard deviation of image points at Z = 1.

    Its unit is that of predicted depth in the first keyframe, carried on by landmarks that several
    keyframes share. ``log_scale`` is by how much inverse depths of the map exceed predicted ones.
    """

    def __init__(
        self, noise: float, settings: MapSettings | None = None, log_scale: float = 0.0
    ) -> None:
        self.noise = noise
        self.settings = settings or MapSettings()
        self.keyframes: list[Keyframe] = []
        self.landmarks: Landmarks = NO_LANDMARKS
        self.log_scale = log_scale

    def places(self, ids: Integers) -> Places:
        """Of landmarks, by their ids."""
        some = self.landmarks[self.landmarks.rows(ids)]
        T = np.stack([keyframe.T_world_camera for keyframe in self.keyframes])
        T = T[some.hosts - self.keyframes[0].number]
        rays = (T[:, :3, :3] @ some.points()[:, :, None])[:, :, 0]
        return Places(rays + T[:, :3, 3], -rays, some.variances)

    def add(
        self, T_world_camera: Matrix, ids: Integers, points: Floats, predicted: Floats
    ) -> Keyframe:
        """A keyframe that sees the tracks ``ids`` (N,), ascending, at ``points`` (N, 2) at Z = 1.

        ``predicted`` (N,) are logarithms of the inverse depths that the network predicts, NaN where
        it cannot tell. Tracks that are no landmarks become some, at the scale of those that are.
        """
        number = self.keyframes[-1].number + 1 if self.keyframes else 0
        keyframe = Keyframe(number, T_world_camera, ids, points)
        known = self.landmarks.known(ids)
        offset = self._offset(keyframe, predicted)
        new = ~known & np.isfinite(predicted)
        self.landmarks = self.landmarks + Landmarks.expected(
            ids[new],
            number,
            points[new],
            predicted[new] + offset,
            self.settings.depth_deviation,
        )
        kept = known | new
        keyframe.ids, keyframe.points = ids[kept], points[kept]
        self.keyframes.append(keyframe)
        if len(self.keyframes) > self.settings.kept:
            self._drop_oldest()
        if len(self.keyframes) > 1:
            self._forget_lone()
            self._adjust()
            self._correct_scale(ids, predicted)
        keyframe.seen = len(keyframe.ids)
        return keyframe

    def _offset(self, keyframe: Keyframe, predicted: Floats) -> float:
        """By how much inverse depths of the map exceed predicted ones, in this image."""
        known = self.landmarks.known(keyframe.ids) & np.isfinite(predicted)
        rows = self.landmarks.rows(keyframe.ids[known])
        sure = self.landmarks.variances[rows] < self.settings.known**2
        if sure.sum() < 10:
            return self.log_scale
        points = self.places(keyframe.ids[known][sure]).points
        T = keyframe.T_world_camera
        depth = (points - T[:3, 3]) @ T[:3, 2]
        seen = depth > 0
        if not seen.any():
            return self.log_scale
        return float(np.median(-np.log(depth[seen]) - predicted[known][sure][seen]))

    def _correct_scale(self, ids: Integers, predicted: Floats) -> None:
        """Bring the scale of the map a little nearer to that of predicted depth.

        All of the map is scaled, about the newest camera: no image fits better or worse, and the
        pose does not jump. Predicted depth errs alike in many images, so the gain is small.
        """
        newest = self.keyframes[-1]
        at = np.searchsorted(ids, newest.ids)
        self.log_scale = self._offset(newest, predicted[at])
        change = self.settings.scale_gain * self.log_scale
        centre = newest.T_world_camera[:3, 3].copy()
        for keyframe in self.keyframes:
            T = keyframe.T_world_camera.copy()
            T[:3, 3] = centre + (T[:3, 3] - centre) * np.exp(change)
            keyframe.T_world_camera = T
        self.landmarks = self.landmarks.scaled(change)
        self.log_scale -= change

    def _drop_oldest(self) -> None:
        """Forget the oldest keyframe; others take its landmarks over, as far as they see them."""
        gone = self.keyframes.pop(0)
        left = self.landmarks.hosts == gone.number
        for keyframe in self.keyframes:
            mine = np.isin(keyframe.ids, self.landmarks.ids[left])
            rows = self.landmarks.rows(keyframe.ids[mine])
            T_host_former = inverse(keyframe.T_world_camera) @ gone.T_world_camera
            self.landmarks = self.landmarks.moved(
                rows, keyframe.number, keyframe.points[mine], T_host_former
            )
            left[rows] = False
        self.landmarks = self.landmarks[~left]

    def _forget_lone(self) -> None:
        """Forget landmarks that one former keyframe alone sees: they hold nothing."""
        seen = self.landmarks.rows(np.concatenate([keyframe.ids for keyframe in self.keyframes]))
        kept = np.bincount(seen, minlength=len(self.landmarks)) > 1
        kept[self.landmarks.rows(self.keyframes[-1].ids)] = True
        self.landmarks = self.landmarks[kept]
        for keyframe in self.keyframes[:-1]:
            left = self.landmarks.known(keyframe.ids)
            keyframe.ids, keyframe.points = keyframe.ids[left], keyframe.points[left]

    def _adjust(self) -> None:
        """Bundle adjustment; the oldest keyframes stay where they are."""
        count, first = len(self.keyframes), self.keyframes[0].number
        sizes = [len(keyframe.ids) for keyframe in self.keyframes]
        seen = Observations(
            np.repeat(np.arange(count), sizes),
            self.landmarks.rows(np.concatenate([keyframe.ids for keyframe in self.keyframes])),
            np.concatenate([keyframe.points for keyframe in self.keyframes]),
        )
        hosts = self.landmarks.hosts - first
        others = hosts[seen.landmarks] != seen.keyframes
        free = np.arange(max(1, count - self.settings.adjusted), count)
        local = self.landmarks.hosted_by(hosts)
        window = Window(free, local, seen[others], self.noise)
        found = window.adjust(np.stack([k.T_world_camera for k in self.keyframes]))
        for keyframe, pose in zip(self.keyframes, found.poses, strict=True):
            keyframe.T_world_camera = pose
        self.landmarks = self.landmarks.estimated(found.log_inverse_depths, found.variances)
        off = np.zeros(len(seen), np.bool_)
        off[others] = found.squared > self.settings.outlier**2
        self._remove(off, np.cumsum(sizes)[:-1])

    def _remove(self, off: NDArray[np.bool_], borders: Integers) -> None:
        """Remove observations that do not fit, ``off`` of all keyframes one after another.

        A landmark that does not fit where it is seen now is none.
        """
        parts = np.split(off, borders)
        gone = self.keyframes[-1].ids[parts[-1]]
        for keyframe, bad in zip(self.keyframes, parts, strict=True):
            bad = bad | np.isin(keyframe.ids, gone)
            keyframe.ids, keyframe.points = keyframe.ids[~bad], keyframe.points[~bad]
        self.landmarks = self.landmarks[~np.isin(self.landmarks.ids, gone)]
