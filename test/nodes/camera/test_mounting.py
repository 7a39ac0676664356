"""Where the camera sits: by TF that is there, late, or missing, and for a camera that turns."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="no ROS 2: install the extra [ros]")

from diagnostic_msgs.msg import DiagnosticStatus
from drive import SECOND, Drive, stamp_of, texture
from geometry_msgs.msg import TransformStamped
from nav_msgs.msg import Odometry
from rclpy.qos import DurabilityPolicy, QoSProfile
from scipy.spatial.transform import Rotation
from viewer import CAMERA, Viewer, of_status

from monodepth_ros.geometry.rigid_motion import base_from_camera
from monodepth_ros.inference.odometry.camera_tracker import CameraTracker, TrackedPose
from monodepth_ros.inference.odometry.registry import load_method
from monodepth_ros.nodes.conversions.odometry import BaseOdometry

HERE = Path(__file__).parents[2] / "support"
QUICK = ("device:=cpu", "diagnostics_period:=0.2", "method:=network")


@pytest.fixture
def odometry(viewer: Viewer, start_node: Any, ros_environment: dict[str, str]) -> Any:
    """Starts the node with a tf2_ros of the tests; a drive that plays to it."""

    def run(tf2: str, *parameters: str) -> Drive:
        path = ros_environment.get("PYTHONPATH", "")
        ros_environment["PYTHONPATH"] = f"{HERE / tf2}:{path}".rstrip(":")
        viewer.listen(Odometry, "odom")
        start_node("odometry_node", *QUICK, *parameters)
        return Drive(viewer)

    return run


def transform(T: Any, stamp: int = 0) -> TransformStamped:
    message = TransformStamped(child_frame_id="camera_optical")
    message.header.frame_id = "base_link"
    message.header.stamp.sec, message.header.stamp.nanosec = divmod(stamp, SECOND)
    move, turn = message.transform.translation, message.transform.rotation
    move.x, move.y, move.z = map(float, T[:3, 3])
    turn.x, turn.y, turn.z, turn.w = map(float, Rotation.from_matrix(T[:3, :3]).as_quat())
    return message


def static_publisher(viewer: Viewer) -> Any:
    qos = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
    return viewer.node.create_publisher(TransformStamped, "/tf_static", qos)


def mounted(yaw: float = 0.0) -> Any:
    return base_from_camera(np.array([0.3, 0.1, 1.2]), np.array([0.0, 0.1, yaw]))


def pose_of(message: Odometry) -> Any:
    position, q = message.pose.pose.position, message.pose.pose.orientation
    T = np.eye(4)
    T[:3, :3] = Rotation.from_quat([q.x, q.y, q.z, q.w]).as_matrix()
    T[:3, 3] = [position.x, position.y, position.z]
    return T


def warned(viewer: Viewer) -> bool:
    return viewer.status is not None and viewer.status.level == DiagnosticStatus.WARN


def test_auto_takes_tf_that_comes_in_time(viewer: Viewer, odometry: Any) -> None:
    drive = odometry("tf2_stand_in", "mounting_timeout:=60.0")
    missing = "TF from base_link to camera_optical is not available"
    viewer.until(lambda: warned(viewer) and missing in viewer.said(), play=drive.play)
    assert not viewer.heard["odom"]
    static = static_publisher(viewer)
    static.publish(transform(mounted()))
    viewer.until(lambda: viewer.heard["odom"], play=drive.play)
    viewer.until(lambda: of_status(viewer, "mounting") == "tf", play=drive.play)
    viewer.until(lambda: not warned(viewer), play=drive.play)


def test_auto_falls_back_to_the_parameters_and_warns(viewer: Viewer, odometry: Any) -> None:
    drive = odometry("tf2_stand_in", "mounting_timeout:=0.5", "camera_x:=0.3")
    viewer.until(lambda: viewer.heard["odom"], play=drive.play)
    assert of_status(viewer, "mounting") != "tf"
    viewer.until(lambda: "mounting from the parameters: TF from base_link to camera_optical"
                 in viewer.said(), play=drive.play)  # fmt: skip
    assert warned(viewer) and of_status(viewer, "mounting") == "parameters"


def test_auto_without_tf2_warns(viewer: Viewer, odometry: Any) -> None:
    drive = odometry("no_tf2")
    viewer.until(lambda: "mounting from the parameters: tf2_ros is not installed" in viewer.said(),
                 play=drive.play)  # fmt: skip
    assert warned(viewer) and viewer.heard["odom"]


def test_tf_that_was_asked_for_is_waited_for(viewer: Viewer, odometry: Any) -> None:
    drive = odometry("tf2_stand_in", "mounting:=tf", "mounting_timeout:=0.1")
    missing = "TF from base_link to camera_optical is not available"
    viewer.until(lambda: warned(viewer) and missing in viewer.said(), play=drive.play)
    status = viewer.status
    assert status is not None and status.message.startswith("nothing is published: TF from")
    assert not viewer.heard["odom"]


def test_a_camera_that_turns_on_the_robot(viewer: Viewer, odometry: Any) -> None:
    """The mounting of each image's own time, whatever TF has come since."""
    drive = odometry("tf2_stand_in", "mounting:=tf")
    publisher = viewer.node.create_publisher(TransformStamped, "/tf", 100)
    yaws: dict[int, float] = {}

    def play() -> None:
        now = drive.now + SECOND // 10
        for stamp in (now, now + SECOND // 20):  # TF is ahead of the images
            yaws[stamp] = 0.3 * np.sin(stamp / SECOND)
            publisher.publish(transform(mounted(yaws[stamp]), stamp))
        viewer.spin(0.1)
        drive.play()
        viewer.until(lambda: any(stamp_of(m) == now for m in viewer.heard["odom"]), 1.0)

    viewer.until(lambda: viewer.node.count_subscribers("/tf") == 1)
    while len(viewer.heard["odom"]) < 6:
        try:
            play()
        except AssertionError:
            continue  # a subscription that is not there yet
    assert of_status(viewer, "images received before their TF") is None
    tracker = CameraTracker(load_method("network", "demo", "cpu"))
    first = stamp_of(viewer.heard["odom"][0])
    stamps = [drive.now - k * SECOND // 10 for k in reversed(range(len(drive.images)))]
    poses = {
        stamp: tracker.add(image, CAMERA, stamp)
        for stamp, image in zip(stamps, drive.images, strict=True)
        if stamp >= first
    }
    start = mounted(yaws[first])
    for message in viewer.heard["odom"]:
        stamp = stamp_of(message)
        tracked = poses[stamp]
        assert tracked is not None
        now = mounted(yaws[stamp])
        expected = start @ tracked.T_world_camera @ np.linalg.inv(now)
        np.testing.assert_allclose(pose_of(message), expected, atol=1e-4)


def test_a_base_goes_on_where_another_camera_sees() -> None:
    """Of a robot that looks ahead with one and backwards with the other; it does not jump."""
    tracker, base = (
        CameraTracker(load_method("network", "demo", "cpu")),
        BaseOdometry("odom", "base_link"),
    )
    rear = base_from_camera(np.array([-0.4, 0.0, 0.8]), np.array([0.0, 0.2, np.pi]))

    def message(index: int, T_base_camera: Any) -> Odometry:
        tracked = tracker.add(texture(index), CAMERA, index * SECOND // 10)
        assert tracked is not None
        base.update_mounting(T_base_camera, tracked)
        return base.message(tracked, Odometry().header.stamp)

    before = [message(index, mounted()) for index in range(3)][-1]
    assert np.linalg.norm(pose_of(before)[:3, 3]) > 0.01
    tracker.switch_camera(base.change_camera(rear))
    after = message(3, rear)
    np.testing.assert_allclose(pose_of(after), pose_of(before), atol=1e-9)
    missed = np.subtract(after.pose.covariance, before.pose.covariance).reshape(6, 6)
    assert np.linalg.eigvalsh(missed).min() > 0
    np.testing.assert_allclose(missed[3:, 3:], 0.2**2 * np.eye(3), atol=1e-9)  # 0.1 s at 2 rad/s
    assert after.twist.twist == Odometry().twist.twist
    onwards = message(4, rear)
    assert np.linalg.norm(pose_of(onwards)[:3, 3] - pose_of(after)[:3, 3]) > 0.001


def test_a_base_that_stands_below_a_camera_that_turns() -> None:
    base = BaseOdometry("odom", "base_link")
    for k in range(5):
        yaw = 0.2 * k
        T_world_camera = np.linalg.inv(mounted()) @ mounted(yaw)
        turning = np.concatenate([np.zeros(3), mounted()[:3, :3].T @ [0, 0, 2.0]])
        R = mounted(yaw)[:3, :3]
        turning[3:] = R.T @ [0, 0, 2.0]
        velocity = np.zeros(6) if k == 0 else turning
        tracked = TrackedPose(
            k * SECOND // 10, T_world_camera, np.zeros((6, 6)), velocity, np.zeros((6, 6)),
            "motion", 0, 0.0,
        )  # fmt: skip
        base.update_mounting(mounted(yaw), tracked)
        message = base.message(tracked, Odometry().header.stamp)
        np.testing.assert_allclose(pose_of(message), np.eye(4), atol=1e-9)
        twist = message.twist.twist
        assert abs(twist.angular.z) < 1e-6 and abs(twist.angular.x) < 1e-6
