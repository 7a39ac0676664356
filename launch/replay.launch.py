"""Depth and odometry of a recorded camera: plays a bag with simulated time.

ros2 launch monodepth_ros replay.launch.py bag:=DIR namespace:=camera rviz:=true

Only the inputs of the nodes are played, not recorded results: the nodes publish their own under the
same names.
"""

from monodepth_ros.nodes.launch.description import (
    BAG_ARGUMENTS,
    depth_and_odometry,
    launch_of,
    played_bag,
    rviz,
)


def generate_launch_description():
    return launch_of(
        ["depth_node", "odometry_node"],
        *depth_and_odometry(),
        rviz("odometry.rviz"),
        played_bag(),
        more=BAG_ARGUMENTS,
    )
