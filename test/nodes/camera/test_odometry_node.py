"""The odometry node as a process of its own, fed by a camera and by wheels."""

from __future__ import annotations

import itertools
import time
from typing import Any

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="no ROS 2: install the extra [ros]")

from diagnostic_msgs.msg import DiagnosticStatus
from drive import ALONE, SECOND, Drive, play_and_hear, stamp_of, texture
from geometry_msgs.msg import TwistStamped
from nav_msgs.msg import Odometry, Path
from rclpy.qos import qos_profile_sensor_data
from scipy.spatial.transform import Rotation
from sensor_msgs.msg import CameraInfo
from std_msgs.msg import Float64, Header
from std_srvs.srv import Trigger
from viewer import CAMERA, Viewer, of_status

from monodepth_ros.geometry.rigid_motion import base_from_camera
from monodepth_ros.inference.odometry.camera_tracker import CameraTracker
from monodepth_ros.inference.odometry.registry import load_method
from monodepth_ros.inference.odometry.view import Views
from monodepth_ros.nodes.conversions.camera_info import info_of_camera
from monodepth_ros.nodes.conversions.images import encode_image


def position_of(message: Any) -> Any:
    position = message.pose.pose.position
    return np.array([position.x, position.y, position.z])


def play_in_vain(viewer: Viewer, drive: Drive) -> None:
    """One more image, of which no odometry is expected: until the node has it."""

    def received() -> int:
        return int(of_status(viewer, "images received") or 0)

    viewer.heard["/diagnostics"].clear()
    viewer.until(lambda: viewer.status is not None)
    before = received()
    drive.play()
    viewer.until(lambda: received() > before)


@pytest.fixture
def drive(viewer: Viewer, start_node: Any) -> Any:
    """Starts the node; a drive whose first image it has heard."""

    def run(*parameters: str) -> Drive:
        viewer.listen(Odometry, "odom")
        start_node("odometry_node", *ALONE, *parameters)
        begun = Drive(viewer)
        viewer.until(lambda: viewer.heard["odom"], play=begun.begin)
        return begun

    return run


