"""Camera motion from consecutive frames: the steps of a method, chained."""

from __future__ import annotations

import os
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from monodepth_ros.errors import UserError
from monodepth_ros.geometry.camera import PinholeCamera
from monodepth_ros.geometry.rigid_motion import Matrix, chained_covariance
from monodepth_ros.inference.engines.base import Engine, Rgb
from monodepth_ros.inference.engines.registry import load_engine
from monodepth_ros.inference.network_input import NetworkInput, network_input
from monodepth_ros.inference.odometry.motion import Motion
from monodepth_ros.inference.odometry.registry import DEFAULT, load_method
from monodepth_ros.inference.odometry.view import View, Views
from monodepth_ros.inference.scale.unit import RELATIVE


class VisualOdometry:
    """Chains relative poses, ``T_world_camera`` of frame k+1 = that of frame k times ``T_k_k+1``.

    The world is the first frame's camera. Translations have the scale of the model's depth, which
    :attr:`scale` names; they drift, as nothing here closes loops.

    Args:
        model: a name in the zoo, the path of a model folder, or a loaded engine.
        device: of a model that is not loaded: ``auto``, ``cpu``, ``cuda`` or ``cuda:N``.
        method: that measures the motions, a name in `registry.METHODS`.
    """

    def __init__(
        self,
        model: str | os.PathLike[str] | Engine,
        device: str = "auto",
        method: str = DEFAULT,
    ) -> None:
        self.engine = load_engine(model, device=device)
        self.method = load_method(method, self.engine)
        self._views = Views(self.engine, self.method.sees_grey)
        self.reset()

    def reset(self) -> None:
        """Start anew: the next frame is the new world."""
        self.method.reset()
        self.scale: Literal["metric", "relative"] = RELATIVE.label
        self._T_world_camera = np.eye(4)
        self._covariance: Matrix | None = np.zeros((6, 6))
        self._previous: View | None = None
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
        view = self._views.view(seen, camera, stamp or 0)
        if self._previous is not None:
            motion = self.method.motion(self._previous, view)
            self._covariance = self._chained(motion)
            self._T_world_camera = self._T_world_camera @ motion.T_earlier_later
            self.scale = view.unit.label
        self._previous, self._image_size, self._stamp = view, seen.image_size, stamp
        return self._T_world_camera.copy()

    @property
    def covariance(self) -> Matrix | None:
        """6x6 of the last pose: position and rotation in the world's axes.

        None where the method has stated none of a motion since the start.
        """
        return None if self._covariance is None else self._covariance.copy()

    def _chained(self, motion: Motion) -> Matrix | None:
        if self._covariance is None or motion.covariance is None:
            return None
        T, step = self._T_world_camera, motion.T_earlier_later
        return chained_covariance(self._covariance, T, step, motion.covariance)

    def _check_continues(self, image_size: tuple[int, int], stamp: int | None) -> None:
        height, width = image_size
        if self._image_size is not None and self._image_size != (height, width):
            was = f"{self._image_size[1]}x{self._image_size[0]}"
            raise UserError(f"a {width}x{height} frame follows {was} ones: reset odometry first")
        if stamp is not None and self._stamp is not None and stamp <= self._stamp:
            raise UserError(f"stamp {stamp} ns follows {self._stamp} ns: reset odometry first")
