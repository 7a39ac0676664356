from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("sensor_msgs", reason="no ROS 2 messages: install the extra [ros]")

from sensor_msgs.msg import CameraInfo
from std_msgs.msg import Header

from monodepth_ros.data.camera_message import camera_from_info
from monodepth_ros.errors import UserError
from monodepth_ros.geometry.camera import PinholeCamera
from monodepth_ros.nodes.camera_info import info_of_camera

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
    with pytest.raises(UserError, match="P is all zeros, and the images are rectified"):
        camera_from_info(info, 240, 320, rectified=True)


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
