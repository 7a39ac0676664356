"""Poses and speeds of a bag's frames: what is known, and what is said of the rest."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from bag_messages import (
    OFFSET,
    SECOND,
    header,
    image,
    make,
    odometry,
    picture,
    stamp_of,
    transform,
    write_messages,
)

from monodepth_ros.data.bags.file import BagFile
from monodepth_ros.data.bags.frames import BagFrames, RecordedFrame
from monodepth_ros.data.coverage import Coverage
from monodepth_ros.data.extraction.request import ExtractionRequest
from monodepth_ros.errors import UserError
from monodepth_ros.geometry.camera import PinholeCamera

OPTICAL = (-0.5, 0.5, -0.5, 0.5)
CAMERA = PinholeCamera.from_focal_length(32, 24, 30.0, 30.0, 16.0, 12.0)
Messages = list[tuple[str, Any, int]]


def images(count: int = 60, frame: str = "camera_optical") -> Messages:
    """At 20 Hz for three seconds."""
    stamps = [stamp_of(0) + n * SECOND // 20 for n in range(count)]
    return [("/front/image_raw", image(at, picture(0), frame), at) for at in stamps]


def drive(speed: float = 1.0, shift: int = 0) -> Messages:
    """Odometry at 20 Hz, a little beside the images, of 1 m/s; ``speed`` is what it states."""
    found: Messages = []
    for n in range(-1, 62):
        at = stamp_of(0) + n * SECOND // 20 + 10_000_000
        found.append(("/odom", odometry(at + shift, (at - stamp_of(0)) / SECOND, speed), at))
    return found


def mounting(topic: str, times: list[float], turn: float = 0.0) -> Messages:
    """Of the camera on the robot; ``turn`` is by how much z of the quaternion grows a second."""
    found: Messages = []
    for second in times:
        at = stamp_of(0) + round(second * SECOND)
        q = np.array(OPTICAL) + [0, 0, turn * second, 0]
        found.append((topic, transform(at, "base_link", "camera_optical", OFFSET, q), at))
    return found


def taken(
    path: Path, messages: Messages, **request: Any
) -> tuple[list[RecordedFrame], dict[str, Coverage], list[str]]:
    coverage: dict[str, Coverage] = {}
    with BagFile(write_messages(path, messages)) as bag:
        frames = BagFrames(bag, ExtractionRequest(camera=CAMERA, **request))
        found = list(frames.frames("/front/image_raw", Counter(), coverage))
        return [frame for frame in found if frame is not None], coverage, bag.problems


@pytest.mark.parametrize(
    ("topic", "times"), [("/tf", [0.5, 1.5, 2.5]), ("/tf", [1.0]), ("/tf_static", [2.9])]
)
def test_a_mounting_is_constant_whatever_topic_and_rate(
    tmp_path: Path, topic: str, times: list[float]
) -> None:
    messages = images() + drive() + mounting(topic, times)
    frames, coverage, _ = taken(tmp_path / "bag", messages, poses="/odom")
    assert str(coverage["poses"]) == "poses 60 of 60 frames"
    for number in (0, 31, 59):
        pose = frames[number].pose
        assert pose is not None
        np.testing.assert_allclose(pose[:3, 3], OFFSET + [number / 20, 0, 0], atol=1e-6)


def test_odometry_of_another_axis_system_of_the_robot(tmp_path: Path) -> None:
    """As autopilots state it: forward, right, down, in a frame beside the camera's in TF."""
    messages = images() + drive() + mounting("/tf_static", [0])
    for topic, message, _ in messages:
        if topic == "/odom":
            message.child_frame_id = "base_link_frd"
            message.pose.pose.orientation = make(
                "geometry_msgs/msg/Quaternion", x=1.0, y=0.0, z=0.0, w=0.0
            )
    at = stamp_of(0)
    turned = transform(at, "base_link", "base_link_frd", np.zeros(3), (1.0, 0.0, 0.0, 0.0))
    messages.append(("/tf_static", turned, at))
    frames, coverage, _ = taken(tmp_path / "bag", messages, poses="/odom")
    assert coverage["poses"].found == 60
    pose = frames[31].pose
    assert pose is not None
    np.testing.assert_allclose(pose[:3, 3], OFFSET + [31 / 20, 0, 0], atol=1e-6)


def test_an_estimate_in_tf_beside_the_truth_carries_no_camera(tmp_path: Path) -> None:
    messages = images() + drive() + mounting("/tf_static", [0])
    for topic, message, at in list(messages):
        if topic == "/odom":
            message.child_frame_id = "markers"
            x = message.pose.pose.position.x
            for body, error in (("markers", 0.0), ("base_link", 0.2 * x)):
                moved = np.array([x + error, 0, 0])
                messages.append(("/tf", transform(at, "world", body, moved, (0, 0, 0, 1.0)), at))
    _, coverage, _ = taken(tmp_path / "bag", messages, poses="/odom")
    assert str(coverage["poses"]).startswith("poses 0 of 60 frames: /odom is the pose of markers")


def test_a_camera_that_pans_is_interpolated_and_unknown_beyond(tmp_path: Path) -> None:
    times = [0.25 * n for n in range(9)]
    messages = images() + drive() + mounting("/tf", times, turn=0.05)
    frames, coverage, _ = taken(tmp_path / "bag", messages, poses="/odom")
    assert coverage["poses"].found == 41
    assert str(coverage["poses"]).startswith(
        "poses 41 of 60 frames: 50 ms to 950 ms after the last of base_link -> camera_optical"
    )
    assert frames[22].pose is not None and frames[41].pose is None


