"""Rays of pixels and pixels of points, with the lens: arrays of NumPy.

`projection` does the same of tensors for cameras without distortion; a test holds both equal.
"""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np
from numpy.typing import NDArray

from monodepth_ros.geometry.camera import PinholeCamera
from monodepth_ros.geometry.distortion import widest_ray

Plane = NDArray[np.float32]

_BAND = 32  # rows


def pixel_centres(height: int, width: int, stride: int = 1) -> NDArray[np.float64]:
    """Of every ``stride``-th row and column, ``(N, 2)``, x first, row by row."""
    rows, columns = np.mgrid[0:height:stride, 0:width:stride]
    return np.column_stack([columns.ravel(), rows.ravel()]).astype(np.float64)


def rays(camera: PinholeCamera, pixels: NDArray[np.float64]) -> NDArray[np.float64]:
    """Points ``(N, 3)`` at Z = 1 that a camera sees at ``pixels`` ``(N, 2)``."""
    if not len(pixels):
        return np.empty((0, 3))
    D = np.array(camera.D, np.float64)
    if not camera.distorted:
        flat = (np.column_stack([pixels, np.ones(len(pixels))]) @ np.linalg.inv(camera.K).T)[:, :2]
    elif camera.distortion_model == "equidistant":
        flat = cv2.fisheye.undistortPoints(pixels[:, None], camera.K, D)
    else:
        precise = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, 50, 1e-6)
        unchanged = np.eye(3)  # no rotation, and no K of another camera
        flat = cv2.undistortPointsIter(pixels[:, None], camera.K, D, unchanged, unchanged, precise)
    return np.column_stack([flat.reshape(-1, 2), np.ones(len(pixels))])


def backproject(
    depth: NDArray[np.floating], camera: PinholeCamera, pixels: NDArray[np.integer]
) -> NDArray[np.float64]:
    """Points ``(N, 3)`` in the camera's frame of whole ``pixels`` ``(N, 2)`` of ``depth`` HxW."""
    return rays(camera, pixels.astype(np.float64)) * depth[pixels[:, 1], pixels[:, 0], None]


class OrganisedPoints:
    """`backproject` of whole depth images of one camera, whose rays are computed once.

    Of every ``stride``-th row and column; in single precision.
    """

    def __init__(self, camera: PinholeCamera, stride: int = 1) -> None:
        self.stride = stride
        self.shape = -(-camera.height // stride), -(-camera.width // stride)
        directions = rays(camera, pixel_centres(camera.height, camera.width, stride))
        x, y = directions[:, :2].T.reshape(2, *self.shape).astype(np.float32)
        # Without skew, one row and one column tell all: less memory to read for each image.
        self._x = np.broadcast_to(x[:1], self.shape) if (x == x[:1]).all() else x
        self._y = np.broadcast_to(y[:, :1], self.shape) if (y == y[:, :1]).all() else y

    def bands(self, depth: NDArray[np.float32]) -> Iterator[tuple[slice, list[Plane]]]:
        """Rows, and x, y and z of their points, of the whole ``depth`` HxW; NaN where that is.

        A band is so low that what is made of it stays in the processor's cache.
        """
        for top in range(0, self.shape[0], _BAND):
            rows = slice(top, min(top + _BAND, self.shape[0]))
            z = np.ascontiguousarray(depth[:: self.stride, :: self.stride][rows])
            yield rows, [self._x[rows] * z, self._y[rows] * z, z]


def project(camera: PinholeCamera, points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Pixels ``(N, 2)`` of points ``(N, 3)`` in front of a camera.

    NaN for points so far outside that the lens model says nothing of them.
    """
    if not len(points):
        return np.empty((0, 2))
    if not camera.distorted:
        return np.asarray((points @ camera.K.T)[:, :2] / points[:, 2:])
    D, still = np.array(camera.D, np.float64), np.zeros(3)
    library = cv2.fisheye if camera.distortion_model == "equidistant" else cv2
    pixels, _ = library.projectPoints(points[:, None], still, still, camera.K, D)
    return np.where(beyond_the_lens(camera, points)[:, None], np.nan, pixels[:, 0])


def beyond_the_lens(camera: PinholeCamera, points: NDArray[np.float64]) -> NDArray[np.bool_]:
    """``(N,)``: which points ``(N, 3)`` lie where the lens model, a polynomial, turns back."""
    x, y = (points[:, :2] / points[:, 2:]).T
    return np.asarray(np.hypot(x, y) > widest_ray(camera.distortion_model, camera.D))
