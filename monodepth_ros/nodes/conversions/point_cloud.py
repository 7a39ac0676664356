"""Depth images as organised point clouds."""

from __future__ import annotations

from array import array
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from sensor_msgs.msg import PointCloud2, PointField
from std_msgs.msg import Header

from monodepth_ros.geometry.camera import PinholeCamera
from monodepth_ros.geometry.lens import OrganisedPoints


@dataclass(frozen=True)
class CloudSettings:
    """One point per ``stride`` x ``stride`` pixels, with colours, with confidence."""

    stride: int = 1
    colour: bool = True
    confidence: bool = False


DEFAULT_CLOUD = CloudSettings()


class CloudMaker:
    """Point clouds of one camera; the rays of its pixels are computed once.

    There is one message for all: publish it before you make the next one. New memory for each, 5 MB
    at 640x480, took twenty times as long as computing the points.
    """

    def __init__(self, camera: PinholeCamera, stride: int = 1) -> None:
        """``camera`` is that of the depth images; one point per ``stride`` x ``stride`` pixels."""
        self.stride = stride
        self._points = OrganisedPoints(camera, stride)
        self._message = PointCloud2()

    def message(
        self,
        depth: NDArray[np.float32],
        header: Header,
        rgb: NDArray[np.uint8] | None = None,
        confidence: NDArray[np.float32] | None = None,
    ) -> PointCloud2:
        """Points of ``depth`` HxW in metres (NaN stays NaN), with colours of ``rgb`` HxWx3.

        And with ``confidence`` HxW, as the field of that name.

        The cloud is organised, in the optical frame of ``header``.
        """
        names = ["x", "y", "z"]
        names += ["rgb"] if rgb is not None else []
        names += ["confidence"] if confidence is not None else []
        if [field.name for field in self._message.fields] != names:
            self._message = _empty(self._points.shape, names)
        self._message.header = header
        points = np.frombuffer(self._message.data, "<f4").reshape(*self._points.shape, len(names))
        for rows, planes in self._points.bands(depth):
            if rgb is not None:
                planes.append(_packed(rgb[:: self.stride, :: self.stride][rows]))
            if confidence is not None:
                kept = confidence[:: self.stride, :: self.stride][rows]
                planes.append(np.ascontiguousarray(kept))
            cv2.merge(planes, points[rows])
        return self._message


def _empty(shape: tuple[int, int], names: list[str]) -> PointCloud2:
    """An organised cloud of floats, all 0."""
    message = PointCloud2()
    message.height, message.width = shape
    message.fields = [
        PointField(name=name, offset=4 * i, datatype=PointField.FLOAT32, count=1)
        for i, name in enumerate(names)
    ]
    message.is_bigendian = False
    message.point_step = 4 * len(names)
    message.row_step = message.point_step * message.width
    message.is_dense = False
    message.data = array("B", bytes(message.row_step * message.height))
    return message


def _packed(rgb: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Colours HxWx3 as floats HxW of the same bits."""
    integers = cv2.cvtColor(np.ascontiguousarray(rgb), cv2.COLOR_RGB2BGRA).view("<u4")[..., 0]
    integers &= 0xFFFFFF  # the upper byte would make a NaN of the float
    return integers.view("<f4")
