"""Trains on the recorder's bags beside running nodes and loads better models into them.

ros2 launch monodepth_ros tuner.launch.py folder:=DIR namespace:=camera
ros2 service call /camera/tuner_node/tune std_srvs/srv/Trigger
"""

from monodepth_ros.nodes.launch.description import launch_of, tuner


def generate_launch_description():
    return launch_of(["tuner_node"], tuner())
