"""Depth of one camera as another camera sees it: never stretched, always by the geometry."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from monodepth_ros.data.images.file import DepthImage
from monodepth_ros.geometry.camera import PinholeCamera

# Where a point is farther than what lies beside it by this share, it may show through a gap.
_BEHIND = 1.05
_NEAREST_Z = 1e-3  # metres
_FOLDED_PIXELS = 1.0


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
    pixels = np.stack([column, row], 1).astype(np.float64)
    points = rays(camera, pixels) * depth[row, column, None]
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
        row, column = np.indices((other.height, other.width))
        pixels = np.stack([column.ravel(), row.ravel()], 1).astype(np.float64)
        u, v = np.rint(project(camera, rays(other, pixels))).T
        inside = (u >= 0) & (u < camera.width) & (v >= 0) & (v < camera.height)
        pixel = np.where(inside, v * camera.width + u, 0).astype(np.int64)
        self._inside = inside.reshape(other.height, other.width)
        self._pixel = pixel.reshape(other.height, other.width)

    def __call__(self, depth: DepthImage) -> DepthImage:
        """Depth float32 of the other camera's size."""
        return np.where(self._inside, depth.ravel()[self._pixel], np.float32(np.nan))


def rays(camera: PinholeCamera, pixels: NDArray[np.float64]) -> NDArray[np.float64]:
    """Points Nx3 at Z = 1 m that a camera sees at pixels Nx2, distortion included."""
    if not len(pixels):
        return np.empty((0, 3))
    D = np.array(camera.D, np.float64)
    if not camera.distorted:
        flat = (np.column_stack([pixels, np.ones(len(pixels))]) @ np.linalg.inv(camera.K).T)[:, :2]
    elif camera.distortion_model == "equidistant":
        flat = cv2.fisheye.undistortPoints(pixels[:, None], camera.K, D).reshape(-1, 2)
    else:
        precise = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, 50, 1e-6)
        no_turn, metres = np.eye(3), np.eye(3)
        flat = np.asarray(
            cv2.undistortPointsIter(pixels[:, None], camera.K, D, no_turn, metres, precise)
        ).reshape(-1, 2)
    return np.column_stack([flat, np.ones(len(flat))])


def project(camera: PinholeCamera, points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Pixels Nx2 of points Nx3 in front of a camera, distortion included.

    NaN for points so far outside that the lens model, a polynomial, would fold them back inside.
    """
    if not len(points):
        return np.empty((0, 2))
    if not camera.distorted:
        return np.asarray((points @ camera.K.T)[:, :2] / points[:, 2:])
    D, still = np.array(camera.D, np.float64), np.zeros(3)
    if camera.distortion_model == "equidistant":
        pixels = cv2.fisheye.projectPoints(points[:, None], still, still, camera.K, D)[0]
    else:
        pixels = cv2.projectPoints(points[:, None], still, still, camera.K, D)[0]
    pixels = np.asarray(pixels, np.float64).reshape(-1, 2)
    off = np.abs(rays(camera, pixels)[:, :2] - points[:, :2] / points[:, 2:]).max(axis=1)
    folded = ~(off * camera.K[0, 0] < _FOLDED_PIXELS)
    return np.where(folded[:, None], np.nan, pixels)


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
