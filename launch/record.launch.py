"""Records a camera, and what its nodes publish, into an MCAP bag.

ros2 launch monodepth_ros record.launch.py out:=DIR namespace:=camera
"""

from launch.actions import DeclareLaunchArgument, ExecuteProcess
from launch.substitutions import LaunchConfiguration

from launch import LaunchDescription

TOPICS = (
    "image_raw",
    "image_raw/compressed",
    "camera_info",
    "depth/image_rect",
    "depth/camera_info",
    "odom",
    "scale",
    "speed",
)


def generate_launch_description():
    namespace = LaunchConfiguration("namespace")
    topics = [["/", namespace, f"/{topic}"] for topic in TOPICS]
    return LaunchDescription(
        [
            DeclareLaunchArgument("out", description="folder of the new bag"),
            DeclareLaunchArgument(
                "namespace", default_value="camera", description="namespace of the topics"
            ),
            ExecuteProcess(
                cmd=[
                    *("ros2", "bag", "record", "--storage", "mcap"),
                    *("--output", LaunchConfiguration("out")),
                    *topics,
                    *("/tf", "/tf_static"),
                ],
                output="screen",
            ),
        ]
    )
