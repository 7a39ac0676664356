"""The pose network's motion, aligned to the depth of the later frame as in training (SA4Depth)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import ClassVar

import numpy as np

from monodepth_ros.errors import UserError
from monodepth_ros.geometry import rigid_motion
from monodepth_ros.geometry.camera import PinholeCamera
from monodepth_ros.inference.engines.base import Engine
from monodepth_ros.inference.odometry.motion import Motion
from monodepth_ros.inference.odometry.network import NetworkMotion
from monodepth_ros.inference.odometry.view import View
from monodepth_ros.zoo.card import NetworkPart


class RefinedMotion(NetworkMotion):
    """It has the scale of the depth. It needs torch, the solver and a run of the depth network."""

    networks: ClassVar[Sequence[NetworkPart]] = ("pose", "depth")

    def __init__(self, engine: Engine) -> None:
        super().__init__(engine)
        # It imports torch, which takes a second: the first frames would be lost meanwhile.
        from monodepth_ros.geometry.patch_alignment import refine_by_patches

        self._refine_by_patches = refine_by_patches
        self._resized = lru_cache(maxsize=1)(PinholeCamera.resized)

    def motion(self, earlier: View, later: View) -> Motion:
        """See `MotionMethod`; the network's motion if nothing can be matched."""
        if later.seen_by is None:
            raise UserError("refining a motion needs the camera of the frames")
        unit = later.unit.factor
        refined = self._refine_by_patches(
            self.network_motion(earlier, later),
            later.inverse_depth() * np.float32(unit),
            np.concatenate([later.frames.pixels(), earlier.frames.pixels()]),
            self._resized(later.seen_by, *later.frames.size),
            self.engine.device,
        )
        # In single precision the rotation is not exactly orthonormal.
        T_earlier_later = rigid_motion.orthonormal(refined)
        T_earlier_later[:3, 3] *= unit
        return Motion(T_earlier_later, "refined")
