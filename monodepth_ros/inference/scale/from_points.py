"""The scale, and the shift, of predicted inverse depth from points whose depth is known.

It knows nothing of where the points come from: a triangulation, a laser, a map. The known inverse
depth of a point is ``scale * predicted + shift``; depth times ``1 / scale`` is in the unit of the
points where there is no shift.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

MIN_POINTS = 8
_MIN_SHARE = 0.4  # of the points that must agree
_MIN_SPREAD = 0.1  # of the predicted inverse depth, over its median, to tell scale from shift
_PAIRS = 500  # of points, each of which a scale and a shift is tried from
_ITERATIONS = 20
_CONVERGED = 1e-6  # change of scale and shift
_WIDTH = 4.685  # times the deviation: Tukey's width of 95 % efficiency for normal errors
_OUTSIDE = 3.0  # times the deviation: what is further off does not agree
_ROUGH_SPREAD = 0.05  # of predicted depth: no point weighs more than by this before the fit
_MEDIAN_OF_SQUARES = 0.4549  # of a normal deviate
_SMALLEST_SPREAD = 1e-6  # of depth: exact points fit as well
_MAX_SPREAD = 0.7  # of depth


@dataclass(frozen=True)
class PointScale:
    """``scale`` and ``shift`` of predicted inverse depth, or the ``reason`` why they are unknown.

    ``covariance`` (2, 2) is that of the logarithm of the scale and of the shift. ``spread`` is the
    deviation of the logarithm of depth between points and prediction, ``agreeing`` (N,) are the
    points that count.
    """

    scale: float | None
    shift: float
    covariance: Array
    spread: float
    agreeing: NDArray[np.bool_]
    reason: str = ""

    @property
    def factor(self) -> float | None:
        """What predicted depth is multiplied by where there is no shift; None if unknown."""
        return None if self.scale is None else 1.0 / self.scale

    @property
    def log_deviation(self) -> float:
        """Standard deviation of the logarithm of the factor."""
        return float(np.sqrt(self.covariance[0, 0]))


def scale_from_points(
    known: Array, variance: Array, predicted: Array, deviation: Array | float = 0.0
) -> PointScale:
    """The scale from inverse depths ``known`` (N,), of ``variance`` (N,), and ``predicted`` (N,).

    ``deviation`` is that of the logarithm of the prediction, as far as it is known; what it leaves
    out shows in the points. It starts in the middle of the shortest interval that holds half of the
    logarithms of the ratios, by weight: unlike their median, outliers to one side do not move it.
    """
    usable = np.isfinite(known + variance + predicted) & (variance >= 0)
    usable &= (known > 0) & (predicted > 0)
    if reason := _too_few(usable):
        return _unknown(len(known), reason)
    y = np.log(known[usable] / predicted[usable])
    noise = variance[usable] / known[usable] ** 2 + _chosen(deviation, usable) ** 2
    start = _densest(y, 1.0 / (noise + _ROUGH_SPREAD**2))
    fit = _robust_fit(np.ones((len(y), 1)), y, np.array([start]), lambda fitted: noise, False)
    agreeing = _spread_out(fit.agreeing, usable)
    if reason := _disagreement(fit):
        return _unknown(len(known), reason)
    covariance = np.diag([fit.covariance[0, 0], 0.0])
    return PointScale(float(np.exp(fit.values[0])), 0.0, covariance, fit.spread, agreeing)


def scale_and_shift_from_points(
    known: Array, variance: Array, predicted: Array, deviation: Array | float = 0.0
) -> PointScale:
    """Scale and shift, for predictions that leave both open; arguments as `scale_from_points`.

    ``known`` may be zero or negative by noise here, ``predicted`` by its shift. Unknown where the
    predictions are so alike that the shift could be part of the scale. The start is the best of
    some hundred pairs of points.
    """
    usable = np.isfinite(known + variance + predicted) & (variance >= 0)
    if reason := _too_few(usable):
        return _unknown(len(known), reason)
    q, y = predicted[usable], known[usable]
    noise, relative = variance[usable], _chosen(deviation, usable)

    def of_fit(fitted: Array) -> Array:
        return np.asarray(noise + (relative * fitted) ** 2)

    X = np.column_stack([q, np.ones(len(q))])
    fit = _robust_fit(X, y, _best_pair(q, y, noise), of_fit, True)
    if reason := _disagreement(fit) or _too_alike(q[fit.agreeing]):
        return _unknown(len(known), reason)
    scale, shift = (float(value) for value in fit.values)
    if scale <= 0:
        return _unknown(len(known), "points that are nearer are predicted to be further away")
    to_log = np.diag([1.0 / scale, 1.0])
    covariance = to_log @ fit.covariance @ to_log
    agreeing = _spread_out(fit.agreeing, usable)
    return PointScale(scale, shift, covariance, fit.spread, agreeing)


def log_linear_fit(known: Array, variance: Array, predicted: Array) -> float:
    """The exponent of ``predicted`` (N,) that makes ``known`` (N,) of it up to a factor.

    All are positive. The slope of the logarithms, by the same robust least squares.
    """
    y, x = np.log(known), np.log(predicted)
    noise = variance / known**2
    x = x - np.median(x)
    X = np.column_stack([np.ones(len(x)), x])
    start = np.array([_densest(y - x, 1.0 / (noise + _ROUGH_SPREAD**2)), 1.0])
    return float(_robust_fit(X, y, start, lambda fitted: noise, False).values[1])


@dataclass(frozen=True)
class _Fit:
    """Of ``y = X @ values``: relative to the fitted y if `relative`, else in its own unit."""

    values: Array
    covariance: Array
    spread: float
    agreeing: NDArray[np.bool_]


def _robust_fit(
    X: Array, y: Array, start: Array, noise: Callable[[Array], Array], relative: bool
) -> _Fit:
    """Least squares with Tukey's weights, repeated from ``start`` (P,).

    ``noise`` gives the known variance (N,) for fitted values. What the residuals show beyond it is
    the spread, a share of the fitted value if ``relative``; it is estimated along with the fit, at
    last from the points that agree alone. Cauchy's weights, which never vanish, let 40 % of
    outliers to one side move the scale by a tenth.
    """
    agreeing = np.ones(len(y), bool)
    values: Array = start
    for _ in range(_ITERATIONS):
        fitted = X @ values
        error = y - fitted
        size = np.maximum(np.abs(fitted), 1e-9) if relative else np.ones(len(y))
        expected = noise(fitted)
        spread = _spread((error / size)[agreeing], (expected / size**2)[agreeing])
        deviation = np.sqrt(expected + (spread * size) ** 2)
        inside = 1.0 - np.minimum(1.0, (error / (_WIDTH * deviation)) ** 2)
        weights = (inside / deviation) ** 2
        agreeing = np.abs(error) < _OUTSIDE * deviation
        H = (X.T * weights) @ X
        step = np.linalg.lstsq(H, X.T @ (weights * error), rcond=None)[0]
        values = np.asarray(values + step, np.float64)
        if np.abs(step).max() <= _CONVERGED * np.abs(values).max():
            break
    return _Fit(values, np.asarray(np.linalg.pinv(H), np.float64), float(spread), agreeing)


def _spread(error: Array, noise: Array) -> float:
    """The deviation (at least the smallest) that errors have beyond their known variances.

    With it the median of the squared errors over their variance is that of a normal distribution.
    What each error asks for has its order, so the median of that is what all ask for.
    """
    asked = error**2 / _MEDIAN_OF_SQUARES - noise
    return float(np.sqrt(max(np.median(asked), _SMALLEST_SPREAD**2)))


def _best_pair(q: Array, y: Array, noise: Array) -> Array:
    """Scale and shift (2,) through the two points that most others agree with."""
    generator = np.random.default_rng(0)
    one, other = generator.integers(0, len(q), (2, _PAIRS))
    apart = np.abs(q[one] - q[other]) > 1e-9 * np.abs(q).max()
    one, other = one[apart], other[apart]
    if not len(one):
        return np.array([0.0, float(np.median(y))])
    scale = (y[one] - y[other]) / (q[one] - q[other])
    shift = y[one] - scale * q[one]
    fitted = scale[:, None] * q + shift[:, None]
    error = (y - fitted) ** 2 / (noise + (_ROUGH_SPREAD * fitted) ** 2 + 1e-300)
    best = int(np.median(error, axis=1).argmin())
    return np.array([scale[best], shift[best]])


def _densest(values: Array, weights: Array) -> float:
    """The middle of the shortest interval that holds half of the weight (Rousseeuw, 1984)."""
    order = np.argsort(values)
    values = values[order]
    below = np.cumsum(weights[order])
    before = below - weights[order]
    last = np.searchsorted(below, before + 0.5 * below[-1] * (1 - 1e-12))
    first = np.flatnonzero(last < len(values))
    best = first[(values[last[first]] - values[first]).argmin()]
    return float(values[best] + values[last[best]]) / 2


def _chosen(deviation: Array | float, usable: NDArray[np.bool_]) -> Array:
    return np.asarray(np.broadcast_to(deviation, usable.shape)[usable])


def _spread_out(chosen: NDArray[np.bool_], usable: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Which of all points are the chosen ones of the usable points."""
    all_points = np.zeros(len(usable), bool)
    all_points[usable] = chosen
    return all_points


def _unknown(count: int, reason: str) -> PointScale:
    nothing = np.full((2, 2), np.nan)
    return PointScale(None, 0.0, nothing, np.nan, np.zeros(count, bool), reason)


def _too_few(usable: NDArray[np.bool_]) -> str:
    count = int(usable.sum())
    return f"{count} points with a depth; {MIN_POINTS} are needed" if count < MIN_POINTS else ""


def _disagreement(fit: _Fit) -> str:
    """Why a fit is none; empty if it is one."""
    share = float(fit.agreeing.mean())
    if share < _MIN_SHARE:
        return f"only {share:.0%} of the points agree with the prediction"
    if fit.spread > _MAX_SPREAD:
        return (
            f"points and prediction differ by {fit.spread:.2f} of the depth beyond a common scale"
        )
    return ""


def _too_alike(predicted: Array) -> str:
    """Why scale and shift cannot be told apart; empty if they can."""
    middle = float(np.median(predicted))
    spread = 1.4826 * float(np.median(np.abs(predicted - middle)))
    if spread < _MIN_SPREAD * abs(middle):
        return "the predicted depths are too alike to tell the scale from the shift"
    return ""
