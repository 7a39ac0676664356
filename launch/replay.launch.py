"""Depth and odometry of a recorded camera: plays a bag with its own clock.

ros2 launch monodepth_ros replay.launch.py bag:=DIR namespace:=camera rviz:=true
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
    bag = ExecuteProcess(
        cmd=[
            *("ros2", "bag", "play", LaunchConfiguration("bag")),
            *("--clock", "--rate", LaunchConfiguration("rate")),
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
            nodes,
            bag,
            RegisterEventHandler(
                OnProcessExit(target_action=bag, on_exit=EmitEvent(event=Shutdown()))
            ),
        ]
    )
