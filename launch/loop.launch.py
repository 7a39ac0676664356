"""Depth and odometry of one camera that learn its place: recorder and tuner beside them.

ros2 launch monodepth_ros loop.launch.py namespace:=camera folder:=DIR

The nodes start with the model that was tuned last, if there is one.
"""

from monodepth_ros.nodes.launch.description import loop_launch


def generate_launch_description():
    return loop_launch()
