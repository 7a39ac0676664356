"""Cameras to CameraInfo messages; the other way is `data.bags.messages.camera`."""

from __future__ import annotations

import numpy as np
from sensor_msgs.msg import CameraInfo
from std_msgs.msg import Header

from monodepth_ros.geometry.camera import PinholeCamera


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
    return info
