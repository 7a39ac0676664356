"""Motions by geometry while it holds, else by what else the model has."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import ClassVar

from monodepth_ros.inference.engines.base import Engine
from monodepth_ros.inference.odometry.geometry import GeometricMotion
from monodepth_ros.inference.odometry.motion import Motion
from monodepth_ros.inference.odometry.refined import RefinedMotion
from monodepth_ros.inference.odometry.view import View
from monodepth_ros.zoo.card import NetworkPart


class AutoMotion:
    """`geometry`; where it lost its points, `refined`, if the model has a pose network.

    Landmarks carry a scale on that predicted depth has only given them at first. Refined motions
    have that of the depth now; their lengths are multiplied by the ratio of both.
    """

    networks: ClassVar[Sequence[NetworkPart]] = ("depth", "pose")
    sees_grey: ClassVar[bool] = True

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self._geometry = GeometricMotion(engine)
        self._other = None if RefinedMotion.unsuited(engine) else RefinedMotion(engine)

    @staticmethod
    def unsuited(engine: Engine) -> str | None:
        """See `MotionMethod`."""
        return GeometricMotion.unsuited(engine)

    def motion(self, earlier: View, later: View) -> Motion:
        """See `MotionMethod`. The geometry goes on in any case: it makes new landmarks then."""
        found = self._geometry.motion(earlier, later)
        if not found.fallback or self._other is None:
            return found
        other = self._other.motion(earlier, later)
        step = other.T_earlier_later.copy()
        step[:3, 3] *= self._geometry.length_ratio
        self._geometry.expect(step)
        return replace(other, T_earlier_later=step, fallback=found.fallback)

    def reset(self) -> None:
        """See `MotionMethod`."""
        self._geometry.reset()
