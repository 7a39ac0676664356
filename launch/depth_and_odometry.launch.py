"""Depth and odometry of one camera, in one scale.

ros2 launch monodepth_ros depth_and_odometry.launch.py scale_source:=speed speed:=/odom

Metres from a speed are measured by the odometry node, metres from the camera's height by the depth
node; the other one follows on the topic `scale`.
"""

from monodepth_ros.nodes.launch.description import camera_launch, camera_node, rviz


def generate_launch_description():
    return camera_launch(
        ["depth_node", "odometry_node"],
        camera_node("depth_node", {"speed": "topic"}),
        camera_node("odometry_node", {"camera_height": "topic"}),
        rviz("odometry.rviz"),
    )
