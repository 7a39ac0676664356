"""Rows of input | predicted disparity | true disparity | relative error, for people to look at.

Depth is median-scaled to the truth. Both disparities share one colour range; the error is blue at
0 and red at 50 %, black where the truth is unknown.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from monodepth_ros.atomic_file import atomic_path
from monodepth_ros.data.open_sequence import open_sequence
from monodepth_ros.data.sequence import Sequence
from monodepth_ros.geometry.image_size import resize_nearest
from monodepth_ros.inference.depth_estimator import DepthEstimator
from monodepth_ros.visualisation.colour_maps import colourise

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


def _row(estimator: DepthEstimator, sequence: Sequence, index: int) -> NDArray[np.uint8]:
    image, truth = sequence.image(index), sequence.depth(index)
    size = (round(WIDTH * image.shape[0] / image.shape[1]), WIDTH)
    depth = resize_nearest(estimator.estimate(image, sequence.camera).depth, size)
    truth = resize_nearest(truth, size)
    known = np.isfinite(truth) & (truth > 0) & np.isfinite(depth)
    depth = depth * np.median(truth[known]) / np.median(depth[known])
    nearest = np.percentile(1 / truth[known], 95)
    error = np.where(known, np.abs(depth - truth) / truth, np.nan)
    columns = [
        cv2.resize(image, size[::-1], interpolation=cv2.INTER_AREA),
        colourise(1 / depth, 0, nearest, invalid=0),
        colourise(np.where(known, 1 / truth, np.nan), 0, nearest, invalid=0),
        colourise(error, 0, FULL_ERROR, "jet", invalid=0),
    ]
    return np.concatenate(columns, axis=1)
