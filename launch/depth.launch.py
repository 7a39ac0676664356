"""Depth images, camera_info and point clouds of one camera.

ros2 launch monodepth_ros depth.launch.py namespace:=camera rviz:=true
"""

from monodepth_ros.nodes.launch.description import camera_node, launch_of, rviz


def generate_launch_description():
    return launch_of(["depth_node"], camera_node("depth_node"), rviz("depth.rviz"))
