"""Terms of the error: what can be seen of an inverse depth map that tells where it errs.

Chosen among forty by what they told of frames that they were not fitted to (docs/confidence.md):
many terms fit a recording, few hold on another one.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

Map = NDArray[np.float32]

_LEAST = 0.128  # of log depth for the image's height; below it all are flat
_WIDE, _NARROW = 1 / 2, 1 / 32  # of the image's height, for means


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
    x = np.linspace(-1, 1, width, dtype=np.float32)
    y = np.linspace(-1, 1, height, dtype=np.float32)[:, None]
    told = {} if log_variance is None else {"head": np.asarray(log_variance / 2, np.float32)}
    return {
        **told,
        "slope": _log_mean(slopes, _WIDE),
        "edge": _log_mean(edges, _NARROW),
        "offset": np.abs(log_depth - np.median(log_depth)),
        "off_axis": np.asarray((x * x + y * y) / 2, np.float32),
    }


def _log_mean(values: NDArray[Any], window: float) -> Map:
    side = 2 * int(window * len(values) / 2) + 1
    mean = cv2.blur(values, (side, side), borderType=cv2.BORDER_REPLICATE)
    return np.asarray(cv2.log(mean + np.float32(_LEAST)), np.float32)
