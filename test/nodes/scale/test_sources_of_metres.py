"""Metres in nodes: motion from TF and from poses, scans and range images, two cameras."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="no ROS 2: install the extra [ros]")

from drive import SECOND
from geometry_msgs.msg import PoseStamped, TransformStamped
from metric_room import STEP, Player, drive_past, median_ratio, to_and_fro
from nav_msgs.msg import Odometry
from rclpy.qos import DurabilityPolicy, QoSProfile, qos_profile_sensor_data
from rendered_planes import CAMERA
from scipy.spatial.transform import Rotation
from sensor_msgs.msg import CameraInfo, Image, LaserScan
from std_msgs.msg import Float64, Header
from viewer import Viewer, of_status

from monodepth_ros.geometry.rigid_motion import base_from_camera, inverse, rigid
from monodepth_ros.nodes.conversions.camera_info import info_of_camera
from monodepth_ros.nodes.conversions.images import encode_depth, encode_image

SUPPORT = Path(__file__).parents[2] / "support"
QUICK = ("device:=cpu", "diagnostics_period:=0.2")
LATCHED = QoSProfile(depth=10, durability=DurabilityPolicy.TRANSIENT_LOCAL)


@pytest.fixture(scope="module")
def drive() -> list[tuple[Any, Any]]:
    return drive_past()


@pytest.fixture
def node_with(start_node: Any, ros_environment: dict[str, str]) -> Callable[..., Any]:
    """Starts a depth node with a tf2_ros of the tests."""

    def run(tf2: str, *parameters: str) -> Any:
        path = ros_environment.get("PYTHONPATH", "")
        ros_environment["PYTHONPATH"] = f"{SUPPORT / tf2}:{path}".rstrip(":")
        return start_node("depth_node", *QUICK, *parameters)

    return run


def transform(parent: str, child: str, T: Any, header: Header | None = None) -> TransformStamped:
    message = TransformStamped(child_frame_id=child)
    if header is not None:
        message.header.stamp = header.stamp
    message.header.frame_id = parent
    move, turn = message.transform.translation, message.transform.rotation
    move.x, move.y, move.z = map(float, T[:3, 3])
    turn.x, turn.y, turn.z, turn.w = map(float, Rotation.from_matrix(T[:3, :3]).as_quat())
    return message


def test_motion_from_tf(viewer: Viewer, node_with: Any, drive: Any) -> None:
    """TF comes later than its images, and begins later."""
    viewer.listen(Image, "depth/image_rect")
    publisher = viewer.node.create_publisher(TransformStamped, "/tf", 100)
    late: list[TransformStamped] = []

    def tf(header: Header, number: int, _: Any) -> None:
        T = rigid(np.eye(3), [0, STEP * number, 0]) @ base_from_camera(np.zeros(3), np.zeros(3))
        late.append(transform("odom", "camera_optical", T, header))
        if len(late) > 5:
            publisher.publish(late[-3])

    player = Player(viewer, drive, tf)
    node_with("tf2_stand_in", "scale_source:=odometry", "odometry_type:=TF")
    missing = "TF from odom to camera_optical is not available"
    viewer.until(lambda: missing in viewer.said(), play=player.play)
    assert not viewer.heard["depth/image_rect"]
    viewer.until(lambda: viewer.heard["depth/image_rect"], play=player.play)
    assert median_ratio(viewer, player) == pytest.approx(1.0, rel=0.25)


def test_motion_from_tf_without_tf2(viewer: Viewer, node_with: Any) -> None:
    viewer.listen(Image, "depth/image_rect")
    node_with("no_tf2", "scale_source:=odometry", "odometry_type:=TF")
    reason = "tf2_ros is not installed: TF from odom to camera_optical is not known"
    viewer.until(lambda: reason in viewer.said(), play=viewer.play)
    assert not viewer.heard["depth/image_rect"]


def test_motion_from_poses(viewer: Viewer, node_with: Any, drive: Any) -> None:
    viewer.listen(Image, "depth/image_rect")
    poses = viewer.node.create_publisher(PoseStamped, "odometry", qos_profile_sensor_data)

    def pose(header: Header, number: int, _: Any) -> None:
        message = PoseStamped(header=Header(stamp=header.stamp, frame_id="map"))
        message.pose.position.y = STEP * number
        message.pose.orientation.w = 1.0
        poses.publish(message)

    player = Player(viewer, drive, pose)
    wanted = ("scale_source:=odometry", "odometry_type:=PoseStamped", "mounting:=parameters")
    node_with("no_tf2", *wanted)
    viewer.until(lambda: viewer.heard["depth/image_rect"], play=player.play)
    assert median_ratio(viewer, player) == pytest.approx(1.0, rel=0.25)


def test_a_laser_scan_gives_metres(viewer: Viewer, node_with: Any, drive: Any) -> None:
    """A scanner at the camera, level with it; the wall to its left ends before the image does."""
    viewer.listen(Image, "depth/image_rect")
    scans = viewer.node.create_publisher(LaserScan, "scan", qos_profile_sensor_data)
    static = viewer.node.create_publisher(TransformStamped, "/tf_static", LATCHED)
    T_laser_camera = base_from_camera(np.zeros(3), np.zeros(3))
    angles = np.linspace(-0.5, 0.5, 101)

    def scan(header: Header, _: int, depth: Any) -> None:
        fx, cx, cy = CAMERA.K[0, 0], CAMERA.K[0, 2], CAMERA.K[1, 2]
        columns = (cx - fx * np.tan(angles)).round().astype(int)
        message = LaserScan(header=Header(stamp=header.stamp, frame_id="laser"))
        message.angle_min, message.angle_increment = float(angles[0]), 0.01
        message.range_min, message.range_max = 0.1, 10.0
        message.ranges = (depth[round(cy), columns] / np.cos(angles)).astype(np.float32).tolist()
        scans.publish(message)

    player = Player(viewer, drive, scan)
    node_with("tf2_stand_in", "scale_source:=points", "points_type:=LaserScan")
    missing = "TF from camera_optical to laser is not available"
    viewer.until(lambda: missing in viewer.said(), play=player.play)
    static.publish(transform("camera_optical", "laser", inverse(T_laser_camera)))
    viewer.until(lambda: viewer.heard["depth/image_rect"], play=player.play)
    viewer.until(lambda: of_status(viewer, "scale measurement") == "good", play=player.play)
    # The scan knows one row of the image.
    assert median_ratio(viewer, player, rows=(0.45, 0.55)) == pytest.approx(1.0, rel=0.2)


def test_a_range_camera_gives_metres(viewer: Viewer, node_with: Any, drive: Any) -> None:
    viewer.listen(Image, "depth/image_rect")
    images = viewer.node.create_publisher(Image, "range/image_rect", qos_profile_sensor_data)
    infos = viewer.node.create_publisher(CameraInfo, "range/camera_info", qos_profile_sensor_data)

    def half_of_the_size(header: Header, _: int, depth: Any) -> None:
        small = CAMERA.resized(120, 160)
        infos.publish(info_of_camera(small, header))
        images.publish(encode_depth(depth[::2, ::2].astype(np.float32), "32FC1", header))

    player = Player(viewer, drive, half_of_the_size)
    node_with("no_tf2", "scale_source:=points", "points_type:=Image")
    viewer.until(lambda: viewer.heard["depth/image_rect"], play=player.play)
    assert median_ratio(viewer, player) == pytest.approx(1.0, rel=0.15)


def test_two_cameras_have_a_scale_each(viewer: Viewer, node_with: Any, drive: Any) -> None:
    """The rear one sees the same room at twice the size: it looks the same, and moves by half."""
    names = ("front", "rear")
    seen = {"front": drive, "rear": drive_past(-STEP / 2)}
    for name in names:
        viewer.listen_kept(Float64, f"{name}/scale")
    odometry = viewer.node.create_publisher(Odometry, "odometry", qos_profile_sensor_data)
    static = viewer.node.create_publisher(TransformStamped, "/tf_static", LATCHED)
    for name, yaw in (("front", 0.0), ("rear", np.pi)):
        T = base_from_camera(np.array([0.3, 0.0, 1.0]), np.array([0, 0, yaw]))
        static.publish(transform("base_link", f"{name}_optical", T))
    publishers = {
        (name, kind): viewer.node.create_publisher(kind, f"{name}/{topic}", qos_profile_sensor_data)
        for name in names
        for kind, topic in ((Image, "image_raw"), (CameraInfo, "camera_info"))
    }
    count = [0]
    start = viewer.node.get_clock().now().nanoseconds

    def play() -> None:
        number = to_and_fro(count[0], len(drive))
        count[0] += 1
        header = Header(frame_id="odom")
        at = header.stamp
        at.sec, at.nanosec = divmod(start + count[0] * SECOND // 10, SECOND)
        message = Odometry(header=header, child_frame_id="base_link")
        message.pose.pose.position.y = STEP * number
        message.pose.pose.orientation.w = 1.0
        odometry.publish(message)
        for name in names:
            header = Header(frame_id=f"{name}_optical", stamp=at)
            image = encode_image(seen[name][number][0], "rgb8", header)
            publishers[name, CameraInfo].publish(info_of_camera(CAMERA, header))
            publishers[name, Image].publish(image)

    node_with("tf2_stand_in", "scale_source:=odometry", "cameras:=[front, rear]")
    viewer.until(lambda: all(len(viewer.heard[f"{n}/scale"]) > 2 for n in names), play=play)
    front, rear = (viewer.heard[f"{name}/scale"][-1].data for name in names)
    assert rear / front == pytest.approx(2.0, rel=0.2)
