"""The camera's motion between two frames, by a model's pose network."""

from __future__ import annotations

import os
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from monodepth_ros.errors import UserError
from monodepth_ros.geometry import rigid_motion
from monodepth_ros.geometry.camera import PinholeCamera
from monodepth_ros.inference.engines.base import Engine, Frames
from monodepth_ros.inference.engines.registry import load_engine
from monodepth_ros.inference.scale.unit import Scale, scale_of


def no_motion(engine: Engine) -> str | None:
    """Why a model says no motions, for people; None where it does."""
    if not engine.has_motion:
        return f"model {engine.card.name} has no pose network"
    if engine.card.ambiguity == "scale_and_shift":
        return f"model {engine.card.name} gives depth up to scale and shift, which fits no motion"
    return None


class MotionEstimator:
    """Arguments are those of :class:`~monodepth_ros.inference.depth_estimator.DepthEstimator`.

    With a loaded engine as ``model``, both estimators share it. With ``refine`` each motion is
    aligned to the later frame's depth, as in training (SA4Depth), and has the scale of that depth.
    That needs torch, the solver and a run of the depth network.
    """

    def __init__(
        self,
        model: str | os.PathLike[str] | Engine,
        device: str = "auto",
        refine: bool = False,
    ) -> None:
        self.engine = load_engine(model, device=device)
        self.card, self.size = self.engine.card, self.engine.size
        if (why := no_motion(self.engine)) is not None:
            raise UserError(f"{why}: choose one with odometry")
        self.refine = refine
        if refine:
            # It imports torch, which takes a second: the first frames would be lost meanwhile.
            from monodepth_ros.geometry.patch_alignment import refine_by_patches

            self._refine_by_patches = refine_by_patches
        self._resized = lru_cache(maxsize=1)(PinholeCamera.resized)

    def scale(self, camera: PinholeCamera | None) -> Scale:
        """The unit of translations for frames of ``camera``."""
        return scale_of(self.card, camera, self.size)

    def motion(
        self, earlier: Frames, later: Frames, camera: PinholeCamera | None = None
    ) -> NDArray[np.float64]:
        """``T_earlier_later``, 4x4: the inverse of the network's output.

        ArithmeticError if it is not finite.
        """
        # Double precision keeps long chains of rotations orthonormal.
        motion = self.engine.motion(earlier, later)[0].astype(np.float64)
        if not np.isfinite(motion).all():
            raise ArithmeticError(f"model {self.card.name} gave a motion that is not finite")
        T_later_earlier = rigid_motion.motion_of(np.roll(motion, 3))  # a twist: translation first
        T_earlier_later = rigid_motion.inverse(T_later_earlier)
        if self.refine:
            T_earlier_later = self._refined(T_earlier_later, earlier, later, camera)
        T_earlier_later[:3, 3] *= self.scale(camera).factor
        return T_earlier_later

    def _refined(
        self,
        T_earlier_later: NDArray[np.float64],
        earlier: Frames,
        later: Frames,
        camera: PinholeCamera | None,
    ) -> NDArray[np.float64]:
        """The motion aligned to the later frame's depth; unchanged if nothing can be matched."""
        if camera is None:
            raise UserError("refining a motion needs the camera of the frames")
        refined = self._refine_by_patches(
            T_earlier_later,
            self.engine.inverse_depth(later)[0],
            np.concatenate([later.pixels(), earlier.pixels()]),
            self._resized(camera, *self.size),
            self.engine.device,
        )
        # In single precision the rotation is not exactly orthonormal.
        return rigid_motion.orthonormal(refined)
