"""Depth and odometry of a recorded camera: plays a bag with its own clock.

ros2 launch monodepth_ros replay.launch.py bag:=DIR namespace:=camera rviz:=true

Of the bag only what a camera and a robot say is played, not the results that it may hold: the nodes
publish their own under the same names.
"""

from monodepth_ros.nodes.launch.description import camera_node, replay_launch, rviz


def generate_launch_description():
    return replay_launch(
        camera_node("depth_node", {"speed": "topic"}),
        camera_node("odometry_node", {"camera_height": "topic"}),
        rviz("odometry.rviz"),
    )
