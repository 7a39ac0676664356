"""Depth images as organised point clouds."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from sensor_msgs.msg import PointCloud2, PointField
from std_msgs.msg import Header

from monodepth_ros.geometry.camera import PinholeCamera
from monodepth_ros.nodes.messages import filled


class CloudMaker:
    """Point clouds of one camera; the rays of its pixels are computed once."""

    def __init__(self, camera: PinholeCamera, stride: int = 1) -> None:
        """Take the camera of the depth images, and every how many pixels a point is made."""
        self.stride = stride
        y, x = np.mgrid[0 : camera.height : stride, 0 : camera.width : stride]
        rays = np.linalg.inv(camera.K) @ np.stack([x.ravel(), y.ravel(), np.ones(x.size)])
        self._rays = rays.T.reshape(*x.shape, 3).astype(np.float32)

    def message(
        self, depth: NDArray[np.float32], header: Header, rgb: NDArray[np.uint8] | None = None
    ) -> PointCloud2:
        """Points of ``depth`` HxW in metres, NaN where it is, coloured by ``rgb`` HxWx3.

        In the optical frame of ``header``, as many rows and columns as the image has by the stride.
        """
        s = self.stride
        z = depth[::s, ::s, None]
        height, width = z.shape[:2]
        points = np.empty((height, width, 3 if rgb is None else 4), "<f4")
        np.multiply(self._rays, z, out=points[..., :3])
        names = ["x", "y", "z"]
        if rgb is not None:
            packed = rgb[::s, ::s].astype("<u4")
            colour = packed[..., 0] << 16 | packed[..., 1] << 8 | packed[..., 2]
            points[..., 3] = colour.astype("<u4").view("<f4")
            names.append("rgb")
        message = PointCloud2()
        message.header = header
        message.height, message.width = height, width
        message.fields = [
            PointField(name=name, offset=4 * i, datatype=PointField.FLOAT32, count=1)
            for i, name in enumerate(names)
        ]
        message.is_bigendian = False
        message.point_step = 4 * len(names)
        message.row_step = message.point_step * width
        message.is_dense = False
        message.data = filled(points)
        return message
