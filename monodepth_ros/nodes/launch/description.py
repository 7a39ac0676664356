"""The nodes and the arguments of the launch files.

Only launch files import it: it needs the ROS package launch_ros.
"""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

from launch.actions import (
    DeclareLaunchArgument,
    EmitEvent,
    ExecuteProcess,
    OpaqueFunction,
    RegisterEventHandler,
)
from launch.conditions import IfCondition
from launch.event_handlers import OnProcessExit
from launch.events import Shutdown
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node
from launch_ros.parameter_descriptions import ParameterValue

from launch import LaunchContext, LaunchDescription
from monodepth_ros.dds_environment import profile_environment, profile_path
from monodepth_ros.errors import UserError
from monodepth_ros.nodes.camera.odometry_parameters import ODOMETRY_PARAMETERS
from monodepth_ros.nodes.camera.parameters import CAMERA_PARAMETERS
from monodepth_ros.nodes.parameters import ParameterSpec
from monodepth_ros.nodes.recorder.parameters import RECORDER_PARAMETERS
from monodepth_ros.nodes.tuner.parameters import TUNER_PARAMETERS
from monodepth_ros.share_directory import share_directory
from monodepth_ros.zoo.catalogue import resolve

TUNED = "tuned"  # default of the tuner's parameter `tuned_model`
_BOOLEAN = ("true", "false")
_NO_PROFILE = "none"


def _chosen(specs: Sequence[ParameterSpec], *names: str) -> tuple[ParameterSpec, ...]:
    by_name = {spec.name: spec for spec in specs}
    return tuple(by_name[name] for name in names)


# Parameters that are also launch arguments: those that one is likely to change.
_CAMERA = _chosen(
    CAMERA_PARAMETERS,
    *("model", "engine", "device", "precision", "image_transport", "rectified"),
    *("scale_source", "scale_factor", "camera_height", "speed_type"),
    *("odometry_type", "odometry_frame", "points_type"),
)
PARAMETER_ARGUMENTS: dict[str, tuple[ParameterSpec, ...]] = {
    "depth_node": _CAMERA,
    "odometry_node": _CAMERA
    + _chosen(
        ODOMETRY_PARAMETERS,
        *("method", "refine", "mounting", "base_frame", "odom_frame", "publish_tf"),
    ),
    "recorder_node": _chosen(
        RECORDER_PARAMETERS,
        "prefix",
        "image_format",
        "record_on_activation",
        "standstill_threshold_px",
    ),
    "tuner_node": _chosen(TUNER_PARAMETERS, "prefix", "training_minutes"),
}
_Arguments = Mapping[str, tuple[str | None, str, tuple[str, ...]]]
# Arguments that are not parameters: default (None: it must be given), description and choices.
_ALL_NODES: _Arguments = {
    "namespace": ("camera", "namespace of the nodes and of the camera's topics", ()),
    "params_file": ("", "parameter file with a section for each node", ()),
    "use_sim_time": ("false", "use the time on /clock, as when a bag is played", _BOOLEAN),
    "log_level": (
        "info",
        "log level of the nodes",
        ("debug", "info", "warn", "error", "fatal"),
    ),
    "respawn": ("false", "restart a node when it exits", _BOOLEAN),
    "dds_profile": (
        profile_path(),
        f"Fast DDS profile with shared memory for large images; {_NO_PROFILE}: Fast DDS's default",
        (),
    ),
}
_TOPICS: _Arguments = {
    "image_raw": ("image_raw", "the camera's image topic", ()),
    "camera_info": ("camera_info", "the camera's camera_info topic", ()),
    "speed": ("speed", "the robot's speed for `scale_source: speed`, for example /odom", ()),
    "odometry": ("odometry", "the robot's motion for `scale_source: odometry`", ()),
    "points": ("points", "the LiDAR's cloud for `scale_source: points`", ()),
}
_OF_ROBOT = ("speed", "odometry", "points")  # the same for each of several cameras
_RVIZ: _Arguments = {"rviz": ("false", "open RViz", _BOOLEAN)}
_FOLDER: _Arguments = {"folder": ("~/monodepth_bags", "folder of the recorded bags", ())}
_EXTRA_TOPICS: _Arguments = {"extra_topics": ("", "further topics to record, comma-separated", ())}
CAMERAS: _Arguments = {
    "cameras": (
        "",
        "namespaces of several cameras that share one model, comma-separated: front,left,rear;"
        " image_raw and camera_info are then names within each of them",
        (),
    )
}
BAG_ARGUMENTS: _Arguments = {
    "bag": (None, "bag to play", ()),
    "rate": ("1.0", "playback rate; 1.0: real time", ()),
    "delay": ("8.0", "seconds before playback, in which the nodes start", ()),
    "tf": (
        "true",
        "play /tf; set it to false if the nodes publish transforms of the bag",
        _BOOLEAN,
    ),
    "use_sim_time": ("true", *_ALL_NODES["use_sim_time"][1:]),
}


