"""Where the camera sits on the robot: from TF where there is one, else from parameters."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from rclpy.node import Node
from rclpy.time import Time

from monodepth_ros.data.transform_tree import matrix_of
from monodepth_ros.errors import UserError
from monodepth_ros.geometry.robot_frames import base_from_camera
from monodepth_ros.nodes.parameters import ParameterSpec

MOUNTING_PARAMETERS = (
    ParameterSpec(
        "base_frame", "base_link", "frame whose odometry is published; its TF to the camera is used"
    ),
    ParameterSpec(
        "mounting",
        "auto",
        "where the camera sits: from TF, or from the parameters; auto: TF if tf2_ros is installed",
        choices=("auto", "tf", "parameters"),
    ),
    ParameterSpec("camera_x", 0.0, "metres forward from the base to the camera"),
    ParameterSpec("camera_y", 0.0, "metres to the left from the base to the camera"),
    ParameterSpec("camera_z", 0.0, "metres up from the base to the camera"),
    ParameterSpec("camera_roll", 0.0, "radians; all three zero: the camera looks forward"),
    ParameterSpec("camera_pitch", 0.0, "radians, positive looks down"),
    ParameterSpec("camera_yaw", 0.0, "radians, positive looks left"),
)


class Mounting:
    """Looks ``T_base_camera`` up. UserError when TF was asked for and is not installed."""

    def __init__(self, node: Node) -> None:
        self._node = node
        source = node.get_parameter("mounting").value
        self._buffer: Any = None
        self._listener: Any = None
        if source in ("auto", "tf"):
            try:
                import tf2_ros
            except ImportError:
                if source == "tf":
                    raise UserError(
                        "mounting tf: tf2_ros is not installed, so set mounting:=parameters"
                    ) from None
            else:
                self._buffer = tf2_ros.Buffer()
                self._listener = tf2_ros.TransformListener(self._buffer, node)

    @property
    def source(self) -> str:
        """``tf`` or ``parameters``."""
        return "parameters" if self._buffer is None else "tf"

    def T_base_camera(self, optical_frame: str) -> NDArray[np.float64]:
        """4x4. UserError where TF does not know (yet) how the frames lie to each other."""
        if self._buffer is None:
            values = {name: self._node.get_parameter(f"camera_{name}").value for name in _AXES}
            xyz = np.array([values[name] for name in ("x", "y", "z")])
            rpy = np.array([values[name] for name in ("roll", "pitch", "yaw")])
            return base_from_camera(xyz, rpy)
        base = self._node.get_parameter("base_frame").value
        try:
            found = self._buffer.lookup_transform(base, optical_frame, Time())
        except Exception as error:  # tf2 has a type of its own for each reason
            raise UserError(
                f"TF from {base} to {optical_frame} is not known: {error};"
                " publish it, or set mounting:=parameters"
            ) from None
        return matrix_of(found.transform.translation, found.transform.rotation)

    def close(self) -> None:
        """Stop listening to TF."""
        if self._listener is not None:
            self._listener.unregister()
        self._buffer = self._listener = None


_AXES = ("x", "y", "z", "roll", "pitch", "yaw")
