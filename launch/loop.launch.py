"""Depth and odometry of one camera, with a recorder and a tuner that adapts the model.

ros2 launch monodepth_ros loop.launch.py namespace:=camera folder:=DIR

The nodes load the tuned model if there is one.
"""

from monodepth_ros.nodes.launch.description import (
    depth_and_odometry,
    launch_of,
    recorder,
    rviz,
    tuner,
)


def generate_launch_description():
    return launch_of(
        ["depth_node", "odometry_node", "recorder_node", "tuner_node"],
        *depth_and_odometry(tuned=True),
        recorder(),
        tuner(),
        rviz("odometry.rviz"),
    )
