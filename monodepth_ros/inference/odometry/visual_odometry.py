"""Camera motion from consecutive frames: the pose network's steps, chained."""

from __future__ import annotations

import os
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from monodepth_ros.errors import UserError
from monodepth_ros.geometry.camera import PinholeCamera
from monodepth_ros.inference.engines.base import Engine, Frames, Rgb
from monodepth_ros.inference.network_input import NetworkInput, network_input
from monodepth_ros.inference.odometry.motion_estimator import MotionEstimator
from monodepth_ros.inference.scale.unit import RELATIVE


class VisualOdometry:
    """Chains relative poses, ``T_world_camera`` of frame k+1 = that of frame k times ``T_k_k+1``.

    The world is the first frame's camera. Translations have the scale of the model's depth, which
    :attr:`scale` names; they drift, as nothing here closes loops. Arguments are those of
    :class:`~monodepth_ros.inference.odometry.motion_estimator.MotionEstimator`.
    """

    def __init__(
        self,
        model: str | os.PathLike[str] | Engine,
        device: str = "auto",
        refine: bool = False,
    ) -> None:
        self._estimator = MotionEstimator(model, device, refine)
        self.engine = self._estimator.engine
        self.reset()

    def reset(self) -> None:
        """Start anew: the next frame is the new world."""
        self.scale: Literal["metric", "relative"] = RELATIVE.label
        self._T_world_camera = np.eye(4)
        self._previous: Frames | None = None
        self._image_size: tuple[int, int] | None = None
        self._stamp: int | None = None

    def add(
        self,
        image: Rgb | NetworkInput,
        camera: PinholeCamera | None = None,
        stamp: int | None = None,
    ) -> NDArray[np.float64]:
        """``T_world_camera``, 4x4, of the next frame ``image`` (uint8 HxWx3).

        ``stamp`` (nanoseconds) is only checked: it must grow. A frame of another size or with an
        older stamp belongs to another sequence and raises :class:`UserError`; call
        :meth:`reset` before it. The state is unchanged then.
        """
        seen = network_input(self.engine, image, camera)
        self._check_continues(seen.image_size, stamp)
        if self._previous is not None:
            step = self._estimator.motion(self._previous, seen.frames, camera)
            self._T_world_camera = self._T_world_camera @ step
            self.scale = self._estimator.scale(camera).label
        self._previous, self._image_size, self._stamp = seen.frames, seen.image_size, stamp
        return self._T_world_camera.copy()

    def _check_continues(self, image_size: tuple[int, int], stamp: int | None) -> None:
        height, width = image_size
        if self._image_size is not None and self._image_size != (height, width):
            was = f"{self._image_size[1]}x{self._image_size[0]}"
            raise UserError(f"a {width}x{height} frame follows {was} ones: reset odometry first")
        if stamp is not None and self._stamp is not None and stamp <= self._stamp:
            raise UserError(f"stamp {stamp} ns follows {self._stamp} ns: reset odometry first")
