"""What the launch files share: the arguments of a camera's nodes, and the nodes with them.

Imported by launch files alone: it needs the ROS package launch_ros, and nothing else here does.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from launch.actions import DeclareLaunchArgument, OpaqueFunction, SetEnvironmentVariable
from launch.conditions import IfCondition
from launch.substitutions import EnvironmentVariable, LaunchConfiguration
from launch_ros.actions import Node
from launch_ros.parameter_descriptions import ParameterValue

from launch import LaunchContext, LaunchDescription
from monodepth_ros.dds_environment import PROFILE_VARIABLES, profile_path
from monodepth_ros.errors import UserError
from monodepth_ros.inference.zoo import resolve
from monodepth_ros.share_directory import share_directory

TUNED = "tuned"  # what the tuner calls its newest version, unless it is told otherwise
# Parameters that are arguments as well, with their types. Without a value the parameter file holds.
_PARAMETERS: dict[str, tuple[type, str]] = {
    "model": (str, "name or folder of the model"),
    "device": (str, "auto, cpu, cuda or cuda:N"),
    "precision": (str, "of the networks: fp32, fp16 or bf16"),
    "image_transport": (str, "raw, or compressed for the image topic's /compressed"),
    "scale_source": (str, "where metres come from: none, fixed, speed, camera_height or topic"),
    "scale_factor": (float, "metres per unit of the model, for scale_source fixed"),
    "camera_height": (float, "metres above ground, for scale_source camera_height"),
    "speed_type": (str, "of the speed topic: Odometry, TwistStamped or Twist"),
}
_OTHERS = {
    "namespace": ("camera", "namespace of the camera's topics and of all that is published"),
    "image_raw": (
        "image_raw",
        "the camera's image topic; image_rect* counts as rectified",
    ),
    "camera_info": ("camera_info", "the camera's camera_info topic"),
    "speed": ("speed", "the robot's speed, for scale_source speed, such as /odom"),
    "use_sim_time": ("false", "take the time from /clock, as when a bag is played"),
    "rviz": ("false", "open RViz"),
}


def camera_arguments() -> list[DeclareLaunchArgument]:
    """The arguments of every launch file of a camera."""
    return _declared(_OTHERS) + [
        DeclareLaunchArgument(
            name, default_value="", description=f"{text}; without it the parameter file counts"
        )
        for name, (_, text) in _PARAMETERS.items()
    ]


def params_file_argument(executable: str) -> DeclareLaunchArgument:
    """Which parameter file a node reads."""
    return DeclareLaunchArgument(
        f"{executable}_params",
        default_value=str(share_directory() / "config" / f"{executable}.yaml"),
        description=f"parameter file of {executable}",
    )


def camera_node(
    executable: str, scale_sources: Mapping[str, str] | None = None, tuned: bool = False
) -> OpaqueFunction:
    """A node of the camera, by the launch arguments.

    ``scale_sources`` puts others in the place of a scale source that was asked for. ``tuned`` takes
    the model that the tuner has left, where there is one and no other is asked for.
    """

    def create(context: LaunchContext) -> list[Node]:
        values: dict[str, Any] = {}
        for name, (kind, _) in _PARAMETERS.items():
            value = LaunchConfiguration(name).perform(context)
            if value:
                # A text that looks like a number stays a text; "2" is a length of 2.0.
                typed = kind(value)
                values[name] = ParameterValue(typed, value_type=str) if kind is str else typed
                if name == "scale_source":
                    values[name] = (scale_sources or {}).get(value, value)
        if tuned and "model" not in values and _is_there(TUNED):
            values["model"] = TUNED
        values["use_sim_time"] = ParameterValue(
            LaunchConfiguration("use_sim_time"), value_type=bool
        )
        image, info = LaunchConfiguration("image_raw"), LaunchConfiguration("camera_info")
        return [
            Node(
                package="monodepth_ros",
                executable=executable,
                name=executable,
                namespace=LaunchConfiguration("namespace"),
                parameters=[LaunchConfiguration(f"{executable}_params"), values],
                remappings=[
                    ("image_raw", image),
                    # The plugin of a compressed topic is a suffix of the image's name.
                    ("image_raw/compressed", [image, "/compressed"]),
                    ("camera_info", info),
                    ("speed", LaunchConfiguration("speed")),
                ],
                output="screen",
            )
        ]

    return OpaqueFunction(function=create)


def _is_there(model: str) -> bool:
    try:
        resolve(model)
    except UserError:
        return False
    return True


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


def camera_launch(executables: list[str], *more: object) -> LaunchDescription:
    """The arguments, the DDS profile for large images unless the user has one, and the rest."""
    return LaunchDescription(
        [
            *camera_arguments(),
            *(params_file_argument(executable) for executable in executables),
            *(
                SetEnvironmentVariable(
                    name, EnvironmentVariable(name, default_value=profile_path())
                )
                for name in PROFILE_VARIABLES
            ),
            *more,
        ]
    )


_RECORDER = {
    "folder": ("~/monodepth_bags", "where the bags go"),
    "more": ("odom, scale", "further topics to record, with commas between them"),
}


def recorder_launch() -> LaunchDescription:
    """The recorder of a camera and of what its nodes publish; results that nobody asks for are not
    computed for it.
    """
    camera = {name: _OTHERS[name] for name in ("namespace", "image_raw", "camera_info")}
    return LaunchDescription([*_declared({**_RECORDER, **camera}), *recorder()])


def recorder() -> list[Any]:
    """The recorder node, its parameter file's argument before it."""
    namespace = LaunchConfiguration("namespace")

    def create(context: LaunchContext) -> list[Node]:
        more = LaunchConfiguration("more").perform(context).split(",")
        topics = ["image_raw", "camera_info", *(name.strip() for name in more if name.strip())]
        return [
            Node(
                package="monodepth_ros",
                executable="recorder_node",
                name="recorder_node",
                namespace=namespace,
                parameters=[
                    LaunchConfiguration("recorder_node_params"),
                    {
                        "folder": ParameterValue(LaunchConfiguration("folder"), value_type=str),
                        "topics": topics,
                    },
                ],
                remappings=[
                    (name, LaunchConfiguration(name)) for name in ("image_raw", "camera_info")
                ],
                output="screen",
            )
        ]

    return [params_file_argument("recorder_node"), OpaqueFunction(function=create)]


