"""All that is known about the error of a depth map, in one number for each pixel."""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from monodepth_ros.inference.uncertainty.error_model import error_model_of, relative_stddev
from monodepth_ros.inference.uncertainty.evidence import evidence
from monodepth_ros.inference.uncertainty.familiarity import familiarity
from monodepth_ros.inference.uncertainty.half_size import halved
from monodepth_ros.inference.uncertainty.views import spread
from monodepth_ros.zoo.card import ModelCard

Map = NDArray[np.float32]

_LEAST = 0.1  # a standard deviation of ten times the depth says nothing
_GOOD = math.log(1.25)  # a1 of the depth metrics


def certainty(
    image: NDArray[np.uint8],
    inverse_depth: Map,
    card: ModelCard,
    log_variance: Map | None = None,
    of_views: NDArray[np.float32] | None = None,
) -> Map:
    """Inverse of the standard deviation of log depth, ``(h / 2, w / 2)``; 0: nothing is known.

    ``image`` is uint8 ``(h, w, 3)`` as the network sees it, ``inverse_depth`` ``(h, w)``,
    ``log_variance`` what the network says of log depth, ``of_views`` inverse depths of the first of
    `views`. What the error model of the card predicts counts as far as the image shows something
    and is like those of training. Of pixels without depth it says what is known around them.
    """
    if not (inverse_depth.min() > 0 and inverse_depth.max() < np.inf):
        usable = (inverse_depth > 0) & (inverse_depth < np.inf)
        if not usable.any():
            return np.zeros_like(halved(inverse_depth))
        inverse_depth = np.where(usable, inverse_depth, np.median(inverse_depth[usable]))
    model = error_model_of(card)
    stddev = relative_stddev(inverse_depth, model, log_variance)
    if of_views is not None:
        stddev = np.hypot(stddev, halved(spread(inverse_depth, of_views)))
    familiar = familiarity(image, inverse_depth, model.familiar)
    return np.asarray(cv2.divide(evidence(image), stddev, scale=familiar), np.float32)


def confidence_of(certainty: Map) -> Map:
    """Probability that depth is within 25 % of the truth, from 0 to 1."""
    return _erf(np.float32(_GOOD / math.sqrt(2)) * certainty)


def stddev_of(certainty: Map) -> Map:
    """Standard deviation of depth over depth, NaN where nothing is known."""
    known = certainty >= _LEAST
    return np.reciprocal(certainty, out=np.full_like(certainty, np.nan), where=known)


def _erf(x: Map) -> Map:
    """Abramowitz and Stegun, 7.1.27: off by 5e-4 at most, and cheap."""
    polynomial = 1 + x * (0.278393 + x * (0.230389 + x * (0.000972 + x * 0.078108)))
    return np.asarray(1 - 1 / np.square(np.square(polynomial)), np.float32)
