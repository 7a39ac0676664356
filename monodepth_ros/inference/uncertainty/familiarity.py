"""Familiarity: whether an image as a whole is like those that a model has learnt from."""

from __future__ import annotations

import math
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from monodepth_ros.inference.uncertainty.half_size import sampled
from monodepth_ros.zoo.card import Familiar

Map = NDArray[np.float32]

STATISTICS = ("brightness", "contrast", "detail", "coarseness", "chroma", "depth_spread")
_COARSE = 4  # pixels to one, for the coarse detail
_LEAST = 0.1  # grey levels from pixel to pixel: so that of nothing there is a logarithm


def statistics(image: NDArray[np.uint8], inverse_depth: Map) -> NDArray[np.float64]:
    """Numbers of `STATISTICS` of an image, uint8 ``(h, w, 3)``, and its inverse depth.

    Mean and standard deviation of grey, fine detail, how much of it a smaller image keeps, colour,
    and how far depth is spread. They cost a tenth of a millisecond, and tell noise, darkness,
    glare and test charts from scenes; they do not tell a scene from a photograph of it.
    """
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    mean, deviation = cv2.meanStdDev(grey)
    small = cv2.resize(grey, None, fx=1 / _COARSE, fy=1 / _COARSE, interpolation=cv2.INTER_AREA)
    fine, coarse = _detail(grey), _detail(small)
    red, green, blue = cv2.split(sampled(image))
    brightest, darkest = cv2.max(cv2.max(red, green), blue), cv2.min(cv2.min(red, green), blue)
    ordered = np.sort(inverse_depth[::_COARSE, ::_COARSE], axis=None)
    low, high = ordered[len(ordered) // 20], ordered[-1 - len(ordered) // 20]
    return np.array(
        [
            mean.item() / 255,
            deviation.item() / 255,
            math.log(fine),
            math.log(coarse / fine),
            _mean_difference(brightest, darkest) / 255,
            math.log(high / low),
        ]
    )


def distance(found: NDArray[np.float64], familiar: Familiar) -> float:
    """Mahalanobis distance of `statistics` from those of the card."""
    off = found - np.array(familiar.mean)
    return float(np.sqrt(off @ np.linalg.solve(np.array(familiar.covariance), off)))


def familiarity(image: NDArray[np.uint8], inverse_depth: Map, familiar: Familiar | None) -> float:
    """1 for an image like those of training, falling with the square of the distance beyond.

    Also 1 where the card does not say what is familiar.
    """
    if familiar is None:
        return 1.0
    far = distance(statistics(image, inverse_depth), familiar) / familiar.limit
    return 1.0 if far <= 1 else float(1 / far**2)


def _detail(grey: Any) -> float:
    """Mean grey levels from pixel to pixel."""
    along = _mean_difference(grey[:, 1:], grey[:, :-1])
    across = _mean_difference(grey[1:], grey[:-1])
    return (along + across) / 2 + _LEAST


def _mean_difference(one: Any, other: Any) -> float:
    return float(cv2.norm(one, other, cv2.NORM_L1)) / one.size