def tuner_launch() -> LaunchDescription:
    """The tuner alone, beside nodes that run already."""
    arguments = {
        "namespace": _OTHERS["namespace"],
        "folder": ("~/monodepth_bags", "where the recorder's bags are"),
    }
    return LaunchDescription([*_declared(arguments), *tuner()])


def tuner() -> list[Any]:
    """The tuner node, its parameter file's argument before it."""
    node = Node(
        package="monodepth_ros",
        executable="tuner_node",
        name="tuner_node",
        namespace=LaunchConfiguration("namespace"),
        parameters=[
            LaunchConfiguration("tuner_node_params"),
            {"bags": ParameterValue(LaunchConfiguration("folder"), value_type=str)},
        ],
        output="screen",
    )
    return [params_file_argument("tuner_node"), node]


def loop_launch() -> LaunchDescription:
    """Depth, odometry, the recorder and the tuner of one camera."""
    return camera_launch(
        ["depth_node", "odometry_node"],
        camera_node("depth_node", {"speed": "topic"}, tuned=True),
        camera_node("odometry_node", {"camera_height": "topic"}, tuned=True),
        *_declared(_RECORDER),
        *recorder(),
        *tuner(),
        rviz("odometry.rviz"),
    )


def _declared(arguments: Mapping[str, tuple[str, str]]) -> list[DeclareLaunchArgument]:
    return [
        DeclareLaunchArgument(name, default_value=default, description=described)
        for name, (default, described) in arguments.items()
    ]
