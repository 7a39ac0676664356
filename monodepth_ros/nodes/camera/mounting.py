"""The pose of the camera on the robot's base, from TF or from parameters."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rclpy.node import Node
from rclpy.time import Time
from std_msgs.msg import Header

from monodepth_ros.data.bags.messages.image import nanoseconds
from monodepth_ros.data.bags.transform_tree import matrix_of
from monodepth_ros.errors import UserError
from monodepth_ros.geometry.rigid_motion import base_from_camera
from monodepth_ros.nodes.parameters import ParameterSpec

MOUNTING_PARAMETERS = (
    ParameterSpec(
        "base_frame", "base_link", "child_frame_id of the odometry: the frame of the robot's base"
    ),
    ParameterSpec(
        "mounting",
        "auto",
        "source of the camera's pose on the base: TF, or the parameters `camera_x` to"
        " `camera_yaw`; auto: TF if it is available within `mounting_timeout`, else the parameters,"
        " with a warning",
        choices=("auto", "tf", "parameters"),
    ),
    ParameterSpec(
        "mounting_timeout",
        3.0,
        "time in seconds from the first image to wait for TF, for `mounting: auto`",
        bounds=(0.0, 600.0),
        advanced=True,
    ),
    ParameterSpec("camera_x", 0.0, "position of the camera on the base, metres forward"),
    ParameterSpec("camera_y", 0.0, "position of the camera on the base, metres to the left"),
    ParameterSpec("camera_z", 0.0, "position of the camera on the base, metres up"),
    ParameterSpec(
        "camera_roll",
        0.0,
        "roll of the camera in radians; roll, pitch and yaw of 0: it looks forward",
    ),
    ParameterSpec("camera_pitch", 0.0, "pitch of the camera in radians; positive: it looks down"),
    ParameterSpec("camera_yaw", 0.0, "yaw of the camera in radians; positive: it looks left"),
)


class Mounting:
    """Looks up ``T_base_camera`` at the stamp of each image: the camera may turn on the robot.

    ``source`` replaces the parameter `mounting`. UserError when it is tf and tf2_ros is not
    installed.
    """

    def __init__(self, node: Node, source: str | None = None) -> None:
        self._node = node
        self.source: str = source or node.get_parameter("mounting").value
        self.warning = ""  # in diagnostics while poses are published
        self.unavailable_reason = ""  # why T_base_camera is not known yet
        self.late = 0  # images that arrived before the TF of their stamp
        self._frame = ""
        self._waiting_since = 0.0
        self._buffer: Any = None
        self._listener: Any = None
        if self.source == "parameters":
            return
        try:
            import tf2_ros
        except ImportError:
            if self.source == "tf":
                raise UserError(
                    "mounting tf: tf2_ros is not installed; set mounting:=parameters"
                ) from None
            self._fall_back("tf2_ros is not installed")
            return
        self._buffer = tf2_ros.Buffer()
        self._listener = tf2_ros.TransformListener(self._buffer, node)

    def T_base_camera(self, header: Header, base: str = "") -> NDArray[np.float64] | None:
        """4x4, for the frame_id and the stamp of an image; None while the node waits for TF.

        ``base`` is a frame of the robot other than `base_frame`.
        """
        base = base or self._node.get_parameter("base_frame").value
        if self.source == "parameters":
            return self._from_parameters()
        if header.frame_id != self._frame:
            self._frame, self._waiting_since = header.frame_id, time.monotonic()
        try:
            found = self._look_up(header, base)
        except Exception as error:  # tf2 has a type of its own for each reason
            return self._handle_missing_tf(error, base)
        self.source, self.unavailable_reason = "tf", ""
        return found

    def close(self) -> None:
        """Unsubscribe from TF."""
        if self._listener is not None:
            self._listener.unregister()
        self._buffer = self._listener = None

    def _look_up(self, header: Header, base: str) -> NDArray[np.float64]:
        """The transform at the image's stamp, or the newest one where that is not available yet."""
        if not header.frame_id:
            raise UserError("the images have no frame_id")
        self.warning = ""
        try:
            found = self._buffer.lookup_transform(
                base, header.frame_id, Time.from_msg(header.stamp)
            )
        except Exception:
            found = self._buffer.lookup_transform(base, header.frame_id, Time())
            self.late += 1
            age = (nanoseconds(header.stamp) - nanoseconds(found.header.stamp)) * 1e-9
            if abs(age) > _MAX_AGE:
                self.warning = (
                    f"the newest TF from {base} to {header.frame_id} is {age:.1f} s older than the"
                    " image; it is used all the same"
                )
        return matrix_of(found.transform.translation, found.transform.rotation)

    def _handle_missing_tf(self, error: Exception, base: str) -> NDArray[np.float64] | None:
        missing = f"TF from {base} to {self._frame or 'the camera'} is not available ({error})"
        waited = time.monotonic() - self._waiting_since
        timeout = self._node.get_parameter("mounting_timeout").value
        if self.source == "auto" and waited >= timeout:
            self._fall_back(f"{missing} after {timeout:g} s")
            return self._from_parameters()
        rest = f" within {timeout:g} s" if self.source == "auto" else ""
        self.unavailable_reason = f"{missing}: publish it{rest}, or set mounting:=parameters"
        return None

    def _fall_back(self, reason: str) -> None:
        self.source, self.unavailable_reason = "parameters", ""
        self.warning = (
            f"mounting from the parameters: {reason}; set mounting:=parameters if they are correct"
        )
        self._node.get_logger().warning(self.warning)

    def _from_parameters(self) -> NDArray[np.float64]:
        values = np.array([self._node.get_parameter(f"camera_{axis}").value for axis in _AXES])
        return base_from_camera(values[:3], values[3:])


_AXES = ("x", "y", "z", "roll", "pitch", "yaw")
_MAX_AGE = 1.0  # seconds
