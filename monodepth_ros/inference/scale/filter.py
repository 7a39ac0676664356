"""Scale and shift over time, from fits of single images: a Kalman filter with a gate."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from monodepth_ros.inference.scale.from_points import (
    PointScale,
    scale_and_shift_from_points,
    scale_from_points,
)
from monodepth_ros.inference.scale.unit import Scale
from monodepth_ros.stamps import SECOND

Array = NDArray[np.float64]
_CHI_SQUARED = (9.0, 11.8)  # three standard deviations of one and of two numbers


@dataclass(frozen=True)
class FilterSettings:
    """What is assumed of fits. Logarithms of scale; shifts count over the inverse depth in view."""

    drift: float = 0.15  # deviation by which the scale of a model wanders in a second
    most: float = 0.5  # deviation beyond which nothing wanders
    common: float = 0.05  # error that all points of an image share
    inflation: float = 2.0  # of a fit's deviation: points of one thing err alike
    first: int = 3  # fits that must agree before anything is known
    restart: int = 5  # fits in a row that disagree with the filter, after which it begins anew
    max_pause: float = 60.0  # seconds without a fit after which it begins anew


# Scale and shift take each other's part in a single image, so more of them count.
WITH_SHIFT = FilterSettings(drift=0.2, common=0.15, inflation=5.0)


class ScaleFilter:
    """The scale, and the shift where the model leaves it open, with their covariance."""

    def __init__(self, with_shift: bool, settings: FilterSettings | None = None) -> None:
        self.with_shift = with_shift
        self.settings = settings or (WITH_SHIFT if with_shift else FilterSettings())
        self.refused = 0  # fits that disagreed
        self.reset()

    def reset(self) -> None:
        """Forget all."""
        self._value = np.zeros(2)  # logarithm of the scale, and the shift
        self._covariance = np.zeros((2, 2))
        self._stamp: int | None = None
        self._agreeing = self._disagreeing = 0

    @property
    def known(self) -> bool:
        """Whether enough fits agree."""
        return self._agreeing >= self.settings.first

    @property
    def scale(self) -> Scale | None:
        """Of the model's inverse depth, in metres; None while it is not known."""
        if not self.known:
            return None
        log_scale, shift = self._value
        return Scale(
            float(np.exp(-log_scale)), "metric", float(shift), covariance=self._covariance.copy()
        )

    @property
    def missing(self) -> str:
        """How many fits are missing, in words; empty if none."""
        if self.known:
            return ""
        return f"{self._agreeing} of {self.settings.first} measurements agree"

    def measure(
        self, known: Array, variance: Array, predicted: Array, stamp: int, common: float = 0.0
    ) -> PointScale:
        """Fit the points of an image, as `from_points` does, and take the fit.

        ``common`` is the relative variance of all ``known`` inverse depths alike. The fit's reason
        also says so where it disagrees with those before.
        """
        fit_to = scale_and_shift_from_points if self.with_shift else scale_from_points
        fit = fit_to(known, variance, predicted)
        if fit.scale is None:
            return fit
        fit = replace(fit, covariance=fit.covariance + np.diag([common, 0.0]))
        if not self.add(fit, stamp, float(np.median(known[fit.agreeing]))):
            return replace(fit, reason="the measurement disagrees with those before")
        return fit

    def add(self, fit: PointScale, stamp: int, inverse_depth: float) -> bool:
        """Take a fit at ``stamp`` nanoseconds; False if it disagrees.

        ``inverse_depth`` is the middle one of its points: an error of the shift as large as that is
        as bad as one of the logarithm of the scale by 1.
        """
        assert fit.scale is not None
        self._forget_after_a_jump(stamp)
        unit = np.diag([1.0, inverse_depth])
        noise = self.settings.inflation**2 * fit.covariance
        noise = noise + unit @ unit * self.settings.common**2
        value = np.array([np.log(fit.scale), fit.shift])
        if self._stamp is None:
            self._begin(value, noise, stamp)
            return True
        wandered = self.settings.drift**2 * max(0.0, (stamp - self._stamp) / SECOND)
        P = self._covariance + unit @ unit * min(wandered, self.settings.most**2)
        if not self.with_shift:
            P[1], P[:, 1], noise[1], noise[:, 1] = 0, 0, 0, 0
            noise[1, 1] = 1.0
        innovation, S = value - self._value, P + noise
        if innovation @ np.linalg.solve(S, innovation) > _CHI_SQUARED[self.with_shift]:
            self._disagree(value, noise, stamp)
            return False
        gain = P @ np.linalg.inv(S)
        self._value = self._value + gain @ innovation
        self._covariance = (np.eye(2) - gain) @ P
        self._stamp, self._disagreeing = stamp, 0
        self._agreeing += 1
        return True

    def _begin(self, value: Array, noise: Array, stamp: int) -> None:
        if not self.with_shift:
            noise = np.diag([noise[0, 0], 0.0])
        self._value, self._covariance, self._stamp = value, noise, stamp
        self._agreeing, self._disagreeing = 1, 0

    def _disagree(self, value: Array, noise: Array, stamp: int) -> None:
        """Once more: what was known stays, until so many disagree that it must be wrong."""
        self.refused += 1
        self._disagreeing += 1
        if not self.known or self._disagreeing >= self.settings.restart:
            self._begin(value, noise, stamp)

    def _forget_after_a_jump(self, stamp: int) -> None:
        if self._stamp is None:
            return
        passed = (stamp - self._stamp) / SECOND
        if passed < 0 or passed > self.settings.max_pause:
            self.reset()
