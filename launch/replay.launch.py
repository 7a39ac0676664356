"""Depth and odometry of a recorded camera: plays a bag with its own clock.

ros2 launch monodepth_ros replay.launch.py bag:=DIR namespace:=camera rviz:=true

Of the bag only what a camera and a robot say is played, not the results that it may hold: the nodes
publish their own under the same names.
"""

from launch.actions import (
    DeclareLaunchArgument,
    EmitEvent,
    ExecuteProcess,
    IncludeLaunchDescription,
    RegisterEventHandler,
)
from launch.event_handlers import OnProcessExit
from launch.events import Shutdown
from launch.launch_description_sources import PythonLaunchDescriptionSource
from launch.substitutions import LaunchConfiguration, PathJoinSubstitution, ThisLaunchFileDir

from launch import LaunchDescription


def generate_launch_description():
    namespace = LaunchConfiguration("namespace")
    image, info = LaunchConfiguration("image_raw"), LaunchConfiguration("camera_info")
    inputs = [
        ["/", namespace, "/", image],
        ["/", namespace, "/", image, "/compressed"],
        ["/", namespace, "/", info],
        LaunchConfiguration("speed"),
        "/tf_static",
    ]
    bag = ExecuteProcess(
        cmd=[
            *("ros2", "bag", "play", LaunchConfiguration("bag"), "--clock"),
            *("--rate", LaunchConfiguration("rate"), "--delay", LaunchConfiguration("delay")),
            *("--topics", *inputs),
        ],
        output="screen",
    )
    nodes = IncludeLaunchDescription(
        PythonLaunchDescriptionSource(
            PathJoinSubstitution([ThisLaunchFileDir(), "depth_and_odometry.launch.py"])
        ),
        launch_arguments={"use_sim_time": "true"}.items(),
    )
    return LaunchDescription(
        [
            DeclareLaunchArgument("bag", description="the recorded bag"),
            DeclareLaunchArgument("rate", default_value="1.0", description="how fast it is played"),
            DeclareLaunchArgument(
                "delay", default_value="8.0", description="seconds in which the nodes come up"
            ),
            nodes,
            bag,
            RegisterEventHandler(
                OnProcessExit(target_action=bag, on_exit=EmitEvent(event=Shutdown()))
            ),
        ]
    )
