"""The error of depth that a model's card predicts from what can be seen."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from monodepth_ros.inference.uncertainty.terms import error_terms
from monodepth_ros.zoo.card import ErrorModel, ModelCard

Map = NDArray[np.float32]

_MOST = math.log(1000.0)  # so that no product of its exponential is infinite
# For models that nobody has calibrated: it ranks pixels, and its intervals mean nothing.
UNCALIBRATED = ErrorModel(intercept=-3.0, slope=0.4, edge=0.1, offset=0.5, off_axis=0.9)


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
    """
    total = np.full(inverse_depth.shape, model.intercept, np.float32)
    for name, term in error_terms(inverse_depth, log_variance).items():
        np.add(total, np.float32(getattr(model, name)) * term, out=total)
    return np.asarray(np.exp(np.clip(total, -_MOST, _MOST)), np.float32)
