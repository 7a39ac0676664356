"""Writes docs/parameters.md and the parameter files from what the nodes declare.

    python -m monodepth_ros.nodes.documentation

A test holds both to the code.
"""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass

from monodepth_ros.nodes.camera.depth_node import DEPTH_PARAMETERS
from monodepth_ros.nodes.camera.odometry_parameters import ODOMETRY_PARAMETERS
from monodepth_ros.nodes.camera.parameters import CAMERA_PARAMETERS
from monodepth_ros.nodes.parameters import ParameterSpec
from monodepth_ros.nodes.recorder.parameters import RECORDER_PARAMETERS
from monodepth_ros.nodes.tuner.parameters import TUNER_PARAMETERS
from monodepth_ros.share_directory import share_directory

_INTRODUCTION = """\
# Topics, services and parameters of the nodes

This page is generated: `python -m monodepth_ros.nodes.documentation` writes it from the code.

`config/` holds a parameter file with all defaults for each node. Parameters that you will most
likely change come first. A parameter that is not *live* is read when the node starts. Ranges and
choices are in square brackets."""


@dataclass(frozen=True)
class Interface:
    """What a node offers: topics and services as (name, type, description), and parameters."""

    subscribes: tuple[tuple[str, str, str], ...]
    publishes: tuple[tuple[str, str, str], ...]
    services: tuple[tuple[str, str, str], ...]
    parameters: tuple[ParameterSpec, ...]

    def sorted_parameters(self) -> list[tuple[str, list[ParameterSpec]]]:
        """The parameters in two groups with their headings: likely to change, and advanced."""
        basic = [spec for spec in self.parameters if not spec.advanced]
        return [("Parameters", basic), ("Advanced", [p for p in self.parameters if p.advanced])]


_CAMERA = (
    ("image_raw", "sensor_msgs/Image", "camera image; best effort, keep last 1"),
    ("image_raw/compressed", "sensor_msgs/CompressedImage", "with `image_transport: compressed`"),
    ("camera_info", "sensor_msgs/CameraInfo", "calibration; distorted images are rectified"),
    ("speed", "Odometry, TwistStamped or Twist", "with `scale_source: speed`"),
)
_SCALE_IN = (
    ("odometry", "Odometry, TwistStamped or PoseStamped", "with `scale_source: odometry`"),
    (
        "points",
        "sensor_msgs/PointCloud2",
        "with `scale_source: points`; `scan` and"
        " `range/image_rect` with `range/camera_info` by `points_type`",
    ),
    ("scale", "std_msgs/Float64", "with `scale_source: topic`"),
    ("scale_fit", "std_msgs/Float64MultiArray", "the same with shift and uncertainty"),
    ("scale_model", "std_msgs/String", "model of that scale; one of another model is ignored"),
)
_SCALE_OUT = (
    ("scale", "std_msgs/Float64", "estimated scale, metres per unit of the model"),
    (
        "scale_fit",
        "std_msgs/Float64MultiArray",
        "factor, shift (1/m), variance of the factor's"
        " logarithm, covariance of both, variance of the shift",
    ),
    ("scale_model", "std_msgs/String", "model of that scale, with the hash of its weights"),
)
_ARRAY = "diagnostic_msgs/DiagnosticArray"
_DIAGNOSTICS = ("/diagnostics", _ARRAY, "rates, latency, drops, errors")
_RELOAD = ("~/reload", "std_srvs/Trigger", "load the model that the parameter `model` names")

