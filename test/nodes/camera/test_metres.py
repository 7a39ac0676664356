"""Metres from the robot's odometry and from a LiDAR, by nodes on DDS."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="no ROS 2: install the extra [ros]")

from drive import SECOND
from geometry_msgs.msg import TwistStamped
from metric_room import STEP, Player, drive_past, median_ratio
from nav_msgs.msg import Odometry
from rclpy.qos import qos_profile_sensor_data
from rendered_planes import CAMERA
from sensor_msgs.msg import Image, PointCloud2
from std_msgs.msg import Float64, Float64MultiArray, Header
from viewer import CAMERA as VIEWER_CAMERA
from viewer import RGB, Viewer, of_status

from monodepth_ros.data.bags.messages.image import decode_depth
from monodepth_ros.inference.depth_estimator import DepthEstimator
from monodepth_ros.inference.scale.unit import Scale
from monodepth_ros.nodes.conversions.point_cloud import CloudMaker
from monodepth_ros.nodes.latched_topic import LATCHED
from monodepth_ros.nodes.scale.published import message_of

QUICK = ("device:=cpu", "mounting:=parameters", "diagnostics_period:=0.2")


@pytest.fixture(scope="module")
def drive() -> list[tuple[Any, Any]]:
    return drive_past()


def wheels(viewer: Viewer, kind: Any) -> Any:
    """An odometry whose base sees to the left of where it drives to: x forward, y left."""
    publisher = viewer.node.create_publisher(kind, "odometry", qos_profile_sensor_data)
    former = [0]

    def publish(header: Header, number: int, _: Any) -> None:
        message = kind(header=Header(stamp=header.stamp, frame_id="base_link"))
        if kind is Odometry:
            message.child_frame_id = "base_link"
            message.pose.pose.position.y = STEP * number
            message.pose.pose.orientation.w = 1.0
            publisher.publish(message)
            return
        stamp = header.stamp.sec * SECOND + header.stamp.nanosec
        message.twist.linear.y = 10 * STEP * (number - former[0])
        former[0] = number
        for back in (99_000_000, 0):  # all the time since the last image
            at = message.header.stamp
            at.sec, at.nanosec = divmod(stamp - back, SECOND)
            publisher.publish(message)

    return publish


def lidar(viewer: Viewer) -> Any:
    publisher = viewer.node.create_publisher(PointCloud2, "points", qos_profile_sensor_data)
    clouds = CloudMaker(CAMERA, 8)

    def publish(header: Header, _: int, depth: Any) -> None:
        publisher.publish(clouds.message(depth.astype(np.float32), header))

    return publish


def test_the_robots_odometry_gives_metres(viewer: Viewer, start_node: Any, drive: Any) -> None:
    viewer.listen(Image, "depth/image_rect")
    viewer.listen_kept(Float64, "scale")
    viewer.listen_kept(Float64MultiArray, "scale_fit")
    player = Player(viewer, drive, wheels(viewer, Odometry))
    start_node("depth_node", *QUICK, "scale_source:=odometry")
    viewer.until(lambda: of_status(viewer, "scale") == "unknown", play=player.play)
    viewer.until(
        lambda: all(map(viewer.heard.get, ("depth/image_rect", "scale", "scale_fit"))),
        play=player.play,
    )
    assert median_ratio(viewer, player) == pytest.approx(1.0, rel=0.25)
    factor, shift, variance, *_ = viewer.heard["scale_fit"][-1].data
    assert factor in [message.data for message in viewer.heard["scale"]]
    assert shift == 0 and 0 < variance < 0.1
    assert of_status(viewer, "scale source") == "odometry"


def test_a_twist_alone_and_the_odometry_node(viewer: Viewer, start_node: Any, drive: Any) -> None:
    viewer.listen(Odometry, "odom")
    viewer.listen_kept(Float64, "scale")
    player = Player(viewer, drive, wheels(viewer, TwistStamped))
    start_node("odometry_node", *QUICK, "scale_source:=odometry", "odometry_type:=TwistStamped")
    viewer.until(lambda: viewer.heard["odom"] and viewer.heard["scale"], play=player.play)
    seen = DepthEstimator("demo", "cpu", output_size="image").estimate(drive[3][0], CAMERA).depth
    expected = np.median(drive[3][1] / seen)
    assert viewer.heard["scale"][-1].data == pytest.approx(expected, rel=0.25)


def test_scale_and_shift_of_another_node_are_followed(viewer: Viewer, start_node: Any) -> None:
    viewer.listen(Image, "depth/image_rect")
    kinds = {"scale": Float64, "scale_fit": Float64MultiArray}
    publishers = {
        topic: viewer.node.create_publisher(kind, topic, LATCHED) for topic, kind in kinds.items()
    }
    scale = Scale(2.0, "metric", 0.3, covariance=np.diag([0.01, 0.001]))
    publishers["scale_fit"].publish(message_of(scale))
    publishers["scale"].publish(Float64(data=2.0))
    start_node("depth_node", *QUICK, "scale_source:=topic")
    viewer.until(lambda: of_status(viewer, "scale shift (1/m)") == "0.3", play=viewer.play)
    viewer.heard["depth/image_rect"].clear()
    viewer.until(lambda: viewer.heard["depth/image_rect"], play=viewer.play)
    seen = DepthEstimator("demo", "cpu", output_size="network").estimate(RGB, VIEWER_CAMERA)
    depth = decode_depth(viewer.heard["depth/image_rect"][-1])
    np.testing.assert_allclose(depth, 1 / (seen.disparity / 2 + 0.3), rtol=1e-2)


def test_a_lidar_gives_metres(viewer: Viewer, start_node: Any, drive: Any) -> None:
    viewer.listen(Image, "depth/image_rect")
    player = Player(viewer, drive, lidar(viewer))
    start_node("depth_node", *QUICK, "scale_source:=points")
    viewer.until(lambda: viewer.heard["depth/image_rect"], play=player.play)
    assert median_ratio(viewer, player) == pytest.approx(1.0, rel=0.15)
    viewer.until(lambda: of_status(viewer, "scale deviation (%)"), play=player.play)


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("odometry", "no message on /odometry, which nobody publishes"),
        ("points", "no message on /points, which nobody publishes"),
    ],
)
def test_what_is_missing_is_named(
    viewer: Viewer, start_node: Any, source: str, reason: str
) -> None:
    viewer.listen(Image, "depth/image_rect")
    start_node("depth_node", *QUICK, f"scale_source:={source}")
    viewer.until(lambda: reason in viewer.said(), play=viewer.play)
    assert not viewer.heard["depth/image_rect"]
