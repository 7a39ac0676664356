"""The robot's speed from a topic, with a diagnosis of unusable messages."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

import numpy as np
from builtin_interfaces.msg import Time
from geometry_msgs.msg import Twist, TwistStamped
from nav_msgs.msg import Odometry
from numpy.typing import NDArray
from rclpy.node import Node
from rclpy.qos import qos_profile_sensor_data

from monodepth_ros.data.bags.messages.image import nanoseconds
from monodepth_ros.stamps import StampFilter

SPEED_TYPES = {"Odometry": Odometry, "TwistStamped": TwistStamped, "Twist": Twist}
_MIN_MOVED = 0.1  # metres; a pose that moves more than this contradicts a twist of zeros
_MAX_STAMP_OFFSET = 1.0  # seconds between the newest stamps of speeds and images
_TIMEOUT = 2.0  # seconds
_MIN_SPEED = 0.05  # m/s
_TOO_FEW_MESSAGES = "too few received to validate their stamps"


class SpeedTopic:
    """Passes the stamp (ns) and the magnitude (m/s) of each speed on the topic ``speed`` on."""

    def __init__(self, node: Node, speed_type: str, callback: Callable[[int, float], None]) -> None:
        self._node, self._callback = node, callback
        self._kind = SPEED_TYPES[speed_type]
        self._received_at: float | None = None
        self._newest = 0
        # A Twist has no stamp at all.
        self._times: StampFilter[float] = StampFilter("arrival" if self._kind is Twist else None)
        self._speed = self._max_speed = 0.0
        self._has_twist = False  # whether a twist was ever different from zero
        self._first_position: NDArray[np.float64] | None = None  # position of the first pose
        self._pose_distance = 0.0  # metres of the pose since
        self._subscription = node.create_subscription(
            self._kind, "speed", self._on_message, qos_profile_sensor_data
        )
        self.name = self._subscription.topic_name

    def close(self) -> None:
        """Unsubscribe."""
        self._node.destroy_subscription(self._subscription)

    def problem(self, image_stamp: int) -> str:
        """Why no scale can be estimated, for images with this newest stamp; empty if it can."""
        if self._received_at is None:
            return (
                f"no message on {self.name}{describe_publishers(self._node, self.name, self._kind)}"
            )
        silent = time.monotonic() - self._received_at
        if silent > _TIMEOUT:
            return f"no message on {self.name} for {silent:.0f} s"
        if self._twist_is_empty:
            return f"the twist on {self.name} is zero although its pose moves: it is not filled in"
        if not math.isfinite(self._speed):
            return f"the speed on {self.name} is {self._speed}"
        if not self._newest:
            ((reason, _),) = self._times.left_out.most_common(1) or [(_TOO_FEW_MESSAGES, 0)]
            return f"no message on {self.name} can be used: {reason}"
        ahead = (self._newest - image_stamp) * 1e-9
        if image_stamp and abs(ahead) > _MAX_STAMP_OFFSET:
            where = "ahead of" if ahead > 0 else "behind"
            return f"stamps on {self.name} are {_duration(abs(ahead))} {where} those of the images"
        if self._max_speed < _MIN_SPEED:
            return f"no speed above {_MIN_SPEED} m/s on {self.name} so far: drive the robot"
        return ""

    @property
    def _twist_is_empty(self) -> bool:
        return not self._has_twist and self._pose_distance > _MIN_MOVED

    def _on_message(self, message: Odometry | TwistStamped | Twist) -> None:
        stamp = Time()
        twist = message
        if isinstance(message, Odometry):
            twist, stamp = message.twist.twist, message.header.stamp
            self._follow_pose(message)
        elif isinstance(message, TwistStamped):
            twist, stamp = message.twist, message.header.stamp
        linear, angular = twist.linear, twist.angular
        self._has_twist |= any((linear.x, linear.y, linear.z, angular.x, angular.y, angular.z))
        self._speed = math.sqrt(linear.x**2 + linear.y**2 + linear.z**2)
        self._received_at = time.monotonic()
        if math.isfinite(self._speed):
            self._max_speed = max(self._max_speed, self._speed)
        now = int(self._node.get_clock().now().nanoseconds)
        for judged in self._times.add(nanoseconds(stamp), now, self._speed):
            if judged.reason:
                continue
            self._newest = judged.time
            if not self._twist_is_empty:
                self._callback(judged.time, judged.item)

    def _follow_pose(self, message: Odometry) -> None:
        position = message.pose.pose.position
        at = np.array([position.x, position.y, position.z])
        if np.isfinite(at).all():
            self._first_position = at if self._first_position is None else self._first_position
            self._pose_distance = max(
                self._pose_distance, float(np.linalg.norm(at - self._first_position))
            )


def describe_publishers(node: Node, topic: str, kind: type) -> str:
    """The publishers of a topic that is silent: none, of another type, or how many."""
    offers = node.get_publishers_info_by_topic(topic)
    if not offers:
        return ", which nobody publishes"
    wanted = f"{kind.__module__.partition('.')[0]}/msg/{kind.__name__}"
    others = {offer.topic_type for offer in offers} - {wanted}
    if others:
        return f", which is published as {', '.join(sorted(others))} instead of {wanted}"
    return f", which has {len(offers)} publisher{'s' if len(offers) > 1 else ''}"


def _duration(seconds: float) -> str:
    for unit, size in (("days", 86400.0), ("hours", 3600.0), ("minutes", 60.0)):
        if seconds >= 2 * size:
            return f"{seconds / size:.1f} {unit}"
    return f"{seconds:.1f} s"
