"""What the launch files share: the nodes, and the arguments that are made of their parameters.

Imported by launch files alone: it needs the ROS package launch_ros, and nothing else here does.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from launch.actions import DeclareLaunchArgument, OpaqueFunction
from launch.conditions import IfCondition
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node
from launch_ros.parameter_descriptions import ParameterValue

from launch import LaunchContext, LaunchDescription
from monodepth_ros.dds_environment import profile_environment, profile_path
from monodepth_ros.errors import UserError
from monodepth_ros.nodes.camera.odometry_parameters import ODOMETRY_PARAMETERS
from monodepth_ros.nodes.camera.parameters import CAMERA_PARAMETERS
from monodepth_ros.nodes.launch.replay import bag_arguments, played_bag
from monodepth_ros.nodes.parameters import ParameterSpec
from monodepth_ros.nodes.recorder.parameters import RECORDER_PARAMETERS
from monodepth_ros.nodes.tuner.parameters import TUNER_PARAMETERS
from monodepth_ros.share_directory import share_directory
from monodepth_ros.zoo.catalogue import resolve

TUNED = "tuned"  # what the tuner calls its newest version, unless it is told otherwise
_BOOLEAN = ("true", "false")
_NO_PROFILE = "none"


def _chosen(specs: Sequence[ParameterSpec], *names: str) -> tuple[ParameterSpec, ...]:
    by_name = {spec.name: spec for spec in specs}
    return tuple(by_name[name] for name in names)


# Parameters that are arguments as well, by executable; all others are set in a parameter file.
_CAMERA = _chosen(
    CAMERA_PARAMETERS,
    *("model", "device", "precision", "image_transport", "rectified"),
    *("scale_source", "scale_factor", "camera_height", "speed_type"),
)
PARAMETER_ARGUMENTS: dict[str, tuple[ParameterSpec, ...]] = {
    "depth_node": _CAMERA,
    "odometry_node": _CAMERA
    + _chosen(ODOMETRY_PARAMETERS, "refine", "mounting", "base_frame", "odom_frame", "publish_tf"),
    "recorder_node": _chosen(
        RECORDER_PARAMETERS,
        "prefix",
        "image_format",
        "record_on_activation",
        "standstill_threshold_px",
    ),
    "tuner_node": _chosen(TUNER_PARAMETERS, "prefix", "training_minutes"),
}
# Arguments that are no parameters: default, description and choices.
_ALL_NODES = {
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
_TOPICS = {
    "image_raw": ("image_raw", "the camera's image topic", ()),
    "camera_info": ("camera_info", "the camera's camera_info topic", ()),
    "speed": ("speed", "the robot's speed for `scale_source: speed`, for example /odom", ()),
}
_RVIZ = {"rviz": ("false", "open RViz", _BOOLEAN)}
_FOLDER = {"folder": ("~/monodepth_bags", "folder of the recorded bags", ())}
_EXTRA_TOPICS = {"extra_topics": ("", "further topics to record, comma-separated", ())}
_Arguments = Mapping[str, tuple[str, str, tuple[str, ...]]]


def camera_launch(executables: Sequence[str], *more: object) -> LaunchDescription:
    """The arguments of a camera's nodes, and what is started."""
    return LaunchDescription(
        [*_declared({**_ALL_NODES, **_TOPICS, **_RVIZ}), *_parameters(executables), *more]
    )


def camera_node(
    executable: str, scale_sources: Mapping[str, str] | None = None, tuned: bool = False
) -> OpaqueFunction:
    """A node of the camera, by the launch arguments.

    ``scale_sources`` puts others in the place of a scale source that was asked for. ``tuned`` takes
    the model that the tuner has left, where there is one and no other is asked for.
    """

    def values(context: LaunchContext) -> dict[str, Any]:
        given = _given(context, executable)
        if "scale_source" in given:
            asked = given["scale_source"]
            given["scale_source"] = (scale_sources or {}).get(asked, asked)
        if tuned and "model" not in given and _is_there(TUNED):
            given["model"] = TUNED
        return given

    return _node(executable, values)


def replay_launch(*more: object) -> LaunchDescription:
    """A bag that is played with its own clock, the nodes' arguments, and what is started."""
    sim_time = {"use_sim_time": ("true", *_ALL_NODES["use_sim_time"][1:])}
    arguments = _declared({**_ALL_NODES, **sim_time, **_TOPICS, **_RVIZ})
    nodes = _parameters(["depth_node", "odometry_node"])
    return LaunchDescription([*bag_arguments(), *arguments, *nodes, *more, played_bag()])


def recorder_launch() -> LaunchDescription:
    """The recorder of a camera and of what its nodes publish; results that nobody asks for are not
    computed for it.
    """
    transport = _chosen(CAMERA_PARAMETERS, "image_transport")
    arguments = _declared({**_ALL_NODES, **_TOPICS, **_FOLDER, **_EXTRA_TOPICS})
    return LaunchDescription(
        [*arguments, *_of_specs(transport), *_parameters(["recorder_node"]), recorder()]
    )


def recorder() -> OpaqueFunction:
    """The recorder node."""

    def values(context: LaunchContext) -> dict[str, Any]:
        given = _given(context, "recorder_node")
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


def tuner_launch() -> LaunchDescription:
    """The tuner alone, beside nodes that run already."""
    arguments = _declared({**_ALL_NODES, **_FOLDER})
    return LaunchDescription([*arguments, *_parameters(["tuner_node"]), tuner()])


