"""Records a camera and its odometry to MCAP bags.

ros2 launch monodepth_ros record.launch.py folder:=DIR namespace:=camera
"""

from monodepth_ros.nodes.launch.description import launch_of, recorder


def generate_launch_description():
    return launch_of(["recorder_node"], recorder())
