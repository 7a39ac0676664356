"""The robot's motion from a topic of odometry or from TF, for the scale of depth."""

from __future__ import annotations

import time
from collections import deque
from typing import Any

import numpy as np
from geometry_msgs.msg import PoseStamped, TwistStamped
from nav_msgs.msg import Odometry
from numpy.typing import NDArray
from rclpy.node import Node
from rclpy.qos import qos_profile_sensor_data

from monodepth_ros.data.bags.messages.image import nanoseconds
from monodepth_ros.data.bags.transform_tree import matrix_of_pose
from monodepth_ros.inference.scale.known_motion import KnownMotion
from monodepth_ros.nodes.camera.speed_topic import describe_publishers
from monodepth_ros.nodes.scale.transforms import Transforms
from monodepth_ros.stamps import StampFilter

ODOMETRY_TYPES = {"Odometry": Odometry, "TwistStamped": TwistStamped, "PoseStamped": PoseStamped}
_TIMEOUT = 2.0  # seconds


class OdometryTopic:
    """Keeps what comes on the topic ``odometry`` until the worker asks for it."""

    def __init__(self, node: Node, kind: str) -> None:
        self._node, self._kind = node, ODOMETRY_TYPES[kind]
        self.body = ""  # frame whose motion it is; empty: not stated
        self._inbox: deque[tuple[int, Any]] = deque(maxlen=2000)
        self._times: StampFilter[Any] = StampFilter(None)
        self._received_at: float | None = None
        self._subscription = node.create_subscription(
            self._kind, "odometry", self._on_message, qos_profile_sensor_data
        )

    def close(self) -> None:
        """Unsubscribe."""
        self._node.destroy_subscription(self._subscription)

    def deliver(self, motion: KnownMotion) -> None:
        """Tell ``motion`` all that has come since."""
        while self._inbox:
            stamp, message = self._inbox.popleft()
            motion.add(stamp, *_content(message))

    @property
    def problem(self) -> str:
        """Why no motion is known; empty if messages come."""
        name = self._subscription.topic_name
        if self._received_at is None:
            return f"no message on {name}{describe_publishers(self._node, name, self._kind)}"
        silent = time.monotonic() - self._received_at
        return f"no message on {name} for {silent:.0f} s" if silent > _TIMEOUT else ""

    def _on_message(self, message: Any) -> None:
        self._received_at = time.monotonic()
        if isinstance(message, Odometry):
            self.body = message.child_frame_id.lstrip("/")
        elif isinstance(message, TwistStamped):
            self.body = message.header.frame_id.lstrip("/")
        now = int(self._node.get_clock().now().nanoseconds)
        for judged in self._times.add(nanoseconds(message.header.stamp), now, message):
            if not judged.reason:
                self._inbox.append((judged.time, judged.item))


class OdometryFromTf:
    """The camera's motion from TF, asked for at the times of images."""

    body = ""

    def __init__(self, transforms: Transforms, frame: str) -> None:
        self._transforms, self._frame = transforms, frame
        self._asked: deque[tuple[int, str]] = deque(maxlen=20)
        self.problem = ""

    def close(self) -> None:
        """See `OdometryTopic`; TF is closed by its owner."""

    def ask(self, stamp: int, optical_frame: str) -> None:
        """Ask for the camera's pose at the time of an image, whenever TF has it."""
        self._asked.append((stamp, optical_frame))

    def deliver(self, motion: KnownMotion) -> None:
        """See `OdometryTopic`. What TF lacks yet is asked for again with the next image."""
        answers = [
            (stamp, self._transforms.between(self._frame, frame, stamp))
            for stamp, frame in self._asked
        ]
        known = [k for k, (_, found) in enumerate(answers) if not isinstance(found, str)]
        self.problem = "" if known or not answers else str(answers[-1][1])
        for k in known:
            stamp, found = answers[k]
            assert not isinstance(found, str)
            motion.add(stamp, found)
        for _ in range(known[-1] + 1 if known else 0):  # TF begins after those it lacks
            self._asked.popleft()


Told = tuple[NDArray[np.float64] | None, NDArray[np.float64] | None, float]


def _content(message: Any) -> Told:
    """Pose, twist and the variance of the position that a message states."""
    if isinstance(message, TwistStamped):
        return None, _twist(message.twist), 0.0
    if isinstance(message, PoseStamped):
        return matrix_of_pose(message.pose.position, message.pose.orientation), None, 0.0
    pose = message.pose.pose
    T = matrix_of_pose(pose.position, pose.orientation)
    variances = np.array(message.pose.covariance)[[0, 7, 14]]
    return T, _twist(message.twist.twist), float(np.maximum(variances, 0).sum())


def _twist(twist: Any) -> NDArray[np.float64]:
    linear, angular = twist.linear, twist.angular
    return np.array([linear.x, linear.y, linear.z, angular.x, angular.y, angular.z])
