"""The parameters of the metric scale."""

from __future__ import annotations

from monodepth_ros.nodes.camera.speed_topic import SPEED_TYPES
from monodepth_ros.nodes.parameters import ParameterSpec
from monodepth_ros.nodes.scale.odometry_topic import ODOMETRY_TYPES
from monodepth_ros.nodes.scale.points_topic import POINT_TYPES

SCALE_PARAMETERS = (
    ParameterSpec(
        "scale_source",
        "none",
        "source of the metric scale. none: results are in the model's unit. fixed: `scale_factor`."
        " speed: topic `speed`. camera_height: height above the ground. odometry: the robot's"
        " motion, from the topic `odometry` or TF. points: what another sensor measures. topic: the"
        " `scale` of another node",
        choices=("none", "fixed", "speed", "camera_height", "odometry", "points", "topic"),
    ),
    ParameterSpec(
        "scale_factor",
        0.0,
        "metres per unit of the model, for `scale_source: fixed`; other sources start from it"
        " until they have an estimate or another model is loaded; 0: unknown",
        read_only=False,
        bounds=(0.0, 1e6),
    ),
    ParameterSpec(
        "speed_type",
        "Odometry",
        "message type of the topic `speed`, for `scale_source: speed`",
        choices=tuple(SPEED_TYPES),
    ),
    ParameterSpec(
        "odometry_type",
        "Odometry",
        "what tells the robot's motion, for `scale_source: odometry`: the message type of the topic"
        " `odometry`, or TF from `odometry_frame` to the camera; of an Odometry without poses and"
        " of a TwistStamped the twist is integrated",
        choices=(*ODOMETRY_TYPES, "TF"),
    ),
    ParameterSpec(
        "odometry_frame", "odom", "fixed frame of the robot's motion, for `odometry_type: TF`"
    ),
    ParameterSpec(
        "points_type",
        "PointCloud2",
        "message type of measured depth, for `scale_source: points`: PointCloud2 (topic `points`),"
        " LaserScan (topic `scan`), Image (a range camera: topics `range/image_rect` and"
        " `range/camera_info`)",
        choices=tuple(POINT_TYPES),
    ),
    ParameterSpec(
        "points_tolerance",
        0.05,
        "maximum time in seconds between an image and measured points, for `scale_source: points`",
        bounds=(0.0, 10.0),
        advanced=True,
    ),
    ParameterSpec(
        "camera_height",
        0.0,
        "height of the camera above the ground in metres, for `scale_source: camera_height`",
        bounds=(0.0, 100.0),
    ),
)
