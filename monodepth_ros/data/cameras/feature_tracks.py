"""Points followed from one frame to a later one that sees them elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache, partial
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from monodepth_ros.data.images.file import CorruptFrame
from monodepth_ros.data.sequence import Sequence
from monodepth_ros.geometry.camera import PinholeCamera

_WIDTH = 480  # pixels of the images that points are followed in
_POINTS, _FEWEST = 300, 40
_FARTHEST = 30  # frames
_MOTION = 0.08  # share of the width that the median point must have moved
_WINDOW, _LEVELS = (15, 15), 3
_AGREE = 0.5  # pixels, forth and back

Points = NDArray[np.float64]


class TrackedPoints(NamedTuple):
    """Pixels (N, 2) of the undistorted camera, of the same points in two frames."""

    first: Points
    second: Points


def tracks_from(sequence: Sequence, starts: Iterable[int]) -> Iterator[TrackedPoints]:
    """Points of each of ``starts`` in the next frame in which they have moved far enough.

    Nothing where nothing moves, or too few points can be followed. With ascending starts each
    frame is decoded once, since a video can only be read forward.
    """
    small = lru_cache(_FARTHEST + 1)(partial(_small_grey, sequence))
    for start in starts:
        end = min(start + 1 + _FARTHEST, len(sequence))
        pixels = _track(small, range(start, end))
        if pixels is not None:
            scale = min(1.0, _WIDTH / sequence.camera.width)
            yield TrackedPoints(*(_undistorted(p, scale, sequence.camera) for p in pixels))


def _track(
    small: Callable[[int], NDArray[np.uint8]], frames: range
) -> tuple[NDArray[np.float32], NDArray[np.float32]] | None:
    """Pixels of the first of ``frames``, and of the same points where they have moved enough."""
    try:
        grey = small(frames[0])
        found = cv2.goodFeaturesToTrack(grey, _POINTS, 0.01, 8)
        if found is None or len(found) < _FEWEST:
            return None
        first = last = np.asarray(found.reshape(-1, 2), np.float32)
        for index in frames[1:]:
            following = small(index)
            now, kept = _follow(grey, following, last)
            first, last, grey = first[kept], now[kept], following
            if len(last) < _FEWEST:
                return None
            if np.median(np.linalg.norm(last - first, axis=1)) >= _MOTION * grey.shape[1]:
                return first, last
    except (CorruptFrame, cv2.error):  # of images that differ in size, or are a pixel high
        return None
    return None


def _small_grey(sequence: Sequence, index: int) -> NDArray[np.uint8]:
    grey = cv2.cvtColor(sequence.image(index), cv2.COLOR_RGB2GRAY)
    scale = min(1.0, _WIDTH / grey.shape[1])
    small = cv2.resize(grey, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    return np.asarray(small, np.uint8)


def _follow(
    before: NDArray[np.uint8], after: NDArray[np.uint8], points: NDArray[np.float32]
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Where points are in the next image, and for which the way back agrees."""
    none = np.empty_like(points)
    flow = partial(cv2.calcOpticalFlowPyrLK, winSize=_WINDOW, maxLevel=_LEVELS)
    now, found, _ = flow(before, after, points, none)
    back, found_back, _ = flow(after, before, now, none.copy())
    agree = np.linalg.norm(back - points, axis=1) < _AGREE
    return np.asarray(now), (found[:, 0] == 1) & (found_back[:, 0] == 1) & agree


def _undistorted(points: NDArray[np.float32], scale: float, camera: PinholeCamera) -> Points:
    pixels = (points.astype(np.float64) + 0.5) / scale - 0.5
    if not camera.distorted:
        return pixels
    D = np.array(camera.D, np.float64)
    library = cv2.fisheye if camera.distortion_model == "equidistant" else cv2
    found = library.undistortPoints(pixels[:, None], camera.K, D, P=camera.K)
    return np.asarray(found, np.float64)[:, 0]
