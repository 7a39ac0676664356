"""Metres for the frames of a recording that has poses or depth, as the nodes get them live."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from monodepth_ros.geometry.camera import PinholeCamera
from monodepth_ros.geometry.lens import rays
from monodepth_ros.geometry.rigid_motion import Matrix
from monodepth_ros.inference.odometry.view import grey_image
from monodepth_ros.inference.scale.from_motion import MotionScale
from monodepth_ros.inference.scale.from_sensor import SensorScale
from monodepth_ros.inference.scale.unit import Scale

RecordedSource = Literal["odometry", "points"]
POINTS = 2000  # of a depth image that are given to the scale


class RecordedScale:
    """Takes a recording's frames in their order; ``with_shift`` as the model needs it.

    ``odometry`` takes its poses for the robot's odometry, ``points`` its depth for that of a
    sensor, of which ``points`` pixels are drawn.
    """

    def __init__(self, source: RecordedSource, with_shift: bool, points: int = POINTS) -> None:
        self.source = source
        self._estimate = (MotionScale if source == "odometry" else SensorScale)(with_shift)
        self._points, self._segment = points, 0
        self._generator = np.random.default_rng(0)

    @property
    def scale(self) -> Scale | None:
        """Metres of the model's disparity; None while unknown."""
        return self._estimate.scale

    @property
    def missing(self) -> str:
        """Why it is unknown, in words."""
        return self._estimate.missing

    def add(
        self,
        rgb: NDArray[np.uint8],
        camera: PinholeCamera,
        stamp: int,
        disparity: NDArray[np.float32],
        pose: Matrix | None = None,
        depth: NDArray[np.floating] | None = None,
        segment: int = 0,
    ) -> Scale | None:
        """The scale after a rectified frame with its ``disparity`` in the model's unit.

        ``pose`` is T_world_camera, ``depth`` HxW metres in the image's pixels; None where the
        recording has none. Stamps in nanoseconds grow within a ``segment``.
        """
        estimate = self._estimate
        if isinstance(estimate, SensorScale):
            if depth is not None:
                points = drawn_points(depth, camera, self._points, self._generator)
                estimate.add(points, camera, stamp, disparity)
            return estimate.scale
        if segment != self._segment:
            self._segment = segment
            estimate.reset()
            estimate.motion.reset()
        if pose is not None:
            estimate.motion.add(stamp, pose)
            grey = grey_image(rgb, camera)
            estimate.add(grey.pixels, grey.camera, stamp, np.eye(4), disparity)
        return estimate.scale


def drawn_points(
    depth: NDArray[np.floating],
    camera: PinholeCamera,
    count: int,
    generator: np.random.Generator,
) -> NDArray[np.float64]:
    """At most ``count`` points ``(N, 3)`` in the camera's frame of a depth image HxW."""
    known = np.flatnonzero(np.isfinite(depth) & (depth > 0))
    if len(known) > count:
        known = generator.choice(known, count, replace=False)
    y, x = np.divmod(known, depth.shape[1])
    of_image = camera
    if depth.shape != (camera.height, camera.width):
        of_image = camera.resized(*depth.shape)
    pixels = np.stack([x, y], 1).astype(np.float64)
    return np.asarray(rays(of_image, pixels) * depth[y, x][:, None], np.float64)
