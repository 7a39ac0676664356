"""What is no pose is none in every layout, counted, and the frame named."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from recordings import CAMERA, HEIGHT, WIDTH, picture, save

from monodepth_ros.data.known_pose import pose_of_matrix, pose_of_quaternion
from monodepth_ros.data.layouts.sequence_folder import SequenceWriter
from monodepth_ros.data.open_sequence import open_sequence

LOST_MATRICES = {
    "zero": np.zeros((4, 4)),
    "NaN": np.full((4, 4), np.nan),
    "infinite": np.full((4, 4), -np.inf),
    "no rotation": np.array([[0, 0, 0, 5.0], [0, 0, 0, 0], [0, 0, 0, 0], [0, 0, 0, 1]]),
}
LOST_QUATERNIONS = {
    "zero": [0.0] * 7,
    "NaN": [np.nan] * 7,
    "norm 0": [1.0, 2, 3, 0, 0, 0, 0],
    "NaN rotation": [1.0, 2, 3, np.nan, 0, 0, 1],
}


@pytest.mark.parametrize("lost", LOST_MATRICES.values(), ids=LOST_MATRICES)
def test_matrices_that_state_no_pose(lost: np.ndarray) -> None:
    assert pose_of_matrix(lost) is None and pose_of_matrix(lost[:3].ravel()) is None


@pytest.mark.parametrize("lost", LOST_QUATERNIONS.values(), ids=LOST_QUATERNIONS)
def test_quaternions_that_state_no_pose(lost: list[float]) -> None:
    assert pose_of_quaternion(lost[:3], lost[3:]) is None


def test_poses() -> None:
    np.testing.assert_array_equal(pose_of_matrix(np.eye(4)), np.eye(4))
    turned = pose_of_quaternion([1, 2, 3], [0, 0, 2.0, 2.0])
    expected = [[0, -1, 0, 1], [1, 0, 0, 2], [0, 0, 1, 3], [0, 0, 0, 1]]
    np.testing.assert_allclose(turned, expected, atol=1e-12)


def seven_scenes(path: Path, lost: np.ndarray) -> None:
    for n in range(4):
        save(picture(n, 640, 480), path / f"frame-{n:06d}.color.png")
        np.savetxt(path / f"frame-{n:06d}.pose.txt", lost if n == 2 else np.eye(4))


def scannet(path: Path, lost: np.ndarray) -> None:
    (path / "pose").mkdir(parents=True)
    (path / "intrinsic").mkdir()
    K = np.eye(4)
    K[:3, :3] = CAMERA.K
    np.savetxt(path / "intrinsic/intrinsic_color.txt", K)
    for n in range(4):
        save(picture(n), path / f"color/{n}.jpg")
        np.savetxt(path / f"pose/{n}.txt", lost if n == 2 else np.eye(4))


def image_folder(path: Path, lost: np.ndarray) -> None:
    for n in range(4):
        save(picture(n), path / f"images/{n:06d}.png")
    np.savetxt(path / "K.txt", CAMERA.K)
    np.savetxt(path / "poses.txt", [(lost if n == 2 else np.eye(4)).ravel() for n in range(4)])


def kitti_odometry(path: Path, lost: np.ndarray) -> None:
    for n in range(4):
        save(picture(n), path / f"image_2/{n:06d}.png")
    projection = np.column_stack([CAMERA.K, np.zeros(3)])
    np.savetxt(path / "calib.txt", [projection.ravel()] * 4)
    rows = [(lost if n == 2 else np.eye(4))[:3].ravel() for n in range(4)]
    np.savetxt(path / "poses.txt", rows)


@pytest.mark.parametrize("layout", [seven_scenes, scannet, image_folder, kitti_odometry])
@pytest.mark.parametrize("lost", LOST_MATRICES.values(), ids=LOST_MATRICES)
def test_layouts_of_matrices(
    layout: object, lost: np.ndarray, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    layout(tmp_path / "walk", lost)  # type: ignore[operator]
    check(tmp_path / "walk", capsys)


def tum(path: Path, lost: list[float]) -> None:
    poses = ["# stamp tx ty tz qx qy qz qw"]
    images = []
    for n in range(4):
        save(picture(n, 640, 480), path / f"rgb/{n}.png")
        images.append(f"{1000 + n} rgb/{n}.png")
        pose = lost if n == 2 else [0, 0, 0, 0, 0, 0, 1]
        poses.append(" ".join(map(str, [1000 + n, *pose])))
    (path / "rgb.txt").write_text("\n".join(images) + "\n")
    (path / "groundtruth.txt").write_text("\n".join(poses) + "\n")


def euroc(path: Path, lost: list[float]) -> None:
    camera, truth = path / "mav0/cam0", path / "mav0/state_groundtruth_estimate0"
    truth.mkdir(parents=True)
    poses = ["#timestamp, p_x, p_y, p_z, q_w, q_x, q_y, q_z"]
    for n in range(4):
        stamp = 10**18 + n * 10**9
        save(picture(n), camera / f"data/{stamp}.png")
        pose = [*lost[:3], lost[6], *lost[3:6]] if n == 2 else [0, 0, 0, 1, 0, 0, 0]
        poses.append(",".join(map(str, [stamp, *pose])))
    (truth / "data.csv").write_text("\n".join(poses) + "\n")
    (camera / "sensor.yaml").write_text(
        f"T_BS: {{data: {np.eye(4).ravel().tolist()}}}\nresolution: [{WIDTH}, {HEIGHT}]\n"
        "intrinsics: [60.0, 61.0, 31.5, 23.5]\ndistortion_model: none\n"
        "distortion_coefficients: []\n"
    )


def sequence_folder(path: Path, lost: list[float]) -> None:
    with SequenceWriter(path, CAMERA, 10.0) as writer:
        for n in range(4):
            writer.add(picture(n), pose=np.eye(4), stamp_ns=n)
    table = path / "frames.csv"
    lines = table.read_text().splitlines()
    row = lines[3].split(",")
    row[4:11] = map(str, lost)
    lines[3] = ",".join(row)
    table.write_text("\n".join(lines) + "\n")


@pytest.mark.parametrize("layout", [tum, euroc, sequence_folder])
@pytest.mark.parametrize("lost", LOST_QUATERNIONS.values(), ids=LOST_QUATERNIONS)
def test_layouts_of_quaternions(
    layout: object, lost: list[float], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    layout(tmp_path / "walk", lost)  # type: ignore[operator]
    check(tmp_path / "walk", capsys)


def check(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Three poses of four, the third frame named; a slice counts its own frames."""
    (sequence,) = open_sequence(path)
    assert [sequence.pose(n) is None for n in range(4)] == [False, False, True, False]
    said = capsys.readouterr().err
    assert "walk: poses 3 of 4 frames" in said and sequence.frame_name(2) in said
    open_sequence(f"{path}@3:")
    assert capsys.readouterr().err == ""
    open_sequence(f"{path}@2:3")
    assert "poses 0 of 1 frames" in capsys.readouterr().err


def test_a_recording_without_poses_says_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    image_folder(tmp_path / "walk", np.eye(4))
    (tmp_path / "walk/poses.txt").unlink()
    seven_scenes(tmp_path / "scene", np.eye(4))
    for file in (tmp_path / "scene").glob("*.pose.txt"):
        file.unlink()
    for name in ("walk", "scene"):
        assert not open_sequence(tmp_path / name)[0].states_poses
    shutil.rmtree(tmp_path / "walk")
    assert capsys.readouterr().err == ""
