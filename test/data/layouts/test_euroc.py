from pathlib import Path

import cv2
import numpy as np
import pytest
from recordings import HEIGHT, WIDTH, picture, save

from monodepth_ros.data.images.file import read_rgb
from monodepth_ros.data.open_sequence import open_sequence
from monodepth_ros.data.samples.triplets import TripletDataset
from monodepth_ros.errors import UserError

SENSOR = f"""%YAML:1.0
T_BS:
  data: [0.0, -1.0, 0.0, 0.5, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 1.0]
resolution: [{WIDTH}, {HEIGHT}]
intrinsics: [60.0, 61.0, 31.5, 23.5]
distortion_model: radial-tangential
distortion_coefficients: [-0.28, 0.07, 0.0002, 0.00002]
"""
START = 1403715273262142976


def build(path: Path, count: int = 4) -> Path:
    camera = path / "mav0/cam0"
    poses = ["#timestamp, p_x, p_y, p_z, q_w, q_x, q_y, q_z, v_x"]
    for i in range(count):
        stamp = START + i * 50_000_000
        save(picture(i)[:, :, 0], camera / f"data/{stamp}.png")
        if i > 0:
            poses.append(f"{stamp + 1000},{i},0,0,1,0,0,0,9")
    (camera / "sensor.yaml").write_text(SENSOR)
    (path / "mav0/state_groundtruth_estimate0").mkdir()
    (path / "mav0/state_groundtruth_estimate0/data.csv").write_text("\n".join(poses) + "\n")
    return path


def test_layout(tmp_path: Path) -> None:
    (sequence,) = open_sequence(build(tmp_path / "V1_01_easy"))
    assert len(sequence) == 4 and sequence.image(0).shape == (HEIGHT, WIDTH, 3)
    assert sequence.camera.distorted and sequence.camera.distortion_model == "plumb_bob"
    assert sequence.stamp_ns(1) - sequence.stamp_ns(0) == 50_000_000
    assert sequence.pose(0) is None
    np.testing.assert_allclose(sequence.pose(2)[:3, 3], [2.5, 0, 0])


def test_odd_calibration_is_named(tmp_path: Path) -> None:
    file = build(tmp_path / "V1") / "mav0/cam0/sensor.yaml"
    file.write_text(SENSOR.replace("radial-tangential", "magic"))
    with pytest.raises(UserError, match="sensor.yaml.*magic"):
        open_sequence(tmp_path / "V1")
    file.write_text(SENSOR.replace("60.0, 61.0", "0.0, 61.0"))
    with pytest.raises(UserError, match="sensor.yaml: focal lengths"):
        open_sequence(tmp_path / "V1")


def test_real_standstill(real_data: Path, tmp_path: Path) -> None:
    (sequence,) = open_sequence(real_data / "euroc_v101_standstill")
    assert len(sequence) == 8
    camera = sequence.camera
    size = (camera.height, camera.width)
    item = TripletDataset([sequence], size, cache=tmp_path)[0]
    raw = read_rgb(sorted((real_data / "euroc_v101_standstill").glob("mav0/cam0/data/*"))[1])
    expected = cv2.undistort(raw, camera.K, np.array(camera.D)).astype(int)
    assert "valid" not in item  # this lens draws in: every rectified pixel was seen
    difference = np.abs(item["images"][0].permute(1, 2, 0).numpy() - expected)
    assert difference.max() <= 8 and difference.mean() < 0.1  # 1/32 px steps of the lookup
    with pytest.raises(UserError, match="no triplet"):  # the camera stands still
        TripletDataset([sequence], (96, 160), min_motion=0.03, cache=tmp_path)


def test_the_second_camera_is_the_stereo_partner(tmp_path: Path) -> None:
    path = build(tmp_path / "V1")
    (alone,) = open_sequence(path)
    assert alone.stereo is None
    for file in (path / "mav0/cam0/data").iterdir():
        save(picture(int(file.stem) % 7)[:, :, 0], path / "mav0/cam1/data" / file.name)
    moved = SENSOR.replace("0.0, -1.0, 0.0, 0.5,", "0.0, -1.0, 0.0, 0.4,")
    (path / "mav0/cam1/sensor.yaml").write_text(moved.replace("60.0, 61.0", "58.0, 59.0"))
    (sequence,) = open_sequence(path)
    partner = sequence.stereo
    assert partner is not None and partner.sequence.camera.K[0, 0] == 58.0
    # The cameras look along the body's z, their x along its y; 0.1 m apart along the body's x.
    np.testing.assert_allclose(partner.T_partner_camera[:3, 3], [0.0, -0.1, 0.0], atol=1e-12)
    np.testing.assert_allclose(partner.T_partner_camera[:3, :3], np.eye(3), atol=1e-12)
    item = TripletDataset([sequence], (24, 32), cache=tmp_path / "cache", stereo=True)[0]
    assert item["stereo"].shape == (1, 3, 24, 32) and item["K_stereo"][0, 0] == 58.0 / 2
    np.testing.assert_allclose(item["T_stereo_target"][0, 1, 3], -0.1, atol=1e-6)
