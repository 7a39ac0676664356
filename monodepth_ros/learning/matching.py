"""Points followed from one frame into another, and the motion of the camera that they tell."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from monodepth_ros.geometry.lens import rays
from monodepth_ros.geometry.rigid_motion import Matrix, inverse
from monodepth_ros.inference.odometry.view import GreyImage
from monodepth_ros.inference.points.epipolar import sampson
from monodepth_ros.inference.points.tracks import PointTracker, TrackSettings
from monodepth_ros.inference.points.two_view import two_view

# What can be told of a pair: a motion, or why there is none.
KINDS = ("too_few", "rotation", "unsure", "planar", "general")
TEACHES = ("planar", "general")

_LEAST_NOISE = 0.1  # pixels: no corner is found better


@dataclass(frozen=True)
class PairMatches:
    """Pixels ``(N, 2)`` of both frames that show the same points, those that fit the motion alone.

    ``noise`` ``(N,)`` in radians is the standard deviation of the angle between the rays of a
    point. ``T_neighbour_target`` 4x4 has a translation of length 1.
    """

    kind: str
    target: NDArray[np.float64]
    neighbour: NDArray[np.float64]
    noise: NDArray[np.float64]
    T_neighbour_target: Matrix


def match_pair(target: GreyImage, neighbour: GreyImage, count: int) -> PairMatches:
    """Follow ``count`` points of a target into its neighbour, of one camera.

    Of a pair whose motion is not known there are no matches, and its ``kind`` says why.
    """
    first, second = _followed(target, neighbour, count)
    found = two_view(first, second, target.camera)
    kind = found.kind if found.sure or found.kind not in TEACHES else "unsure"
    if kind not in TEACHES:
        nothing = np.empty((0, 2))
        return PairMatches(kind, nothing, nothing, np.empty(0), np.full((4, 4), np.nan))
    first, second = first[found.inliers], second[found.inliers]
    own = sampson(found.T_first_second, rays(target.camera, first), rays(target.camera, second))
    noise = np.hypot(max(found.error, _LEAST_NOISE) / target.camera.focal, own)
    return PairMatches(kind, first, second, noise, inverse(found.T_first_second))


def _followed(
    target: GreyImage, neighbour: GreyImage, count: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Pixels ``(N, 2)`` of the target, and of the same points in its neighbour."""
    # Corners are looked for in the target alone.
    tracker = PointTracker(TrackSettings(count=count, replenish_below=1e-9))
    before = tracker.add(target.pixels, target.camera.valid)
    after = tracker.add(neighbour.pixels, neighbour.camera.valid)
    after = after[after.ages > 0]  # where all were lost, there are new ones
    places = np.searchsorted(before.ids, after.ids)
    return before.pixels[places], after.pixels
