"""What the demo plays, from a recording, a video and a bag."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

pytest.importorskip("rclpy", reason="no ROS 2: install the extra [ros]")

from rclpy.serialization import serialize_message
from std_msgs.msg import Header
from viewer import CAMERA, RGB

from monodepth_ros.data.bags.recording.writer import BagWriter
from monodepth_ros.data.cameras.capture_settings import CaptureSettings
from monodepth_ros.data.layouts.sequence_folder import SequenceWriter
from monodepth_ros.errors import UserError
from monodepth_ros.geometry.camera import PinholeCamera
from monodepth_ros.nodes.conversions.camera_info import info_of_camera
from monodepth_ros.nodes.conversions.images import encode_depth, encode_image
from monodepth_ros.nodes.demo.frame_streams import open_stream
from monodepth_ros.share_directory import share_directory
from monodepth_ros.stamps import UNSTAMPED

SECOND = 1_000_000_000
DISTORTED = PinholeCamera(320, 240, CAMERA.K, "plumb_bob", (0.1, -0.05, 0.0, 0.0, 0.0))


def test_the_bundled_walk_has_images_truth_and_times() -> None:
    frames = list(open_stream(str(share_directory() / "models/demo/sample_walk")).frames)
    assert len(frames) == 150
    assert frames[0].stamp == 0 and frames[-1].stamp == pytest.approx(149 / 15 * SECOND, rel=1e-3)
    assert sum(frame.depth is not None for frame in frames) == 50
    assert all(frame.pose is not None for frame in frames)
    size = sum(f.stat().st_size for f in share_directory().glob("models/demo/sample_walk/**/*"))
    assert size < 6_000_000


def test_a_recording_without_stamps_and_with_a_broken_image(tmp_path: Path) -> None:
    with SequenceWriter(tmp_path / "walk", CAMERA, 10.0) as writer:
        for _ in range(4):
            writer.add(RGB)
    (tmp_path / "walk/images/000002.jpg").write_bytes(b"broken")
    frames = list(open_stream(str(tmp_path / "walk")).frames)
    assert len(frames) == 3 and frames[0].depth is None


def test_a_video_has_a_guessed_camera_and_says_so(tmp_path: Path) -> None:
    path = tmp_path / "drive.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"MJPG"), 20.0, (64, 48))
    for level in range(0, 250, 25):
        writer.write(np.full((48, 64, 3), (level, 0, 0), np.uint8))  # blue
    writer.release()
    stream = open_stream(str(path))
    frames = list(stream.frames)
    assert stream.guessed and "camera guessed, 62 degrees wide" in stream.description
    assert len(frames) == 10
    assert frames[3].stamp == pytest.approx(0.15 * SECOND)
    assert frames[9].rgb[..., 2].mean() > 150 and frames[9].rgb[..., 0].mean() < 60
    assert frames[0].camera.K[0, 0] == pytest.approx(32 / np.tan(np.radians(31)))
    narrow = open_stream(str(path), CaptureSettings(field_of_view=90.0, fps=5.0))
    frames = list(narrow.frames)
    assert narrow.guessed and frames[0].camera.K[0, 0] == pytest.approx(32)
    assert frames[3].stamp == pytest.approx(0.6 * SECOND)


def test_images_without_a_rate_are_not_played_at_any(tmp_path: Path) -> None:
    for index in range(3):
        cv2.imwrite(str(tmp_path / f"{index}.JPG"), np.full((48, 64, 3), 80 * index, np.uint8))
    with pytest.raises(UserError, match="no stamps: give their rate with --fps"):
        list(open_stream(str(tmp_path)).frames)
    frames = list(open_stream(str(tmp_path), CaptureSettings(fps=4.0)).frames)
    assert [frame.stamp for frame in frames] == [0, SECOND // 4, SECOND // 2]


def stamp_of(k: int) -> int:
    return 7 * SECOND + k * SECOND // 10


def test_a_bag_gives_the_camera_and_not_the_depth(tmp_path: Path) -> None:
    with BagWriter(tmp_path / "bag") as bag:
        for k in range(3):
            header = Header(frame_id="camera_optical")
            header.stamp.sec, header.stamp.nanosec = divmod(stamp_of(k), SECOND)
            depth = encode_depth(np.ones((4, 5), np.float32), "32FC1", header)
            stamp = 9 * SECOND + k * SECOND // 7  # recorded later than seen
            for topic, kind, message in (
                ("/front/depth/image", "Image", depth),
                ("/front/camera_info", "CameraInfo", info_of_camera(DISTORTED, header)),
                ("/front/image_raw", "Image", encode_image(RGB, "bgr8", header)),
            ):
                bag.write(topic, f"sensor_msgs/msg/{kind}", stamp, serialize_message(message))
    frames = list(open_stream(str(tmp_path / "bag")).frames)
    assert [frame.stamp for frame in frames] == [0, SECOND // 10, 2 * SECOND // 10]
    np.testing.assert_array_equal(frames[0].rgb, RGB)
    np.testing.assert_allclose(frames[0].camera.K, CAMERA.K)
    assert frames[0].camera.D == DISTORTED.D


def test_a_real_bag_of_ros_1(real_data: Path) -> None:
    frames = list(open_stream(str(real_data / "rosbags/aruco_images.bag")).frames)
    assert frames and frames[0].rgb.shape == (960, 1280, 3)
    assert frames[0].camera.K[0, 0] == pytest.approx(1014.34, abs=0.01)


def test_a_real_bag_without_images_is_refused(real_data: Path) -> None:
    with pytest.raises(UserError, match="holds no camera.s images"):
        next(open_stream(str(real_data / "rosbags/nav2_turtlebot.mcap")).frames)


def test_a_damaged_bag_is_named(tmp_path: Path) -> None:
    (tmp_path / "broken.mcap").write_bytes(b"not a bag")
    with pytest.raises(UserError, match="broken.mcap"):
        next(open_stream(str(tmp_path / "broken.mcap")).frames)


@pytest.mark.parametrize("source", ["nowhere.mcap", "nowhere.avi", "nowhere"])
def test_what_is_not_there_is_named(tmp_path: Path, source: str) -> None:
    with pytest.raises(UserError, match="nowhere"):
        next(open_stream(str(tmp_path / source)).frames)


def test_wrong_stamps_cost_their_frames_and_a_clock_that_was_set_none(tmp_path: Path) -> None:
    stamps = [0 if k == 2 else stamp_of(k) - (5 * SECOND if k > 5 else 0) for k in range(10)]
    with BagWriter(tmp_path / "bag") as bag:
        for k, stamp in enumerate(stamps):
            header = Header(frame_id="camera_optical")
            header.stamp.sec, header.stamp.nanosec = divmod(stamp, SECOND)
            message = serialize_message(encode_image(RGB, "bgr8", header))
            bag.write("/front/image_raw", "sensor_msgs/msg/Image", stamp_of(k), message)
    stream = open_stream(str(tmp_path / "bag"))
    times = [frame.stamp for frame in stream.frames]
    assert times == [k * SECOND // 10 for k in range(10) if k != 2]
    assert stream.left_out == {UNSTAMPED: 1}
