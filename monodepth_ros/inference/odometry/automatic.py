"""Geometry as long as it holds; the pose network where points are lost."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import replace
from typing import ClassVar

import numpy as np

from monodepth_ros.inference.engines.base import Engine
from monodepth_ros.inference.odometry.geometry import GeometricMotion, GeometrySettings
from monodepth_ros.inference.odometry.motion import Motion
from monodepth_ros.inference.odometry.network import NetworkMotion
from monodepth_ros.inference.odometry.view import View
from monodepth_ros.zoo.card import NetworkPart

_EVERY = 10  # steps; one of them is measured by both, to know how the lengths compare
_RATIOS = 15  # of lengths that are kept
_SHORTEST = 1e-4  # in the model's unit; the ratio of shorter steps says nothing


class AutomaticMotion:
    """Landmarks tell the motion. Where too few are left or agree, the pose network does.

    Lengths by the network are another scale than those by depth: they are multiplied by the median
    ratio of both over recent steps. Without a pose network it is the same as geometry.
    """

    networks: ClassVar[Sequence[NetworkPart]] = ("depth", "pose")
    sees_grey: ClassVar[bool] = True

    def __init__(self, engine: Engine, settings: GeometrySettings | None = None) -> None:
        self.engine = engine
        self._geometry = GeometricMotion(engine, settings)
        self._network = None if NetworkMotion.unsuited(engine) else NetworkMotion(engine)
        self.reset()

    @staticmethod
    def unsuited(engine: Engine) -> str | None:
        """See `MotionMethod`."""
        return GeometricMotion.unsuited(engine)

    def reset(self) -> None:
        """See `MotionMethod`."""
        self._geometry.reset()
        self._ratios: deque[float] = deque(maxlen=_RATIOS)
        self._steps = 0

    def motion(self, earlier: View, later: View) -> Motion:
        """See `MotionMethod`."""
        found = self._geometry.motion(earlier, later)
        self._steps += 1
        if self._network is None:
            return found
        if found.fallback:
            return self._by_network(self._network.motion(earlier, later), found.fallback)
        if self._steps % _EVERY == 0:
            self._compare(found, self._network.motion(earlier, later))
        return found

    def _by_network(self, motion: Motion, why: str) -> Motion:
        """Its step at the scale of the map; the tracker states its covariance."""
        step = motion.T_earlier_later.copy()
        step[:3, 3] *= float(np.median(self._ratios)) if self._ratios else 1.0
        self._geometry.expect(step)
        return replace(motion, T_earlier_later=step, fallback=why)

    def _compare(self, found: Motion, by_network: Motion) -> None:
        lengths = [np.linalg.norm(each.T_earlier_later[:3, 3]) for each in (found, by_network)]
        if min(lengths) > _SHORTEST:
            self._ratios.append(float(lengths[0] / lengths[1]))
