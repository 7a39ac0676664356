"""How fast the robot was, by what a bag holds of odometry and twists."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any

import numpy as np

from monodepth_ros.data.bags.file import BagFile
from monodepth_ros.data.bags.topics import topic_of_type
from monodepth_ros.data.bags.transform_tree import PoseTrack, Unknown, matrix_of_pose
from monodepth_ros.data.bags.truth import ODOMETRY, POSES

# Types that state a linear velocity, and how to get to it.
SPEEDS: Mapping[str, Callable[[Any], Any]] = {
    ODOMETRY: lambda m: m.twist.twist.linear,
    "geometry_msgs/msg/TwistStamped": lambda m: m.twist.linear,
    "geometry_msgs/msg/TwistWithCovarianceStamped": lambda m: m.twist.twist.linear,
}
MOVED = 0.1  # metres of poses' spread: a twist of zeros beside them is not filled in
TOLERANCE = 200_000_000  # nanoseconds between a frame and the message that states its speed


def speed_topic(bag: BagFile, wanted: str | None, poses: str | None) -> str | None:
    """The topic that speeds are to come from: the one named, or the odometry of the poses."""
    if wanted is None:
        return poses if bag.topics.get(poses or "") == ODOMETRY else None
    return topic_of_type(bag, wanted, SPEEDS, "speed")


class RobotSpeed:
    """Speeds over time, of one topic of one of the types above."""

    def __init__(self, topic: str, kind: str) -> None:
        self.topic, self._kind = topic, kind
        self._speeds: list[tuple[int, float]] = []  # in their order
        self._poses = PoseTrack(topic)  # of odometry

    def take(self, content: Any, stamp: int) -> None:
        """Learn of a message, at a time in nanoseconds."""
        v = SPEEDS[self._kind](content)
        speed = float(np.linalg.norm([v.x, v.y, v.z]))
        if np.isfinite(speed):
            insort(self._speeds, (stamp, speed))
        if self._kind == ODOMETRY:
            self._poses.add(stamp, matrix_of_pose(*POSES[ODOMETRY](content)))

    def at(self, stamp: int) -> float | Unknown:
        """M/s by the message nearest in time, or why it is not known."""
        if self._unfilled is not None:
            return self._unfilled
        place = bisect_left(self._speeds, (stamp, 0.0))
        beside = self._speeds[max(place - 1, 0) : place + 1]
        if not beside:
            return Unknown(f"no message of {self.topic} states a speed")
        at, speed = min(beside, key=lambda known: abs(known[0] - stamp))
        if abs(at - stamp) > TOLERANCE:
            tolerance = f"(tolerance {TOLERANCE / 1e6:g} ms)"
            return Unknown(f"nearest stamp {{gap}} away {tolerance}", abs(at - stamp))
        return speed

    @cached_property
    def _unfilled(self) -> Unknown | None:
        """The twist of all messages is zero while the poses move: nobody has filled it in."""
        extent = self._poses.extent
        if extent <= MOVED or any(speed for _, speed in self._speeds):
            return None
        return Unknown(
            f"the twist of {self.topic} is all zero while its poses move {extent:.2g} m: it is not"
            " filled in"
        )
