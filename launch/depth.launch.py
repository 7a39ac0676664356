"""Depth images, camera_info and point clouds of one camera, or of several with one model.

ros2 launch monodepth_ros depth.launch.py namespace:=camera rviz:=true
ros2 launch monodepth_ros depth.launch.py namespace:=/ cameras:=front,left,rear
"""

from monodepth_ros.nodes.launch.description import CAMERAS, camera_node, launch_of, rviz


def generate_launch_description():
    nodes = ["depth_node"]
    return launch_of(nodes, camera_node("depth_node"), rviz("depth.rviz"), more=CAMERAS)
