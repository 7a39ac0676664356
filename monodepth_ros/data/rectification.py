"""Removing lens distortion, with the intrinsics kept."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from monodepth_ros.data.images.file import DepthImage, RgbImage
from monodepth_ros.data.sequence import Sequence, SequenceView
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
        library = cv2.fisheye if camera.distortion_model == "equidistant" else cv2
        self._x, self._y = library.initUndistortRectifyMap(
            camera.K, D, np.eye(3), camera.K, size, cv2.CV_32FC1
        )
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


def rectified(sequence: Sequence) -> Sequence:
    """`sequence` itself when its camera has no distortion, otherwise its rectified view."""
    return RectifiedSequence(sequence) if sequence.camera.distorted else sequence


class RectifiedSequence(SequenceView):
    """Images, depth and reflective masks of another sequence, undistorted."""

    def __init__(self, distorted: Sequence) -> None:
        super().__init__(distorted)
        self._rectifier = Rectifier(distorted.camera)
        self.camera = self._rectifier.camera

    def image(self, index: int) -> RgbImage:
        """Uint8 HxWx3 RGB, rectified."""
        return self._rectifier.image(super().image(index))

    def depth(self, index: int) -> DepthImage | None:
        """True Z in metres, rectified; NaN where the distorted image does not reach."""
        depth = super().depth(index)
        return None if depth is None else self._rectifier.depth(depth)

    def reflective(self, index: int) -> NDArray[np.bool_] | None:
        """Bool HxW, rectified; false where the distorted image does not reach."""
        mask = super().reflective(index)
        return None if mask is None else self._rectifier.depth(mask.astype(np.float32)) == 1
