from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("sensor_msgs", reason="no ROS 2 messages: install the extra [ros]")

from sensor_msgs.msg import CameraInfo
from std_msgs.msg import Header

from monodepth_ros.data.bags.messages.camera import camera_from_info, is_rectified_topic
from monodepth_ros.errors import UserError
from monodepth_ros.geometry.camera import PinholeCamera
from monodepth_ros.nodes.camera.recent_camera_infos import RecentCameraInfos
from monodepth_ros.nodes.conversions.camera_info import info_of_camera

CAMERA = PinholeCamera.from_focal_length(640, 480, 500.0, 510.0, 330.0, 235.0)


def calibrated() -> CameraInfo:
    info = info_of_camera(CAMERA, Header(frame_id="camera"))
    info.d = [0.1, -0.2, 0.001, 0.002, 0.0]
    return info


def test_a_camera_with_distortion() -> None:
    camera = camera_from_info(calibrated(), 480, 640)
    assert camera.distortion_model == "plumb_bob" and camera.D == (0.1, -0.2, 0.001, 0.002, 0.0)
    np.testing.assert_array_equal(camera.K, CAMERA.K)


def test_zeros_are_no_distortion_and_drivers_name_models_their_way() -> None:
    info = calibrated()
    info.d = [0.0] * 5
    assert camera_from_info(info, 480, 640).distortion_model == "none"
    info.distortion_model, info.d = "fisheye", [0.1, 0.0, 0.0, 0.0]
    assert camera_from_info(info, 480, 640).distortion_model == "equidistant"


def test_a_part_of_the_image_at_half_resolution() -> None:
    info = calibrated()
    info.roi.x_offset, info.roi.y_offset, info.roi.width, info.roi.height = 100, 60, 400, 300
    info.binning_x = info.binning_y = 2
    camera = camera_from_info(info, 150, 200)
    assert (camera.width, camera.height) == (200, 150)
    np.testing.assert_allclose(camera.K, [[250, 0, 114.75], [0, 255, 87.25], [0, 0, 1]])


def test_a_crop_beside_the_principal_point() -> None:
    info = calibrated()
    info.roi.x_offset, info.roi.y_offset, info.roi.width, info.roi.height = 400, 0, 240, 200
    camera = camera_from_info(info, 200, 240)
    np.testing.assert_allclose(camera.K, [[500, 0, -70], [0, 510, 235], [0, 0, 1]])
    assert camera.distortion_model == "plumb_bob"
    info.roi.width = 241
    with pytest.raises(UserError, match=r"241x200 at \(400, 0\), leaves the 640x480 image"):
        camera_from_info(info, 200, 241)


def test_what_is_left_of_binning_is_cut_off() -> None:
    info = calibrated()
    info.width, info.height, info.binning_x, info.binning_y = 641, 481, 2, 2
    camera = camera_from_info(info, 240, 320)
    np.testing.assert_allclose(camera.K, [[250, 0, 164.75], [0, 255, 117.25], [0, 0, 1]])


def test_rectified_images_are_seen_by_P() -> None:
    info = calibrated()
    info.p = [400.0, 0, 310, -40, 0, 410, 240, 0, 0, 0, 1, 0]
    info.binning_x = info.binning_y = 2
    camera = camera_from_info(info, 240, 320, rectified=True)
    np.testing.assert_allclose(camera.K, [[200, 0, 154.75], [0, 205, 119.75], [0, 0, 1]])
    assert not camera.distorted
    info.p = [0.0] * 12
    with pytest.raises(UserError, match="P is all zeros, and P is the camera of rectified images"):
        camera_from_info(info, 240, 320, rectified=True)
    info.d = [0.0] * 5  # nothing to rectify: K is the camera
    camera = camera_from_info(info, 240, 320, rectified=True)
    np.testing.assert_allclose(camera.K, [[250, 0, 164.75], [0, 255, 117.25], [0, 0, 1]])


@pytest.mark.parametrize(
    ("topic", "rectified"),
    [
        ("/camera/image_rect", True),
        ("/camera/image_rect_color", True),
        ("/camera/image_rect_color/compressed", True),
        ("/left/image_rect_raw", True),
        ("/camera/image_raw", False),
        ("/camera/image_raw/compressed", False),
        ("/image_rect/image_raw", False),
        ("/camera/rect_image", False),
    ],
)
def test_rectified_topics_by_their_last_part(topic: str, rectified: bool) -> None:
    assert is_rectified_topic(topic) == rectified


def stamped(nanoseconds: int, focal_length: float) -> CameraInfo:
    info = calibrated()
    info.header.stamp.nanosec = nanoseconds
    info.k[0] = focal_length
    return info


def test_an_image_takes_the_camera_info_of_its_stamp_or_else_the_newest() -> None:
    infos = RecentCameraInfos()
    assert infos.find(1) is None
    unfilled = CameraInfo(width=640, height=480)
    infos.add(unfilled)
    assert infos.find(1) is unfilled
    infos.add(stamped(1, 500.0))
    infos.add(stamped(2, 700.0))
    infos.add(unfilled)  # a driver that starts again does not take the calibration away
    assert [infos.find(stamp).k[0] for stamp in (1, 2, 0, 9)] == [500.0, 700.0, 700.0, 700.0]
    for stamp in range(3, 200):
        infos.add(stamped(stamp, 900.0))
    assert infos.find(1).k[0] == 900.0
    infos.clear()
    assert infos.find(1) is None


def test_uncalibrated_and_mismatched_cameras_are_refused() -> None:
    with pytest.raises(UserError, match="K is all zeros"):
        camera_from_info(CameraInfo(width=640, height=480), 480, 640)
    rectified_alone = CameraInfo(width=640, height=480)
    rectified_alone.p = calibrated().p
    with pytest.raises(UserError, match="K is all zeros.*P is set.*`rectified`"):
        camera_from_info(rectified_alone, 480, 640)
    sizeless = calibrated()
    sizeless.width = sizeless.height = 0
    with pytest.raises(UserError, match="states no image size .width 0, height 0."):
        camera_from_info(sizeless, 480, 640)
    with pytest.raises(UserError, match="of 640x480 images, but these are 320x240"):
        camera_from_info(calibrated(), 240, 320)
    wrong = calibrated()
    wrong.distortion_model = "thin_prism"
    with pytest.raises(UserError, match="thin_prism"):
        camera_from_info(wrong, 480, 640)


def test_the_info_of_depth_follows_its_size() -> None:
    info = info_of_camera(CAMERA.resized(128, 192), Header(frame_id="camera"))
    assert (info.width, info.height, info.header.frame_id) == (192, 128, "camera")
    assert info.k[0] == pytest.approx(150) and info.p[0] == info.k[0] and info.p[3] == 0
    assert list(info.r) == [1, 0, 0, 0, 1, 0, 0, 0, 1] and list(info.d) == [0] * 5
    assert info.distortion_model == "plumb_bob"
