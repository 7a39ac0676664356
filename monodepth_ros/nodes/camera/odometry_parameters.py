"""The parameters of odometry that a robot's bring-up sets; the tracker has more."""

from __future__ import annotations

from monodepth_ros.nodes.camera.mounting import MOUNTING_PARAMETERS
from monodepth_ros.nodes.parameters import ParameterSpec

ROBOT_PARAMETERS = (
    ParameterSpec(
        "refine",
        False,
        "align each motion to the depth of its image, which also has to be estimated: far better",
    ),
    ParameterSpec("odom_frame", "odom", "frame of the poses: where the base was at first"),
    *MOUNTING_PARAMETERS,
    ParameterSpec("publish_tf", False, "odom -> base on TF as well; needs tf2_ros"),
)
