"""Rows of input | predicted disparity | true disparity | relative error, for people to look at.

Depth is median-scaled to the truth. Both disparities share one colour range; the error is blue at
0 and red at 50 %, black where the truth is unknown.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from monodepth_ros.atomic_file import atomic_path
from monodepth_ros.data.open_sequence import open_sequence
from monodepth_ros.geometry.mask_size import resize_nearest
from monodepth_ros.inference.depth_estimator import DepthEstimator

WIDTH = 192
FULL_ERROR = 0.5


def draw_predictions(model: Path, data: Iterable[str], out: Path, rows: int = 3) -> None:
    """A JPEG of ``rows`` frames, evenly spread over the sequences ``data``."""
    estimator = DepthEstimator(model)
    frames = [(s, i) for path in data for s in open_sequence(path) for i in range(len(s))]
    chosen = np.linspace(0, len(frames) - 1, rows + 2).round().astype(int)[1:-1]
    picture = np.concatenate([_row(estimator, *frames[number]) for number in chosen])
    with atomic_path(out) as temporary:
        encoded = cv2.imencode(".jpg", picture[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, 88])[1]
        temporary.write_bytes(encoded.tobytes())


def _row(estimator: DepthEstimator, sequence: Any, index: int) -> NDArray[np.uint8]:
    image, truth = sequence.image(index), sequence.depth(index)
    size = (round(WIDTH * image.shape[0] / image.shape[1]), WIDTH)
    depth = resize_nearest(estimator.estimate(image, sequence.camera).depth, size)
    truth = resize_nearest(truth, size)
    known = np.isfinite(truth) & (truth > 0) & np.isfinite(depth)
    depth = depth * np.median(truth[known]) / np.median(depth[known])
    nearest = np.percentile(1 / truth[known], 95)
    error = np.abs(depth - truth) / truth / FULL_ERROR
    columns = [
        cv2.resize(image, size[::-1], interpolation=cv2.INTER_AREA),
        _coloured(1 / depth / nearest, np.isfinite(depth), cv2.COLORMAP_MAGMA),
        _coloured(1 / truth / nearest, known, cv2.COLORMAP_MAGMA),
        _coloured(error, known, cv2.COLORMAP_JET),
    ]
    return np.concatenate(columns, axis=1)


def _coloured(level: NDArray[Any], known: NDArray[np.bool_], colours: int) -> NDArray[np.uint8]:
    level = np.where(known, level, 0).clip(0, 1)
    picture = cv2.applyColorMap((255 * level).round().astype(np.uint8), colours)[:, :, ::-1]
    return np.where(known[:, :, None], picture, 0).astype(np.uint8)
