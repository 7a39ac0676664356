"""Sparsification: how the error of what is left falls as the least certain pixels are removed.

E. Ilg et al., "Uncertainty estimates and multi-hypotheses networks for optical flow", ECCV 2018;
M. Poggi et al., "On the uncertainty of self-supervised monocular depth estimation", CVPR 2020.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]

REMOVED = np.arange(50) / 50  # share of the pixels that is removed, in steps of 2 %
_STEP = 1 / 50


@dataclass(frozen=True)
class PixelError:
    """An error of each pixel, of depth and truth (N,), and what a mean of it is as a metric."""

    of_pixels: Callable[[Values, Values], Values]
    of_mean: Callable[[Values], Values] = lambda mean: mean


# By the names of figures: aurg_abs_rel and so on. `not_a1` is 1 - a1.
PIXEL_ERRORS = {
    "abs_rel": PixelError(lambda depth, truth: np.abs(depth - truth) / truth),
    "rmse": PixelError(lambda depth, truth: (depth - truth) ** 2, np.sqrt),
    "not_a1": PixelError(
        lambda depth, truth: (np.maximum(depth / truth, truth / depth) >= 1.25).astype(np.float64)
    ),
}


@dataclass(frozen=True)
class Sparsification:
    """Errors of one image at each of `REMOVED`, by the names of `PIXEL_ERRORS`.

    In ``curves`` pixels go by their uncertainty, in ``oracle`` by their true error. The first value
    of both is the error of all pixels, which stays as it is when pixels are removed at random.
    """

    curves: dict[str, list[float]]
    oracle: dict[str, list[float]]


def sparsification(depth: Values, truth: Values, uncertainty: Values) -> Sparsification:
    """Of paired depths (N,) and what ranks them: the most uncertain pixels go first."""
    curves, oracle = {}, {}
    for name, error in PIXEL_ERRORS.items():
        errors = error.of_pixels(depth, truth)
        curves[name] = error.of_mean(mean_of_the_rest(errors, uncertainty)).tolist()
        oracle[name] = error.of_mean(mean_of_the_rest(errors, errors)).tolist()
    return Sparsification(curves, oracle)


def mean_of_the_rest(errors: Values, uncertainty: Values) -> Values:
    """Mean error of what is left at each of `REMOVED`; one pixel at least stays.

    Pixels of equal uncertainty go in no order: each counts as their mean.
    """
    order = np.argsort(uncertainty, kind="stable")
    ranked, errors = uncertainty[order], errors[order]
    first = np.flatnonzero(np.concatenate([[True], ranked[1:] != ranked[:-1]]))
    alike = np.diff(np.append(first, len(ranked)))
    expected = np.repeat(np.add.reduceat(errors, first) / alike, alike)
    left = np.maximum(np.rint((1 - REMOVED) * len(errors)).astype(int), 1)
    return np.asarray(np.cumsum(expected)[left - 1] / left)


def gain(curve: Sequence[float]) -> float:
    """AURG: area between the random curve and this one, over the area under the random one.

    0 at random, negative if worse; NaN where there is no error. Relative to the random curve it
    needs no unit, and images of large and small errors count alike. The oracle has about 0.5. The
    last 2 % of the pixels are taken to be as those before.
    """
    level = curve[0]
    return (level - _area(curve)) / level if level > 0 else float("nan")


def _area(curve: Sequence[float]) -> float:
    values = np.append(curve, curve[-1])
    return float((values[1:] + values[:-1]).sum() / 2 * _STEP)
