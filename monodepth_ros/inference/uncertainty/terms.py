"""Terms of the error: what can be seen of an inverse depth map that tells where it errs.

Chosen among forty by what they told of frames that they were not fitted to (docs/confidence.md):
many terms fit a recording, few hold on another one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from monodepth_ros.geometry.image_size import resize_linear

Map = NDArray[np.float32]

_LEAST = 0.128  # of log depth for the image's height; below it all are flat
_WIDE, _NARROW = 1 / 2, 1 / 30  # of the image's height, for means

TERMS = ("slope", "edge", "offset", "border", "head")
# Those that hold elsewhere, where a network tells its variance, and where it does not.
WITH_HEAD, WITHOUT_HEAD = (
    ("edge", "offset", "border", "head"),
    ("slope", "edge", "offset", "border"),
)


def error_terms(
    inverse_depth: Map, names: Iterable[str], log_variance: Map | None = None
) -> dict[str, Map]:
    """Terms ``(h, w)`` of these names, of inverse depth ``(h, w)``, positive, finite, in any unit.

    ``slope``: logarithm of the mean slope of log depth around a pixel: where depth changes much, a
    small error of place is a large one of depth. ``edge``: that of its second derivative, close by.
    ``offset``: how far log depth is from its median over the image: networks know the middle of a
    scene best. ``border``: nearness to the image's border, 1 at its corners: a network does not
    know what is beyond it. ``head``: logarithm of the standard deviation of log depth by the
    network, which tells its ``log_variance``, of any size.
    """
    log_depth = -cv2.log(inverse_depth)
    found = {name: _OF_DEPTH[name](log_depth) for name in names if name != "head"}
    if "head" in names and log_variance is not None:
        found["head"] = resize_linear(log_variance / 2, inverse_depth.shape)
    return found


def _slope(log_depth: Any) -> Map:
    scale = len(log_depth) / 8
    along = cv2.Sobel(log_depth, cv2.CV_32F, 1, 0, scale=scale)
    down = cv2.Sobel(log_depth, cv2.CV_32F, 0, 1, scale=scale)
    return _log_mean(cv2.magnitude(along, down), _WIDE)


def _edge(log_depth: Any) -> Map:
    curved = cv2.Laplacian(log_depth, cv2.CV_32F, ksize=3, scale=len(log_depth))
    return _log_mean(np.abs(curved), _NARROW)


def _offset(log_depth: Any) -> Map:
    few = log_depth[::2, ::2]  # whose median is as good, in a quarter of the time
    median = np.partition(few, few.size // 2, axis=None)[few.size // 2]
    return _mean(np.abs(log_depth - median), _WIDE)


def _border(log_depth: Any) -> Map:
    return _border_of(*log_depth.shape)


@lru_cache(maxsize=4)
def _border_of(height: int, width: int) -> Map:
    """Half as much above and below as to the sides."""
    x = np.linspace(-1, 1, width, dtype=np.float32)
    y = np.linspace(-1, 1, height, dtype=np.float32)[:, None]
    return np.asarray((2 * x**4 + y**4) / 3, np.float32)


_OF_DEPTH: dict[str, Callable[[Any], Map]] = {
    "slope": _slope,
    "edge": _edge,
    "offset": _offset,
    "border": _border,
}


def _log_mean(values: Any, window: float) -> Map:
    return np.asarray(cv2.log(_mean(values, window) + np.float32(_LEAST)), np.float32)


def _mean(values: Any, window: float) -> Map:
    side = 2 * int(window * len(values) / 2) + 1
    blurred = cv2.blur(values, (side, side), borderType=cv2.BORDER_REPLICATE)
    return np.asarray(blurred, np.float32)