def _of_parameters(specs: Sequence[ParameterSpec]) -> _Arguments:
    return {
        spec.name: (
            "",
            f"{spec.description}; empty: as in params_file, or else {spec.shown_default}",
            ("", *choices) if choices else (),
        )
        for spec in specs
        for choices in [_BOOLEAN if isinstance(spec.default, bool) else spec.choices]
    }


_OF_NODES: Mapping[str, _Arguments] = {
    "depth_node": {**_TOPICS, **_RVIZ},
    "odometry_node": {**_TOPICS, **_RVIZ},
    "recorder_node": {
        **_TOPICS,
        **_FOLDER,
        **_EXTRA_TOPICS,
        **_of_parameters(_chosen(CAMERA_PARAMETERS, "image_transport")),
    },
    "tuner_node": _FOLDER,
}


def launch_of(
    nodes: Sequence[str], *actions: object, more: _Arguments = MappingProxyType({})
) -> LaunchDescription:
    """A launch of some nodes: the arguments of all of them and ``more``, then ``actions``."""
    arguments = dict(_ALL_NODES)
    for node in nodes:
        arguments |= {**_OF_NODES[node], **_of_parameters(PARAMETER_ARGUMENTS[node])}
    declared = [
        DeclareLaunchArgument(
            name, default_value=default, description=described, choices=choices or None
        )
        for name, (default, described, choices) in {**arguments, **more}.items()
    ]
    return LaunchDescription([*declared, *actions])


def depth_and_odometry(tuned: bool = False) -> list[OpaqueFunction]:
    """Both nodes of a camera with one scale: a node that cannot measure it follows the other."""
    return [
        camera_node("depth_node", {"speed": "topic"}, tuned),
        camera_node(
            "odometry_node", dict.fromkeys(("camera_height", "odometry", "points"), "topic"), tuned
        ),
    ]


def camera_node(
    executable: str, scale_sources: Mapping[str, str] | None = None, tuned: bool = False
) -> OpaqueFunction:
    """A camera node with the parameters of the launch arguments.

    ``scale_sources`` replaces values of `scale_source`. With ``tuned`` the node loads the tuned
    model if there is one and the argument `model` is not set.
    """

    def values(context: LaunchContext) -> dict[str, Any]:
        given = _parameter_values(context, executable)
        if _cameras(context):
            given["cameras"] = _cameras(context)
        if "scale_source" in given:
            asked = given["scale_source"]
            given["scale_source"] = (scale_sources or {}).get(asked, asked)
        if tuned and "model" not in given and _exists(TUNED):
            given["model"] = TUNED
        return given

    return _node(executable, values)


def recorder() -> OpaqueFunction:
    """The recorder node."""

    def values(context: LaunchContext) -> dict[str, Any]:
        given = _parameter_values(context, "recorder_node")
        given["folder"] = _text(context, "folder")
        if _text(context, "image_transport") == "compressed":
            given["topics"] = ["image_raw/compressed", "camera_info"]
        names = [name.strip() for name in _text(context, "extra_topics").split(",")]
        if any(names):
            (optional,) = _chosen(RECORDER_PARAMETERS, "optional_topics")
            assert isinstance(optional.default, tuple)
            given["optional_topics"] = [*optional.default, *filter(None, names)]
        return given

    return _node("recorder_node", values)


def tuner() -> OpaqueFunction:
    """The tuner node."""
    return _node(
        "tuner_node",
        lambda context: {
            **_parameter_values(context, "tuner_node"),
            "bags_folder": _text(context, "folder"),
        },
    )


def played_bag() -> OpaqueFunction:
    """The process that plays the inputs of the nodes; the launch ends with it."""

    def create(context: LaunchContext) -> list[object]:
        pushed = context.launch_configurations.get("ros_namespace", "")
        namespace = _full_name(pushed, _text(context, "namespace"))
        image, info, *of_robot = (
            _full_name(namespace, _text(context, name))
            for name in ("image_raw", "camera_info", *_OF_ROBOT)
        )
        transforms = ["/tf", "/tf_static"] if _text(context, "tf") == "true" else ["/tf_static"]
        topics = [image, f"{image}/compressed", info, *of_robot, *transforms]
        bag = ExecuteProcess(
            cmd=[
                *("ros2", "bag", "play", _text(context, "bag"), "--clock"),
                *("--rate", _text(context, "rate"), "--delay", _text(context, "delay")),
                *("--topics", *topics),
            ],
            output="screen",
        )
        ends = OnProcessExit(target_action=bag, on_exit=EmitEvent(event=Shutdown()))
        return [bag, RegisterEventHandler(ends)]

    return OpaqueFunction(function=create)


