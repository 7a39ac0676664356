"""The error of depth that a model's card predicts from what can be seen."""

from __future__ import annotations

import math
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from monodepth_ros.inference.uncertainty.half_size import halved
from monodepth_ros.inference.uncertainty.terms import TERMS, error_terms
from monodepth_ros.zoo.card import ErrorModel, ModelCard

Map = NDArray[np.float32]

_MOST = math.log(1000.0)  # beyond, nothing is known
# For models that nobody has calibrated: those of the bundled model. They rank pixels, no more.
UNCALIBRATED = ErrorModel(intercept=-2.3, slope=0.19, edge=0.12, offset=1.34, border=1.16)


def error_model_of(card: ModelCard) -> ErrorModel:
    """That of the card, what the network tells, or `UNCALIBRATED`."""
    if card.error_model is None and card.uncertainty is not None:
        return ErrorModel(intercept=math.log(card.uncertainty.temperature), head=1.0)
    return card.error_model or UNCALIBRATED


def is_calibrated(card: ModelCard) -> bool:
    """Whether a standard deviation means something."""
    return card.error_model is not None or card.uncertainty is not None


def relative_stddev(inverse_depth: Map, model: ErrorModel, log_variance: Map | None = None) -> Map:
    """Standard deviation of log depth ``(h / 2, w / 2)``, which is that of depth over depth.

    ``inverse_depth`` ``(h, w)`` is positive and finite, ``log_variance`` what the network says of
    log depth, of any size.
    """
    half = halved(inverse_depth)
    total: Any = np.full(half.shape, model.intercept, np.float32)
    weights = {name: getattr(model, name) for name in TERMS if getattr(model, name)}
    for name, term in error_terms(half, weights, log_variance).items():
        total = cv2.scaleAdd(term, weights[name], total)
    return np.asarray(np.exp(np.minimum(total, np.float32(_MOST))), np.float32)