INTERFACES = {
    "depth_node": Interface(
        (*_CAMERA, *_SCALE_IN),
        (
            ("depth/image_rect", "sensor_msgs/Image", "depth, 32FC1 (m) or 16UC1 (mm)"),
            ("depth/camera_info", "sensor_msgs/CameraInfo", "camera of the depth image, rectified"),
            ("depth/points", "sensor_msgs/PointCloud2", "organised, xyz or xyzrgb, NaN: invalid"),
            ("depth/confidence", "sensor_msgs/Image", "32FC1, probability: depth within 25 %"),
            ("depth/stddev", "sensor_msgs/Image", "32FC1, standard deviation, unit of the depth"),
            ("depth/preview", "sensor_msgs/Image", "colour-mapped depth, bgr8"),
            *_SCALE_OUT,
            _DIAGNOSTICS,
        ),
        (_RELOAD,),
        (*CAMERA_PARAMETERS, *DEPTH_PARAMETERS),
    ),
    "odometry_node": Interface(
        (*_CAMERA, *_SCALE_IN),
        (
            ("odom", "nav_msgs/Odometry", "pose of `base_frame` in `odom_frame`, with covariance"),
            ("path", "nav_msgs/Path", "the last `path_length` poses"),
            ("/tf", "tf2_msgs/TFMessage", "with `publish_tf`, where tf2_ros is installed"),
            *_SCALE_OUT,
            _DIAGNOSTICS,
        ),
        (_RELOAD, ("~/reset", "std_srvs/Trigger", "restart odometry at the next image")),
        (*CAMERA_PARAMETERS, *ODOMETRY_PARAMETERS),
    ),
    "recorder_node": Interface(
        (("those of `topics`", "any", "with the QoS of their publishers"),),
        (("/diagnostics", _ARRAY, "messages written, lost and not stored"),),
        (
            ("~/start", "std_srvs/Trigger", "start recording to a new bag"),
            ("~/stop", "std_srvs/Trigger", "stop recording; the response names the bags"),
            ("~/snapshot", "std_srvs/Trigger", "write the last `snapshot_seconds` to a new bag"),
        ),
        RECORDER_PARAMETERS,
    ),
    "tuner_node": Interface(
        (("/diagnostics", _ARRAY, "latencies of the live nodes"),),
        (
            ("~/status", "std_msgs/String", "JSON: stage, tuning, last outcome; transient local"),
            ("/diagnostics", _ARRAY, "status, temperature and power"),
        ),
        (
            ("~/tune", "std_srvs/Trigger", "train on the newest bags; the response comes at once"),
            ("~/rollback", "std_srvs/Trigger", "load the previous model into the live nodes"),
        ),
        TUNER_PARAMETERS,
    ),
}


def parameters_page() -> str:
    """The page docs/parameters.md: topics, services and parameters of all nodes."""
    parts = [_INTRODUCTION]
    for name, interface in INTERFACES.items():
        rows = [
            (f"`{topic}`", kind, direction, description)
            for direction, group in (
                ("subscribed", interface.subscribes),
                ("published", interface.publishes),
                ("service", interface.services),
            )
            for topic, kind, description in group
        ]
        parts += [f"## {name}", _table(("name", "type", "", "description"), rows)]
        for heading, specs in interface.sorted_parameters():
            parts += [
                f"### {heading} of {name}" if heading == "Parameters" else f"{heading}:",
                _table(("parameter", "default", "description", "live"), [*map(_row, specs)]),
            ]
    return "\n\n".join(parts) + "\n"


def parameter_file(name: str) -> str:
    """The YAML file of a node: every parameter with its description and its default."""
    lines = [
        f"# Parameters of {name} with their defaults. They apply in every namespace.",
        f"/**/{name}:",
        "  ros__parameters:",
    ]
    for heading, specs in INTERFACES[name].sorted_parameters():
        lines += [f"    # ---- {heading} ----"] if heading == "Advanced" else []
        for spec in specs:
            lines += [f"    # {line}" for line in textwrap.wrap(_description(spec), 92)]
            lines.append(f"    {spec.name}: {spec.shown_default}")
    return "\n".join(lines) + "\n"


def _description(spec: ParameterSpec) -> str:
    text = spec.description
    if spec.choices:
        text += f" [{', '.join(spec.choices)}]"
    elif spec.bounds:
        text += " [{:g} to {:g}]".format(*spec.bounds)
    return text


def _row(spec: ParameterSpec) -> tuple[str, ...]:
    live = "no" if spec.read_only else "yes"
    return f"`{spec.name}`", f"`{spec.shown_default}`", _description(spec), live


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def main() -> None:
    """Write docs/parameters.md and the parameter files of a checkout."""
    root = share_directory()
    (root / "docs" / "parameters.md").write_text(parameters_page())
    for name in INTERFACES:
        (root / "config" / f"{name}.yaml").write_text(parameter_file(name))


if __name__ == "__main__":
    main()
