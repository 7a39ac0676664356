"""The first poses of a map, by two views alone.

While no landmark is triangulated, a turn to one side explains a shift to the other: depths follow,
as in a bas-relief, and landmarks triangulated by the wrong pose agree with it for good. Predicted
depth does not tell, since it errs alike in all of an object. Matches with some parallax do.
"""

from __future__ import annotations

import numpy as np

from monodepth_ros.geometry.camera import PinholeCamera
from monodepth_ros.geometry.lens import rays
from monodepth_ros.geometry.rigid_motion import Matrix, rigid
from monodepth_ros.inference.odometry.mapping.landmarks import Floats
from monodepth_ros.inference.points.epipolar import depths
from monodepth_ros.inference.points.two_view import two_view

_PARALLAX = 6.0  # times the noise of a point; with less, a direction is a guess
_AGREE = 0.8  # of the matches; with fewer, two views are not sure either


def first_pose(
    first: Floats,
    later: Floats,
    log_inverse_depths: Floats,
    camera: PinholeCamera,
    noise: float,
) -> Matrix | None:
    """``T_first_later`` by matched pixels (N, 2) of two images; None where they do not tell.

    Its length is the one that agrees with the ``log_inverse_depths`` (N,) of the points in the
    first image. ``noise`` is the standard deviation of a point in pixels.
    """
    pair = two_view(first, later, camera, noise=noise)
    if pair.kind != "general" or pair.inliers.mean() < _AGREE:
        return None
    if pair.parallax * camera.focal < _PARALLAX * noise:
        return None
    near, far = depths(pair.T_first_second, rays(camera, first), rays(camera, later))
    seen = pair.inliers & np.isfinite(near) & (near > 0) & (far > 0)
    if not seen.any():
        return None
    length = np.exp(np.median(-np.log(near[seen]) - log_inverse_depths[seen]))
    R, t = pair.T_first_second[:3, :3], pair.T_first_second[:3, 3]
    return rigid(R, t * length)
