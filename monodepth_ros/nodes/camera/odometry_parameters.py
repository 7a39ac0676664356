"""The parameters of the odometry node."""

from __future__ import annotations

from monodepth_ros.inference.odometry.registry import DEFAULT, METHODS
from monodepth_ros.inference.odometry.tracker_settings import TrackerSettings
from monodepth_ros.nodes.camera.mounting import MOUNTING_PARAMETERS
from monodepth_ros.nodes.parameters import ParameterSpec

_DEFAULTS = TrackerSettings()
TRACKER_PARAMETERS = tuple(
    ParameterSpec(name, getattr(_DEFAULTS, name), description, bounds=bounds, advanced=True)
    for name, bounds, description in (
        (
            "standstill_threshold_px", (0.0, 10.0),
            "image motion below this threshold, in pixels of the network's input, counts as"
            " standstill",
        ),
        (
            "max_image_gap", (0.01, 60.0),
            "longest time between two images, in seconds, over which the network measures a motion",
        ),
        (
            "max_extrapolation_time", (0.0, 60.0),
            "time in seconds for which the last velocity is extrapolated while images are missing",
        ),
        (
            "max_speed", (0.0, 1000.0),
            "maximum speed (m/s and rad/s) assumed while images are missing; inflates the"
            " covariance",
        ),
        (
            "translation_noise", (0.0, 10.0),
            "standard deviation of a step's translation, as a fraction of the translation",
        ),
        (
            "rotation_noise", (0.0, 10.0),
            "standard deviation of a step's rotation, as a fraction of the rotation",
        ),
        (
            "translation_noise_per_radian", (0.0, 100.0),
            "standard deviation of a step's translation that its rotation adds, in metres per"
            " radian",
        ),
    )
)  # fmt: skip
ODOMETRY_PARAMETERS = (
    ParameterSpec(
        "method",
        DEFAULT,
        "what measures the motions: geometry (tracked points and landmarks; runs the depth network"
        " at keyframes), refined (the pose network's motions, aligned to the depth of each image),"
        " network (the pose network's motions alone: fast and inaccurate), auto (geometry; refined"
        " where it lost its points)",
        choices=tuple(METHODS),
    ),
    ParameterSpec(
        "odom_frame", "odom", "frame_id of the poses; its origin is the base at the first image"
    ),
    *MOUNTING_PARAMETERS,
    ParameterSpec(
        "publish_tf", False, "also publish `odom_frame` -> `base_frame` on /tf; needs tf2_ros"
    ),
    ParameterSpec(
        "path_length",
        2000,
        "number of poses in the topic `path`",
        bounds=(1, 100_000),
        advanced=True,
    ),
    *TRACKER_PARAMETERS,
    ParameterSpec("refine", False, "the former name of `method: refined`", advanced=True),
)
