"""CameraInfo messages to cameras, and cameras of depth images to CameraInfo."""

from __future__ import annotations

import numpy as np
from sensor_msgs.msg import CameraInfo, RegionOfInterest
from std_msgs.msg import Header

from monodepth_ros.errors import UserError
from monodepth_ros.geometry.camera import PinholeCamera

# Drivers' other names of the same models.
_ALIASES = {"": "none", "fisheye": "equidistant", "kannala_brandt4": "equidistant"}


def camera_from_info(info: CameraInfo, height: int, width: int) -> PinholeCamera:
    """The camera of images of this size.

    The message describes the camera at full resolution; its region of interest and binning say
    which part of it the images are (REP 104). UserError for an uncalibrated camera, or one whose
    images have another size.
    """
    K = np.asarray(info.k, np.float64).reshape(3, 3).copy()
    if not K.any():
        raise UserError("camera_info: K is all zeros, so the camera is not calibrated")
    model = _ALIASES.get(info.distortion_model, info.distortion_model)
    D = tuple(float(d) for d in info.d)
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


def info_of_camera(camera: PinholeCamera, header: Header) -> CameraInfo:
    """The CameraInfo of images that ``camera`` describes: no binning, no region of interest.

    A camera without distortion is stated as ``plumb_bob`` with zeros, which every consumer reads.
    """
    info = CameraInfo()
    info.header = header
    info.height, info.width = camera.height, camera.width
    undistorted = camera.distortion_model == "none"
    info.distortion_model = "plumb_bob" if undistorted else camera.distortion_model
    info.d = [0.0] * 5 if undistorted else list(camera.D)
    info.k = camera.K.flatten().tolist()
    info.r = np.eye(3).flatten().tolist()
    info.p = np.hstack([camera.K, np.zeros((3, 1))]).flatten().tolist()
    info.roi = RegionOfInterest()
    return info
