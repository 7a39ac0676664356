"""What the nodes use of tf2_ros, for tests: TF over DDS, a message for each transform.

PyPI's ROS 2 has no tf2, and the tests that put this on a node's path mean the same wherever they
run. Like tf2_ros, a broadcaster keeps its publisher until somebody destroys that.
"""

from __future__ import annotations

import threading
from typing import Any

from geometry_msgs.msg import TransformStamped
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile
from rclpy.time import Time
from scipy.spatial.transform import Rotation

from monodepth_ros.data.bags.transform_tree import TransformTree, matrix_of

_LATCHED = QoSProfile(depth=100, durability=DurabilityPolicy.TRANSIENT_LOCAL)


class LookupException(Exception):
    """A transform is not known, or not at that time."""


class Buffer:
    def __init__(self) -> None:
        self.tree = TransformTree()
        self.newest = 0
        self._lock = threading.Lock()  # TF comes on the executor, questions from workers

    def lookup_transform(self, target: str, source: str, time: Time) -> TransformStamped:
        with self._lock:
            stamp = time.nanoseconds or self.newest
            T = self.tree.lookup(target, source, stamp)
        if T is None:
            raise LookupException(f'"{source}" in "{target}" is not known at {stamp} ns')
        found = TransformStamped()
        found.header.stamp = Time(nanoseconds=stamp).to_msg()
        move, turn = found.transform.translation, found.transform.rotation
        move.x, move.y, move.z = map(float, T[:3, 3])
        turn.x, turn.y, turn.z, turn.w = map(float, Rotation.from_matrix(T[:3, :3]).as_quat())
        return found

    def add(self, message: TransformStamped, static: bool) -> None:
        T = matrix_of(message.transform.translation, message.transform.rotation)
        stamp = Time.from_msg(message.header.stamp).nanoseconds
        with self._lock:
            self.newest = max(self.newest, stamp)
            self.tree.add(message.header.frame_id, message.child_frame_id, stamp, T, static)


class TransformListener:
    def __init__(self, buffer: Buffer, node: Node) -> None:
        self._node = node
        self._subscriptions = [
            node.create_subscription(
                TransformStamped, "/tf", lambda message: buffer.add(message, False), 100
            ),
            node.create_subscription(
                TransformStamped, "/tf_static", lambda message: buffer.add(message, True), _LATCHED
            ),
        ]

    def unregister(self) -> None:
        for subscription in self._subscriptions:
            self._node.destroy_subscription(subscription)


class TransformBroadcaster:
    def __init__(self, node: Any) -> None:
        self.pub_tf = node.create_publisher(TransformStamped, "/tf", 100)

    def sendTransform(self, transform: TransformStamped) -> None:
        self.pub_tf.publish(transform)
