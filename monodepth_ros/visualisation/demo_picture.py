"""One picture of what is known of a frame: image, depth, confidence, and the view from above."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from monodepth_ros.geometry.camera import PinholeCamera
from monodepth_ros.geometry.lens import backproject
from monodepth_ros.visualisation.colour_maps import colourise

Rgb = NDArray[np.uint8]
_BACKGROUND, _GRID = 24, 48
_ESTIMATE, _TRUTH, _CAMERA = (255, 170, 40), (120, 220, 120), (255, 255, 255)


def demo_picture(
    rgb: Rgb,
    depth: NDArray[np.float32],
    confidence: NDArray[np.float32] | None,
    camera: PinholeCamera,
    trajectory: NDArray[np.float64],
    truth: NDArray[np.float64] | None = None,
) -> Rgb:
    """Image | disparity | confidence | points and trajectory from above, all as high as the image.

    ``camera`` belongs to ``depth`` HxW. ``trajectory`` and ``truth`` are positions (N, 3) in the
    camera's frame now, in the unit of the depth.
    """
    height, width = rgb.shape[:2]
    parts = [rgb, _resized(colourise(np.reciprocal(depth)), height, width)]
    if confidence is not None:
        parts.append(_resized(colourise(confidence, 0, 1, "viridis"), height, width))
    colours = cv2.resize(rgb, depth.shape[::-1], interpolation=cv2.INTER_AREA).astype(np.uint8)
    parts.append(_from_above(depth, colours, camera, trajectory, truth, height))
    return np.concatenate(parts, axis=1)


def _resized(picture: Rgb, height: int, width: int) -> Rgb:
    return np.asarray(cv2.resize(picture, (width, height), interpolation=cv2.INTER_NEAREST))


def _from_above(
    depth: NDArray[np.float32],
    colours: Rgb,
    camera: PinholeCamera,
    trajectory: NDArray[np.float64],
    truth: NDArray[np.float64] | None,
    size: int,
) -> Rgb:
    """A square seen along the camera's y axis: it looks up the picture, its x axis points right."""
    seen = np.isfinite(depth)
    y, x = np.nonzero(seen)
    points = backproject(depth, camera, np.stack([x, y], 1))
    # What is nearly all there is; the last few points may be a hundred times as far.
    far = float(np.percentile(points[:, 2], 98)) if len(points) else 1.0
    behind = max(0.12 * far, -1.1 * trajectory[:, 2].min(initial=0.0))
    scale = (size - 1) / (far + behind)

    def place(positions: NDArray[np.float64]) -> NDArray[np.int32]:
        across = size / 2 + scale * positions[:, 0]
        up = size - 1 - scale * (positions[:, 2] + behind)
        return np.stack([across, up], 1).clip(-1e4, 1e4).round().astype(np.int32)

    picture = np.full((size, size, 3), _BACKGROUND, np.uint8)
    at = place(points)
    # From the bottom up, so that what lies on top is seen: y points down.
    order = np.argsort(-points[:, 1])
    inside: NDArray[np.bool_] = np.all((at >= 0) & (at < size), axis=1)
    order = order[inside[order]]
    picture[at[order, 1], at[order, 0]] = colours[seen][order]
    if truth is not None:
        cv2.polylines(picture, [place(truth)], False, _TRUTH, 1, cv2.LINE_AA)
    cv2.polylines(picture, [place(trajectory)], False, _ESTIMATE, 1, cv2.LINE_AA)
    cv2.circle(picture, tuple(map(int, place(np.zeros((1, 3)))[0])), 3, _CAMERA, -1, cv2.LINE_AA)
    return picture