def tuner() -> OpaqueFunction:
    """The tuner node."""
    return _node(
        "tuner_node",
        lambda context: {**_given(context, "tuner_node"), "bags_folder": _text(context, "folder")},
    )


def loop_launch() -> LaunchDescription:
    """Depth, odometry, the recorder and the tuner of one camera."""
    return LaunchDescription(
        [
            *_declared({**_ALL_NODES, **_TOPICS, **_RVIZ, **_FOLDER, **_EXTRA_TOPICS}),
            *_parameters(["depth_node", "odometry_node", "recorder_node", "tuner_node"]),
            camera_node("depth_node", {"speed": "topic"}, tuned=True),
            camera_node("odometry_node", {"camera_height": "topic"}, tuned=True),
            recorder(),
            tuner(),
            rviz("odometry.rviz"),
        ]
    )


def rviz(config: str) -> Node:
    """RViz with one of the package's views, in the camera's namespace, if it is asked for."""
    sim_time = ParameterValue(LaunchConfiguration("use_sim_time"), value_type=bool)
    return Node(
        package="rviz2",
        executable="rviz2",
        namespace=LaunchConfiguration("namespace"),
        arguments=["-d", str(share_directory() / "config" / "rviz" / config)],
        parameters=[{"use_sim_time": sim_time}],
        condition=IfCondition(LaunchConfiguration("rviz")),
        output="screen",
    )


def _node(executable: str, values: Callable[[LaunchContext], dict[str, Any]]) -> OpaqueFunction:
    """A node of the package, with parameters that are computed when it is started."""

    def create(context: LaunchContext) -> list[Node]:
        typed = {
            # A text that looks like a number stays a text.
            name: ParameterValue(value, value_type=str) if isinstance(value, str) else value
            for name, value in values(context).items()
        }
        typed["use_sim_time"] = _text(context, "use_sim_time") == "true"
        remapped = [(name, _text(context, name)) for name in _TOPICS if _is_set(context, name)]
        # The plugin of a compressed topic is a suffix of the image's name.
        compressed = [(f"{a}/compressed", f"{b}/compressed") for a, b in remapped[:1]]
        return [
            Node(
                package="monodepth_ros",
                executable=executable,
                name=executable,
                namespace=_text(context, "namespace"),
                parameters=[*_parameter_file(context), typed],
                remappings=remapped + compressed,
                additional_env=_profile(context),
                ros_arguments=["--log-level", _text(context, "log_level")],
                respawn=_text(context, "respawn") == "true",
                respawn_delay=2.0,
                output="screen",
            )
        ]

    return OpaqueFunction(function=create)


def _parameter_file(context: LaunchContext) -> list[str]:
    """The user's; launch passes over one that is missing."""
    given = _text(context, "params_file")
    if given and not Path(given).expanduser().is_file():
        raise UserError(f"launch argument params_file: {given}: no such file")
    return [str(Path(given).expanduser())] if given else []


def _profile(context: LaunchContext) -> dict[str, str]:
    profile = _text(context, "dds_profile")
    return {} if profile == _NO_PROFILE else profile_environment(profile)


def _given(context: LaunchContext, executable: str) -> dict[str, Any]:
    """The parameters that are given as launch arguments; the parameter file has the others."""
    texts = {spec: _text(context, spec.name) for spec in PARAMETER_ARGUMENTS[executable]}
    return {spec.name: _value(spec, text) for spec, text in texts.items() if text}


def _value(spec: ParameterSpec, text: str) -> bool | int | float | str:
    if isinstance(spec.default, bool):
        return text == "true"
    if isinstance(spec.default, str):
        return text
    kind = int if isinstance(spec.default, int) else float
    try:
        return kind(text)
    except ValueError:
        raise UserError(f"launch argument {spec.name}: {text!r} is not a number") from None


def _parameters(executables: Sequence[str]) -> list[DeclareLaunchArgument]:
    """The arguments that are parameters of these nodes, each once."""
    specs = [spec for executable in executables for spec in PARAMETER_ARGUMENTS[executable]]
    return _of_specs(list({spec.name: spec for spec in specs}.values()))


def _of_specs(specs: Sequence[ParameterSpec]) -> list[DeclareLaunchArgument]:
    return _declared(
        {
            spec.name: (
                "",
                f"{spec.description}; empty: as in params_file, or else {_shown(spec.default)}",
                _choices(spec),
            )
            for spec in specs
        }
    )


def _choices(spec: ParameterSpec) -> tuple[str, ...]:
    choices = _BOOLEAN if isinstance(spec.default, bool) else spec.choices
    return ("", *choices) if choices else ()


def _shown(default: object) -> str:
    return str(default).lower() if isinstance(default, bool) else str(default)


def _declared(arguments: _Arguments) -> list[DeclareLaunchArgument]:
    return [
        DeclareLaunchArgument(
            name, default_value=default, description=described, choices=choices or None
        )
        for name, (default, described, choices) in arguments.items()
    ]


def _is_set(context: LaunchContext, name: str) -> bool:
    return name in context.launch_configurations


def _text(context: LaunchContext, name: str) -> str:
    """The value of an argument; empty for one that this launch file does not have."""
    return LaunchConfiguration(name, default="").perform(context)


def _is_there(model: str) -> bool:
    try:
        resolve(model)
    except UserError:
        return False
    return True
