"""The pinhole camera: intrinsics, distortion, and how both follow the image."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from monodepth_ros.errors import UserError
from monodepth_ros.geometry.distortion import checked_distortion
from monodepth_ros.geometry.image_size import resize_valid


@dataclass(frozen=True, eq=False)
class PinholeCamera:
    """Intrinsics of images of one size.

    ``K`` is 3x3 in pixels of a ``width`` x ``height`` image whose pixel centres are at integers.
    ``D`` are the coefficients of ``distortion_model`` in OpenCV's order. ``is_crop`` tells that the
    images are a window of larger ones, whose principal point may lie outside of the window.
    ``valid`` (bool HxW) tells which pixels of a rectified image show something; None where all do.
    """

    width: int
    height: int
    K: NDArray[np.float64] = field(repr=False)
    distortion_model: str = "none"
    D: tuple[float, ...] = ()
    is_crop: bool = False
    valid: NDArray[np.bool_] | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "K", np.asarray(self.K, dtype=np.float64))
        object.__setattr__(self, "D", tuple(float(d) for d in self.D))

    @classmethod
    def from_focal_length(
        cls, width: int, height: int, fx: float, fy: float, cx: float, cy: float
    ) -> PinholeCamera:
        """An undistorted camera from the four intrinsic values, in pixels."""
        return cls(width, height, intrinsics_matrix((fx, fy, cx, cy)))

    @classmethod
    def centred(cls, height: int, width: int, focal_length: float) -> PinholeCamera:
        """An undistorted camera of square pixels that looks through the middle of its image."""
        centre = ((width - 1) / 2, (height - 1) / 2)
        return cls.from_focal_length(width, height, focal_length, focal_length, *centre)

    @property
    def focal(self) -> float:
        """``sqrt(fx fy)`` in pixels: the focal length where one number has to do."""
        return float(np.sqrt(self.K[0, 0] * self.K[1, 1]))

    @property
    def distorted(self) -> bool:
        """Whether any distortion coefficient differs from zero."""
        return any(d != 0.0 for d in self.D)

    def validate(self, source: str) -> PinholeCamera:
        """This camera, its distortion as :func:`checked_distortion` states it.

        UserError, which names ``source`` and the value, for what is no camera.
        """
        if self.width <= 0 or self.height <= 0:
            raise UserError(f"{source}: image size {self.width}x{self.height} is not positive")
        if self.K.shape != (3, 3) or not np.isfinite(self.K).all():
            raise UserError(f"{source}: K is not a finite 3x3 matrix: {self.K.tolist()}")
        fx, fy, cx, cy = self.K[0, 0], self.K[1, 1], self.K[0, 2], self.K[1, 2]
        if fx <= 0 or fy <= 0:
            raise UserError(f"{source}: focal lengths must be positive, got fx={fx:g}, fy={fy:g}")
        if not self.is_crop and not (0 <= cx < self.width and 0 <= cy < self.height):
            raise UserError(
                f"{source}: principal point ({cx:g}, {cy:g}) is outside the"
                f" {self.width}x{self.height} image"
            )
        if not np.allclose(self.K[[1, 2, 2], [0, 0, 1]], 0.0) or not np.isclose(self.K[2, 2], 1.0):
            raise UserError(f"{source}: K is not upper triangular with 1 at its end")
        model, D = checked_distortion(self.distortion_model, self.D, source)
        return replace(self, distortion_model=model, D=D)

    def check_size(self, height: int, width: int, name: str) -> None:
        """UserError unless images of this size are the camera's, which ``name`` states."""
        if (self.height, self.width) != (height, width):
            raise UserError(
                f"{name} is of {self.width}x{self.height} images, but these are {width}x{height}"
            )

    def resized(self, height: int, width: int) -> PinholeCamera:
        """The camera of the same image resized; see :func:`resizing_matrix`."""
        A = resizing_matrix(height / self.height, width / self.width)
        valid = None if self.valid is None else resize_valid(self.valid, (height, width))
        return replace(self, width=width, height=height, K=A @ self.K, valid=valid)

    def binned(self, rows: int, columns: int) -> PinholeCamera:
        """The camera of images whose pixels are means of ``rows`` x ``columns``.

        What is left at the lower and right edge is cut off.
        """
        A = resizing_matrix(1 / rows, 1 / columns)
        return replace(self, width=self.width // columns, height=self.height // rows, K=A @ self.K)

    def cropped(self, top: int, left: int, height: int, width: int) -> PinholeCamera:
        """The camera of a ``height`` x ``width`` window whose first pixel is ``(top, left)``."""
        inside = top >= 0 and left >= 0 and height > 0 and width > 0
        if not inside or top + height > self.height or left + width > self.width:
            raise ValueError(f"crop {(top, left, height, width)} leaves the image")
        K = self.K.copy()
        K[:2, 2] -= left, top
        is_crop = self.is_crop or (height, width) != (self.height, self.width)
        window = slice(top, top + height), slice(left, left + width)
        valid = None if self.valid is None else self.valid[window]
        return replace(self, width=width, height=height, K=K, is_crop=is_crop, valid=valid)

    def flipped(self) -> PinholeCamera:
        """The camera of the mirrored image: ``cx -> width - 1 - cx``.

        Radial terms see no difference. In OpenCV's tangential and thin-prism terms ``p2``, ``s1``
        and ``s2`` move points along x and change their sign; so does the tilt ``ty`` about y.
        """
        K = self.K.copy()
        K[0, 2] = self.width - 1 - K[0, 2]
        K[0, 1] = -K[0, 1]
        D = list(self.D)
        if self.distortion_model != "equidistant":
            for place in (3, 8, 9, 13):  # p2, s1, s2, ty
                D[place : place + 1] = [-d for d in D[place : place + 1]]
        valid = None if self.valid is None else self.valid[:, ::-1]
        return replace(self, K=K, D=tuple(D), valid=valid)

    def undistorted(self) -> PinholeCamera:
        """The same intrinsics without distortion: the camera of the rectified image."""
        return replace(self, distortion_model="none", D=())


def resizing_matrix(rows: float, columns: float) -> NDArray[np.float64]:
    """3x3: takes K of an image to K of the image resized ``rows`` and ``columns`` times.

    The one convention of the package: pixel centres lie at integers and a resize keeps the outer
    edges of the image, half a pixel beyond its centres, so ``cx -> (cx + 0.5) columns - 0.5``.
    """
    return intrinsics_matrix((columns, rows, 0.5 * columns - 0.5, 0.5 * rows - 0.5))


def intrinsics_matrix(values: ArrayLike) -> NDArray[np.float64]:
    """A 3x3 float64 matrix from 9 values, a 3x3 nesting, or ``fx, fy, cx, cy``."""
    array = np.asarray(values, dtype=np.float64)
    if array.size == 4:
        fx, fy, cx, cy = array.ravel()
        return np.array([[fx, 0.0, cx], [0.0, fy, cy], [0.0, 0.0, 1.0]])
    if array.size == 9:
        return array.reshape(3, 3)
    raise ValueError(f"intrinsics need 4 or 9 values, got {array.size}")
