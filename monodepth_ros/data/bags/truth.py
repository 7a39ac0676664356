"""True poses of the camera from the TF, odometry and poses of a bag."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from monodepth_ros.data.bags.transform_tree import PoseTrack, TransformTree, Unknown, matrix_of_pose
from monodepth_ros.data.known_pose import Matrix

TF = "tf2_msgs/msg/TFMessage"
ODOMETRY = "nav_msgs/msg/Odometry"
# Types with a pose in the frame of their header, and how to read it.
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
    """Poses of the camera from all that a bag has.

    ``topic`` has the poses: a topic of the types above, or of TF messages. ``frame`` is the fixed
    frame of poses from TF; None: the root of the tree. ``mounting`` is ``T_base_camera`` of the
    optical frame (z forward, y down), for poses of a robot without TF to the camera.
    """

    topic: str | None = None
    frame: str | None = None
    mounting: Matrix | None = None
    kind: str | None = None  # of the topic
    tree: TransformTree = field(default_factory=TransformTree)
    tracks: dict[str, PoseTrack] = field(default_factory=dict)  # of the topic, by its child frame

    def take_transform(self, transform: Any, stamp: int, static: bool) -> None:
        """Add a transform of TF, at a time in nanoseconds."""
        T = matrix_of_pose(transform.transform.translation, transform.transform.rotation)
        self.tree.add(transform.header.frame_id, transform.child_frame_id, stamp, T, static)

    def take_pose(self, content: Any, kind: str, stamp: int) -> None:
        """Add a message of the topic, at a time in nanoseconds."""
        body = getattr(content, "child_frame_id", "").lstrip("/") or _CAMERA
        track = self.tracks.setdefault(body, PoseTrack(f"{self.topic}"))
        track.add(stamp, matrix_of_pose(*POSES[kind](content)))

    def pose(self, camera_frame: str, stamp: int) -> Matrix | Unknown:
        """``T_world_camera`` of the optical frame, or why it is not known at that time."""
        reason = self.why_unavailable(camera_frame)
        if reason is not None:
            return Unknown(reason)
        if not self.tracks:
            root = self.frame or self.tree.ancestors(camera_frame)[-1]
            return self.tree.lookup(root, camera_frame, stamp)
        found: Matrix | Unknown = Unknown(f"no message of {self.topic}")
        for body in sorted(self.tracks):
            mounted = self._on(body, camera_frame, stamp)
            found = self.tracks[body].at(stamp)
            if not isinstance(mounted, Unknown) and not isinstance(found, Unknown):
                return found @ mounted
            found = found if isinstance(found, Unknown) else mounted
        return found

    def _on(self, body: str, camera_frame: str, stamp: int) -> Matrix | Unknown:
        if body in (_CAMERA, camera_frame.lstrip("/")):
            return np.eye(4)
        if self.mounting is not None:
            return self.mounting
        if not self._carries(body, camera_frame):
            return Unknown(f"TF has no way from {body} to {camera_frame}")
        return self.tree.relation(camera_frame, body, stamp)

    def _carries(self, body: str, camera_frame: str) -> bool:
        return body == _CAMERA or self.tree.is_rigidly_connected(body, camera_frame)

    def why_unavailable(self, camera_frame: str) -> str | None:
        """Why the bag has no pose of this camera at any time; None if it may have."""
        chain = self.tree.ancestors(camera_frame)
        if self.topic is None:
            return "no topic of poses is named"
        if self.tracks:
            bodies = set(self.tracks)
            if self.mounting is None and not any(self._carries(b, camera_frame) for b in bodies):
                return (
                    f"{self.topic} is the pose of {', '.join(sorted(bodies))}, and no TF says"
                    f" where the camera's frame {camera_frame!r} is on it: give --mounting"
                )
        elif self.kind == TF:
            if len(chain) == 1 or (self.frame is not None and self.frame not in chain):
                known = " <- ".join(reversed(chain))
                return (
                    f"{self.topic}: TF has no way from {self.frame or 'any frame'} to the camera's"
                    f" frame {camera_frame!r}; it knows {known}"
                )
        else:
            return f"no message of {self.topic}"
        return None
