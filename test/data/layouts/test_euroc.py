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
