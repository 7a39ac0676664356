"""Points that another sensor measures, near in time to an image, in the frame of its camera."""

from __future__ import annotations

import time
from collections import deque
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rclpy.node import Node
from rclpy.qos import qos_profile_sensor_data
from sensor_msgs.msg import CameraInfo, Image, LaserScan, PointCloud2

from monodepth_ros.data.bags.messages.image import nanoseconds
from monodepth_ros.errors import UserError
from monodepth_ros.nodes.camera.speed_topic import describe_publishers
from monodepth_ros.nodes.conversions.measured_points import points_of
from monodepth_ros.nodes.scale.transforms import Transforms
from monodepth_ros.stamps import SECOND

POINT_TYPES: dict[str, tuple[type, str]] = {
    "PointCloud2": (PointCloud2, "points"),
    "LaserScan": (LaserScan, "scan"),
    "Image": (Image, "range/image_rect"),
}
_INFO_TOPIC = "range/camera_info"
_KEPT = 20  # messages
_TIMEOUT = 2.0  # seconds


class PointsTopic:
    """Keeps the latest messages; ``problem`` says why the last image found none."""

    def __init__(self, node: Node, kind: str, tolerance: float, transforms: Transforms) -> None:
        self._node, self._tolerance, self._transforms = node, tolerance, transforms
        self._kind, topic = POINT_TYPES[kind]
        self._messages: deque[tuple[int, Any]] = deque(maxlen=_KEPT)
        self._info: CameraInfo | None = None
        self._received_at: float | None = None
        self._problem = ""
        make = node.create_subscription
        self._subscriptions = [make(self._kind, topic, self._on_message, qos_profile_sensor_data)]
        if self._kind is Image:
            self._subscriptions.append(
                make(CameraInfo, _INFO_TOPIC, self._on_info, qos_profile_sensor_data)
            )

    def close(self) -> None:
        """Unsubscribe."""
        for subscription in self._subscriptions:
            self._node.destroy_subscription(subscription)

    @property
    def problem(self) -> str:
        """Why there are no points; empty if there are."""
        name = self._subscriptions[0].topic_name
        if self._received_at is None:
            return f"no message on {name}{describe_publishers(self._node, name, self._kind)}"
        silent = time.monotonic() - self._received_at
        if silent > _TIMEOUT:
            return f"no message on {name} for {silent:.0f} s"
        if self._kind is Image and self._info is None:
            return f"no message on {self._subscriptions[1].topic_name}"
        return self._problem

    def is_to_come(self, stamp: int) -> bool:
        """Whether points nearer to an image of this time may still come."""
        newest = max((at for at, _ in tuple(self._messages)), default=None)
        return newest is None or newest < stamp

    def near(self, stamp: int, optical_frame: str) -> NDArray[np.float64] | None:
        """Points ``(N, 3)`` in the camera's frame, in metres; None if there are none."""
        kept = tuple(self._messages)
        if not kept:
            return None
        at, message = min(kept, key=lambda known: abs(known[0] - stamp))
        apart = abs(at - stamp) / SECOND
        if apart > self._tolerance:
            self._problem = (
                f"the nearest points are {apart:.2g} s away from the image (points_tolerance"
                f" {self._tolerance:g} s)"
            )
            return None
        frame = message.header.frame_id.lstrip("/")
        T = self._transforms.between(optical_frame.lstrip("/"), frame, at)
        if isinstance(T, str):
            self._problem = T
            return None
        try:
            points = points_of(message, self._info)
        except UserError as error:
            self._problem = str(error)
            return None
        self._problem = ""
        return np.asarray(points @ T[:3, :3].T + T[:3, 3], np.float64)

    def _on_message(self, message: Any) -> None:
        self._received_at = time.monotonic()
        self._messages.append((nanoseconds(message.header.stamp), message))

    def _on_info(self, message: CameraInfo) -> None:
        self._info = message
