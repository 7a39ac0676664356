"""The error of depth that a model's card predicts from what can be seen."""

from __future__ import annotations

import math
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from monodepth_ros.inference.uncertainty.terms import error_terms
from monodepth_ros.zoo.card import ErrorModel, ModelCard

Map = NDArray[np.float32]

_MOST = math.log(1000.0)  # beyond, nothing is known
# For models that nobody has calibrated: those of the bundled model. They rank pixels, no more.
UNCALIBRATED = ErrorModel(intercept=-2.3, slope=0.36, edge=0.07, offset=1.4, off_axis=1.0)


def error_model_of(card: ModelCard) -> ErrorModel:
    """That of the card, what the network tells, or `UNCALIBRATED`."""
    if card.error_model is None and card.uncertainty is not None:
        return ErrorModel(intercept=math.log(card.uncertainty.temperature), head=1.0)
    return card.error_model or UNCALIBRATED


def is_calibrated(card: ModelCard) -> bool:
    """Whether a standard deviation means something."""
    return card.error_model is not None or card.uncertainty is not None


def relative_stddev(inverse_depth: Map, model: ErrorModel, log_variance: Map | None = None) -> Map:
    """Standard deviation of log depth ``(h, w)``, which is that of depth over depth.

    ``inverse_depth`` is positive and finite, ``log_variance`` what the network says of log depth.
    It is smooth, so it is computed at half the size, in a quarter of the time.
    """
    half, told = halved(inverse_depth), None if log_variance is None else halved(log_variance)
    total: Any = np.full(half.shape, model.intercept, np.float32)
    for name, term in error_terms(half, told).items():
        total = cv2.scaleAdd(term, getattr(model, name), total)
    stddev = cv2.exp(np.minimum(total, np.float32(_MOST)))
    return np.asarray(cv2.resize(stddev, inverse_depth.shape[::-1]), np.float32)


def halved(values: Map) -> Map:
    """``(h / 2, w / 2)``, each the mean of four."""
    size = values.shape[1] // 2, values.shape[0] // 2
    return np.asarray(cv2.resize(values, size, interpolation=cv2.INTER_AREA), np.float32)
