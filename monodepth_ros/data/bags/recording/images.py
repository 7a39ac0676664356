"""Images on their way into a bag: stored smaller, and left out while the camera stands still."""

from __future__ import annotations

from typing import Any, Literal

import cv2
import numpy as np
from numpy.typing import NDArray
from rosbags.typesys import Stores, get_typestore

from monodepth_ros.data.bags.messages.encoding import has_eight_bits
from monodepth_ros.data.bags.messages.image import (
    COMPRESSED,
    IMAGE,
    decode_compressed,
    decode_image,
)
from monodepth_ros.data.bags.recording.recorder import Recorded
from monodepth_ros.data.images.bit_depth import BitDepth
from monodepth_ros.errors import UserError

# What a camera and its depth node publish of each image: all of it is left out with the image.
_OF_AN_IMAGE = (IMAGE, COMPRESSED, "sensor_msgs/msg/CameraInfo", "sensor_msgs/msg/PointCloud2")
_OUTLINE = (160, 120)  # pixels, width and height
_TYPES = get_typestore(Stores.ROS2_HUMBLE)


class ImageRecoding:
    """Raw camera images of 8 bits as JPEG or PNG, under ``TOPIC/compressed``.

    Depth, and images of 16 bits, which may be depth or hold more than 8 bits of brightness, are
    stored as they came.
    """

    def __init__(self, kind: Literal["jpeg", "png"], quality: int = 95) -> None:
        """``quality`` is JPEG's, 1 to 100."""
        self.kind = kind
        self._suffix = ".jpg" if kind == "jpeg" else ".png"
        # 4:4:4, because colour edges matter to a photometric loss; PNG as fast as can be.
        self._options = (
            [
                cv2.IMWRITE_JPEG_QUALITY,
                quality,
                cv2.IMWRITE_JPEG_SAMPLING_FACTOR,
                cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444,
            ]
            if kind == "jpeg"
            else [cv2.IMWRITE_PNG_COMPRESSION, 1]
        )

    def __call__(self, message: Recorded) -> Recorded:
        """What is stored of a message. UserError for an image that cannot be decoded."""
        if message.kind != IMAGE:
            return message
        image: Any = _TYPES.deserialize_cdr(message.data, IMAGE)
        if not has_eight_bits(image.encoding):
            return message
        rgb = decode_image(image)
        written, encoded = cv2.imencode(self._suffix, rgb[:, :, ::-1], self._options)
        if not written:
            raise UserError(f"it cannot be stored as {self.kind}")
        compressed = _TYPES.types[COMPRESSED](
            header=image.header,
            format=f"rgb8; {self.kind} compressed bgr8",
            data=encoded.reshape(-1),
        )
        data = bytes(_TYPES.serialize_cdr(compressed, COMPRESSED))
        return message._replace(topic=f"{message.topic}/compressed", kind=COMPRESSED, data=data)


class StandstillFilter:
    """Leaves out what belongs to images while the camera stands still; all else is recorded.

    ``topic`` is that of the images to look at. They stand still while they have moved by less than
    ``shift`` pixels (of 160 across) since the last one recorded. Every ``at_least`` seconds an
    image is recorded all the same.
    """

    def __init__(self, topic: str, shift: float, at_least: float = 1.0) -> None:
        self.topic, self.shift, self.at_least = topic, shift, at_least
        self._bits = BitDepth(topic, lambda _: None)
        self._last: NDArray[np.float32] | None = None
        self._recorded = 0
        self._moving = True
        self.left_out = 0

    def __call__(self, message: Recorded) -> bool:
        """Whether to record a message; images of ``topic`` decide until the next of them."""
        if message.kind not in _OF_AN_IMAGE:
            return True
        if message.topic == self.topic:
            self._look(message)
        self.left_out += not self._moving
        return self._moving

    def _look(self, message: Recorded) -> None:
        try:
            content: Any = _TYPES.deserialize_cdr(message.data, message.kind)
            decode = decode_image if message.kind == IMAGE else decode_compressed
            outline = _outline(decode(content, self._bits))
        except UserError:
            self._moving = True
            return
        waited = abs(message.stamp - self._recorded) * 1e-9  # clocks jump back, too
        moved = self._last is None or _shift(self._last, outline) >= self.shift
        self._moving = moved or waited >= self.at_least
        if self._moving:
            self._last, self._recorded = outline, message.stamp


def _outline(rgb: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Grey, small, and without the mean and the contrast, which an automatic exposure changes."""
    small = cv2.resize(rgb, _OUTLINE, interpolation=cv2.INTER_AREA)
    grey = np.asarray(small, np.float32).mean(2)
    grey = cv2.blur(grey, (4, 4))
    return np.asarray((grey - grey.mean()) / max(float(grey.std()), 1e-6), np.float32)


def _shift(one: NDArray[np.float32], other: NDArray[np.float32]) -> float:
    """About how many pixels of the outline it has moved: the difference over the gradient."""
    gradient = np.abs(np.diff(one, axis=0)).mean() + np.abs(np.diff(one, axis=1)).mean()
    return float(np.abs(other - one).mean() / max(float(gradient) / 2, 1e-6))
