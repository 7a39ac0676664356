"""Frames of a bag with their camera, depth, poses and speed, and what is left out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from bag_messages import FRAMES, OFFSET, picture, stamp_of, write_drive

from monodepth_ros.data.bags.extraction import BagExtraction
from monodepth_ros.data.bags.file import BagFile
from monodepth_ros.data.extraction.request import ExtractionRequest
from monodepth_ros.data.layouts.sequence_folder import FolderSequence
from monodepth_ros.errors import UserError
from monodepth_ros.geometry.camera import PinholeCamera
from monodepth_ros.geometry.rigid_motion import base_from_camera


@pytest.fixture(scope="module")
def drive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_drive(tmp_path_factory.mktemp("bags") / "drive")


def extracted(bag: Path, folder: Path, **request: Any) -> FolderSequence:
    with BagFile(bag) as opened:
        extraction = BagExtraction(opened, ExtractionRequest(**request))
        (topic,) = extraction.images
        for _ in extraction.extract(topic, folder):
            pass
    return FolderSequence(folder)


def test_frames_depth_poses_and_speed(drive: Path, tmp_path: Path) -> None:
    sequence = extracted(
        drive, tmp_path / "out", depth="/front/depth/image", poses="/odom", image_format="png"
    )
    assert len(sequence) == FRAMES
    assert sequence.camera.K[0, 0] == 30.0
    for number in (0, 5, FRAMES - 1):
        np.testing.assert_array_equal(sequence.image(number), picture(number))
        depth, pose = sequence.depth(number), sequence.pose(number)
        assert depth is not None and depth == pytest.approx(1 + 0.1 * number, abs=1e-3)
        assert sequence.stamp_ns(number) == stamp_of(number)
        assert sequence.speed(number) == pytest.approx(1.0)
        # Driving along x by 1 m/s, interpolated between odometry; the camera looks ahead.
        assert pose is not None
        np.testing.assert_allclose(pose[:3, 3], OFFSET + [0.1 * number, 0, 0], atol=1e-6)
        np.testing.assert_allclose(pose[:3, 2], [1, 0, 0], atol=1e-9)


def test_an_interrupted_extraction_goes_on(drive: Path, tmp_path: Path) -> None:
    whole = extracted(drive, tmp_path / "whole")
    with BagFile(drive) as opened:
        extraction = BagExtraction(opened, ExtractionRequest())
        steps = extraction.extract("/front/image_raw", tmp_path / "parts")
        for _ in range(5):
            next(steps)
        steps.close()
    assert len(FolderSequence(tmp_path / "parts")) == 5
    parts = extracted(drive, tmp_path / "parts")
    table = (tmp_path / "whole/frames.csv").read_bytes()
    assert len(parts) == len(whole) and (tmp_path / "parts/frames.csv").read_bytes() == table


def test_frames_by_motion_and_by_number(drive: Path, tmp_path: Path) -> None:
    assert len(extracted(drive, tmp_path / "third", every=3)) == 4
    moved = extracted(drive, tmp_path / "moved", motion=0.15)  # two pixels of 32 are 0.06
    assert 3 <= len(moved) <= 5
    assert len(extracted(drive, tmp_path / "all", motion=0.0)) == FRAMES


def test_a_depth_from_another_time_is_none(drive: Path, tmp_path: Path) -> None:
    sequence = extracted(drive, tmp_path / "out", depth="/front/depth/image", tolerance=0.001)
    assert not sequence.has_depth and len(sequence) == FRAMES
    assert sequence.speed(3) is None and not sequence.has_pose  # no topic was named


def test_a_mounting_stands_in_for_tf(drive: Path, tmp_path: Path) -> None:
    mounting = base_from_camera(np.array([0.0, 0.0, 1.0]), np.zeros(3))
    pose = extracted(drive, tmp_path / "out", poses="/odom", mounting=mounting).pose(3)
    assert pose is not None
    np.testing.assert_allclose(pose[:3, 3], [0.3, 0, 1], atol=1e-6)


def test_a_camera_by_file(drive: Path, tmp_path: Path) -> None:
    camera = PinholeCamera.from_focal_length(32, 24, 20.0, 20.0, 15.5, 11.5)
    assert extracted(drive, tmp_path / "out", camera=camera).camera.K[0, 0] == 20.0
    wrong = PinholeCamera.from_focal_length(64, 48, 20.0, 20.0, 15.5, 11.5)
    with pytest.raises(UserError, match="64x48"):
        extracted(drive, tmp_path / "wrong", camera=wrong)


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        ({"images": ("/rear/image_raw",)}, "no topic '/rear/image_raw'"),
        ({"depth": "/depth"}, "no topic '/depth'"),
        ({"poses": "/pose"}, "no topic '/pose'"),
        ({"poses": "/front/image_raw"}, "states no pose"),
        ({"depth": "/odom"}, "/odom is nav_msgs/msg/Odometry, which states no depth"),
        ({"images": ("/odom",)}, "states no image"),
        ({"camera_info": "/front/image_raw"}, "states no camera"),
        ({"depth": "/front/image_raw"}, "no camera's images"),
        (
            {"depth": "/front/image_raw", "images": ("/front/image_raw",)},
            "is named for both images and depth",
        ),
    ],
)
def test_what_the_bag_lacks(drive: Path, tmp_path: Path, request_: Any, message: str) -> None:
    with pytest.raises(UserError, match=message):
        extracted(drive, tmp_path / "out", **request_)


def test_a_real_bag_of_ros_1(real_data: Path, tmp_path: Path) -> None:
    sequence = extracted(real_data / "rosbags/aruco_images.bag", tmp_path / "out")
    assert len(sequence) == 1 and sequence.camera.distorted
    assert cv2.Laplacian(sequence.image(0), cv2.CV_64F).var() > 10
    with pytest.raises(UserError, match="camera_info"):
        extracted(real_data / "rosbags/soccer_goal_12.mcap", tmp_path / "soccer")
    with pytest.raises(UserError, match="no camera's images"):
        extracted(real_data / "rosbags/tf_example.bag", tmp_path / "tf")
