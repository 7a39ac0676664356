"""Images on their way into a bag: stored smaller, and left out while the camera stands still."""

from __future__ import annotations

from typing import Any, Literal

import cv2
import numpy as np
from numpy.typing import NDArray
from rosbags.typesys import Stores, get_typestore

from monodepth_ros.data.bags.messages.encoding import has_eight_bits
from monodepth_ros.data.bags.messages.image import COMPRESSED, IMAGE, decode_image
from monodepth_ros.data.bags.recording.recorder import Recorded
from monodepth_ros.data.images.bit_depth import BitDepth
from monodepth_ros.errors import UserError

# What a camera and its depth node publish of each image: all of it is left out with the image.
_IMAGE_TYPES = (IMAGE, COMPRESSED, "sensor_msgs/msg/CameraInfo", "sensor_msgs/msg/PointCloud2")
_THUMBNAIL_SIZE = (160, 120)  # pixels, width and height
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
    """Skips images, with their clouds and camera_info, while the camera stands still.

    The images of ``topic`` decide: it stands still while they have moved by less than
    ``threshold_px`` pixels (at a width of 160) since the last recorded one. An image is recorded
    at least every ``max_interval`` seconds.
    """

    def __init__(self, topic: str, threshold_px: float, max_interval: float = 1.0) -> None:
        self.topic, self.threshold_px, self.max_interval = topic, threshold_px, max_interval
        self._bits = BitDepth(topic, lambda _: None)
        self._last: NDArray[np.float32] | None = None
        self._recorded = 0
        self._moving = True
        self.skipped = 0

    def __call__(self, message: Recorded) -> bool:
        """Whether to record a message, according to the last image of ``topic``."""
        if message.kind not in _IMAGE_TYPES:
            return True
        if message.topic == self.topic:
            self._update(message)
        self.skipped += not self._moving
        return self._moving

    def _update(self, message: Recorded) -> None:
        try:
            content: Any = _TYPES.deserialize_cdr(message.data, message.kind)
            thumbnail = _thumbnail(decode_image(content, self._bits))
        except UserError:
            self._moving = True
            return
        waited = abs(message.stamp - self._recorded) * 1e-9  # clocks jump back, too
        moved = self._last is None or _image_shift(self._last, thumbnail) >= self.threshold_px
        self._moving = moved or waited >= self.max_interval
        if self._moving:
            self._last, self._recorded = thumbnail, message.stamp


def _thumbnail(rgb: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Small and grey, with mean 0 and contrast 1, which an automatic exposure does not change."""
    small = cv2.resize(rgb, _THUMBNAIL_SIZE, interpolation=cv2.INTER_AREA)
    grey = np.asarray(small, np.float32).mean(2)
    grey = cv2.blur(grey, (4, 4))
    return np.asarray((grey - grey.mean()) / max(float(grey.std()), 1e-6), np.float32)


def _image_shift(one: NDArray[np.float32], other: NDArray[np.float32]) -> float:
    """Approximate motion in pixels of the thumbnail: the difference over the gradient."""
    gradient = np.abs(np.diff(one, axis=0)).mean() + np.abs(np.diff(one, axis=1)).mean()
    return float(np.abs(other - one).mean() / max(float(gradient) / 2, 1e-6))
