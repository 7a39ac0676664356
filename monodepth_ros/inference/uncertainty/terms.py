"""Terms of the error: what can be seen of an inverse depth map that tells where it errs.

Chosen among forty by what they told of frames that they were not fitted to (docs/confidence.md):
many terms fit a recording, few hold on another one.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

Map = NDArray[np.float32]

_LEAST = 0.128  # of log depth for the image's height; below it all are flat
_WIDE, _NARROW = 1 / 2, 1 / 30  # of the image's height, for means


def error_terms(inverse_depth: Map, log_variance: Map | None = None) -> dict[str, Map]:
    """Terms ``(h, w)`` by name, of inverse depth ``(h, w)`` in any unit, positive and finite.

    ``slope``: logarithm of the mean slope of log depth around a pixel: where depth changes much, a
    small error of place is a large one of depth. ``edge``: that of its second derivative, close by.
    ``offset``: how far log depth is from its median over the image: networks know the middle of a
    scene best. ``off_axis``: squared distance from the image's centre, 1 at its corners. ``head``:
    logarithm of the standard deviation of log depth by the network, where it tells its variance.
    """
    height, width = inverse_depth.shape
    log_depth = -cv2.log(inverse_depth)
    slopes = cv2.magnitude(
        cv2.Sobel(log_depth, cv2.CV_32F, 1, 0, scale=height / 8),
        cv2.Sobel(log_depth, cv2.CV_32F, 0, 1, scale=height / 8),
    )
    edges = np.abs(cv2.Laplacian(log_depth, cv2.CV_32F, ksize=3, scale=height))
    told = {} if log_variance is None else {"head": np.asarray(log_variance / 2, np.float32)}
    return {
        **told,
        "slope": _log_mean(slopes, _WIDE),
        "edge": _log_mean(edges, _NARROW),
        "offset": _mean(np.abs(log_depth - _median(log_depth)), _WIDE),
        "off_axis": _off_axis(height, width),
    }


@lru_cache(maxsize=4)
def _off_axis(height: int, width: int) -> Map:
    x = np.linspace(-1, 1, width, dtype=np.float32)
    y = np.linspace(-1, 1, height, dtype=np.float32)[:, None]
    return np.asarray((x * x + y * y) / 2, np.float32)


def _log_mean(values: Any, window: float) -> Map:
    return np.asarray(cv2.log(_mean(values, window) + np.float32(_LEAST)), np.float32)


def _mean(values: Any, window: float) -> Any:
    side = 2 * int(window * len(values) / 2) + 1
    return cv2.blur(values, (side, side), borderType=cv2.BORDER_REPLICATE)


def _median(values: Any) -> np.float32:
    """Of every fourth pixel, which is as good and takes a quarter of the time."""
    return np.float32(np.median(values[::2, ::2]))
