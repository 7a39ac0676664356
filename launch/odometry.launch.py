"""Odometry of the robot that carries the camera.

ros2 launch monodepth_ros odometry.launch.py namespace:=camera
"""

from monodepth_ros.nodes.launch.description import camera_node, launch_of, rviz


def generate_launch_description():
    return launch_of(["odometry_node"], camera_node("odometry_node"), rviz("odometry.rviz"))
