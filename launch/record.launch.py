"""Records a camera, and what its nodes publish, into an MCAP bag.

ros2 launch monodepth_ros record.launch.py out:=DIR namespace:=camera
"""

from launch.actions import DeclareLaunchArgument, ExecuteProcess
from launch.substitutions import LaunchConfiguration

from launch import LaunchDescription

RESULTS = ("depth/image_rect", "depth/camera_info", "odom", "scale")


def generate_launch_description():
    namespace = LaunchConfiguration("namespace")
    image, info = LaunchConfiguration("image_raw"), LaunchConfiguration("camera_info")
    topics = [["/", namespace, f"/{topic}"] for topic in RESULTS]
    topics += [["/", namespace, "/", name] for name in (image, info)]
    topics += [["/", namespace, "/", image, "/compressed"], LaunchConfiguration("speed")]
    return LaunchDescription(
        [
            DeclareLaunchArgument("out", description="folder of the new bag"),
            DeclareLaunchArgument(
                "namespace", default_value="camera", description="namespace of the topics"
            ),
            DeclareLaunchArgument(
                "image_raw", default_value="image_raw", description="the camera's image topic"
            ),
            DeclareLaunchArgument(
                "camera_info", default_value="camera_info", description="its camera_info topic"
            ),
            DeclareLaunchArgument(
                "speed", default_value="/odom", description="the robot's speed or odometry"
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
