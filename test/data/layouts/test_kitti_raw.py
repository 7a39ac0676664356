from pathlib import Path

import numpy as np
import pytest
from recordings import HEIGHT, WIDTH, picture, save
from velodyne_scans import naive_projection, random_scan

from monodepth_ros.data.layouts.kitti_raw import read_split
from monodepth_ros.data.open_sequence import open_sequence
from monodepth_ros.data.samples.triplets import FrameDataset, TripletDataset
from monodepth_ros.errors import UserError

DATE = "2011_09_26"
DRIVES = (f"{DATE}/{DATE}_drive_0001_sync", f"{DATE}/{DATE}_drive_0002_sync")
ROTATION = np.array([[0.0, -1, 0], [0, 0, -1], [1, 0, 0]])  # scanner axes to optical axes
OFFSET = np.array([0.1, -0.2, -0.3])
K = np.array([[60.0, 0, 31.5], [0, 60.0, 23.5], [0, 0, 1]])


def text(values: np.ndarray) -> str:
    return " ".join(f"{value:.9e}" for value in np.ravel(values))


def build(root: Path, frames: int = 8) -> Path:
    date = root / DATE
    date.mkdir(parents=True)
    cameras = ["calib_time: 09-Jan-2012 13:57:47", f"R_rect_00: {text(np.eye(3))}"]
    for number, baseline in ((2, 0.06), (3, 0.6)):
        projection = K @ np.hstack([np.eye(3), [[-baseline], [0], [0]]])
        cameras += [f"S_rect_0{number}: {text(np.array([WIDTH, HEIGHT]))}"]
        cameras += [f"P_rect_0{number}: {text(projection)}"]
    (date / "calib_cam_to_cam.txt").write_text("\n".join(cameras))
    (date / "calib_velo_to_cam.txt").write_text(f"R: {text(ROTATION)}\nT: {text(OFFSET)}\n")
    (date / "calib_imu_to_velo.txt").write_text(f"R: {text(np.eye(3))}\nT: 0 0 0\n")
    for number, drive in enumerate(DRIVES):
        build_drive(root / drive, frames, seed=10 * number)
    return root


def build_drive(path: Path, frames: int, seed: int) -> None:
    stamps = []
    for i in range(frames):
        save(picture(seed + i), path / f"image_02/data/{i:010d}.png")
        save(picture(seed + i + 100), path / f"image_03/data/{i:010d}.png")
        stamps.append(f"2011-09-26 13:02:25.{i}51199337")
        oxts = np.zeros(30)
        oxts[:3] = 49.0, 8.4 + i * 1e-5, 110.0  # eastward
        oxts[8] = 7.5
        write(path / f"oxts/data/{i:010d}.txt", text(oxts))
        if i > 0:  # the first scan of some drives does not exist
            scan, _ = random_scan(2000, seed + i)
            file = path / f"velodyne_points/data/{i:010d}.bin"
            file.parent.mkdir(parents=True, exist_ok=True)
            scan.tofile(file)
        improved = np.full((HEIGHT, WIDTH), (seed + i) * 256, np.uint16)
        save(improved, path / f"proj_depth/groundtruth/image_02/{i:010d}.png")
    write(path / "image_02/timestamps.txt", "\n".join(stamps) + "\n")


def write(path: Path, content: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)


def test_layout(tmp_path: Path) -> None:
    root = build(tmp_path / "raw")
    for opened in (root, root / DATE):
        assert [s.name for s in open_sequence(opened)] == [Path(drive).name for drive in DRIVES]
    (sequence,) = open_sequence(root / DRIVES[0])
    np.testing.assert_allclose(sequence.camera.K, K)
    np.testing.assert_array_equal(sequence.image(3), picture(3))
    assert sequence.stamp_ns(3) - sequence.stamp_ns(1) == 200_000_000
    assert sequence.stamp_ns(0) == 1317042145_051199337
    assert sequence.speed(0) == 7.5


def test_velodyne_truth(tmp_path: Path) -> None:
    (sequence,) = open_sequence(build(tmp_path / "raw") / DRIVES[0])
    assert sequence.depth(0) is None
    scan, _ = random_scan(2000, 4)
    camera = np.hstack([ROTATION, OFFSET[:, None]]) + [[0, 0, 0, -0.06], [0] * 4, [0] * 4]
    expected = naive_projection(scan, K @ camera, (HEIGHT, WIDTH)).astype(np.float32)
    np.testing.assert_array_equal(np.nan_to_num(sequence.depth(4), nan=0.0), expected)
    assert (expected > 0).sum() > 50


def test_improved_truth(tmp_path: Path) -> None:
    root = build(tmp_path / "raw")
    drive = open_sequence(root, kitti_truth="improved")[1]
    assert np.isnan(drive.depth(0)).sum() == 0 and drive.depth(3)[0, 0] == 13.0


