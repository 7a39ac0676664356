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
from monodepth_ros.geometry.feature_alignment import AlignmentSettings, refine_pose
from monodepth_ros.geometry.patch_alignment import DAMPING, ITERATIONS, STRIDES, patch_level
from monodepth_ros.inference.engines.torch import Precision, TorchEngine
from monodepth_ros.inference.network_input import network_size, to_network_input
from monodepth_ros.inference.resized_camera import ResizedCamera
from monodepth_ros.inference.scale.unit import Scale, scale_of

_ALIGNMENT = AlignmentSettings(iterations=ITERATIONS)


class MotionEstimator:
    """Arguments are those of :class:`~monodepth_ros.inference.depth_estimator.DepthEstimator`.

    ``model`` may also be an engine that is loaded already, which then serves both. With ``refine``
    each motion is aligned to the later frame's depth, as poses are in training (SA4Depth): it then
    has the scale of that depth. That costs a run of the depth network and the solver.
    """

    def __init__(
        self,
        model: str | os.PathLike[str] | TorchEngine,
        device: str = "auto",
        size: tuple[int, int] | None = None,
        precision: Precision = "fp32",
        refine: bool = False,
    ) -> None:
        self.engine = TorchEngine.of(model, device, precision)
        self.card = self.engine.card
        if not self.engine.has_pose:
            raise UserError(f"model {self.card.name} has no pose network: choose one with odometry")
        self.size = network_size(self.card, size)
        self.refine = refine
        self._cameras = ResizedCamera()

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
            axis_angle[0].double().cpu(), translation[0].double().cpu()
        )
        if not torch.isfinite(T_later_earlier).all():
            raise ArithmeticError(f"model {self.card.name} gave a motion that is not finite")
        T_earlier_later = np.array(se3.inverse(T_later_earlier).numpy())
        if self.refine:
            T_earlier_later = self._refined(T_earlier_later, earlier, later, camera)
        T_earlier_later[:3, 3] *= self.scale(camera).factor
        return T_earlier_later

    @torch.inference_mode()
    def _refined(
        self,
        T_earlier_later: NDArray[np.float64],
        earlier: Tensor,
        later: Tensor,
        camera: PinholeCamera | None,
    ) -> NDArray[np.float64]:
        """Aligned by the depth of the later frame; as it was where nothing can be matched."""
        if camera is None:
            raise UserError("a motion can only be refined by frames whose camera is known")
        inverse_depth = self.engine(later)
        device = self.engine.device
        seen_by = self._cameras.at(camera, self.size)
        K = torch.from_numpy(seen_by.K)[None].float().to(device)
        valid = None
        if seen_by.valid is not None:
            valid = torch.from_numpy(seen_by.valid)[None, None].to(device)
        images = torch.stack([later, earlier], 1)
        levels = [patch_level(s, inverse_depth, images, K, DAMPING, valid) for s in STRIDES]
        start = torch.from_numpy(T_earlier_later)[None].float().to(device)
        # The same points for the same frames, whatever was refined before.
        generator = torch.Generator(device).manual_seed(0)
        refined = refine_pose(start, levels, _ALIGNMENT, generator).T[0]
        # Single precision leaves a rotation that is not quite one.
        return _orthonormal(refined.double().cpu().numpy())


def _orthonormal(T: NDArray[np.float64]) -> NDArray[np.float64]:
    """The nearest rigid motion to a 4x4 matrix that is nearly one."""
    U, _, Vt = np.linalg.svd(T[:3, :3])
    rigid = T.copy()
    rigid[:3, :3] = U @ Vt
    return rigid
