"""The other side of a node under test: a camera that plays images, and ears for the results."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable
from typing import Any

import numpy as np
import rclpy
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from rclpy.executors import SingleThreadedExecutor
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy, qos_profile_sensor_data
from sensor_msgs.msg import CameraInfo, Image
from std_msgs.msg import Header

from monodepth_ros.geometry.camera import PinholeCamera
from monodepth_ros.nodes.conversions.camera_info import info_of_camera
from monodepth_ros.nodes.conversions.images import encode_image

CAMERA = PinholeCamera.from_focal_length(320, 240, 260.0, 262.0, 161.0, 119.0)
RGB = np.random.default_rng(0).integers(0, 256, (240, 320, 3), dtype=np.uint8)


class Viewer:
    """Publishes as a camera driver does, best effort, and subscribes as viewers do, reliably."""

    def __init__(self) -> None:
        rclpy.init()
        self.node = rclpy.create_node("viewer")
        # Not rclpy's global one: that may outlive its context when another executor is collected.
        self._executor = SingleThreadedExecutor()
        self._executor.add_node(self.node)
        self.heard: dict[str, list[Any]] = defaultdict(list)
        self._images = self.node.create_publisher(Image, "image_raw", qos_profile_sensor_data)
        self._infos = self.node.create_publisher(CameraInfo, "camera_info", qos_profile_sensor_data)
        self.listen(DiagnosticArray, "/diagnostics")

    def __enter__(self) -> Viewer:
        return self

    def __exit__(self, *_: object) -> None:
        self._executor.shutdown()
        self.node.destroy_node()
        rclpy.try_shutdown()

    def listen(self, kind: type, topic: str) -> None:
        qos = QoSProfile(depth=10, reliability=ReliabilityPolicy.RELIABLE)
        self.node.create_subscription(kind, topic, self.heard[topic].append, qos)

    def in_namespace(self, namespace: str) -> Callable[[], Header]:
        """Plays as `play` does, as the camera of a namespace."""
        images = self.node.create_publisher(
            Image, f"{namespace}/image_raw", qos_profile_sensor_data
        )
        infos = self.node.create_publisher(
            CameraInfo, f"{namespace}/camera_info", qos_profile_sensor_data
        )

        def play() -> Header:
            stamp = self.node.get_clock().now().to_msg()
            header = Header(frame_id=f"{namespace}_optical", stamp=stamp)
            infos.publish(info_of_camera(CAMERA, header))
            images.publish(encode_image(RGB, "rgb8", header))
            return header

        return play

    def listen_kept(self, kind: type, topic: str) -> None:
        """Listen to what a publisher keeps for those that come later."""
        qos = QoSProfile(
            depth=1,
            reliability=ReliabilityPolicy.RELIABLE,
            durability=DurabilityPolicy.TRANSIENT_LOCAL,
        )
        self.node.create_subscription(kind, topic, self.heard[topic].append, qos)

    def play(self, image: Image | None = None, info: CameraInfo | None = None) -> Header:
        """One image with its camera_info, stamped now."""
        stamp = self.node.get_clock().now().to_msg()
        header = Header(frame_id="camera_optical", stamp=stamp)
        info = info_of_camera(CAMERA, header) if info is None else info
        image = encode_image(RGB, "rgb8", header) if image is None else image
        image.header = info.header = header
        self.send(image, info)
        return header

    def send(self, image: Image, info: CameraInfo) -> None:
        """Both as they are."""
        self.send_info(info)
        self.send_image(image)

    def send_info(self, info: CameraInfo) -> None:
        self._infos.publish(info)

    def send_image(self, image: Image) -> None:
        self._images.publish(image)

    def spin(self, seconds: float) -> None:
        """Hear what comes within a time."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            self._executor.spin_once(timeout_sec=left)

    def call(self, kind: Any, service: str, request: Any = None) -> Any:
        """The answer of a service."""
        client = self.node.create_client(kind, service)
        assert client.wait_for_service(20.0), f"no service {service}"
        answer = client.call_async(kind.Request() if request is None else request)
        self._executor.spin_until_future_complete(answer, timeout_sec=60.0)
        return answer.result()

    def until(
        self,
        condition: Callable[[], Any],
        seconds: float = 60.0,
        play: Callable[[], Any] | None = None,
    ) -> None:
        """Spin, and play at 10 Hz, until ``condition`` holds."""
        end, due = time.monotonic() + seconds, 0.0
        while not condition():
            assert time.monotonic() < end, f"not within {seconds} s; heard {self.said()}"
            if play is not None and time.monotonic() >= due:
                play()
                due = time.monotonic() + 0.1
            self._executor.spin_once(timeout_sec=0.02)

    @property
    def status(self) -> DiagnosticStatus | None:
        heard = self.heard["/diagnostics"]
        return heard[-1].status[0] if heard else None

    def said(self) -> str:
        return f"{self.status.message!r}" if self.status else "no diagnostics"


def of_status(viewer: Viewer, key: str) -> str | None:
    """What the newest diagnostics say of ``key``."""
    status = viewer.status
    return None if status is None else next((v.value for v in status.values if v.key == key), None)
