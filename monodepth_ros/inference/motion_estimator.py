"""The camera's motion between two frames, by a model's pose network."""

from __future__ import annotations

import os

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from monodepth_ros.errors import UserError
from monodepth_ros.geometry import se3
from monodepth_ros.geometry.camera import PinholeCamera
from monodepth_ros.inference.network_input import network_size, to_network_input
from monodepth_ros.inference.scale import Scale, scale_of
from monodepth_ros.inference.torch_engine import Precision, TorchEngine
from monodepth_ros.inference.zoo import resolve


class MotionEstimator:
    """Arguments are those of :class:`~monodepth_ros.inference.depth_estimator.DepthEstimator`.

    ``model`` may also be an engine that is loaded already, which then serves both.
    """

    def __init__(
        self,
        model: str | os.PathLike[str] | TorchEngine,
        device: str = "auto",
        size: tuple[int, int] | None = None,
        precision: Precision = "fp32",
    ) -> None:
        if not isinstance(model, TorchEngine):
            model = TorchEngine.load(resolve(model), device, precision)
        self.engine = model
        self.card = self.engine.card
        if not self.engine.has_pose:
            raise UserError(f"model {self.card.name} has no pose network: choose one with odometry")
        self.size = network_size(self.card, size)

    def prepared(self, rgb: NDArray[np.uint8]) -> Tensor:
        """A frame, uint8 HxWx3, as `motion` takes it: it serves in two motions."""
        return to_network_input(rgb, self.size, self.engine.device)

    def scale(self, camera: PinholeCamera | None) -> Scale:
        """The unit of translations for frames of ``camera``."""
        return scale_of(self.card, camera, self.size)

    def motion(
        self, earlier: Tensor, later: Tensor, camera: PinholeCamera | None = None
    ) -> NDArray[np.float64]:
        """``T_earlier_later``, 4x4: the inverse of what the network gives.

        ArithmeticError where that is not finite.
        """
        axis_angle, translation = self.engine.motion(earlier, later)
        # Double precision keeps long chains of rotations orthonormal.
        T_later_earlier = se3.from_axis_angle_translation(
            axis_angle[0].double().cpu(), translation[0].double().cpu() * self.scale(camera).factor
        )
        if not torch.isfinite(T_later_earlier).all():
            raise ArithmeticError(f"model {self.card.name} gave a motion that is not finite")
        return np.asarray(se3.inverse(T_later_earlier).numpy())
