"""Image and CameraInfo messages to rectified RGB images."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sensor_msgs.msg import CameraInfo, CompressedImage, Image
from std_msgs.msg import Header

from monodepth_ros.data.bags.messages.camera import calibration_of, camera_from_info
from monodepth_ros.data.bags.messages.image import decode_image, nanoseconds
from monodepth_ros.data.images.bit_depth import BitDepth
from monodepth_ros.data.rectification import Rectifier
from monodepth_ros.geometry.camera import PinholeCamera


@dataclass(frozen=True)
class RectifiedFrame:
    """uint8 HxWx3 RGB, its camera without distortion, and the header of the message.

    ``segment`` counts how often the clock of the images was set before.
    """

    rgb: NDArray[np.uint8]
    camera: PinholeCamera
    header: Header
    segment: int = 0

    @property
    def stamp(self) -> int:
        """The stamp in nanoseconds."""
        return nanoseconds(self.header.stamp)


class FrameRectifier:
    """Decodes and rectifies; the rectification maps are computed once for each camera."""

    def __init__(
        self,
        topic: str = "image_raw",
        rectified: bool = False,
        warn: Callable[[str], None] = lambda _: None,
    ) -> None:
        """``topic`` names the images in warnings, which are passed to ``warn``.

        ``rectified`` images have no distortion; P of their camera_info is their camera matrix.
        """
        self._rectified = rectified
        self._bits = BitDepth(topic, warn)
        self._info_values: tuple[object, ...] = ()
        self._rectifier: Rectifier | None = None

    def frame(self, message: Image | CompressedImage, info: CameraInfo) -> RectifiedFrame:
        """The rectified image of the camera of ``info``.

        UserError for an image that cannot be decoded and for a camera that does not fit it.
        """
        rgb = decode_image(message, self._bits)
        rectifier = self._rectifier_of(info, rgb.shape[0], rgb.shape[1])
        return RectifiedFrame(rectifier.image(rgb), rectifier.camera, message.header)

    def _rectifier_of(self, info: CameraInfo, height: int, width: int) -> Rectifier:
        """The rectifier of a camera; the same object as long as the camera does not change."""
        values = (height, width, *calibration_of(info))
        if self._rectifier is None or values != self._info_values:
            self._rectifier = Rectifier(camera_from_info(info, height, width, self._rectified))
            self._info_values = values
        return self._rectifier
