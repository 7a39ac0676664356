"""Depth and odometry of one camera, with one scale.

ros2 launch monodepth_ros depth_and_odometry.launch.py scale_source:=speed speed:=/odom

With `scale_source: speed` the odometry node estimates the scale, with `camera_height`, `odometry`
and `points` the depth node does. The other node subscribes to the topic `scale`.
"""

from monodepth_ros.nodes.launch.description import depth_and_odometry, launch_of, rviz


def generate_launch_description():
    nodes = ["depth_node", "odometry_node"]
    return launch_of(nodes, *depth_and_odometry(), rviz("odometry.rviz"))
