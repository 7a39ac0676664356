"""The camera's pose where a mover may be in sight, which says another one.

Landmarks on a mover agree on a pose as those of the world do. A mover is compact, so parts of the
image are asked for a pose one by one, and each pose is refined with the landmarks that agree. The
camera's is the one that the largest things agree with: the world reaches further than what moves
in it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from monodepth_ros.geometry.rigid_motion import Matrix, inverse, rotation_angle
from monodepth_ros.inference.odometry.mapping.landmarks import Floats
from monodepth_ros.inference.odometry.mapping.resection import Places, Resection, locate, misfits

_AGREES = 4.0  # times the noise: landmarks that a pose is refined with
_REFINED = 3  # times
_LEAST = 8  # landmarks that a pose is sought from
_INERTIA = 0.4  # by which power a pose is less likely, the further it is from the expected one
_USUAL = 0.01  # radians, and shares of the landmarks' distance, by which a camera surprises anyway


@dataclass(frozen=True)
class Sighting:
    """Landmarks of one image: ``places`` in the world, where they are ``observed`` (N, 2) at Z = 1.

    ``noise`` is the standard deviation of an image point, ``trust`` (N,) how much each counts.
    """

    places: Places
    observed: Floats
    noise: float
    trust: Floats

    def __getitem__(self, kept: NDArray[np.bool_]) -> Sighting:
        return Sighting(self.places[kept], self.observed[kept], self.noise, self.trust[kept])

    def located(self, start: Matrix, far: bool = True) -> Resection:
        """See `locate`."""
        return locate(start, self.places, self.observed, self.noise, far, trust=self.trust)

    def at(self, pose: Resection) -> Resection:
        """The same pose, with the errors of these landmarks."""
        T = pose.T_world_camera
        squared = misfits(T, self.places, self.observed, self.noise)
        return Resection(T, pose.information, squared)

    def share(self, pose: Resection, limit: float) -> float:
        """Of the landmarks, by trust: those whose squared error is below ``limit``."""
        return float(self.trust @ (pose.squared < limit) / self.trust.sum())


def camera_pose(expected: Matrix, sighting: Sighting, limit: float, doubtful: float) -> Resection:
    """The pose of the camera, which was ``expected`` there.

    Where less than the share ``doubtful`` of the landmarks, by trust, has a squared error below
    ``limit``, it is the likeliest of several.
    """
    best = sighting.located(expected, far=False)
    if sighting.share(best, limit) >= doubtful:
        return best
    poses = [best, *rival_poses(expected, sighting)]
    likely = [extent(pose, sighting, limit) - _surprise(pose, expected, sighting) for pose in poses]
    return poses[int(np.argmax(likely))]


def rival_poses(start: Matrix, sighting: Sighting) -> Iterator[Resection]:
    """Poses near ``start`` that parts of the image say."""
    for part in _parts(start, sighting):
        if part.sum() >= _LEAST:
            pose = sighting.at(sighting[part].located(start))
            yield pose
            for _ in range(_REFINED):
                agree = pose.squared < _AGREES**2
                if agree.sum() < _LEAST:
                    break
                pose = sighting.at(sighting[agree].located(pose.T_world_camera, far=False))
            yield pose


def _parts(start: Matrix, sighting: Sighting) -> Iterator[NDArray[np.bool_]]:
    """All landmarks; the far and the near; off the middle of the image and in it; four sides."""
    observed = sighting.observed
    depth = (sighting.places.points - start[:3, 3]) @ start[:3, 2]
    off_middle = np.abs((observed - observed.mean(0)) / (observed.std(0) + 1e-9)).max(1)
    yield np.ones(len(observed), np.bool_)
    for values in (depth, off_middle):
        yield values > np.median(values)
        yield values <= np.median(values)
    for values in observed.T:
        yield values < np.quantile(values, 0.4)
        yield values > np.quantile(values, 0.6)


def extent(pose: Resection, sighting: Sighting, limit: float) -> float:
    """Logarithm of how much agrees with a pose: how many landmarks, times how far they reach.

    A landmark counts by its trust and its squared error, not at all from ``limit`` on. How far they
    reach is the geometric mean of their standard deviations along the two longest axes.
    """
    counts = np.maximum(1 - pose.squared / limit, 0) * sighting.trust
    total, points = counts.sum(), sighting.places.points
    if total < 1e-9:
        return -np.inf
    apart = points - counts @ points / total
    scatter = (apart.T * counts) @ apart / total
    return float(np.log(total) + 0.25 * np.log(np.linalg.eigvalsh(scatter)[1:] + 1e-18).sum())


def _surprise(pose: Resection, expected: Matrix, sighting: Sighting) -> float:
    """What a pose loses in the logarithm of how likely it is: cameras move on as they did."""
    change = inverse(expected) @ pose.T_world_camera
    distance = np.median(np.linalg.norm(sighting.places.points - expected[:3, 3], axis=1))
    far = rotation_angle(change[:3, :3]) + np.linalg.norm(change[:3, 3]) / distance
    return float(_INERTIA * np.log1p(far / _USUAL))
