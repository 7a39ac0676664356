"""Views of one image that should have the same depth; where they have not, depth is doubtful."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

Rgb = NDArray[np.uint8]
Map = NDArray[np.float32]

_KEPT = 7 / 8  # of each side, by the crop


def _gain(factor: float) -> Callable[[Rgb], Rgb]:
    return lambda image: np.asarray(cv2.convertScaleAbs(image, alpha=factor), np.uint8)


def _cropped(image: Rgb) -> Rgb:
    rows, columns = _inner(image.shape[:2])
    return np.asarray(cv2.resize(image[rows, columns], image.shape[1::-1]), np.uint8)


def _uncropped(depth: Map) -> Map:
    """Back at its place, NaN around it."""
    rows, columns = _inner(depth.shape)
    whole = np.full(depth.shape, np.nan, np.float32)
    inside = whole[rows, columns]
    inside[:] = cv2.resize(depth, inside.shape[::-1])
    return whole


def _inner(size: tuple[int, ...]) -> tuple[slice, slice]:
    first, second = (int(side * (1 - _KEPT) / 2) for side in size)
    return slice(first, size[0] - first), slice(second, size[1] - second)


def _mirrored(values: NDArray[np.generic]) -> NDArray[np.generic]:
    return np.ascontiguousarray(values[:, ::-1])


def _same(depth: Map) -> Map:
    return depth


# What is done to the image, and what undoes it in its depth; the most telling ones first.
_VIEWS: dict[str, tuple[Callable[..., Rgb], Callable[..., Map]]] = {
    "mirrored": (_mirrored, _mirrored),  # type: ignore[dict-item]
    "darker": (_gain(0.7), _same),
    "brighter": (_gain(1.4), _same),
    "blurred": (lambda image: np.asarray(cv2.GaussianBlur(image, (0, 0), 1.0), np.uint8), _same),
    "cropped": (_cropped, _uncropped),
}
MAX_VIEWS = len(_VIEWS)


def views_of(image: Rgb, count: int) -> Rgb:
    """The first ``count`` views of an image ``(h, w, 3)``: ``(count, h, w, 3)``."""
    return np.stack([view(image) for view, _ in list(_VIEWS.values())[:count]])


def spread(inverse_depth: Map, of_views: NDArray[np.float32]) -> Map:
    """Standard deviation of log depth over an image and its views, ``(h, w)``.

    A factor between views does not count: all are brought to the same median.
    """
    undone = [undo(values) for (_, undo), values in zip(_VIEWS.values(), of_views, strict=False)]
    with np.errstate(divide="ignore", invalid="ignore"):
        logs = [np.log(values / inverse_depth) for values in undone]
    apart = np.stack([np.zeros_like(inverse_depth), *(log - _median(log) for log in logs)])
    return np.asarray(np.nanstd(np.where(np.isfinite(apart), apart, np.nan), axis=0), np.float32)


def _median(values: Map) -> np.float32:
    known = values[np.isfinite(values)]
    return np.float32(np.median(known)) if known.size else np.float32(0)
