"""Depth images as organised point clouds."""

from __future__ import annotations

from array import array

import cv2
import numpy as np
from numpy.typing import NDArray
from sensor_msgs.msg import PointCloud2, PointField
from std_msgs.msg import Header

from monodepth_ros.geometry.camera import PinholeCamera
from monodepth_ros.geometry.lens import OrganisedPoints


class CloudMaker:
    """Point clouds of one camera; the rays of its pixels are computed once.

    All clouds of a maker share their memory: publish a message before you make the next one. New
    memory for each, 5 MB at 640x480, took twenty times as long as computing the points.
    """

    def __init__(self, camera: PinholeCamera, stride: int = 1) -> None:
        """``camera`` is that of the depth images; one point per ``stride`` x ``stride`` pixels."""
        self.stride = stride
        self._points = OrganisedPoints(camera, stride)
        self._data = array("B")
        self._colour = np.empty((*self._points.shape, 4), np.uint8)

    def message(
        self, depth: NDArray[np.float32], header: Header, rgb: NDArray[np.uint8] | None = None
    ) -> PointCloud2:
        """Points of ``depth`` HxW in metres (NaN stays NaN), with colours of ``rgb`` HxWx3.

        The cloud is organised, in the optical frame of ``header``.
        """
        s = self.stride
        height, width = self._points.shape
        names = ["x", "y", "z"] if rgb is None else ["x", "y", "z", "rgb"]
        size = 4 * height * width * len(names)
        if len(self._data) != size:
            self._data = array("B", bytes(size))
        points = np.frombuffer(self._data, "<f4").reshape(height, width, len(names))
        self._points.write(depth, points)
        if rgb is not None:
            # The lower three bytes of an integer; the upper one would make a NaN of the float.
            cv2.cvtColor(np.ascontiguousarray(rgb[::s, ::s]), cv2.COLOR_RGB2BGRA, dst=self._colour)
            packed = self._colour.view("<u4")[..., 0]
            np.bitwise_and(packed, 0xFFFFFF, out=points.view("<u4")[..., 3])
        message = PointCloud2()
        message.header = header
        message.height, message.width = height, width
        message.fields = [
            PointField(name=name, offset=4 * i, datatype=PointField.FLOAT32, count=1)
            for i, name in enumerate(names)
        ]
        message.is_bigendian = False
        message.point_step = 4 * len(names)
        message.row_step = message.point_step * message.width
        message.is_dense = False
        message.data = self._data
        return message
