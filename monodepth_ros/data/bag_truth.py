"""Where the camera was, and how fast, by what a bag holds of TF, odometry and poses."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from monodepth_ros.data.transform_tree import Matrix, TransformTree, matrix_of_pose
from monodepth_ros.errors import UserError

TF = "tf2_msgs/msg/TFMessage"
ODOMETRY = "nav_msgs/msg/Odometry"
# Types that say where something is in the frame of their header, and how to get to that pose.
POSES: Mapping[str, Callable[[Any], tuple[Any, Any]]] = {
    ODOMETRY: lambda m: (m.pose.pose.position, m.pose.pose.orientation),
    "geometry_msgs/msg/PoseStamped": lambda m: (m.pose.position, m.pose.orientation),
    "geometry_msgs/msg/PoseWithCovarianceStamped": lambda m: (
        m.pose.pose.position,
        m.pose.pose.orientation,
    ),
    "geometry_msgs/msg/TransformStamped": lambda m: (m.transform.translation, m.transform.rotation),
}
_CAMERA = "camera whose pose is published"  # no frame of TF has spaces


@dataclass
class CameraTruth:
    """Poses of the camera and its speed, of all that a bag says about them.

    ``topic`` is what poses come from: one of the types above, or a topic of TF messages. ``frame``
    is the one they are given in, of TF's: the root of the tree where it is None. ``mounting`` is
    ``T_base_camera``, in the optical frame (z forward, y down), of a topic that states where the
    robot is while no TF says where the camera is on it.
    """

    topic: str | None = None
    frame: str | None = None
    mounting: Matrix | None = None
    tree: TransformTree = field(default_factory=TransformTree)
    bodies: set[str] = field(default_factory=set)  # that the topic says the pose of
    speeds: list[tuple[int, float]] = field(default_factory=list)  # in their order

    def take_transform(self, transform: Any, stamp: int, static: bool) -> None:
        """Learn of a transform of TF, at a time in nanoseconds."""
        T = matrix_of_pose(transform.transform.translation, transform.transform.rotation)
        if T is not None:
            self.tree.add(transform.header.frame_id, transform.child_frame_id, stamp, T, static)

    def take_pose(self, content: Any, kind: str, stamp: int) -> None:
        """Learn of a message of the topic, at a time in nanoseconds: its pose, and its speed."""
        if kind == ODOMETRY:
            v = content.twist.twist.linear
            insort(self.speeds, (stamp, float(np.linalg.norm([v.x, v.y, v.z]))))
        T = matrix_of_pose(*POSES[kind](content))
        if T is not None:
            body = getattr(content, "child_frame_id", "").lstrip("/") or _CAMERA
            # A name of its own: TF may state the pose of the same frame as well.
            self.bodies.add(body)
            self.tree.add(f"{self.topic} of", f"{self.topic} {body}", stamp, T)

    def pose(self, camera_frame: str, stamp: int) -> Matrix | None:
        """``T_world_camera`` of the optical frame; None where it is not known at that time."""
        if self.topic is None:
            return None
        if not self.bodies:
            root = self.frame or self.tree.ancestors(camera_frame)[-1]
            return self.tree.lookup(root, camera_frame, stamp)
        for body in sorted(self.bodies):
            T = self.tree.lookup(f"{self.topic} of", f"{self.topic} {body}", stamp)
            mounted = self._on(body, camera_frame, stamp)
            if T is not None and mounted is not None:
                return T @ mounted
        return None

    def _on(self, body: str, camera_frame: str, stamp: int) -> Matrix | None:
        if body in (_CAMERA, camera_frame.lstrip("/")):
            return np.eye(4)
        if self.mounting is not None:
            return self.mounting
        return self.tree.lookup(body, camera_frame, stamp)

    def check(self, camera_frame: str) -> None:
        """UserError where no pose of this camera can ever be had from what the bag holds."""
        if self.topic is None:
            return
        chain = self.tree.ancestors(camera_frame)
        if not self.bodies:
            if len(chain) == 1 or (self.frame is not None and self.frame not in chain):
                known = " <- ".join(reversed(chain))
                raise UserError(
                    f"{self.topic}: TF has no way from {self.frame or 'any frame'} to the camera's"
                    f" frame {camera_frame!r}; it knows {known}"
                )
        elif self.mounting is None and not self.bodies & {_CAMERA, *chain}:
            raise UserError(
                f"{self.topic} is the pose of {', '.join(sorted(self.bodies))}, and no TF says"
                f" where the camera's frame {camera_frame!r} is on it: give --mounting"
            )

    def speed(self, stamp: int, tolerance: int = 200_000_000) -> float | None:
        """The robot's speed in m/s by the odometry nearest in time."""
        place = bisect_left(self.speeds, (stamp, 0.0))
        beside = self.speeds[max(place - 1, 0) : place + 1]
        at, speed = min(beside, key=lambda known: abs(known[0] - stamp), default=(0, None))
        return speed if abs(at - stamp) <= tolerance else None


def pose_topic(topics: Mapping[str, str], wanted: str | None) -> str | None:
    """The topic that poses are to come from, checked against what the bag holds."""
    if wanted is None:
        return None
    kind = topics.get(wanted)
    if kind is None:
        raise UserError(f"no topic {wanted!r} in the bag; it holds {_listed(topics)}")
    if kind != TF and kind not in POSES:
        raise UserError(
            f"{wanted} is {kind}, which states no pose; known are {TF}, {', '.join(POSES)}"
        )
    return wanted


def _listed(names: Iterable[str]) -> str:
    return ", ".join(sorted(names)) or "nothing"
