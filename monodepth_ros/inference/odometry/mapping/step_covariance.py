"""How uncertain a step of geometry is, by its points and by how well they fit.

Errors of points say how wrong a pose is if they are independent. They are not: a lens, a rolling
shutter and a calibration are shared by all points. All of it shows in how badly the points fit, so
the covariance is scaled by that, as by the variance of unit weight in adjustment (E. M. Mikhail,
"Observations and Least Squares", 1976).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from monodepth_ros.geometry.rigid_motion import Matrix
from monodepth_ros.inference.odometry.mapping.landmarks import Floats

_FEWEST = 12  # points that tell how well they fit
_MEDIAN = 2 * math.log(2)  # of a squared error in two dimensions over its variance


@dataclass(frozen=True)
class StepNoise:
    """Standard deviations, measured, where points fit as expected."""

    inflation: float = 2.6  # of what points say: errors of a point are alike in many images
    shared: float = 1.3e-3  # radians; an error that all points share
    scale: float = 0.03  # of a way as long as the points are far; grows with the root of the way
    memory: int = 10  # images that tell how well points usually fit


class Misfit:
    """How large the errors of points are over what is expected of them; as expected at first."""

    def __init__(self, memory: int) -> None:
        self._memory, self._usual = memory, 1.0

    def add(self, squared: Floats, sure: NDArray[np.bool_]) -> float:
        """That of an image by its squared errors (N,), or the usual one, if that is larger.

        A point whose depth is not ``sure`` fits wherever it is seen on its epipolar line.
        """
        if sure.sum() < _FEWEST:
            return self._usual
        now = math.sqrt(float(np.median(squared[sure])) / _MEDIAN)
        self._usual += (now - self._usual) / self._memory
        return max(now, self._usual)


def step_covariance(
    information: Matrix, T_earlier_later: Matrix, distance: float, misfit: float, noise: StepNoise
) -> Matrix:
    """6x6 of a step, translation first, in the axes of the earlier camera.

    ``information`` 6x6 is that of the later pose in its own axes, ``distance`` that of the points.
    An error that all points share counts as a turn, and as a shift at that distance. The scale errs
    alike in steps near to each other, and anew where other points are in sight: by independent
    steps, its variance grows with the way, and not with the square of each step.
    """
    turn = np.kron(np.eye(2), T_earlier_later[:3, :3])
    covariance = turn @ np.linalg.inv(information + 1e-9 * np.eye(6)) @ turn.T
    covariance = noise.inflation**2 * covariance
    covariance += noise.shared**2 * np.diag([distance**2] * 3 + [1.0] * 3)
    t = T_earlier_later[:3, 3]
    way = float(np.linalg.norm(t))
    if way > 0:
        covariance[:3, :3] += noise.scale**2 * distance / way * np.outer(t, t)
    return np.asarray(misfit**2 * covariance)