def test_poses_are_those_of_the_network_in_the_robots_frames(viewer: Viewer, drive: Any) -> None:
    begun = drive("camera_x:=0.3", "camera_z:=1.2", "camera_pitch:=0.2", "base_frame:=base")
    heard = [viewer.heard["odom"][0]] + [play_and_hear(viewer, begun) for _ in range(4)]
    tracker = CameraTracker(load_method("network", "demo", "cpu"))
    T_base_camera = base_from_camera(np.array([0.3, 0, 1.2]), np.array([0, 0.2, 0]))
    for k, message in enumerate(heard):
        tracked = tracker.add(begun.images[k], CAMERA, k * SECOND // 10)
        assert tracked is not None
        expected = T_base_camera @ tracked.T_world_camera @ np.linalg.inv(T_base_camera)
        position, q = message.pose.pose.position, message.pose.pose.orientation
        np.testing.assert_allclose([position.x, position.y, position.z], expected[:3, 3], atol=1e-4)
        R = Rotation.from_quat([q.x, q.y, q.z, q.w]).as_matrix()
        np.testing.assert_allclose(R, expected[:3, :3], atol=1e-4)
        assert (message.header.frame_id, message.child_frame_id) == ("odom", "base")
        covariance = np.reshape(message.pose.covariance, (6, 6))
        np.testing.assert_allclose(covariance, covariance.T, atol=1e-12)
        assert (np.linalg.eigvalsh(covariance) > -1e-12).all()
    first, last = (np.trace(np.reshape(m.pose.covariance, (6, 6))) for m in (heard[0], heard[-1]))
    assert first == 0 and last > 0
    assert np.isfinite(heard[-1].twist.covariance).all() and any(heard[-1].twist.covariance)


def test_standing_and_a_gap(viewer: Viewer, drive: Any) -> None:
    begun = drive("max_extrapolation_time:=0.0")
    moved = play_and_hear(viewer, begun)
    stood = play_and_hear(viewer, begun, image=begun.images[-1])
    assert stood.pose.pose == moved.pose.pose and stood.twist.twist.linear.x == 0
    gap = play_and_hear(viewer, begun, step=0.9)
    assert gap.pose.pose == moved.pose.pose
    assert gap.pose.covariance[0] > 1.8**2  # 0.9 s at 2 m/s
    viewer.until(lambda: of_status(viewer, "frames: gap") == "1")


@pytest.mark.parametrize("wrong", [0, 3600, -100], ids=["zero", "an hour ahead", "100 s back"])
def test_an_outlier_stamp_costs_its_image_alone(viewer: Viewer, drive: Any, wrong: int) -> None:
    begun = drive()
    moved = play_and_hear(viewer, begun)
    right = begun.now
    begun.now = right + wrong * SECOND if wrong else -SECOND // 10
    play_in_vain(viewer, begun)
    begun.now = right + SECOND // 10
    stood = play_and_hear(viewer, begun, image=begun.images[-2])
    assert stood.pose.pose == moved.pose.pose and stood.pose.covariance[0] < 1
    viewer.until(lambda: any(v.key.startswith("images left out") for v in viewer.status.values))
    assert of_status(viewer, "restarts") == "0"
    stamps = [stamp_of(message) for message in viewer.heard["odom"]]
    assert stamps == sorted(stamps) and stamps[-1] == begun.now


def test_a_clock_that_is_set_leaves_odom_where_it_is(viewer: Viewer, drive: Any) -> None:
    begun = drive()
    moved = play_and_hear(viewer, begun)
    assert moved.pose.pose.position.x != 0
    begun.now -= 100 * SECOND
    play_in_vain(viewer, begun)
    play_in_vain(viewer, begun)
    after = play_and_hear(viewer, begun, image=begun.images[-1])
    first = next(m for m in viewer.heard["odom"] if stamp_of(m) < stamp_of(moved) - 50 * SECOND)
    assert first.pose.pose == moved.pose.pose
    # Two seconds at 2 m/s may have been lost.
    assert first.pose.covariance[0] - moved.pose.covariance[0] == pytest.approx(16, abs=0.5)
    assert stamp_of(after) == begun.now
    viewer.until(lambda: of_status(viewer, "restarts") == "1")
    assert of_status(viewer, "clock was set") == "1"


def test_images_of_another_frame_leave_odom_where_it_is(viewer: Viewer, drive: Any) -> None:
    begun = drive()
    moved = play_and_hear(viewer, begun)
    assert moved.pose.pose.position.x != 0
    begun.frame_id = "another_optical"
    after = play_and_hear(viewer, begun)
    np.testing.assert_allclose(position_of(after), position_of(moved), atol=1e-9)
    # 0.1 s at 2 m/s may have been lost.
    assert after.pose.covariance[0] - moved.pose.covariance[0] == pytest.approx(0.04, abs=1e-6)
    viewer.until(lambda: of_status(viewer, "restarts") == "1")
    onwards = play_and_hear(viewer, begun)
    assert np.linalg.norm(position_of(onwards) - position_of(after)) > 0
    assert of_status(viewer, "frames: start") == "1"


def test_a_driver_that_does_not_stamp(viewer: Viewer, start_node: Any) -> None:
    """Its images are taken by their arrival: the third decides, and none after it is lost."""
    viewer.listen(Odometry, "odom")
    start_node("odometry_node", *ALONE)
    info = info_of_camera(CAMERA, Header(frame_id="camera_optical"))

    def play() -> None:
        image = encode_image(texture(next(seeds)), "rgb8", info.header)
        viewer.send(image, info)

    seeds = itertools.count()
    viewer.until(lambda: len(viewer.heard["odom"]) >= 5, play=play)
    viewer.until(lambda: "does not stamp: the time of arrival is used" in viewer.said(), play=play)
    assert viewer.status is not None and viewer.status.level == DiagnosticStatus.WARN
    stamps = [stamp_of(message) for message in viewer.heard["odom"]]
    now = viewer.node.get_clock().now().nanoseconds
    assert stamps == sorted(set(stamps)) and now - 60 * SECOND < stamps[0] < now


def test_the_reset_service_starts_anew(viewer: Viewer, drive: Any) -> None:
    viewer.listen(Path, "path")
    begun = drive()
    for _ in range(3):
        moved = play_and_hear(viewer, begun)
    assert moved.pose.pose.position.x != 0
    viewer.until(lambda: viewer.heard["path"])
    assert viewer.call(Trigger, "odometry_node/reset").success
    again = play_and_hear(viewer, begun)
    assert again.pose.pose.position.x == 0
    assert again.pose.covariance[0] == 0 and again.twist.covariance[0] > 1
    viewer.until(lambda: len(viewer.heard["path"][-1].poses) <= 3, play=begun.play)


def test_metres_from_wheels_and_one_factor_for_others(viewer: Viewer, start_node: Any) -> None:
    viewer.listen(Odometry, "odom")
    viewer.listen_kept(Float64, "scale")
    wheels = viewer.node.create_publisher(TwistStamped, "speed", qos_profile_sensor_data)
    start_node(
        "odometry_node",
        *ALONE,
        "scale_source:=speed",
        "speed_type:=TwistStamped",
    )
    begun = Drive(viewer)

    def play() -> None:
        begun.play()
        for back in (50, 0):
            twist = TwistStamped()
            stamp = begun.now - back * SECOND // 1000
            twist.header.stamp.sec, twist.header.stamp.nanosec = divmod(stamp, SECOND)
            twist.twist.linear.x = 2.0
            wheels.publish(twist)
            time.sleep(0.01)

    viewer.until(lambda: of_status(viewer, "scale") == "unknown", play=play)
    assert not viewer.heard["odom"]
    viewer.until(lambda: viewer.heard["odom"] and viewer.heard["scale"], play=play)
    assert of_status(viewer, "scale source") == "speed"
    factor = viewer.heard["scale"][-1].data
    method = load_method("network", "demo", "cpu")
    views = Views(method.engine, with_grey=False)
    seen = [views.view(texture(k), CAMERA) for k in range(13)]
    motions = [method.motion(*pair).T_earlier_later for pair in zip(seen, seen[1:], strict=False)]
    steps = np.linalg.norm(np.array(motions)[:, :3, 3], axis=1)
    assert factor == pytest.approx(0.2 / np.median(steps), rel=0.5)


@pytest.mark.parametrize(
    ("parameters", "reason"),
    [
        (["scale_source:=fixed"], "needs a scale_factor"),
        (["scale_source:=camera_height"], "needs a camera_height"),
    ],
)
def test_a_source_without_its_parameter_is_told(
    viewer: Viewer, start_node: Any, parameters: list[str], reason: str
) -> None:
    process = start_node("odometry_node", *ALONE, *parameters)
    viewer.until(lambda: reason in viewer.said())
    assert process.poll() is None


def test_an_uncalibrated_camera_is_told(viewer: Viewer, start_node: Any) -> None:
    start_node("odometry_node", *ALONE)
    viewer.until(
        lambda: "K is all zeros" in viewer.said(),
        play=lambda: viewer.play(None, CameraInfo(width=320, height=240)),
    )


def test_frames_that_come_twice_are_not_moved_twice(viewer: Viewer, drive: Any) -> None:
    begun = drive()
    play_and_hear(viewer, begun)
    count = len(viewer.heard["odom"])
    for _ in range(3):
        begun.resend()
    viewer.until(lambda: int(of_status(viewer, "images left out: stamp repeated") or 0) > 0)
    assert len(viewer.heard["odom"]) == count
