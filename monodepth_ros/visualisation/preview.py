"""Pictures of a frame and what is said of it, side by side."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from monodepth_ros.geometry.image_size import resize_linear, resize_nearest
from monodepth_ros.visualisation.colour_maps import colourise

Rgb = NDArray[np.uint8]
_FULL_ERROR = 0.5  # relative error of depth drawn red


def side_by_side(rgb: Rgb, disparity: NDArray[np.float32]) -> Rgb:
    """The input and its colourised disparity, both at the input's size."""
    disparity = resize_linear(disparity, rgb.shape[:2])
    return np.concatenate([rgb, colourise(disparity)], axis=1)


def beside_the_truth(
    rgb: Rgb,
    depth: NDArray[np.float32],
    disparity: NDArray[np.float32],
    truth: NDArray[np.float32] | None,
    ratio: float,
) -> tuple[Rgb, str]:
    """Image, disparity, and with a truth that and the error, all of the depth's size; a caption.

    The error is that of depth times ``ratio``; without a finite one there is none.
    """
    height, width = depth.shape
    image = np.asarray(cv2.resize(rgb, (width, height), interpolation=cv2.INTER_AREA), np.uint8)
    parts, caption = [image, colourise(disparity)], "image, inverse depth (near is bright)"
    if truth is not None and np.isfinite(ratio):
        truth = resize_nearest(truth, (height, width)).astype(np.float32)
        truth = np.where(np.isfinite(truth) & (truth > 0), truth, np.float32(np.nan))
        error = np.abs(ratio * depth - truth) / truth
        parts += [colourise(1 / truth), colourise(error, 0, _FULL_ERROR, "jet", invalid=0)]
        caption += ", ground truth, relative error after median scaling (red: 50 % and more)"
    return np.concatenate(parts, axis=1), caption
