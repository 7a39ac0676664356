"""CameraInfo messages to cameras: of ROS itself, of ROS 2 bags, and of ROS 1 bags."""

from __future__ import annotations

from typing import Any

import numpy as np

from monodepth_ros.errors import UserError
from monodepth_ros.geometry.camera import PinholeCamera

_SOURCE = "camera_info"
_TRANSPORTS = ("/compressed", "/compressedDepth")
_SAME = 0.005  # of the focal length; of coefficients of distortion and of rotations as it is


def camera_from_info(info: Any, height: int, width: int, rectified: bool = False) -> PinholeCamera:
    """The camera of images of this size; of ``rectified`` ones by P, without distortion.

    The message describes the camera at full resolution; its region of interest and binning say
    which part of it the images are (REP 104). UserError for an uncalibrated camera, or one whose
    images have another size.
    """
    K, model, D = _projection(info) if rectified else _calibration(info)
    if not (info.width and info.height):
        raise UserError(
            f"{_SOURCE}: states no image size (width {info.width}, height {info.height})"
        )
    camera = PinholeCamera(info.width, info.height, K, model, D).validate(_SOURCE)
    roi = info.roi
    if roi.width and roi.height:
        try:
            camera = camera.cropped(roi.y_offset, roi.x_offset, roi.height, roi.width)
        except ValueError:
            raise UserError(
                f"{_SOURCE}: the region of interest, {roi.width}x{roi.height} at"
                f" ({roi.x_offset}, {roi.y_offset}), leaves the {info.width}x{info.height} image"
            ) from None
    camera = camera.binned(max(info.binning_y, 1), max(info.binning_x, 1))
    camera.check_size(height, width, _SOURCE)
    return camera


def is_rectified_topic(topic: str) -> bool:
    """Whether a topic's images have no distortion by its name, as image_proc gives it.

    Its last part, behind which image_transport may add its own, begins with ``image_rect``.
    """
    return base_topic(topic).rpartition("/")[2].startswith("image_rect")


def base_topic(name: str) -> str:
    """An image topic without the end that image_transport gives it."""
    for transport in _TRANSPORTS:
        name = name.removesuffix(transport)
    return name


def is_calibrated(info: Any) -> bool:
    """Whether a message says anything: drivers send zeros until they have read a calibration."""
    return any(np.any(_field(info, name)) for name in ("k", "p"))


def calibration_of(info: Any) -> tuple[object, ...]:
    """All values of a message that :func:`camera_from_info` reads, to compare two messages by."""
    values = (np.asarray(_field(info, name), np.float64).tobytes() for name in ("k", "d", "p", "r"))
    return (*_form(info), *values)  # as bytes even NaN is itself


def is_same_calibration(one: Any, other: Any) -> bool:
    """Whether two messages describe one camera, but for what a lens that focuses changes."""
    if _form(one) != _form(other):
        return False
    focal_length = max(_field(one, "k")[0], _field(one, "p")[0])
    reach = {"k": _SAME * focal_length, "p": _SAME * focal_length, "d": _SAME, "r": _SAME}
    return all(
        np.allclose(_field(one, name), _field(other, name), 0, by, equal_nan=True)
        for name, by in reach.items()
    )


def _form(info: Any) -> tuple[object, ...]:
    """The model, the sizes and the window: what does not change by a little."""
    roi = info.roi
    window = (roi.x_offset, roi.y_offset, roi.width, roi.height)
    size = (info.height, info.width, info.binning_x, info.binning_y)
    return (info.distortion_model, len(_field(info, "d")), *size, *window)


def _calibration(info: Any) -> tuple[np.ndarray[Any, Any], str, tuple[float, ...]]:
    K = _matrix(info, "k", 3)
    if not K.any():
        hint = ""
        if _field(info, "p")[0]:
            hint = "; P is set: if the images are rectified, say so with the option `rectified`"
        raise UserError(f"{_SOURCE}: K is all zeros, so the camera is not calibrated{hint}")
    return K, info.distortion_model, tuple(_field(info, "d"))


def _projection(info: Any) -> tuple[np.ndarray[Any, Any], str, tuple[float, ...]]:
    P = _matrix(info, "p", 4)
    if P.any():
        return P[:, :3], "none", ()
    K = _matrix(info, "k", 3)
    R = _matrix(info, "r", 3)
    turns_nothing = not R.any() or np.allclose(R, np.eye(3))
    if K.any() and not any(_field(info, "d")) and turns_nothing:
        return K, "none", ()  # a camera without distortion has nothing to rectify
    raise UserError(
        f"{_SOURCE}: P is all zeros, and P is the camera of rectified images: set P, or say with"
        " the option `rectified` that these are not rectified"
    )


def _matrix(info: Any, name: str, columns: int) -> np.ndarray[Any, Any]:
    return np.array(_field(info, name), np.float64).reshape(3, columns)


def _field(info: Any, name: str) -> Any:
    """ROS 1 writes its matrices in capitals."""
    return getattr(info, name) if hasattr(info, name) else getattr(info, name.upper())
