"""CameraInfo messages to cameras: of ROS itself, of ROS 2 bags, and of ROS 1 bags."""

from __future__ import annotations

from typing import Any

import numpy as np

from monodepth_ros.errors import UserError
from monodepth_ros.geometry.camera import PinholeCamera

# Drivers' other names of the same models.
_ALIASES = {"": "none", "fisheye": "equidistant", "kannala_brandt4": "equidistant"}


def camera_from_info(info: Any, height: int, width: int) -> PinholeCamera:
    """The camera of images of this size.

    The message describes the camera at full resolution; its region of interest and binning say
    which part of it the images are (REP 104). UserError for an uncalibrated camera, or one whose
    images have another size.
    """
    # ROS 1 writes its matrices in capitals.
    k, d = (info.k, info.d) if hasattr(info, "k") else (info.K, info.D)
    K = np.array(k, np.float64).reshape(3, 3)
    if not K.any():
        raise UserError("camera_info: K is all zeros, so the camera is not calibrated")
    model = _ALIASES.get(info.distortion_model, info.distortion_model)
    D = tuple(float(x) for x in d)
    if not any(D):
        model, D = "none", ()
    binning_x, binning_y = max(info.binning_x, 1), max(info.binning_y, 1)
    roi = info.roi
    full_width, full_height = roi.width or info.width, roi.height or info.height
    K[0, 2] -= roi.x_offset
    K[1, 2] -= roi.y_offset
    scale = np.diag([1 / binning_x, 1 / binning_y, 1.0])
    expected = (full_height // binning_y, full_width // binning_x)
    if expected != (height, width):
        raise UserError(
            f"camera_info is of {expected[1]}x{expected[0]} images, but these are {width}x{height}"
        )
    return PinholeCamera(width, height, scale @ K, model, D).validate("camera_info")
