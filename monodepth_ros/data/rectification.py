"""Removing lens distortion, with the intrinsics kept."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from monodepth_ros.data.images.file import DepthImage, RgbImage
from monodepth_ros.geometry.camera import PinholeCamera
from monodepth_ros.geometry.lens import beyond_the_lens, pixel_centres, rays


class Rectifier:
    """Turns images of a distorted camera into those of its undistorted one, :attr:`camera`.

    The lookup is computed once; without distortion there is none, and images stay as they are.
    ``camera.valid`` (bool HxW) tells which rectified pixels the distorted image holds, None for
    all; the others repeat its border, in depth they are NaN. So do those beyond the reach of the
    lens model.
    """

    def __init__(self, camera: PinholeCamera) -> None:
        self.camera = camera.undistorted()
        self._distorted = camera.distorted
        if not self._distorted:
            return
        size = (camera.width, camera.height)
        D = np.array(camera.D, dtype=np.float64)
        arguments = (camera.K, D, np.eye(3), camera.K, size, cv2.CV_32FC1)
        if camera.distortion_model == "equidistant":
            self._x, self._y = cv2.fisheye.initUndistortRectifyMap(*arguments)
        else:
            self._x, self._y = cv2.initUndistortRectifyMap(*arguments)
        directions = rays(self.camera, pixel_centres(camera.height, camera.width))
        beyond = beyond_the_lens(camera, directions).reshape(camera.height, camera.width)
        self._x[beyond] = self._y[beyond] = -1
        inside_x = (self._x >= 0) & (self._x <= camera.width - 1)
        valid: NDArray[np.bool_] = inside_x & (self._y >= 0) & (self._y <= camera.height - 1)
        self._invalid = ~valid
        self.camera = replace(self.camera, valid=None if valid.all() else valid)

    def image(self, image: RgbImage) -> RgbImage:
        """The rectified image, bilinear."""
        if not self._distorted:
            return image
        rectified = cv2.remap(
            image, self._x, self._y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
        )
        return np.asarray(rectified, dtype=np.uint8)

    def depth(self, depth: DepthImage) -> DepthImage:
        """The rectified depth by nearest neighbour: Z does not change, pixels move."""
        if not self._distorted:
            return depth
        rectified = cv2.remap(
            depth,
            self._x,
            self._y,
            cv2.INTER_NEAREST,
            borderMode=cv2.BORDER_CONSTANT,
            borderValue=float("nan"),
        )
        # The nearest pixel may lie inside the image where this one does not.
        known = np.where(self._invalid, np.nan, np.asarray(rectified))
        return np.asarray(known, dtype=np.float32)
