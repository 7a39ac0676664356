"""Which frames make a triplet: fixed stride, or neighbours that the camera has moved away from.

A pair of frames teaches depth through parallax. Too close, and the parallax drowns in noise; too
far, and the views no longer overlap. Handheld 30 Hz video needs every fourth frame or so, a car at
10 Hz every one, and both change their speed: hence spacing by apparent motion.
"""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

from monodepth_ros.data.images.file import CorruptFrame
from monodepth_ros.data.sequence import Sequence

GAP_PERIODS = 3.0  # a longer wait than this many median periods is a gap in the recording
DEPTH_SAMPLES = 32
FLOW_WIDTH = 160  # dense inverse search (Kroeger et al., ECCV 2016) needs no more

# motion(first, second) for index arrays of one length: apparent motion as a share of image width.
Motion = Callable[[NDArray[np.int64], NDArray[np.int64]], NDArray[np.float64]]


def segments(sequence: Sequence) -> NDArray[np.int64]:
    """A number for each frame, the same for frames without a gap between them.

    A gap is a step of the stamps back in time or longer than three median periods; where stamps
    are missing, frame numbers are looked at in the same way.
    """
    count = len(sequence)
    if not sequence.is_video:
        return np.arange(count, dtype=np.int64)
    stamps = [sequence.stamp_ns(i) for i in range(count)]
    known = [stamp for stamp in stamps if stamp is not None]
    times = known if len(known) == count else [sequence.number(i) for i in range(count)]
    steps = np.diff(np.array(times, dtype=np.int64))
    if steps.size == 0:
        return np.zeros(count, dtype=np.int64)
    gaps = (steps > GAP_PERIODS * np.median(steps)) | (steps < 0)
    return np.concatenate([[0], np.cumsum(gaps)]).astype(np.int64)


def fixed_triplets(segment: NDArray[np.int64], stride: int) -> NDArray[np.int64]:
    """(target, previous, next) rows ``stride`` frames apart, within one segment."""
    target = np.arange(stride, len(segment) - stride, dtype=np.int64)
    inside = segment[target - stride] == segment[target + stride]
    target = target[inside]
    return np.stack([target, target - stride, target + stride], axis=1)


def motion_triplets(
    segment: NDArray[np.int64], motion: Motion, wanted: float, max_stride: int
) -> NDArray[np.int64]:
    """(target, previous, next) rows whose neighbours are the nearest that moved by ``wanted``.

    Where no frame within ``max_stride`` and the segment did, the farthest of them is taken.
    """
    target = np.arange(len(segment), dtype=np.int64)
    previous = _neighbour(-1, segment, motion, wanted, max_stride)
    following = _neighbour(+1, segment, motion, wanted, max_stride)
    both = (previous != target) & (following != target)
    return np.stack([target, previous, following], axis=1)[both]


def _neighbour(
    direction: int, segment: NDArray[np.int64], motion: Motion, wanted: float, max_stride: int
) -> NDArray[np.int64]:
    target = np.arange(len(segment), dtype=np.int64)
    chosen = target.copy()
    searching = np.ones(len(target), dtype=bool)
    for stride in range(1, max_stride + 1):
        candidate = target + direction * stride
        exists = (candidate >= 0) & (candidate < len(target))
        searching &= exists
        searching[searching] = segment[candidate[searching]] == segment[target[searching]]
        if not searching.any():
            break
        index = np.flatnonzero(searching)
        chosen[index] = candidate[index]
        searching[index] = motion(index, candidate[index]) < wanted
    return chosen


def apparent_motion(sequence: Sequence, images: NDArray[np.uint8]) -> Motion:
    """How to measure motion in this sequence; ``images`` are its frames, Nx3xHxW.

    True poses and depth give parallax alone: focal length times travelled distance over scene
    depth. Without them the median optical flow between neighbours is summed up, which counts
    turning too.
    """
    poses = [sequence.pose(i) for i in range(len(sequence))]
    if sequence.has_depth and all(pose is not None for pose in poses):
        positions = np.array([pose[:3, 3] for pose in poses if pose is not None])
        return _parallax(sequence, positions)
    travelled = np.concatenate([[0.0], np.cumsum(flow_steps(images))])
    return lambda first, second: np.abs(travelled[second] - travelled[first])


def _parallax(sequence: Sequence, positions: NDArray[np.float64]) -> Motion:
    focal = sequence.camera.K[0, 0] / sequence.camera.width
    scene_depth = _scene_depth(sequence)

    def motion(first: NDArray[np.int64], second: NDArray[np.int64]) -> NDArray[np.float64]:
        distance = np.linalg.norm(positions[second] - positions[first], axis=1)
        return focal * distance / scene_depth[first]

    return motion


def _scene_depth(sequence: Sequence) -> NDArray[np.float64]:
    """Median true depth of each frame in metres, interpolated between a few sampled frames."""
    count = len(sequence)
    sampled, medians = [], []
    for index in np.unique(np.linspace(0, count - 1, DEPTH_SAMPLES).round().astype(int)):
        try:
            depth = sequence.depth(int(index))
        except CorruptFrame:
            continue
        if depth is not None and np.isfinite(depth).any():
            sampled.append(index)
            medians.append(float(np.nanmedian(depth)))
    return np.interp(np.arange(count), sampled, medians)


def flow_steps(images: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Median optical flow from each frame to the next as a share of image width: N-1 values."""
    height, width = images.shape[2:]
    small = (min(width, FLOW_WIDTH), round(height * min(1.0, FLOW_WIDTH / width)))
    estimator = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_FAST)
    steps: list[float] = []
    last = None
    for image in images:
        grey = cv2.cvtColor(np.ascontiguousarray(image.transpose(1, 2, 0)), cv2.COLOR_RGB2GRAY)
        grey = cv2.resize(grey, small, interpolation=cv2.INTER_AREA)
        if last is not None:
            flow = estimator.calc(last, grey, np.zeros((*grey.shape, 2), np.float32))
            steps.append(float(np.median(np.linalg.norm(flow, axis=2))) / small[0])
        last = grey
    return np.array(steps, dtype=np.float64)


def image_difference(
    images: NDArray[np.uint8], first: NDArray[np.int64], second: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Mean absolute difference of frame pairs in [0, 1], on every fourth pixel each way."""
    sampled = np.ascontiguousarray(images[:, :, ::4, ::4]).astype(np.int16)
    differences = [
        np.abs(sampled[i] - sampled[j]).mean() for i, j in zip(first, second, strict=True)
    ]
    return np.array(differences, dtype=np.float64) / 255.0
