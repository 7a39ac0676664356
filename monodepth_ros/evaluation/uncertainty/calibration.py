"""Calibration: how much of the truth lies within the intervals that are predicted."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

Values = NDArray[np.float64]

# Shares of the truth that intervals should hold; one and about two standard deviations among them.
LEVELS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.68, 0.8, 0.9, 0.95)
_HALF_WIDTHS = ndtri((1 + np.array(LEVELS)) / 2)  # in standard deviations


def within(depth: Values, truth: Values, relative_stddev: Values) -> list[int]:
    """How many of the pixels (N,) lie within the interval of each of `LEVELS`.

    Intervals are those of a normal distribution of log depth, whose standard deviation is that of
    depth over depth: they are never negative, and a factor leaves them as they are.
    """
    deviation = np.abs(np.log(truth / depth))
    return [int((deviation <= width * relative_stddev).sum()) for width in _HALF_WIDTHS]
