"""What the launch files share: the arguments of a camera's nodes, and the nodes with them.

Imported by launch files alone: it needs the ROS package launch_ros, and nothing else here does.
"""

from __future__ import annotations

from collections.abc import Sequence

from launch.actions import DeclareLaunchArgument, SetEnvironmentVariable
from launch.conditions import IfCondition
from launch.substitutions import EnvironmentVariable, LaunchConfiguration
from launch_ros.actions import Node
from launch_ros.parameter_descriptions import ParameterValue

from launch import LaunchDescription
from monodepth_ros.share_directory import share_directory

_PROFILE = "FASTDDS_DEFAULT_PROFILES_FILE"


def camera_arguments() -> list[DeclareLaunchArgument]:
    """The arguments of every launch file of a camera."""
    described = {
        "namespace": ("camera", "namespace of the camera's topics and of all that is published"),
        "image_raw": ("image_raw", "the camera's image topic"),
        "camera_info": ("camera_info", "the camera's camera_info topic"),
        "image_transport": ("raw", "raw, or compressed for the image topic's /compressed"),
        "model": ("demo", "name or folder of the model"),
        "engine": ("auto", "what runs the networks: auto, torch"),
        "device": ("auto", "auto, cpu, cuda or cuda:N"),
        "precision": ("fp32", "of the networks: fp32, fp16 or bf16"),
        "scale_source": ("none", "none, fixed, speed or camera_height: see the parameter"),
        "scale_factor": ("0.0", "metres per unit of the model, for scale_source fixed"),
        "camera_height": ("0.0", "metres above ground, for scale_source camera_height"),
        "use_sim_time": ("false", "take the time from /clock, as when a bag is played"),
        "rviz": ("false", "open RViz"),
    }
    return [
        DeclareLaunchArgument(name, default_value=default, description=text)
        for name, (default, text) in described.items()
    ]


def params_file_argument(executable: str) -> DeclareLaunchArgument:
    """Which parameter file a node reads."""
    return DeclareLaunchArgument(
        f"{executable}_params",
        default_value=str(share_directory() / "config" / f"{executable}.yaml"),
        description=f"parameter file of {executable}; the arguments here overrule it",
    )


def camera_node(executable: str, **parameters: str) -> Node:
    """A node of the camera, by the launch arguments; ``parameters`` overrule them."""
    names = ("model", "engine", "device", "precision", "image_transport", "scale_source")
    values = {name: LaunchConfiguration(name) for name in names}
    for name in ("scale_factor", "camera_height"):
        values[name] = ParameterValue(LaunchConfiguration(name), value_type=float)
    values["use_sim_time"] = ParameterValue(LaunchConfiguration("use_sim_time"), value_type=bool)
    # The plugin of a compressed topic is a suffix of the image's name.
    image, info = LaunchConfiguration("image_raw"), LaunchConfiguration("camera_info")
    return Node(
        package="monodepth_ros",
        executable=executable,
        name=executable,
        namespace=LaunchConfiguration("namespace"),
        parameters=[LaunchConfiguration(f"{executable}_params"), values | parameters],
        remappings=[
            ("image_raw", image),
            ("image_raw/compressed", [image, "/compressed"]),
            ("camera_info", info),
        ],
        output="screen",
    )


def rviz(config: str) -> Node:
    """RViz with one of the package's views, in the camera's namespace, if it is asked for."""
    return Node(
        package="rviz2",
        executable="rviz2",
        namespace=LaunchConfiguration("namespace"),
        arguments=["-d", str(share_directory() / "config" / "rviz" / config)],
        condition=IfCondition(LaunchConfiguration("rviz")),
        output="screen",
    )


def camera_launch(executables: Sequence[str], *more: object) -> LaunchDescription:
    """The arguments, the DDS profile for large images unless the user has one, and the rest."""
    profile = str(share_directory() / "config" / "fastdds.xml")
    return LaunchDescription(
        [
            *camera_arguments(),
            *(params_file_argument(executable) for executable in executables),
            SetEnvironmentVariable(_PROFILE, EnvironmentVariable(_PROFILE, default_value=profile)),
            *more,
        ]
    )