def rviz(config: str) -> OpaqueFunction:
    """RViz with a configuration of the package, if the argument `rviz` is true.

    Of several cameras it shows the first one.
    """

    def create(context: LaunchContext) -> list[Node]:
        namespace = posixpath.join(_text(context, "namespace"), *_cameras(context)[:1])
        sim_time = ParameterValue(LaunchConfiguration("use_sim_time"), value_type=bool)
        return [
            Node(
                package="rviz2",
                executable="rviz2",
                namespace=namespace,
                arguments=["-d", str(share_directory() / "config" / "rviz" / config)],
                parameters=[{"use_sim_time": sim_time}],
                output="screen",
            )
        ]

    condition = IfCondition(LaunchConfiguration("rviz"))
    return OpaqueFunction(function=create, condition=condition)


def _node(executable: str, values: Callable[[LaunchContext], dict[str, Any]]) -> OpaqueFunction:
    """A node of the package; ``values`` computes its parameters at launch time."""

    def create(context: LaunchContext) -> list[Node]:
        typed = {
            # A string that looks like a number stays a string.
            name: ParameterValue(value, value_type=str) if isinstance(value, str) else value
            for name, value in values(context).items()
        }
        typed["use_sim_time"] = _text(context, "use_sim_time") == "true"
        return [
            Node(
                package="monodepth_ros",
                executable=executable,
                name=executable,
                namespace=_text(context, "namespace"),
                parameters=[*_parameter_file(context), typed],
                remappings=_remapped(context),
                additional_env=_profile(context),
                ros_arguments=["--log-level", _text(context, "log_level")],
                respawn=_text(context, "respawn") == "true",
                respawn_delay=2.0,
                output="screen",
            )
        ]

    return OpaqueFunction(function=create)


def _remapped(context: LaunchContext) -> list[tuple[str, str]]:
    """The topics that arguments name, for each camera if there are several."""
    given = {name: topic for name in _TOPICS if (topic := _text(context, name))}
    pairs = [(name, given.pop(name)) for name in _OF_ROBOT if name in given]
    if "image_raw" in given:  # image_transport appends the name of the transport to the topic
        given["image_raw/compressed"] = f"{given['image_raw']}/compressed"
    cameras = _cameras(context)
    for name, topic in given.items():
        if cameras and topic.startswith("/"):
            raise UserError(
                f"launch argument {name}: {topic} is a topic of one camera; with cameras, give its"
                " name within each camera's namespace"
            )
        pairs += [(f"{each}/{name}", f"{each}/{topic}") for each in cameras] or [(name, topic)]
    return pairs


def _cameras(context: LaunchContext) -> list[str]:
    names = (name.strip() for name in _text(context, "cameras").split(","))
    return [name for name in names if name]


def _parameter_file(context: LaunchContext) -> list[str]:
    """The user's parameter file; launch itself ignores a missing one."""
    given = _text(context, "params_file")
    if given and not Path(given).expanduser().is_file():
        raise UserError(f"launch argument params_file: {given}: no such file")
    return [str(Path(given).expanduser())] if given else []


def _profile(context: LaunchContext) -> dict[str, str]:
    profile = _text(context, "dds_profile")
    return {} if profile == _NO_PROFILE else profile_environment(profile)


def _parameter_values(context: LaunchContext, executable: str) -> dict[str, Any]:
    """The parameters that are set by launch arguments."""
    texts = {spec: _text(context, spec.name) for spec in PARAMETER_ARGUMENTS[executable]}
    return {spec.name: _value(spec, text) for spec, text in texts.items() if text}


def _value(spec: ParameterSpec, text: str) -> bool | int | float | str:
    kind: Any = type(spec.default)
    if kind is bool:
        return text == "true"
    try:
        return kind(text)
    except ValueError:
        raise UserError(f"launch argument {spec.name}: {text!r} is not a number") from None


def _text(context: LaunchContext, name: str) -> str:
    """The value of an argument; empty if this launch file does not have it."""
    return LaunchConfiguration(name, default="").perform(context)


def _exists(model: str) -> bool:
    try:
        resolve(model)
    except UserError:
        return False
    return True


def _full_name(namespace: str, name: str) -> str:
    """The fully qualified name for a node in ``namespace``."""
    if name.startswith("/"):
        return name
    return "/" + "/".join(part for part in (namespace.strip("/"), name) if part)
