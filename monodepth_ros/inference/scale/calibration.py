"""One fit of scale, shift and exponent over many frames: what makes a model metric by its card."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from monodepth_ros.errors import UserError
from monodepth_ros.inference.scale.from_points import (
    MIN_POINTS,
    log_linear_fit,
    scale_and_shift_from_points,
    scale_from_points,
)

Array = NDArray[np.float64]

_EXPONENTS = np.linspace(0.5, 2.0, 16)  # that are tried with a shift
_WORTH = 0.98  # of the deviation; an exponent that leaves more of it is none


@dataclass(frozen=True)
class MetricFit:
    """Inverse depth in 1/m is ``scale * q ** exponent + shift``.

    ``deviation`` is that of the logarithm of depth of ``points`` points, of which ``agreeing`` is
    the share that the fit goes by.
    """

    scale: float
    shift: float
    exponent: float
    deviation: float
    points: int
    agreeing: float


def fit_metres(known: Array, variance: Array, predicted: Array, with_shift: bool) -> MetricFit:
    """From inverse depths ``known`` (N,), of ``variance`` (N,), and what the network gives there.

    Without a shift logarithms are linear in those of ``predicted``: the exponent is their slope.
    With one, scale and shift are linear for each of some exponents. The exponent is 1 unless
    another one fits clearly better. UserError where points and prediction do not go together.
    """
    plain = _fit(known, variance, predicted, with_shift, 1.0)
    usable = np.isfinite(known + variance + predicted) & (predicted > 0) & (known > 0)
    if usable.mean() < 1 and with_shift:
        return plain  # a power of negative numbers is none
    if usable.sum() < MIN_POINTS:
        return plain
    known, variance, predicted = known[usable], variance[usable], predicted[usable]
    exponents = _EXPONENTS if with_shift else np.array([log_linear_fit(known, variance, predicted)])
    bounded = exponents[(exponents >= _EXPONENTS[0]) & (exponents <= _EXPONENTS[-1])]
    others = [_fit(known, variance, predicted, with_shift, float(power)) for power in bounded]
    best = min([plain, *others], key=lambda fit: fit.deviation)
    return best if best.deviation < _WORTH * plain.deviation else plain


def _fit(
    known: Array, variance: Array, predicted: Array, with_shift: bool, exponent: float
) -> MetricFit:
    powers = predicted if exponent == 1 else predicted**exponent
    fit_to = scale_and_shift_from_points if with_shift else scale_from_points
    found = fit_to(known, variance, powers)
    if found.scale is None:
        raise UserError(f"no metres can be fitted: {found.reason}")
    fitted = found.scale * powers + found.shift
    with np.errstate(all="ignore"):
        errors = np.log(known / fitted)
    errors = errors[np.isfinite(errors)]
    deviation = 1.4826 * float(np.median(np.abs(errors)))
    share = float(found.agreeing.mean())
    return MetricFit(found.scale, found.shift, exponent, deviation, len(known), share)
