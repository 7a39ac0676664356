"""Where a node's metres come from: a parameter, a speed, the camera's height, another node."""

from __future__ import annotations

import math
import threading
from typing import Any

import numpy as np
from builtin_interfaces.msg import Time
from geometry_msgs.msg import Twist, TwistStamped
from nav_msgs.msg import Odometry
from numpy.typing import NDArray
from rclpy.node import Node
from rclpy.qos import qos_profile_sensor_data
from std_msgs.msg import Float64

from monodepth_ros.data.image_message import nanoseconds
from monodepth_ros.errors import UserError
from monodepth_ros.geometry.camera import PinholeCamera
from monodepth_ros.inference.metric_scale import CameraHeightScale, SpeedScale
from monodepth_ros.nodes.latched_topic import LATCHED, LatchedOrLive
from monodepth_ros.nodes.parameters import ParameterSpec

SCALE_PARAMETERS = (
    ParameterSpec(
        "scale_source",
        "none",
        "where metres come from: nowhere (the model's own unit), `scale_factor`, the topic `speed`,"
        " ground seen from `camera_height`, or the topic `scale` of another node",
        choices=("none", "fixed", "speed", "camera_height", "topic"),
    ),
    ParameterSpec(
        "scale_factor",
        0.0,
        "metres per unit of the model: the factor of `scale_source: fixed`, for others the one to"
        " begin with; 0 is unknown",
        read_only=False,
        minimum=0.0,
        maximum=1e6,
    ),
    ParameterSpec(
        "speed_type",
        "Odometry",
        "message type of the topic `speed`",
        choices=("Odometry", "TwistStamped", "Twist"),
    ),
    ParameterSpec(
        "camera_height",
        0.0,
        "metres from the ground up to the camera, for `scale_source: camera_height`",
        minimum=0.0,
        maximum=100.0,
    ),
)
_SPEED_TYPES = {"Odometry": Odometry, "TwistStamped": TwistStamped, "Twist": Twist}


class ScaleSource:
    """One factor for depth and odometry; a node that estimates it publishes it on ``scale``.

    UserError for a source that lacks its parameter.
    """

    def __init__(self, node: Node) -> None:
        self._node = node
        self.name: str = node.get_parameter("scale_source").value
        self._speed: SpeedScale | None = None
        self._height: CameraHeightScale | None = None
        self._followed: float | None = None
        self._published: float | None = None
        self._subscription: Any = None
        self._followed_topic: LatchedOrLive | None = None
        self._lock = threading.Lock()  # speeds come on the executor, motions on the worker
        begin = node.get_parameter("scale_factor").value
        if self.name == "fixed" and begin <= 0:
            raise UserError("scale_source fixed needs a scale_factor above 0")
        if self.name == "camera_height" and node.get_parameter("camera_height").value <= 0:
            raise UserError("scale_source camera_height needs a camera_height above 0")
        self.restart()
        if self.name == "speed":
            kind = _SPEED_TYPES[node.get_parameter("speed_type").value]
            self._subscription = node.create_subscription(
                kind, "speed", self._on_speed, qos_profile_sensor_data
            )
        if self.name == "topic":
            self._followed_topic = LatchedOrLive(node, Float64, "scale", self._on_scale)
        self._publisher = None
        if self.name in ("speed", "camera_height"):
            self._publisher = node.create_publisher(Float64, "scale", LATCHED)

    def restart(self) -> None:
        """Begin to measure, and forget what was: another model has another unit."""
        with self._lock:
            self._followed = self._published = None
            if self.name == "speed":
                self._speed = SpeedScale()
            if self.name == "camera_height":
                self._height = CameraHeightScale(self._node.get_parameter("camera_height").value)

    @property
    def waits_for(self) -> str:
        """Why metres are not known; empty where they are, or nobody asked."""
        return "" if self.factor is not None else f"metres are not known yet ({self.name})"

    def close(self) -> None:
        """Stop listening and publishing."""
        if self._subscription is not None:
            self._node.destroy_subscription(self._subscription)
        if self._followed_topic is not None:
            self._followed_topic.close()
        if self._publisher is not None:
            self._node.destroy_publisher(self._publisher)
        self._subscription = self._followed_topic = self._publisher = None

    @property
    def needs_motion(self) -> bool:
        """Whether `add_motion` has to be called."""
        return self._speed is not None

    @property
    def needs_depth(self) -> bool:
        """Whether `add_depth` has to be called."""
        return self._height is not None

    @property
    def factor(self) -> float | None:
        """Metres per unit of the model, 1 without a source; None where they are not known yet."""
        if self.name == "none":
            return 1.0
        estimate = self._estimate()
        if estimate is not None:
            return estimate
        begin: float = self._node.get_parameter("scale_factor").value
        return begin if begin > 0 else None

    def add_motion(self, start: int, end: int, distance: float) -> None:
        """A camera motion in the model's unit between two times in nanoseconds."""
        if self._speed is not None:
            with self._lock:
                self._speed.add_motion(start, end, distance)
            self._publish()

    def add_depth(self, depth: NDArray[np.float32], camera: PinholeCamera) -> None:
        """A depth image in the model's unit."""
        if self._height is not None:
            with self._lock:
                self._height.add_depth(depth, camera)
            self._publish()

    def facts(self, card_scale: str) -> dict[str, str]:
        """What diagnostics say of it; ``card_scale`` is what the model's card says."""
        factor = self.factor
        if self.name == "none":
            return {"scale": card_scale, "scale source": "none", "scale factor": "1"}
        known = "not known yet" if factor is None else f"{factor:.4g}"
        label = "unknown" if factor is None else "metric"
        return {"scale": label, "scale source": self.name, "scale factor": known}

    def _estimate(self) -> float | None:
        with self._lock:
            if self._speed is not None:
                return self._speed.factor
            if self._height is not None:
                return self._height.factor
            return self._followed

    def _publish(self) -> None:
        """Tell others, when it has changed by more than a thousandth."""
        factor = self._estimate()
        if factor is None or self._publisher is None:
            return
        if self._published is None or abs(math.log(factor / self._published)) > 1e-3:
            self._published = factor
            self._publisher.publish(Float64(data=factor))

    def _on_speed(self, message: Odometry | TwistStamped | Twist) -> None:
        if isinstance(message, Odometry):
            linear, stamp = message.twist.twist.linear, message.header.stamp
        elif isinstance(message, TwistStamped):
            linear, stamp = message.twist.linear, message.header.stamp
        else:
            linear, stamp = message.linear, Time()
        # Without a stamp, by its type or by its driver, its arrival is the best that is known.
        taken = nanoseconds(stamp) or self._node.get_clock().now().nanoseconds
        speed = math.sqrt(linear.x**2 + linear.y**2 + linear.z**2)
        with self._lock:
            if self._speed is not None:
                self._speed.add_speed(taken, speed)

    def _on_scale(self, message: Float64) -> None:
        if math.isfinite(message.data) and message.data > 0:
            self._followed = message.data