def test_a_clock_of_its_own_is_told_with_the_distance(tmp_path: Path) -> None:
    messages = images() + drive(shift=-90 * SECOND) + mounting("/tf_static", [0])
    frames, coverage, _ = taken(tmp_path / "bag", messages, poses="/odom")
    assert all(frame.pose is None and frame.speed is None for frame in frames)
    poses, speed = str(coverage["poses"]), str(coverage["speed"])
    assert poses == "poses 0 of 60 frames: 86.9 s after the last of /odom"
    assert speed == "speed 0 of 60 frames: nearest stamp 86.9 s away (tolerance 200 ms)"


def test_a_pose_that_is_none_is_not_bridged(tmp_path: Path) -> None:
    odometries = drive()
    for n in (20, 21):  # at 0.96 and 1.01 s
        odometries[n][1].pose.pose.orientation.w = 0.0
    odometries[40][1].pose.pose.position.x = np.nan
    messages = images() + odometries + mounting("/tf_static", [0])
    frames, coverage, _ = taken(tmp_path / "bag", messages, poses="/odom")
    lost = [n for n, frame in enumerate(frames) if frame.pose is None]
    assert lost == [19, 20, 21, 39, 40]
    assert str(coverage["poses"]) == (
        "poses 55 of 60 frames: /odom states no pose then: all zero, not finite, or of a"
        " quaternion of norm 0"
    )


def test_a_topic_of_lost_poses_alone(tmp_path: Path) -> None:
    odometries = drive()
    for _, message, _ in odometries:
        message.pose.pose.orientation.w = 0.0
    messages = images() + odometries + mounting("/tf_static", [0])
    _, coverage, _ = taken(tmp_path / "bag", messages, poses="/odom")
    assert str(coverage["poses"]).startswith("poses 0 of 60 frames: no message of /odom states a")


def test_a_twist_that_nobody_filled_in_is_no_speed(tmp_path: Path) -> None:
    messages = images() + drive(speed=0.0) + mounting("/tf_static", [0])
    frames, coverage, _ = taken(tmp_path / "bag", messages, poses="/odom")
    assert all(frame.speed is None for frame in frames)
    assert str(coverage["speed"]) == (
        "speed 0 of 60 frames: the twist of /odom is all zero while its poses move 3.1 m: it is"
        " not filled in"
    )


def test_a_robot_that_stands_still_has_speed_zero(tmp_path: Path) -> None:
    odometries = drive(speed=0.0)
    for _, message, _ in odometries:
        message.pose.pose.position.x = 1.0
    messages = images() + odometries + mounting("/tf_static", [0])
    frames, coverage, _ = taken(tmp_path / "bag", messages, poses="/odom")
    assert {frame.speed for frame in frames} == {0.0} and coverage["poses"].found == 60


def twists(speed: float, count: int = 62) -> Messages:
    found: Messages = []
    for n in range(count):
        at = stamp_of(0) + n * SECOND // 20
        linear = make("geometry_msgs/msg/Vector3", x=0.0, y=speed, z=0.0)
        angular = make("geometry_msgs/msg/Vector3", x=0.0, y=0.0, z=0.0)
        twist = make("geometry_msgs/msg/Twist", linear=linear, angular=angular)
        message = make("geometry_msgs/msg/TwistStamped", header=header(at, "base"), twist=twist)
        found.append(("/wheels", message, at))
    return found


def test_speed_of_a_topic_of_its_own(tmp_path: Path) -> None:
    messages = images() + drive(speed=1.0) + mounting("/tf_static", [0]) + twists(0.7, count=20)
    path = tmp_path / "bag"
    frames, coverage, _ = taken(path, messages, poses="/odom", speed="/wheels")
    assert frames[5].speed == pytest.approx(0.7) and frames[30].speed is None
    assert coverage["poses"].found == 60 and coverage["speed"].requested
    # The last twist is of 0.95 s; 200 ms later its speed is no longer the robot's.
    assert str(coverage["speed"]) == (
        "speed 24 of 60 frames: nearest stamp 250 ms to 2 s away (tolerance 200 ms)"
    )
    with (
        BagFile(path) as bag,
        pytest.raises(UserError, match="/tf_static is tf2_msgs/msg/TFMessage, which states no spe"),
    ):
        BagFrames(bag, ExtractionRequest(speed="/tf_static"))


def test_no_way_to_the_camera_is_told_and_its_images_are_taken(tmp_path: Path) -> None:
    frames, coverage, _ = taken(tmp_path / "bag", images() + drive(), poses="/odom")
    assert len(frames) == 60 and "give --mounting" in str(coverage["poses"])
    messages = images() + mounting("/tf_static", [0])
    frames, coverage, _ = taken(tmp_path / "tf", messages, poses="/tf_static", frame="map")
    assert len(frames) == 60 and "no way from map to the camera's frame" in str(coverage["poses"])


def test_a_frame_with_two_parents_is_told(tmp_path: Path) -> None:
    messages = images() + drive() + mounting("/tf", [0.5, 1.5])
    odd = transform(stamp_of(1), "map", "camera_optical", np.zeros(3), OPTICAL)
    messages.append(("/tf", odd, stamp_of(1)))
    _, coverage, problems = taken(tmp_path / "bag", messages, poses="/odom")
    assert coverage["poses"].found == 60
    assert any("the frame camera_optical has several parents" in line for line in problems)
