"""The robot's speed from a topic, and what is wrong with what comes on it."""

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
from monodepth_ros.stamps import StampJudge

SPEED_TYPES = {"Odometry": Odometry, "TwistStamped": TwistStamped, "Twist": Twist}
_MOVED = 0.1  # metres of the pose that a twist of zeros cannot explain
_APART = 1.0  # seconds between the newest stamps of speeds and images that are no delay any more
_SILENT = 2.0  # seconds
_STANDS = 0.05  # m/s
_TOO_FEW = "too few have come to judge their stamps"


class SpeedTopic:
    """Hands on the time (nanoseconds) and size (m/s) of each speed on the topic ``speed``."""

    def __init__(self, node: Node, speed_type: str, take: Callable[[int, float], None]) -> None:
        self._node, self._take = node, take
        self._kind = SPEED_TYPES[speed_type]
        self._heard_at: float | None = None
        self._newest = 0
        # A Twist has no stamp at all.
        self._times: StampJudge[float] = StampJudge("arrival" if self._kind is Twist else None)
        self._speed = self._fastest = 0.0
        self._filled = False  # whether a twist ever said anything
        self._began: NDArray[np.float64] | None = None  # position of the first pose
        self._moved = 0.0  # metres of the pose since
        self._subscription = node.create_subscription(
            self._kind, "speed", self._hear, qos_profile_sensor_data
        )
        self.name = self._subscription.topic_name

    def close(self) -> None:
        """Listen no longer."""
        self._node.destroy_subscription(self._subscription)

    def trouble(self, image_stamp: int) -> str:
        """Why no scale can come of it, with images of this newest stamp; empty where one can."""
        if self._heard_at is None:
            return f"no message on {self.name}{publishers_of(self._node, self.name, self._kind)}"
        silent = time.monotonic() - self._heard_at
        if silent > _SILENT:
            return f"no message on {self.name} for {silent:.0f} s"
        if self._unfilled:
            return f"the twist on {self.name} is all zero while its pose moves: it is not filled in"
        if not math.isfinite(self._speed):
            return f"the speed on {self.name} is {self._speed}"
        if not self._newest:
            ((reason, _),) = self._times.left_out.most_common(1) or [(_TOO_FEW, 0)]
            return f"no message on {self.name} can be used: {reason}"
        ahead = (self._newest - image_stamp) * 1e-9
        if image_stamp and abs(ahead) > _APART:
            where = "ahead of" if ahead > 0 else "behind"
            return f"stamps on {self.name} are {_duration(abs(ahead))} {where} those of the images"
        if self._fastest < _STANDS:
            return f"no speed above {_STANDS} m/s on {self.name} so far: the robot has to drive"
        return ""

    @property
    def _unfilled(self) -> bool:
        return not self._filled and self._moved > _MOVED

    def _hear(self, message: Odometry | TwistStamped | Twist) -> None:
        stamp = Time()
        twist = message
        if isinstance(message, Odometry):
            twist, stamp = message.twist.twist, message.header.stamp
            self._follow_pose(message)
        elif isinstance(message, TwistStamped):
            twist, stamp = message.twist, message.header.stamp
        linear, angular = twist.linear, twist.angular
        self._filled |= any((linear.x, linear.y, linear.z, angular.x, angular.y, angular.z))
        self._speed = math.sqrt(linear.x**2 + linear.y**2 + linear.z**2)
        self._heard_at = time.monotonic()
        if math.isfinite(self._speed):
            self._fastest = max(self._fastest, self._speed)
        now = int(self._node.get_clock().now().nanoseconds)
        for judged in self._times.add(nanoseconds(stamp), now, self._speed):
            if judged.reason:
                continue
            self._newest = judged.time
            if not self._unfilled:
                self._take(judged.time, judged.item)

    def _follow_pose(self, message: Odometry) -> None:
        position = message.pose.pose.position
        at = np.array([position.x, position.y, position.z])
        if np.isfinite(at).all():
            self._began = at if self._began is None else self._began
            self._moved = max(self._moved, float(np.linalg.norm(at - self._began)))


def publishers_of(node: Node, topic: str, kind: type) -> str:
    """Who might send what has not come: nobody, somebody with another type, or so many."""
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
