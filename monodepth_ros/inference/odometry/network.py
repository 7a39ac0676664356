"""The camera's motion between two frames, by a model's pose network."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import numpy as np

from monodepth_ros.geometry import rigid_motion
from monodepth_ros.inference.engines.base import Engine
from monodepth_ros.inference.odometry.motion import Motion
from monodepth_ros.inference.odometry.view import View
from monodepth_ros.zoo.card import NetworkPart


class NetworkMotion:
    """The inverse of the pose network's output, in the model's unit."""

    networks: ClassVar[Sequence[NetworkPart]] = ("pose",)
    sees_grey: ClassVar[bool] = False

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    @staticmethod
    def unsuited(engine: Engine) -> str | None:
        """See `MotionMethod`."""
        if not engine.has_motion:
            return f"model {engine.card.name} has no pose network"
        if engine.card.ambiguity == "scale_and_shift":
            return (
                f"model {engine.card.name} gives depth up to scale and shift, which fits no motion"
            )
        return None

    def motion(self, earlier: View, later: View) -> Motion:
        """See `MotionMethod`."""
        T_earlier_later = self.network_motion(earlier, later)
        T_earlier_later[:3, 3] *= later.unit.factor
        return Motion(T_earlier_later, "network")

    def reset(self) -> None:
        """It keeps nothing."""

    def network_motion(self, earlier: View, later: View) -> rigid_motion.Matrix:
        """``T_earlier_later``, 4x4, in the network's own unit."""
        # Double precision keeps long chains of rotations orthonormal.
        motion = self.engine.motion(earlier.frames, later.frames)[0].astype(np.float64)
        if not np.isfinite(motion).all():
            raise ArithmeticError(f"model {self.engine.card.name} gave a motion that is not finite")
        T_later_earlier = rigid_motion.motion_of(np.roll(motion, 3))  # a twist: translation first
        return rigid_motion.inverse(T_later_earlier)
