"""The pinhole camera: intrinsics, distortion, and how both follow the image."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from monodepth_ros.errors import UserError

# The models of sensor_msgs/CameraInfo, with how many coefficients each may have.
DISTORTION_COEFFICIENTS: dict[str, tuple[int, ...]] = {
    "none": (0,),
    "plumb_bob": (4, 5),
    "rational_polynomial": (8, 12, 14),
    "equidistant": (4,),
}


@dataclass(frozen=True, eq=False)
class PinholeCamera:
    """Intrinsics of images of one size.

    ``K`` is 3x3 in pixels of a ``width`` x ``height`` image whose pixel centres are at integers.
    ``D`` are the coefficients of ``distortion_model`` in OpenCV's order.
    """

    width: int
    height: int
    K: NDArray[np.float64] = field(repr=False)
    distortion_model: str = "none"
    D: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "K", np.asarray(self.K, dtype=np.float64))
        object.__setattr__(self, "D", tuple(float(d) for d in self.D))

    @classmethod
    def from_focal_length(
        cls, width: int, height: int, fx: float, fy: float, cx: float, cy: float
    ) -> PinholeCamera:
        """An undistorted camera from the four intrinsic values, in pixels."""
        return cls(width, height, np.array([[fx, 0.0, cx], [0.0, fy, cy], [0.0, 0.0, 1.0]]))

    @property
    def distorted(self) -> bool:
        """Whether any distortion coefficient differs from zero."""
        return any(d != 0.0 for d in self.D)

    def validate(self, source: str) -> PinholeCamera:
        """Return this camera, or raise a :class:`UserError` that names ``source`` and the value."""
        if self.width <= 0 or self.height <= 0:
            raise UserError(f"{source}: image size {self.width}x{self.height} is not positive")
        if self.K.shape != (3, 3) or not np.isfinite(self.K).all():
            raise UserError(f"{source}: K is not a finite 3x3 matrix: {self.K.tolist()}")
        fx, fy, cx, cy = self.K[0, 0], self.K[1, 1], self.K[0, 2], self.K[1, 2]
        if fx <= 0 or fy <= 0:
            raise UserError(f"{source}: focal lengths must be positive, got fx={fx:g}, fy={fy:g}")
        if not (0 <= cx < self.width and 0 <= cy < self.height):
            raise UserError(
                f"{source}: principal point ({cx:g}, {cy:g}) is outside the"
                f" {self.width}x{self.height} image"
            )
        if not np.allclose(self.K[[1, 2, 2], [0, 0, 1]], 0.0) or not np.isclose(self.K[2, 2], 1.0):
            raise UserError(f"{source}: K is not upper triangular with 1 at its end")
        self._validate_distortion(source)
        return self

    def _validate_distortion(self, source: str) -> None:
        if self.distortion_model not in DISTORTION_COEFFICIENTS:
            known = ", ".join(DISTORTION_COEFFICIENTS)
            raise UserError(
                f"{source}: distortion model {self.distortion_model!r} is not one of {known}"
            )
        allowed = DISTORTION_COEFFICIENTS[self.distortion_model]
        if self.D and len(self.D) not in allowed:
            raise UserError(
                f"{source}: {self.distortion_model} takes {' or '.join(map(str, allowed))}"
                f" coefficients, got {len(self.D)}"
            )
        if not np.isfinite(self.D).all():
            raise UserError(f"{source}: distortion coefficients are not finite: {self.D}")

    def resized(self, height: int, width: int) -> PinholeCamera:
        """The camera of the same image resized; K's rows scale with the size."""
        scale = np.diag([width / self.width, height / self.height, 1.0])
        return replace(self, width=width, height=height, K=scale @ self.K)

    def cropped(self, top: int, left: int, height: int, width: int) -> PinholeCamera:
        """The camera of a ``height`` x ``width`` window whose first pixel is ``(top, left)``."""
        inside = top >= 0 and left >= 0 and height > 0 and width > 0
        if not inside or top + height > self.height or left + width > self.width:
            raise ValueError(f"crop {(top, left, height, width)} leaves the image")
        K = self.K.copy()
        K[0, 2] -= left
        K[1, 2] -= top
        return replace(self, width=width, height=height, K=K)

    def flipped(self) -> PinholeCamera:
        """The camera of the mirrored image: ``cx -> width - 1 - cx``.

        Only for undistorted cameras and those with radial terms alone, which a mirror keeps;
        tangential terms ``p1`` of ``plumb_bob`` and ``rational_polynomial`` survive and ``p2``
        changes its sign, as x does.
        """
        K = self.K.copy()
        K[0, 2] = self.width - 1 - K[0, 2]
        K[0, 1] = -K[0, 1]
        D = list(self.D)
        if self.distortion_model in ("plumb_bob", "rational_polynomial") and len(D) > 3:
            D[3] = -D[3]
        return replace(self, K=K, D=tuple(D))

    def undistorted(self) -> PinholeCamera:
        """The same intrinsics without distortion: the camera of the rectified image."""
        return replace(self, distortion_model="none", D=())


def intrinsics_matrix(values: ArrayLike) -> NDArray[np.float64]:
    """A 3x3 float64 matrix from 9 values, a 3x3 nesting, or ``fx, fy, cx, cy``."""
    array = np.asarray(values, dtype=np.float64)
    if array.size == 4:
        fx, fy, cx, cy = array.ravel()
        return np.array([[fx, 0.0, cx], [0.0, fy, cy], [0.0, 0.0, 1.0]])
    if array.size == 9:
        return array.reshape(3, 3)
    raise ValueError(f"intrinsics need 4 or 9 values, got {array.size}")
