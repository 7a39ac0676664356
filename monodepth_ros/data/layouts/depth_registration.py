"""Depth of one camera as another camera sees it: never stretched, always by the geometry."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from monodepth_ros.data.images.file import DepthImage
from monodepth_ros.geometry.camera import PinholeCamera
from monodepth_ros.geometry.lens import backproject, pixel_centres, project, rays

# Where a point is farther than what lies beside it by this share, it may show through a gap.
_BEHIND = 1.05
_NEAREST_Z = 1e-3  # metres


def register_depth(
    depth: DepthImage,
    camera: PinholeCamera,
    other: PinholeCamera,
    T_other_camera: NDArray[np.float64],
) -> DepthImage:
    """Depth of ``camera`` (float32 HxW) in the pixels of ``other``, NaN where nothing is seen.

    Every pixel's point goes to the nearest pixel of the other camera, and of several the nearest
    point counts. So another camera of longer focal length gets gaps; what shows through them from
    behind is left out. Both cameras may be distorted; ``T_other_camera`` is 4x4, in metres.
    """
    height, width = other.height, other.width
    row, column = np.nonzero(np.isfinite(depth) & (depth > 0))
    points = backproject(depth, camera, np.stack([column, row], 1))
    points = points @ T_other_camera[:3, :3].T + T_other_camera[:3, 3]
    points = points[points[:, 2] > _NEAREST_Z]
    u, v = np.rint(project(other, points)).T
    z = points[:, 2]
    inside = (u >= 0) & (u < width) & (v >= 0) & (v < height)
    pixel, z = (v[inside] * width + u[inside]).astype(np.int64), z[inside]
    far_first = np.argsort(-z)  # so that the nearest is what stays
    seen = np.full(height * width, np.nan, np.float32)
    seen[pixel[far_first]] = z[far_first]
    return _without_seen_through(seen.reshape(height, width), _gap(camera, other))


class DepthResampler:
    """As `register_depth`, of cameras that share their optical centre and axes: without gaps.

    Each pixel of ``other`` takes the depth along its ray, NaN outside the image of ``camera``. The
    lookup is computed once.
    """

    def __init__(self, camera: PinholeCamera, other: PinholeCamera) -> None:
        directions = rays(other, pixel_centres(other.height, other.width))
        u, v = np.rint(project(camera, directions)).T
        inside = (u >= 0) & (u < camera.width) & (v >= 0) & (v < camera.height)
        pixel = np.where(inside, v * camera.width + u, 0).astype(np.int64)
        self._inside = inside.reshape(other.height, other.width)
        self._pixel = pixel.reshape(other.height, other.width)

    def __call__(self, depth: DepthImage) -> DepthImage:
        """Depth float32 of the other camera's size."""
        return np.where(self._inside, depth.ravel()[self._pixel], np.float32(np.nan))


def _gap(camera: PinholeCamera, other: PinholeCamera) -> int:
    """How many pixels of ``other`` a pixel of ``camera`` is wide, rounded up."""
    wide = max(other.K[0, 0] / camera.K[0, 0], other.K[1, 1] / camera.K[1, 1])
    return int(np.ceil(wide - 1e-3))


def _without_seen_through(seen: DepthImage, gap: int) -> DepthImage:
    """Without the points that lie between those of something nearer."""
    if gap <= 1:
        return seen
    known = np.where(np.isfinite(seen), seen, np.float32(np.inf)).astype(np.float32)
    window = np.ones((2 * gap - 1, 2 * gap - 1), np.uint8)
    nearest = cv2.erode(known, window, borderType=cv2.BORDER_REPLICATE)
    return np.where(seen > _BEHIND * nearest, np.float32(np.nan), seen).astype(np.float32)
