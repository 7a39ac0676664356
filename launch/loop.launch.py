"""Depth and odometry of one camera, with a recorder and a tuner that adapts the model.

ros2 launch monodepth_ros loop.launch.py namespace:=camera folder:=DIR

The nodes load the tuned model if there is one.
"""

from monodepth_ros.nodes.launch.description import loop_launch


def generate_launch_description():
    return loop_launch()