def test_poses_from_gps_and_imu(tmp_path: Path) -> None:
    (sequence,) = open_sequence(build(tmp_path / "raw") / DRIVES[0])
    moved = np.linalg.norm(sequence.pose(1)[:3, 3] - sequence.pose(0)[:3, 3])
    circle = 6378137.0 * np.cos(np.radians(49.0))
    assert moved == pytest.approx(circle * np.radians(1e-5), rel=1e-6)
    # Yaw is 0 towards east, so the vehicle drives forward: along the optical axis.
    step = np.linalg.inv(sequence.pose(0)) @ sequence.pose(1)
    np.testing.assert_allclose(step[:3, 3], [0, 0, moved], atol=1e-6)


def test_split(tmp_path: Path) -> None:
    root = build(tmp_path / "raw")
    split = tmp_path / "eigen.txt"
    split.write_text(
        f"{DRIVES[1]} 0000000005 l\n{DRIVES[0]} 3 l\n{DRIVES[1]} 2 l\n{DRIVES[0]} 4 r\n"
    )
    second, first, right = open_sequence(f"{root}@{split}")
    assert list(second.targets) == [2, 5] and list(first.targets) == [3]
    np.testing.assert_array_equal(right.image(list(right.targets)[0]), picture(104))
    triplets = TripletDataset([second, first], (24, 32), cache=tmp_path / "cache")
    assert [triplets.frame_name(i) for i in range(3)] == [
        f"{Path(DRIVES[1]).name}/0000000002.png",
        f"{Path(DRIVES[1]).name}/0000000005.png",
        f"{Path(DRIVES[0]).name}/0000000003.png",
    ]
    frames = FrameDataset([second], (24, 32), cache=tmp_path / "cache")
    assert len(frames) == 2 and np.isfinite(frames[1]["depth"].numpy()).any()
    improved = open_sequence(f"{root}@{split}", kitti_truth="improved")
    assert improved[0].depth(5)[0, 0] == 15.0


def test_odd_splits_are_named(tmp_path: Path) -> None:
    root = build(tmp_path / "raw")
    split = tmp_path / "eigen.txt"
    for content, message in [
        ("", "the split is empty"),
        (f"{DRIVES[0]} 1", "line 1: expected"),
        (f"{DRIVES[0]} one l", "line 1: expected"),
        (f"{DRIVES[0]} 77 l", "has no frame 77"),
        ("2011_09_30/x 1 l", "no folder"),
    ]:
        split.write_text(content)
        with pytest.raises(UserError, match=f"eigen.txt.*{message}"):
            open_sequence(f"{root}@{split}")
    with pytest.raises(UserError, match="nothing.txt: no such split file"):
        read_split(tmp_path / "nothing.txt")


def test_odd_calibration_is_named(tmp_path: Path) -> None:
    root = build(tmp_path / "raw")
    file = root / DATE / "calib_cam_to_cam.txt"
    good = file.read_text()
    file.write_text(good.replace("P_rect_02", "P_rect_09"))
    with pytest.raises(UserError, match="calib_cam_to_cam.txt: no P_rect_02"):
        open_sequence(root)
    file.write_text(good.replace(text(np.array([WIDTH, HEIGHT])), "20 10", 1))
    with pytest.raises(UserError, match="calib_cam_to_cam.txt P_rect_02: principal point"):
        open_sequence(root)
    file.unlink()
    with pytest.raises(UserError, match="calib_cam_to_cam.txt: the file is missing"):
        open_sequence(root)


@pytest.mark.parametrize("lost", ["0 " * 30, "nan " * 30])
def test_records_that_state_no_pose(tmp_path: Path, lost: str) -> None:
    path = build(tmp_path) / DRIVES[0]
    whole = open_sequence(path)[0]
    records = sorted((path / "oxts/data").glob("*.txt"))
    records[0].write_text(lost + "\n")
    sequence = open_sequence(path)[0]
    assert sequence.pose(0) is None and sequence.speed(0) is None
    step = np.linalg.inv(sequence.pose(1)) @ sequence.pose(2)
    np.testing.assert_allclose(step, np.linalg.inv(whole.pose(1)) @ whole.pose(2), atol=1e-6)


def test_the_other_colour_camera_is_the_stereo_partner(tmp_path: Path) -> None:
    root = build(tmp_path / "raw")
    (left,) = open_sequence(root / DRIVES[0])
    assert left.stereo is not None
    np.testing.assert_array_equal(left.stereo.sequence.image(3), picture(103))
    expected = np.eye(4)
    expected[0, 3] = -0.54  # points lie further left in the right camera
    np.testing.assert_allclose(left.stereo.T_partner_camera, expected, atol=1e-12)
    (sliced,) = open_sequence(f"{root / DRIVES[0]}@2:8:2")
    assert sliced.stereo is not None and len(sliced.stereo.sequence) == len(sliced) == 3
    np.testing.assert_array_equal(sliced.stereo.sequence.image(1), picture(104))
    (root / DRIVES[0] / "image_03/data/0000000004.png").unlink()
    (left,) = open_sequence(root / DRIVES[0])
    assert left.stereo is None
