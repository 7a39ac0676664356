"""Tables of topics, services and parameters for the README, and the parameter files.

    python -m monodepth_ros.nodes.documentation

writes them anew from what the nodes declare; a test holds them to it.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass

from monodepth_ros.nodes.camera.depth_node import DEPTH_PARAMETERS
from monodepth_ros.nodes.camera.odometry_node import ODOMETRY_PARAMETERS
from monodepth_ros.nodes.camera.parameters import CAMERA_PARAMETERS
from monodepth_ros.nodes.parameters import ParameterSpec
from monodepth_ros.nodes.recorder.parameters import RECORDER_PARAMETERS
from monodepth_ros.nodes.tuner.parameters import TUNER_PARAMETERS
from monodepth_ros.share_directory import share_directory


@dataclass(frozen=True)
class Interface:
    """What a node has to do with the graph: name, type and meaning of each topic and service."""

    subscribes: tuple[tuple[str, str, str], ...]
    publishes: tuple[tuple[str, str, str], ...]
    services: tuple[tuple[str, str, str], ...]
    parameters: tuple[ParameterSpec, ...]


_CAMERA = (
    ("image_raw", "sensor_msgs/Image", "the camera; best effort, the newest counts"),
    ("image_raw/compressed", "sensor_msgs/CompressedImage", "with `image_transport: compressed`"),
    ("camera_info", "sensor_msgs/CameraInfo", "its calibration; distorted images are rectified"),
    ("speed", "Odometry, TwistStamped or Twist", "with `scale_source: speed`"),
)
_SCALE_IN = (
    ("scale", "std_msgs/Float64", "with `scale_source: topic`"),
    ("scale_model", "std_msgs/String", "the model that it is of; another one's is not taken"),
)
_SCALE_OUT = (
    ("scale", "std_msgs/Float64", "metres per unit of the model, where it is estimated"),
    ("scale_model", "std_msgs/String", "the model that it is of, with the hash of its weights"),
)
_DIAGNOSTICS = ("/diagnostics", "diagnostic_msgs/DiagnosticArray", "rates, latency, drops, errors")
_RELOAD = ("~/reload", "std_srvs/Trigger", "load the model that the parameter `model` names now")

INTERFACES = {
    "depth_node": Interface(
        (*_CAMERA, *_SCALE_IN),
        (
            ("depth/image_rect", "sensor_msgs/Image", "depth, 32FC1 (m) or 16UC1 (mm)"),
            ("depth/camera_info", "sensor_msgs/CameraInfo", "of the depth image, no distortion"),
            ("depth/points", "sensor_msgs/PointCloud2", "organised, xyz or xyzrgb, NaN invalid"),
            ("depth/confidence", "sensor_msgs/Image", "32FC1, 0 to 1; runs the network twice"),
            ("depth/preview", "sensor_msgs/Image", "bgr8, for people"),
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
            ("path", "nav_msgs/Path", "the latest poses, if somebody listens"),
            ("/tf", "tf2_msgs/TFMessage", "with `publish_tf`, where tf2_ros is installed"),
            *_SCALE_OUT,
            _DIAGNOSTICS,
        ),
        (_RELOAD, ("~/reset", "std_srvs/Trigger", "the next image is the new start")),
        (*CAMERA_PARAMETERS, *ODOMETRY_PARAMETERS),
    ),
    "recorder_node": Interface(
        (("those of `topics`", "any", "as their publishers offer them, serialised"),),
        (("/diagnostics", "diagnostic_msgs/DiagnosticArray", "what is written, lost, refused"),),
        (
            ("~/start", "std_srvs/Trigger", "record, to a new bag"),
            ("~/stop", "std_srvs/Trigger", "end the bag; the answer names it"),
            ("~/snapshot", "std_srvs/Trigger", "the last `snapshot_seconds` to a bag of their own"),
        ),
        RECORDER_PARAMETERS,
    ),
    "tuner_node": Interface(
        (("/diagnostics", "diagnostic_msgs/DiagnosticArray", "latencies of the live nodes"),),
        (
            ("~/status", "std_msgs/String", "JSON: stage, tuning, last outcome; kept for all"),
            ("/diagnostics", "diagnostic_msgs/DiagnosticArray", "the same, with heat and power"),
        ),
        (
            ("~/tune", "std_srvs/Trigger", "learn from the newest bags; the answer comes at once"),
            ("~/rollback", "std_srvs/Trigger", "give the live nodes the model before"),
        ),
        TUNER_PARAMETERS,
    ),
}


def readme_tables() -> str:
    """The tables of all nodes, in Markdown."""
    parts = []
    for name, interface in INTERFACES.items():
        rows = [
            (f"`{topic}`", kind, direction, meaning)
            for direction, group in (
                ("in", interface.subscribes),
                ("out", interface.publishes),
                ("service", interface.services),
            )
            for topic, kind, meaning in group
        ]
        parts.append(f"**`{name}`**")
        parts.append(_table(("name", "type", "", "what"), rows))
        parts.append(
            _table(
                ("parameter", "default", "what", "live"),
                [_row(spec) for spec in interface.parameters],
            )
        )
    return "\n\n".join(parts)


def parameter_file(name: str) -> str:
    """The YAML file of a node: every parameter, described, with its default."""
    lines = [
        f"# Parameters of {name}, all with their defaults. Valid in every namespace.",
        f"/**/{name}:",
        "  ros__parameters:",
    ]
    for spec in INTERFACES[name].parameters:
        lines += [f"    # {line}" for line in textwrap.wrap(_explained(spec), 92)]
        lines.append(f"    {spec.name}: {_yaml(spec.default)}")
    return "\n".join(lines) + "\n"


def with_tables(readme: str) -> str:
    """The README's text with the tables between their marks."""
    begin, end = "<!-- tables of nodes: begin -->", "<!-- tables of nodes: end -->"
    pattern = re.compile(f"{re.escape(begin)}.*{re.escape(end)}", re.DOTALL)
    return pattern.sub(lambda _: f"{begin}\n\n{readme_tables()}\n\n{end}", readme)


def _explained(spec: ParameterSpec) -> str:
    text = spec.description
    if spec.choices:
        text += f" [{', '.join(spec.choices)}]"
    elif spec.minimum is not None and spec.maximum is not None:
        text += f" [{spec.minimum:g} to {spec.maximum:g}]"
    return text


def _row(spec: ParameterSpec) -> tuple[str, ...]:
    live = "no" if spec.read_only else "yes"
    return f"`{spec.name}`", f"`{_yaml(spec.default)}`", _explained(spec), live


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _yaml(value: bool | int | float | str | tuple[str, ...]) -> str:
    if isinstance(value, tuple):
        return f"[{', '.join(value)}]"
    return str(value).lower() if isinstance(value, bool) else str(value) or '""'


def main() -> None:
    """Write the README's tables and the parameter files of a checkout."""
    root = share_directory()
    readme = root / "README.md"
    readme.write_text(with_tables(readme.read_text()))
    for name in INTERFACES:
        (root / "config" / f"{name}.yaml").write_text(parameter_file(name))


if __name__ == "__main__":
    main()
