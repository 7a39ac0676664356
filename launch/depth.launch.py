"""Depth images, camera_info and point clouds of one camera.

ros2 launch monodepth_ros depth.launch.py namespace:=camera rviz:=true
"""

from monodepth_ros.nodes.launch.description import camera_launch, camera_node, rviz


def generate_launch_description():
    return camera_launch(["depth_node"], camera_node("depth_node"), rviz("depth.rviz"))
