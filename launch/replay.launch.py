"""Depth and odometry of a recorded camera: plays a bag with simulated time.

ros2 launch monodepth_ros replay.launch.py bag:=DIR namespace:=camera rviz:=true

Only the inputs of the nodes are played, not recorded results: the nodes publish their own under the
same names.
"""

from monodepth_ros.nodes.launch.description import camera_node, replay_launch, rviz


def generate_launch_description():
    return replay_launch(
        camera_node("depth_node", {"speed": "topic"}),
        camera_node("odometry_node", {"camera_height": "topic"}),
        rviz("odometry.rviz"),
    )
